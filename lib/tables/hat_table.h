/*
 * hat_table.h - what hat.c, hat_builder.c and hat_export.c share: the table
 * itself. Nobody else includes this.
 *
 * Entries are numbered in written order over all groups, so that "the first
 * match" is the lowest number whatever index it comes from, and the group of
 * an entry follows from where the groups begin. Groups that continue have
 * numbers, but stand in no index.
 */
#ifndef LIB_TABLES_HAT_TABLE_H
#define LIB_TABLES_HAT_TABLE_H

#include "lib/base/arena.h"
#include "lib/base/ipmap.h"
#include "lib/base/strmap.h"
#include "lib/tables/hat_entry.h"
#include "lib/tables/hat_settings.h"

#define HAT_NONE UINT32_MAX /* no entry, no group */
#define HAT_CLASSES 3       /* unverified classes */

/* One slot for each hundredth and one for the open space behind it. */
#define HAT_SCORE_SLOTS (2 * 2 * HAT_SCORE_MOST + 1)

/* Room for a key of hat->lookups: "zone:" and a name. */
#define HAT_LOOKUP_KEY_MAX (DOMAIN_MAX + 8)

/* One group. A HAT text file may be a million bare entries, each a group of its
 * own, so this counts: bare addresses (or bare names) in a row that lead to the
 * same target share one, since the first of them that matches wins either way. */
struct hat_row {
    uint32_t name, comment; /* in hat->words; HAT_NONE: none */
    uint32_t policy;        /* in hat->targets */
    uint32_t first;         /* its entries begin here */
    uint32_t line;          /* in hat->file; 0: not written */
    uint16_t classes;       /* [group] unverified */
    uint16_t stride;        /* a run of bare entries: lines from one to the next; 0: none */
};

/* What a group can lead to. */
struct hat_target {
    const struct policy *policy;        /* arena, or the configuration's */
    const struct hat_settings *written; /* arena; NULL: not a policy of a HAT text file */
};

struct hat_zone {
    const char *name;
    uint32_t first;        /* the first entry that names it */
    struct ipmap *answers; /* owned: answer -> the first entry that means it */
};

struct hat {
    struct arena *arena; /* name of the file, zones, policies of a HAT text file */

    /* As written. */
    const char *file; /* arena; where the groups stand */
    char *pool;       /* owned: the texts of all entries, each with its NUL */
    uint32_t *texts;  /* owned: where each begins */
    size_t pool_n, pool_room, nentries, texts_room;
    char *words; /* owned: names and comments, each with its NUL */
    size_t words_n, words_room;
    struct hat_target *targets; /* owned */
    size_t ntargets, targets_room;
    struct hat_row *groups; /* owned; the last is ALL with the fallback policy */
    size_t ngroups, groups_room;

    /* Static entries -> number. */
    struct ipmap *addresses;
    struct strmap *names;   /* "mail.example.com", ".example.com": keys are the texts, */
    struct strmap *spelled; /* ... but those that are written otherwise */
    uint32_t all;           /* the first ALL, or HAT_NONE */

    /* Look-up entries -> number of the first. */
    struct strmap *lookups; /* "sbo:64500", "country:JP", "sbrs:none"; "zone:bl.example.org":
                               number of the zone */
    uint32_t *scores;       /* owned: by slot; NULL: no score range in the table */
    uint32_t first_score, first_owner, first_country; /* the lowest of each sort */
    struct hat_zone zones[HAT_ZONES_MAX];
    size_t nzones;

    uint32_t class_group[HAT_CLASSES]; /* first group that takes it; by bit */
};

/* The text of an entry as written. */
const char *hat_entry_text(const struct hat *hat, uint32_t entry);
/* A name or comment of a row; NULL for HAT_NONE. */
const char *hat_word(const struct hat *hat, uint32_t word);

#endif
