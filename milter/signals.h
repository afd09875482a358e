/*
 * signals.h - signals as events for the main thread.
 *
 * libmilter takes HUP, TERM and INT as "stop". The main thread alone keeps
 * them unblocked, with handlers that only write to an eventfd; every other
 * thread, libmilter's included, is created with all signals blocked. That
 * leaves libmilter's signal thread, which is in sigwait(): Linux offers a
 * signal to a willing main thread first, but not while another one is pending
 * there and it is not running. So the program has a sigwait() of its own
 * (interpose.h), which never returns; nobody but libmilter calls it.
 */
#ifndef MILTER_SIGNALS_H
#define MILTER_SIGNALS_H

#include "lib/base/err.h"

/* The program ends by itself, with status 0, so many seconds after the first TERM or INT,
 * whatever it is doing. */
#define SIGNALS_STOP_SECONDS 4

/* Block everything in the calling thread; threads it makes from now on inherit
 * it. SIGPIPE is ignored. For the main thread before signals_listen(), and for
 * a thread made after it. */
void signals_block_all(void);

/* While the main thread is the only one, after signals_block_all(), and until that is called
 * again: TERM and INT count, and end the reading of files. */
void signals_begin(void);

/* Install handlers and unblock HUP, USR1, USR2, TERM, INT and ALRM in this thread. */
NODISCARD bool signals_listen(struct err *err);

int signals_fd(void);      /* readable when something happened */
bool signals_reload(void); /* HUP or USR1 since the last call? */
bool signals_reopen(void); /* USR2 since the last call? */
bool signals_stop(void);   /* TERM or INT ever? */
/* Make signals_fd() readable from any thread or a handler. */
void signals_poke(void);

#endif
