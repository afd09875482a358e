/*
 * sigmask.h - the signals that threads other than main leave to main.
 *
 * All, but not the faults a thread makes itself: blocked, those end the process
 * at once, past the handler of a sanitizer or a crash reporter. Any thread.
 */
#ifndef LIB_BASE_SIGMASK_H
#define LIB_BASE_SIGMASK_H

#include <signal.h>

void sigmask_of_threads(sigset_t *mask_out);

#endif
