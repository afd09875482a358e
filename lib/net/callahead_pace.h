/*
 * callahead_pace.h - how large batches to one server should be, learned from
 * how long they took.
 *
 * Where a server works on each recipient in turn, pipelining gains nothing and
 * a large batch only keeps other connections idle: each then takes the queue
 * divided by the number of connections, so that parts shrink as the queue does
 * and all end at about the same time. And since answers come out with their
 * batch, none is to take PACE_SLOW longer than a round trip. Where the time
 * goes by on the wire, whoever comes first takes all that waits.
 *
 * Plain values, no clock, no lock: the caller's.
 */
#ifndef LIB_NET_CALLAHEAD_PACE_H
#define LIB_NET_CALLAHEAD_PACE_H

#include "lib/base/mono.h"

#define PACE_SLOW MONO_MS(250)
#define PACE_FIRST 8 /* recipients in a batch to a server nobody knows */

/* A batch of n takes fixed + each * n microseconds, by least squares over the
 * last few, older ones counting less. */
struct pace {
    double count, n, us, nn, n_us; /* sums */
    double fixed, each;
    bool known;
    size_t most; /* recipients in a batch */
};

void pace_init(struct pace *pace);
void pace_add(struct pace *pace, size_t n, mono_us took); /* one batch */

/* Recipients for the next batch, 1...most, when so many wait, and of so many
 * connections so many are available (1 at least: the one that asks). */
size_t pace_part(const struct pace *pace, size_t waiting, size_t connections, size_t available);

#endif
