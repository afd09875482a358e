/*
 * routes_table.h - what routes.c and routes_file.c share: the table itself.
 * Nobody else includes this.
 */
#ifndef LIB_TABLES_ROUTES_TABLE_H
#define LIB_TABLES_ROUTES_TABLE_H

#include "lib/base/arena.h"
#include "lib/base/strmap.h"
#include "lib/tables/routes.h"

struct routes {
    struct arena *arena; /* keys, hosts, the file's name */
    struct strmap *keys; /* but ALL */
    struct route *list;  /* owned */
    size_t count, room;
    uint32_t all; /* index of ALL, or STRMAP_NONE */
};

extern const char *const route_tls_words[]; /* by enum route_tls */

#endif
