/*
 * backoff.h - how long a server that failed is left alone: 1 s, and twice as
 * long after each failure that follows, up to 60 s (SPEC 8, 9). The caller has
 * the lock. All zero: no failure.
 */
#ifndef LIB_NET_BACKOFF_H
#define LIB_NET_BACKOFF_H

#include "lib/base/mono.h"

#define BACKOFF_FIRST MONO_SECONDS(1)
#define BACKOFF_LONGEST MONO_SECONDS(60)

struct backoff {
    mono_us pause; /* the last one; 0: it has worked since */
    mono_us until; /* its end */
};

/* The server failed. Returns how long it is left alone; 0: it is already, since
 * connections that fail at the same time are one failure. */
mono_us backoff_failed(struct backoff *backoff, mono_us now);
/* It works. Was it otherwise before? */
bool backoff_worked(struct backoff *backoff);
bool backoff_is_on(const struct backoff *backoff, mono_us now);

#endif
