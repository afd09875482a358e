/*
 * mono.h - time that only goes forward, and waiting until a deadline.
 *
 * Every wait in this program ends at an absolute deadline on CLOCK_MONOTONIC,
 * in microseconds, set once by the caller on top and handed down; nobody
 * restarts it. Tests replace the source with mono_simulate(). The only module
 * that reads a clock. All functions: any thread.
 */
#ifndef LIB_BASE_MONO_H
#define LIB_BASE_MONO_H

#include <pthread.h>
#include "lib/base/base.h"

typedef int64_t mono_us; /* microseconds since some fixed point */

#define MONO_MS(n) ((mono_us)(n)*1000)
#define MONO_SECONDS(n) ((mono_us)(n)*1000000)
#define MONO_NEVER INT64_MAX /* a deadline that does not come */

mono_us mono_now(void);
/* Time since the host was started, that during which it slept included: one clock for
 * all processes until it is started again. */
mono_us mono_since_boot(void);

/* Wall-clock seconds since 1970, for what is kept over restarts or printed. */
int64_t mono_wall_seconds(void);

/* The same in microseconds, for log lines. */
int64_t mono_wall_us(void);

/* A moment in wall-clock seconds as UTC, "2026-01-02T03:04:05Z"; returns text. */
#define MONO_WALL_TEXT_MAX 32
const char *mono_wall_at(int64_t seconds, char text[MONO_WALL_TEXT_MAX]);

/* Milliseconds until deadline for poll(2): 0 when passed, -1 for MONO_NEVER,
 * rounded up so that a caller does not spin in the last millisecond. */
int mono_poll_ms(mono_us deadline);

/* A condition variable that waits on the monotonic clock. */
NODISCARD bool mono_cond_init(pthread_cond_t *cond);
/* false: the deadline passed. May return true without a signal, as always.
 * Under mono_simulate() it follows the simulated clock. */
bool mono_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, mono_us deadline);

/* Tests only: mono_now() and mono_since_boot() answer *simulated_now until called with
 * NULL; the wall clock *simulated_us. */
void mono_simulate(const mono_us *simulated_now);
void mono_simulate_wall(const int64_t *simulated_us);

#endif
