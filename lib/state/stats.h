/*
 * stats.h - how often things happened: a table of counters from start to end
 * of the process.
 *
 * Counters only grow and survive reloads. They are relaxed atomics: counting
 * never waits and takes no lock; a reader sees each counter at some moment of
 * its own, so sums of several are approximate while mail flows. What the
 * indexes mean is the caller's business. Any thread, but for new and free.
 */
#ifndef LIB_STATE_STATS_H
#define LIB_STATE_STATS_H

#include "lib/base/base.h"

struct stats;

struct stats *stats_new(size_t counters); /* all 0; NULL: out of memory */
void stats_free(struct stats *stats);     /* takes NULL */

/* index must be below the number of counters (a CHECK). */
void stats_count(struct stats *stats, size_t index);
uint64_t stats_get(const struct stats *stats, size_t index);

#endif
