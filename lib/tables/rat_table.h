/*
 * rat_table.h - what rat.c and rat_file.c share: the table itself. Nobody else
 * includes this.
 */
#ifndef LIB_TABLES_RAT_TABLE_H
#define LIB_TABLES_RAT_TABLE_H

#include "lib/base/arena.h"
#include "lib/base/domain.h"
#include "lib/base/strmap.h"
#include "lib/tables/rat.h"

/* The longest key: local part, '@', domain or literal, NUL. */
#define RAT_KEY_MAX (MAILADDR_PATH_MAX + 1 + DOMAIN_MAX)

struct rat {
    struct arena *arena;    /* texts, the file's name */
    struct strmap *keys;    /* but ALL -> index; forms cannot be mistaken for each other */
    struct rat_entry *list; /* owned */
    size_t count, room;
    uint32_t all; /* index of the first ALL, or STRMAP_NONE */
};

/* "user@", "user@example.com": local part unquoted and in lower case, so that
 * all ways to write an address agree. false: it does not fit. domain may be
 * "". */
NODISCARD bool rat_key(const char *local, const char *domain, char key[RAT_KEY_MAX]);

#endif
