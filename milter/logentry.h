/*
 * logentry.h - one line of the log, read back.
 *
 * What stands before the pairs may be our own time and level, a prefix of syslog
 * ("Dec  1 12:00:00 host gatehoused[17]: ", in local time and without a year, or with a time
 * as RFC 3339 has it), or nothing. A line is ours only where all of it is pairs as log.h
 * writes them, each key once: what somebody else put into a value stays in its quotes, and
 * a line that lacks its end, or has bytes that log.h never writes, is none. Decisions and
 * what else belongs to a connection begin with icid=; of the others only those are given
 * that begin with event=.
 *
 * Plain values that borrow from the line. Nothing is allocated, nothing blocks. One thread.
 */
#ifndef MILTER_LOGENTRY_H
#define MILTER_LOGENTRY_H

#include "lib/base/base.h"
#include "lib/base/str.h"

#define LOGENTRY_PAIRS_MAX 48
#define LOGENTRY_NO_TIME INT64_MIN

struct logentry_pair {
    struct slice key;
    struct slice value; /* as written, without its quotes */
};

struct logentry {
    int64_t when;            /* wall-clock microseconds; LOGENTRY_NO_TIME: the line says none */
    uint64_t icid, mid, rid; /* 0: there is none */
    struct slice event;
    size_t n;
    struct logentry_pair pairs[LOGENTRY_PAIRS_MAX];
};

/* Times without a year are of the twelve months before `now`, wall-clock seconds, or of the
 * day that follows it; the rest remembers the minute of the line before. */
struct logentry_clock {
    int64_t now;
    int64_t minute; /* its seconds */
    char text[12];  /* "Dec  1 12:00", as that minute stood in the line; "" none */
};

/* false: the line is not one of ours. */
NODISCARD bool logentry_parse(struct slice line, struct logentry_clock *clock,
                              struct logentry *entry_out);

/* The value of key, still escaped; empty where it is not there. */
struct slice logentry_get(const struct logentry *entry, const char *key);
bool logentry_is(const struct logentry *entry, const char *key, const char *value);

/* The value's own bytes, after out; false: out of memory. */
NODISCARD bool logentry_unescape(struct slice value, struct strbuf *out);

#endif
