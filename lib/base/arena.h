/*
 * arena.h - many small allocations that die together.
 *
 * One arena a configuration, one a connection, one a message. Not for two
 * threads at once. Memory is aligned for any type. There is no free of a
 * single piece; arena_reset() keeps the first block, so a connection's
 * per-message arena does not allocate again for the usual message.
 */
#ifndef LIB_BASE_ARENA_H
#define LIB_BASE_ARENA_H

#include "lib/base/base.h"
#include "lib/base/str.h"

struct arena;

/* first_block: bytes of the first block, allocated at once; 0 means 1024.
 * NULL when out of memory. */
struct arena *arena_new(size_t first_block);
void arena_free(struct arena *arena);
void arena_reset(struct arena *arena);

/* All return NULL when out of memory. arena_alloc gives zeroed bytes. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_dup(struct arena *arena, const char *text); /* NULL for NULL */
char *arena_dup_slice(struct arena *arena, struct slice s);
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);

size_t arena_used(const struct arena *arena); /* bytes taken from the heap */

#endif
