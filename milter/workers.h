/*
 * workers.h - threads for libmilter where the system has none left.
 *
 * libmilter starts a thread for a session that finds no idle one. When there is none to
 * be had it logs that, and never looks at the session again. So a few threads are made
 * at the start and lie idle: when a thread is denied, one of these runs what libmilter
 * wanted run. From then on, until the system gives threads again and the spare ones are
 * whole, workers_are_short() is true and no callback waits for anybody: those that wait
 * already keep their threads, all others are answered by the spare ones at once.
 *
 * workers_lend() may be called with libmilter's locks held; it never waits.
 */
#ifndef MILTER_WORKERS_H
#define MILTER_WORKERS_H

#include "lib/base/err.h"

#define WORKERS_SPARE 2

/* Before libmilter runs. */
NODISCARD bool workers_start(struct err *err);
/* Lets a spare thread run start(arg). false: all of them are lent. Any thread. */
NODISCARD bool workers_lend(void *(*start)(void *arg), void *arg);
/* Is the calling thread one of them? */
bool workers_is_spare(void);
/* Any thread; takes no lock. */
bool workers_are_short(void);
/* Main thread, several times a second: makes new ones in the place of those lent. */
void workers_tick(void);

#endif
