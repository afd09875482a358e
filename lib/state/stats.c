#include "lib/state/stats.h"

#include <stdatomic.h>

struct stats {
    size_t n;
    atomic_uint_fast64_t counter[];
};

struct stats *stats_new(size_t counters)
{
    struct stats *stats = calloc(1, sizeof *stats + counters * sizeof stats->counter[0]);
    if (stats != NULL)
        stats->n = counters;
    return stats;
}

void stats_free(struct stats *stats)
{
    free(stats);
}

void stats_count(struct stats *stats, size_t index)
{
    CHECK(index < stats->n);
    atomic_fetch_add_explicit(&stats->counter[index], 1, memory_order_relaxed);
}

uint64_t stats_get(const struct stats *stats, size_t index)
{
    CHECK(index < stats->n);
    return atomic_load_explicit(&stats->counter[index], memory_order_relaxed);
}
