/*
 * logqueue.h - log lines on their way to a slow place; behind log.c.
 *
 * A decision must not wait for a disk or for syslogd, and a system call for
 * each of the six lines of a session costs a fifth of its time. So lines are
 * copied into a bounded buffer and one thread writes what has gathered, at the
 * latest LOGQUEUE_DELAY after the first. When the buffer is full (the place is
 * slower than the mail), the caller writes its line itself: mail slows down,
 * no line is lost, memory stays bounded. A killed process loses what has
 * gathered; one that stops writes it.
 *
 * The lock is a leaf, held for a copy. Starting and stopping: main thread.
 */
#ifndef LIB_BASE_LOGQUEUE_H
#define LIB_BASE_LOGQUEUE_H

#include "lib/base/err.h"
#include "lib/base/mono.h"
#include "lib/base/str.h"

#define LOGQUEUE_DELAY MONO_MS(10)
#define LOGQUEUE_ROOM (1024U * 1024U) /* bytes that can wait */

struct logqueue_line {
    int level;         /* 0...255, the caller's */
    int64_t when;      /* wall-clock microseconds, the caller's */
    struct slice text; /* at most UINT16_MAX bytes */
};

/* write gets one line at a time, in order, from the queue's thread; more says
 * whether another follows at once. */
NODISCARD bool logqueue_start(void (*write)(const struct logqueue_line *line, bool more),
                              struct err *err);
/* Writes what is there and ends the thread; nothing if it does not run. */
void logqueue_stop(void);

/* false: not running, or full; the caller must write the line itself. */
NODISCARD bool logqueue_put(const struct logqueue_line *line);

#endif
