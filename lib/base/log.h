/*
 * log.h - logfmt lines to syslog, stderr or a file.
 *
 * One line an event: `key=value` pairs in a fixed order, foreign values
 * escaped and cut at LOG_VALUE_MAX bytes. Opened once before threads start
 * (log_reopen() later, for rotation); every other function may be called from
 * any thread; a line goes out whole. Before log_open() lines go to stderr.
 * Never called with a lock held.
 *
 * Nobody waits for the reader of the log. Once log_start_thread() was called,
 * lines go out by a thread of the log's own, and those it has no room for are
 * dropped; without the thread, a line waits a second at most, and none after one
 * that waited in vain. Dropped lines are counted, log_dropped(), and once it
 * flows again a line `event=log dropped=N` says how many were.
 *
 *     struct logline l;
 *     log_begin(&l, LOG_AT_INFO);
 *     log_uint(&l, "icid", 17);
 *     log_word(&l, "event", "connect");      our own word, not escaped
 *     log_text(&l, "host", slice_of(name));  foreign
 *     log_end(&l);
 */
#ifndef LIB_BASE_LOG_H
#define LIB_BASE_LOG_H

#include "lib/base/base.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

enum log_level { LOG_AT_ERROR, LOG_AT_WARNING, LOG_AT_INFO, LOG_AT_DEBUG };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE };

#define LOG_VALUE_MAX 256 /* bytes of one foreign value after escaping */
#define LOG_NOTE_MAX 1024 /* bytes of log_note()'s detail, escaped */
/* Bytes of a line without time and level. The first pair that does not fit
 * and all after it are left out, and the line ends in cut=yes. */
#define LOG_LINE_MAX 2048

/* path: for LOG_TO_FILE, created 0640, appended; for LOG_TO_SYSLOG the socket of
 * syslogd, NULL: the system's. facility: a <syslog.h> LOG_xxx value. program:
 * name shown by syslog, borrowed for ever. A syslogd that does not run, or a
 * FIFO without a reader, is no error. */
NODISCARD bool log_open(enum log_target target, const char *path, int facility,
                        enum log_level level, const char *program, struct err *err);
/* Could the file be opened so? Makes and changes nothing. Any thread, also while a log is open. */
NODISCARD bool log_check(const char *path, struct err *err);
NODISCARD bool log_reopen(struct err *err); /* LOG_TO_FILE only; keeps the old one on error */

/* From now on, until log_stop_thread() has written the rest, lines go out by a
 * thread of their own (logqueue.h). Main thread, after log_open() and any fork.
 * Stopping takes 1.5 seconds at the very most; what could not be written by then
 * is lost. */
NODISCARD bool log_start_thread(struct err *err);
void log_stop_thread(void);

/* How many lines were dropped since the start. */
uint64_t log_dropped(void);

void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

struct logline {
    enum log_level level;
    bool wanted; /* false: all log_xxx on it do nothing */
    bool cut;    /* a pair did not fit */
    size_t n;
    char text[LOG_LINE_MAX];
};

void log_begin(struct logline *line, enum log_level level);
void log_word(struct logline *line, const char *key, const char *word); /* NULL word: left out */
void log_text(struct logline *line, const char *key, struct slice value);
/* As log_text(), but always in quotes. */
void log_quoted(struct logline *line, const char *key, struct slice value);
void log_uint(struct logline *line, const char *key, uint64_t value);
void log_end(struct logline *line);

/* A line of our own about the program itself: `event=EVENT detail="..."`. */
void log_note(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Tests only: lines (without newline) go to sink instead; NULL ends it. */
void log_capture(void (*sink)(const char *line, void *arg), void *arg);

#endif
