/*
 * turnaway.h - connections of an MTA that there is no descriptor for.
 *
 * libmilter accepts as long as there are descriptors, and then again and again in vain.
 * So some are held back: a connection beyond that is taken from libmilter, and one thread
 * agrees on the milter protocol, answers the connect stage with tempfail and hangs up. It
 * takes TURNAWAY_MAX at a time, each for a second at most. The next one waits for its turn
 * for TURNAWAY_PATIENCE, and everybody behind it in the listener's queue with it; then it
 * is closed without a word, which an MTA takes for a tempfail as well.
 */
#ifndef MILTER_TURNAWAY_H
#define MILTER_TURNAWAY_H

#include "lib/base/err.h"
#include "lib/base/mono.h"
#include "lib/base/str.h"

#define TURNAWAY_MAX 4
#define TURNAWAY_PATIENCE MONO_MS(100)

/* Before libmilter runs. */
NODISCARD bool turnaway_start(struct err *err);
/* Owns fd from now on. Any thread; waits as said above. */
void turnaway_take(int fd);

/* What is said to an MTA, for tests. Reads one packet of in[0...n) and appends the answer
 * to it. Returns how many bytes were used; 0: more are needed. over_out: hang up once
 * the answer is sent. */
size_t turnaway_answer(const uint8_t *in, size_t n, struct strbuf *out, bool *over_out);

#endif
