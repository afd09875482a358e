/*
 * logqueue.h - log lines on their way to a slow place; behind log.c.
 *
 * A decision must not wait for a disk or for syslogd, and a system call for
 * each of the six lines of a session costs a fifth of its time. So lines are
 * copied into a bounded buffer and one thread writes what has gathered, at the
 * latest LOGQUEUE_DELAY after the first. When the buffer is full (the place is
 * slower than the mail, or takes nothing), further lines are dropped and
 * counted: nobody waits, memory stays bounded. A killed process loses what has
 * gathered; one that stops writes it, as far as the place takes it.
 *
 * The lock is a leaf, held for a copy. Starting and stopping: main thread.
 */
#ifndef LIB_BASE_LOGQUEUE_H
#define LIB_BASE_LOGQUEUE_H

#include "lib/base/err.h"
#include "lib/base/mono.h"
#include "lib/base/str.h"

#define LOGQUEUE_DELAY MONO_MS(10)
/* Bytes that can wait: some seconds of the busiest host. Twice as many while
 * the thread is at the first half. */
#define LOGQUEUE_ROOM (4 * 1024U * 1024U)

struct logqueue_line {
    int level;         /* 0...255, the caller's */
    int64_t when;      /* wall-clock microseconds, the caller's */
    struct slice text; /* at most UINT16_MAX bytes */
};

/* What the queue's thread calls. */
struct logqueue_writer {
    /* One line at a time, in order; more says whether another follows at once. */
    void (*write)(const struct logqueue_line *line, bool more);
    /* After lines that came together: how many behind them found no room. */
    void (*written)(uint64_t dropped);
};

NODISCARD bool logqueue_start(const struct logqueue_writer *writer, struct err *err);
/* Writes what is there and ends the thread; nothing if it does not run. false:
 * the writer was still at it at the deadline. The thread is left to itself then,
 * nothing can be put any more, and the process should end soon. */
NODISCARD bool logqueue_stop(mono_us deadline);

enum logqueue_result { LOGQUEUE_TAKEN, LOGQUEUE_DROPPED, LOGQUEUE_NOT_RUNNING };
/* Never waits for the writer. */
NODISCARD enum logqueue_result logqueue_put(const struct logqueue_line *line);

#endif
