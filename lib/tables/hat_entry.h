/*
 * hat_entry.h - one sender entry, as written, and what it means (SPEC 3.1).
 *
 * Only hat_build.c, hat.c, hops.c and `dnslist test` use this. Plain values, no allocation, any
 * thread.
 */
#ifndef LIB_TABLES_HAT_ENTRY_H
#define LIB_TABLES_HAT_ENTRY_H

#include "lib/base/domain.h"
#include "lib/base/err.h"
#include "lib/tables/hat.h"

enum hat_lookup {
    HAT_LOOKUP_SCORE,
    HAT_LOOKUP_NO_SCORE,
    HAT_LOOKUP_OWNER,
    HAT_LOOKUP_COUNTRY,
    HAT_LOOKUP_ZONE
};

#define HAT_SCORE_UNIT 100 /* scores are kept in hundredths: -1000 ... 1000 */
#define HAT_SCORE_MOST (10 * HAT_SCORE_UNIT)

/* Answers and ranges of them that one DNS list entry may name: more is a second entry. */
#define HAT_ANSWERS_MAX 32

/* What an entry means. Only the members its kind names are set. */
struct hat_form {
    enum hat_entry_kind kind;
    struct ip first, last;     /* RANGE, GROUP_RANGE: lowest and highest */
    unsigned network_bits;     /* RANGE written with a prefix length: that (of 32 for IPv4) */
    bool host_bits;            /* ... and bits behind it were set */
    unsigned group;            /* GROUP_RANGE: which of the eight may vary, 0...7, */
    uint16_t from, to;         /* from ... to */
    char name[DOMAIN_MAX + 1]; /* NAME, SUFFIX (with its dot), ZONE: canonical */
    enum hat_lookup lookup;    /* LOOKUP */
    int score_from, score_to;  /* SCORE: in hundredths */
    uint32_t owner;            /* OWNER */
    char country[3];           /* COUNTRY: "JP" */
    /* ZONE: which answers of the list are meant, as written or by default */
    struct hat_answers {
        uint32_t first, last;
    } answers[HAT_ANSWERS_MAX];
    size_t nanswers;
    enum hat_unverified class; /* UNVERIFIED */
};

/* text: UTF-8. On failure err says what is wrong and what is allowed. */
NODISCARD bool hat_form_parse(struct slice text, struct hat_form *form_out, struct err *err);

/* Is it made of addresses, and ip one of them? */
bool hat_form_holds(const struct hat_form *form, const struct ip *ip);

/* Is it of the DNS list's zone, and does it mean one of the answers? */
bool hat_form_lists(const struct hat_form *form, const struct dnslisting *listing);

/* nx.domain, serv.fail, not.double.verified: for one bit of hat_unverified. */
const char *hat_class_word(enum hat_unverified class);

#endif
