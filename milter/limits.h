/*
 * limits.h - all that is counted for the whole daemon: connections, recipients
 * of hosts, senders and accounts, invalid recipients. One for the process; it
 * outlives reloads and is gone after a restart (SPEC 15). limits_counting()
 * dresses it up as what the stages use. Any thread after limits_new().
 */
#ifndef MILTER_LIMITS_H
#define MILTER_LIMITS_H

#include "lib/gate/services.h"
#include "lib/state/counter.h"
#include "lib/state/harvest.h"
#include "lib/state/lease.h"

#define LIMITS_RATES (RATE_ACCOUNT + 1)
#define LIMITS_CROWDS (CROWD_PENDING + 1)

struct limits {
    struct counter_table *rates[LIMITS_RATES]; /* by enum rate */
    struct lease_table *crowds[LIMITS_CROWDS]; /* by enum crowd */
    struct harvest *harvest;
};

/* max_counters: of each table. NULL: out of memory. */
struct limits *limits_new(size_t max_counters);
void limits_free(struct limits *limits); /* takes NULL; nobody may be counting */

struct counting limits_counting(struct limits *limits);

#endif
