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
 * A server may also take its time for refusals only, to tire those who guess names.
 * That shows in how long a refusal lets one wait beyond a round trip. A batch is so small
 * that it would not take longer than PACE_SLOW even if all of it were refused. Where no
 * refusal was seen lately it is as small as it may be for all who wait to have their turn
 * soon: many clients within PACE_SHARED, one within PACE_ALONE, since nobody else suffers.
 *
 * Plain values, no clock, no lock: the caller's.
 */
#ifndef LIB_NET_CALLAHEAD_PACE_H
#define LIB_NET_CALLAHEAD_PACE_H

#include "lib/base/mono.h"

#define PACE_SLOW MONO_MS(250)
#define PACE_SHARED MONO_MS(100)
#define PACE_ALONE MONO_MS(2)
#define PACE_REFUSAL_KNOWN MONO_SECONDS(60)
#define PACE_FIRST 8 /* recipients in a batch to a server nobody knows */

/* A batch of n takes fixed + each * n microseconds, by least squares over the
 * last few, older ones counting less. */
struct pace {
    double count, n, us, nn, n_us; /* sums */
    double fixed, each;
    bool known;
    size_t most;           /* recipients in a batch */
    mono_us trip;          /* the shortest round trip seen; 0: none yet */
    mono_us refusal;       /* what one costs, ... */
    mono_us refusal_until; /* ... for all that is known until then */
};

void pace_init(struct pace *pace);
void pace_add(struct pace *pace, size_t n, mono_us took); /* one batch */
void pace_add_trip(struct pace *pace, mono_us took);
/* So many replies, some of them refusals, came in that time, without round trips. */
void pace_add_refusals(struct pace *pace, size_t replies, mono_us took, mono_us now);
/* May refusals be slow, for all that is known? */
bool pace_may_tire(const struct pace *pace, mono_us now);
/* How large the next batch may be at most, for the sake of others. shared: several clients
 * wait. */
size_t pace_bearable(const struct pace *pace, size_t waiting, size_t connections, bool shared,
                     mono_us now);

/* Recipients for the next batch, 1...most, when so many wait, and of so many
 * connections so many are available (1 at least: the one that asks). */
size_t pace_part(const struct pace *pace, size_t waiting, size_t connections, size_t available);

#endif
