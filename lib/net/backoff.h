/*
 * backoff.h - how long a server that failed is left alone: 1 s, and twice as
 * long after each failure that follows, up to 60 s, and why. The caller has
 * the lock. All zero: no failure.
 */
#ifndef LIB_NET_BACKOFF_H
#define LIB_NET_BACKOFF_H

#include "lib/base/mono.h"

#define BACKOFF_FIRST MONO_SECONDS(1)
#define BACKOFF_LONGEST MONO_SECONDS(60)
#define BACKOFF_CAUSE_MAX 200 /* bytes and the NUL; the rest is cut off, between characters */

struct backoff {
    mono_us pause; /* the last one; 0: it has worked since */
    mono_us until; /* its end */
    char cause[BACKOFF_CAUSE_MAX];
};

/* A pause that is on, for those who want to know of all. */
struct backoff_pause {
    char host[300];    /* "10.0.0.5:25", a URI or a zone */
    char profile[128]; /* whose it is; "" no one's alone */
    char cause[BACKOFF_CAUSE_MAX];
    mono_us left;
};

/* The server failed, for what cause says. Returns how long it is left alone; 0: it is already,
 * since connections that fail at the same time are one failure. */
mono_us backoff_failed(struct backoff *backoff, mono_us now, const char *cause);
/* It works. Was it otherwise before? */
bool backoff_worked(struct backoff *backoff);
bool backoff_is_on(const struct backoff *backoff, mono_us now);
/* What is told of a pause that is on. */
void backoff_describe(const struct backoff *backoff, const char *host, const char *profile,
                      mono_us now, struct backoff_pause *pause_out);

#endif
