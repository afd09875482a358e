/*
 * hat_table.h - what hat.c and hat_build.c share: the table itself. Nobody
 * else includes this.
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

#define HAT_NONE UINT32_MAX /* no entry, no group */
#define HAT_CLASSES 3       /* unverified classes */

/* One slot for each hundredth and one for the open space behind it. */
#define HAT_SCORE_SLOTS (2 * 2 * HAT_SCORE_MOST + 1)

/* Room for a key of hat->lookups: "zone:" and a name. */
#define HAT_LOOKUP_KEY_MAX (DOMAIN_MAX + 8)

struct hat_row { /* one group */
    const char *name;
    struct place at;
    const struct policy *policy;
    uint32_t first; /* its entries begin here */
};

struct hat_zone {
    const char *name;
    uint32_t first; /* the first entry that names it */
};

struct hat {
    struct arena *arena; /* names of groups, files and zones */

    /* As written. */
    char *pool;      /* owned: the texts of all entries, each with its NUL */
    uint32_t *texts; /* owned: where each begins */
    size_t pool_n, pool_room, nentries, texts_room;
    struct hat_row *groups; /* owned; the last is ALL with the fallback policy */
    size_t ngroups;

    /* Static entries -> number. */
    struct ipmap *addresses;
    struct strmap *names; /* "mail.example.com", ".example.com" */
    uint32_t all;         /* the first ALL, or HAT_NONE */

    /* Look-up entries -> number of the first. */
    struct strmap *lookups; /* "sbo:64500", "country:JP", "zone:bl.example.org", "sbrs:none" */
    uint32_t *scores;       /* owned: by slot; NULL: no score range in the table */
    uint32_t first_score, first_owner, first_country; /* the lowest of each sort */
    struct hat_zone zones[HAT_ZONES_MAX];
    size_t nzones;

    uint32_t class_group[HAT_CLASSES]; /* first group that takes it; by bit */
};

#endif
