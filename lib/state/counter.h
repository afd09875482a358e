/*
 * counter.h - how often something happened to a key within its window.
 *
 * A window begins with the first event of a key and lasts as long as the one
 * who asks says (SPEC 7); the next event after it begins another. What is over
 * the limit is not counted, so a key that keeps trying is let in again as soon
 * as its window ends. Counting is exact, however many threads count on one
 * key.
 *
 * All memory is reserved at once and touched as keys come, COUNTER_BYTES and
 * at most 8 more for the index a key: counting cannot fail. A full table
 * forgets keys whose window is over first, then those with the least to tell:
 * that came least near to a limit they were compared with, in eighths of it, and
 * among these the one that has been there longest. So no flood of other keys
 * makes one forgotten that is about to reach its limit, or has reached it. Only
 * where all keys have reached one does such a key go, that which did so first:
 * newcomers are counted in any case, or a table that somebody fills on purpose
 * would be the end of all limits. Keys are strangers' choice: only their hash is
 * kept, 64 bits under a secret of the process.
 *
 * Sharded: each shard has one mutex, a leaf, held for a hash probe. Time is
 * passed in, never read. Any thread.
 */
#ifndef LIB_STATE_COUNTER_H
#define LIB_STATE_COUNTER_H

#include "lib/base/base.h"
#include "lib/base/mono.h"
#include "lib/base/str.h"

struct counter_table;

#define COUNTER_BYTES 48

struct counter_value {
    uint32_t count; /* events within the limit */
    uint32_t total; /* all events of the window */
    mono_us began;
};

struct counter_table *counter_new(size_t max_keys); /* NULL: out of memory */
void counter_free(struct counter_table *table);     /* takes NULL */

/* One event more: true when it is within limit, then it is counted. Limit 0
 * only opens the window. value_out (may be NULL): as it is afterwards. */
bool counter_take(struct counter_table *table, struct slice key, uint64_t limit, mono_us window,
                  mono_us now, struct counter_value *value_out);

/* Add `by` to the count of the window that began then, if it is still the
 * key's. limit: what the count is compared with. Returns the new count; 0 when
 * that window is gone. */
uint32_t counter_correct(struct counter_table *table, struct slice key, uint64_t limit,
                         mono_us began, int by);

/* false: no window is open; value_out untouched. */
NODISCARD bool counter_get(struct counter_table *table, struct slice key, mono_us window,
                           mono_us now, struct counter_value *value_out);

/* The key starts afresh. false: there was nothing to forget. */
bool counter_reset(struct counter_table *table, struct slice key);

size_t counter_keys(struct counter_table *table);        /* those over their window included */
size_t counter_bytes(const struct counter_table *table); /* reserved */

#endif
