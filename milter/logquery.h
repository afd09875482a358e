/*
 * logquery.h - what `why` and `report` have in common: which logs are read, from when on, and
 * how times, verdicts and reasons are told.
 *
 * One thread.
 */
#ifndef MILTER_LOGQUERY_H
#define MILTER_LOGQUERY_H

#include "lib/gate/verdict.h"
#include "milter/command.h"
#include "milter/logentry.h"
#include "milter/logfiles.h"

struct logquery {
    struct logfiles *files;
    struct problems problems;
    struct logentry_clock clock;
    int64_t since;           /* wall-clock microseconds; INT64_MIN: the logs' beginning */
    uint64_t lines, foreign; /* read so far: all, and those that are none of ours */
};

/* The logs named by --log FILE..., borrowed. */
struct logquery_logs {
    const char *paths[LOGFILES_MAX];
    size_t n;
};

/* One more, as --log names it. false: there are too many. */
NODISCARD bool logquery_name(struct logquery_logs *logs, const char *path);
/* What stands behind the options: further ones, where --log was given. false: it was not, or
 * they are too many. */
NODISCARD bool logquery_name_rest(struct logquery_logs *logs, int n, char *const *paths);

/* Takes --since (NULL: not given) and opens the logs, or where there are none those that conf
 * names. Says what is wrong. false: nothing to read, and then nothing is left to end. */
NODISCARD bool logquery_begin(struct logquery *query, const struct command *command,
                              const char *conf, const char *since,
                              const struct logquery_logs *logs);
/* The next entry at or after `since`; text_out: its line. false: that was all. */
bool logquery_next(struct logquery *query, struct logentry *entry_out, struct slice *text_out);
/* Says what could not be read. false: something could not. */
bool logquery_end(struct logquery *query);

/* What was decided, or in monitor mode would have been; by= and detail= are then valid. */
enum verdict_action logquery_action(const struct logentry *entry);

/* "2026-12-01 12:00:00", local time; "" without one. */
#define LOGQUERY_TIME_MAX 32
const char *logquery_time(int64_t when, char text[LOGQUERY_TIME_MAX]);

/* The value as text for a terminal: unescaped, then whatever would confuse one escaped again. */
void logquery_put(struct slice value, struct strbuf *out);
/* The value as a JSON string. */
void logquery_quote(struct slice value, struct strbuf *out);

#endif
