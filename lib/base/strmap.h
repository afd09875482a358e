/*
 * strmap.h - many strings, each with a 32-bit number; built once, then read.
 *
 * The index behind host names of a HAT, keys of a RAT and of SMTP routes:
 * compact (about key length + 17 bytes an entry), one million keys load in
 * well under a second, a look-up touches one or two cache lines. Keys are
 * compared byte by byte: callers lower-case. Adding a key twice keeps the
 * first number ("first match wins"). Building: one thread. Reading: any.
 */
#ifndef LIB_BASE_STRMAP_H
#define LIB_BASE_STRMAP_H

#include "lib/base/base.h"
#include "lib/base/str.h"

#define STRMAP_NONE UINT32_MAX

struct strmap;

struct strmap *strmap_new(void); /* NULL: out of memory */
/* For keys that are kept elsewhere already: 11 bytes an entry. key_of() gives
 * the key of a number that was added, as it was then; owner is borrowed. */
struct strmap *strmap_new_over(struct slice (*key_of)(const void *owner, uint32_t value),
                               const void *owner);
void strmap_free(struct strmap *map);
/* false: out of memory. was_there_out (may be NULL): the key existed. */
NODISCARD bool strmap_add(struct strmap *map, struct slice key, uint32_t value,
                          bool *was_there_out);
uint32_t strmap_get(const struct strmap *map, struct slice key); /* or STRMAP_NONE */
size_t strmap_count(const struct strmap *map);
size_t strmap_bytes(const struct strmap *map); /* memory held */

/* The lowest number among ".b.c", ".c" for a.b.c (every proper suffix that
 * begins with a dot); STRMAP_NONE when none. */
uint32_t strmap_lowest_suffix(const struct strmap *map, const char *domain);
/* The number of the longest such suffix. */
uint32_t strmap_longest_suffix(const struct strmap *map, const char *domain);

#endif
