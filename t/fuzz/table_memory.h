/*
 * table_memory.h - a table file in memory for fuzz targets, under a path that
 * loaders can open.
 */
#ifndef T_FUZZ_TABLE_MEMORY_H
#define T_FUZZ_TABLE_MEMORY_H

#include "lib/base/str.h"

struct table_memory {
    int fd;
    char path[40];
};

void table_memory_new(struct table_memory *table, const void *data, size_t size);
void table_memory_done(struct table_memory *table);

/* What export() appends of a table that loads must load, and be appended again
 * the same. */
void table_memory_round_trip(const uint8_t *data, size_t size,
                             void (*export)(const void *data, size_t size, bool must_load,
                                            struct strbuf *out));

#endif
