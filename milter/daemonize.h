/*
 * daemonize.h - go into the background, but tell the starter how it went.
 *
 * daemonize_begin() forks; the parent waits until the child calls
 * daemonize_ready() or ends, and exits 0 or 1 accordingly, so that a bad
 * configuration is seen by whoever started us, on their terminal.
 */
#ifndef MILTER_DAEMONIZE_H
#define MILTER_DAEMONIZE_H

#include "lib/base/err.h"

NODISCARD bool daemonize_begin(struct err *err); /* returns in the child only */
void daemonize_ready(void);                      /* nothing when daemonize_begin() was not called */

#endif
