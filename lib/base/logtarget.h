/*
 * logtarget.h - the place where log lines go; behind log.c.
 *
 * Its reader (syslogd, the other end of a pipe, a terminal, a disk) may be slow,
 * stopped or gone. An attempt to write does not wait. Between attempts
 * logtarget_put() waits, at most until its deadline, and hears logtarget_hurry()
 * and logtarget_reopen() meanwhile. Whatever goes wrong is tried again: a full
 * disk has room one day, a pipe has a reader, syslogd comes back.
 *
 * Files and FIFOs have a descriptor of their own, which does not block; a FIFO
 * need not have a reader yet. syslogd is spoken to as syslog(3) does (RFC 3164,
 * local time), by datagrams or a stream. Standard error is shared with other
 * programs and keeps its mode: it gets whole lines of at most PIPE_BUF bytes
 * once poll(2) sees room. Where another program takes that room first, and on a
 * terminal, write(2) may still wait; so nobody waits for the log's thread
 * without a bound.
 *
 * One target a process. Opening: before threads start. logtarget_put(): one
 * thread at a time. The rest: any thread.
 */
#ifndef LIB_BASE_LOGTARGET_H
#define LIB_BASE_LOGTARGET_H

#include "lib/base/log.h"
#include "lib/base/logqueue.h"

/* path and program as in log_open(). */
NODISCARD bool logtarget_open(enum log_target kind, const char *path, int facility,
                              const char *program, struct err *err);
/* As log_check(). */
NODISCARD bool logtarget_check(const char *path, struct err *err);
/* Opens LOG_TO_FILE's path anew. Lines go there from the next one on, the whole
 * of one that is only half written included. */
NODISCARD bool logtarget_reopen(struct err *err);

/* Makes logtarget_hurry() and logtarget_reopen() heard during waits. */
NODISCARD bool logtarget_listen(struct err *err);
/* No wait, under way or to come, lasts longer than until deadline, and nothing
 * is written after it; MONO_NEVER takes that back. */
void logtarget_hurry(mono_us deadline);

/* Writes the line; while more is true it may be kept to go with the next one.
 * Returns how many lines, this one and those kept, could not be written until
 * the deadline and are lost. A deadline in the past: one attempt. */
size_t logtarget_put(const struct logqueue_line *line, bool more, mono_us deadline);

#endif
