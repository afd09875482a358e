/*
 * hat_reference.h - the Host Access Table as SPEC 3.1 reads: loops over groups
 * and entries, no index, no parser.
 *
 * Tables are made up at random. Every entry is made twice: as the text an
 * administrator would write, and as the numbers it means. The table under
 * test sees the text, the reference only the numbers.
 */
#ifndef T_UNIT_TABLES_HAT_REFERENCE_H
#define T_UNIT_TABLES_HAT_REFERENCE_H

#include "lib/tables/hat.h"
#include "t/unit/dice.h"

enum reference_kind {
    REF_V4,       /* lo ... hi */
    REF_V6,       /* first ... last, IPv6 clients only */
    REF_V6_GROUP, /* like first, but group `group` is from ... to */
    REF_NAME,     /* name */
    REF_BELOW,    /* name, with its dot */
    REF_ALL,
    REF_SCORE, /* score_from ... score_to */
    REF_NO_SCORE,
    REF_OWNER,
    REF_COUNTRY, /* name */
    REF_ZONE,    /* name, and answers; none: the usual ones */
    REF_CLASS    /* class */
};

#define REFERENCE_ANSWERS_MAX 3

struct reference_entry {
    enum reference_kind kind;
    char text[160];
    uint32_t lo, hi;
    uint16_t first[8], last[8], from, to;
    unsigned group;
    double score_from, score_to;
    uint32_t owner;
    struct {
        uint32_t first, last;
    } answers[REFERENCE_ANSWERS_MAX];
    size_t nanswers;
    char name[64];
    enum hat_unverified class;
};

#define REFERENCE_ENTRIES_MAX 8
#define REFERENCE_GROUPS_MAX 8

struct reference_group {
    char name[24];
    const struct policy *policy;
    unsigned unverified;
    struct reference_entry entries[REFERENCE_ENTRIES_MAX];
    size_t n;
};

struct reference {
    const struct policy *fallback;
    struct reference_group groups[REFERENCE_GROUPS_MAX];
    size_t n;
};

void reference_make(struct dice *dice, struct reference *table_out);

#define REFERENCE_NAMES_MAX 4
#define REFERENCE_ZONES 4

/* A client near the edges of such a table, all facts known. */
struct reference_client {
    struct hat_client client;
    struct host_answer host;
    char name[REFERENCE_NAMES_MAX][64];
    const char *names[REFERENCE_NAMES_MAX];
    struct dnslisting listed[REFERENCE_ZONES];
    uint32_t answers[REFERENCE_ZONES][REFERENCE_ANSWERS_MAX];
};
void reference_client(struct dice *dice, struct reference_client *out);

int reference_compare6(const uint16_t a[8], const uint16_t b[8]);

/* group, entry, host, policy and by_owner of the match; not its place. */
void reference_decide(const struct reference *table, const struct hat_client *client,
                      struct hat_match *match_out);
void reference_wants(const struct reference *table, const struct hat_client *client,
                     struct hat_wants *wants_out);

#endif
