/*
 * rat_table.h - what rat.c and rat_file.c share: the table itself. Nobody else
 * includes this.
 */
#ifndef LIB_TABLES_RAT_TABLE_H
#define LIB_TABLES_RAT_TABLE_H

#include "lib/base/arena.h"
#include "lib/base/strmap.h"
#include "lib/tables/rat.h"

struct rat {
    struct arena *arena;    /* texts, the file's name */
    struct strmap *keys;    /* but ALL -> index; forms cannot be mistaken for each other */
    struct rat_entry *list; /* owned */
    size_t count, room;
    uint32_t all; /* index of the first ALL, or STRMAP_NONE */
};

#endif
