/* logquery.c - see logquery.h. */
#include "milter/logquery.h"

#include <string.h>
#include <time.h>

#include "lib/base/escape.h"
#include "lib/base/mono.h"
#include "milter/form.h"
#include "milter/peek.h"

#define MAIL_LOG "/var/log/mail.log"
#define TO_FILE "file:"

/* --- which logs ---------------------------------------------------------------------------- */

/* Where the configuration says that the log goes. */
static bool add_configured(struct logquery *query, const char *conf, int64_t since)
{
    char written[PATH_MAX], path[PATH_MAX];

    (void)peek_value(conf, "log", written);
    if (strncmp(written, TO_FILE, strlen(TO_FILE)) != 0)
        return logfiles_add_journal(query->files, since, &query->problems) ||
               logfiles_add_rotated(query->files, MAIL_LOG, since, &query->problems);
    peek_path(conf, written + strlen(TO_FILE), path);
    if (logfiles_add_rotated(query->files, path, since, &query->problems))
        return true;
    problem_error(&query->problems, (struct place){.file = path}, "there is no such log");
    return true;
}

bool logquery_name(struct logquery_logs *logs, const char *path)
{
    if (logs->n == LOGFILES_MAX)
        return false;
    logs->paths[logs->n++] = path;
    return true;
}

bool logquery_name_rest(struct logquery_logs *logs, int n, char *const *paths)
{
    bool good = n == 0 || logs->n > 0;

    for (int i = 0; good && i < n; i++)
        good = logquery_name(logs, paths[i]);
    return good;
}

static bool open_logs(struct logquery *query, const char *conf, const struct logquery_logs *logs)
{
    int64_t since = query->since != INT64_MIN ? query->since / MONO_SECONDS(1) : 0;

    for (size_t i = 0; i < logs->n; i++)
        logfiles_add(query->files, logs->paths[i], &query->problems);
    return logs->n > 0 || add_configured(query, conf, since);
}

bool logquery_begin(struct logquery *query, const struct command *command, const char *conf,
                    const char *since, const struct logquery_logs *logs)
{
    int64_t ms = 0, now = mono_wall_us();

    *query = (struct logquery){.since = INT64_MIN, .clock = {.now = now / MONO_SECONDS(1)}};
    if (since != NULL && !key_parse_duration(slice_of(since), &ms)) {
        (void)command_usage(command, "--since takes a time, such as 90m, 2h or 7d");
        return false;
    }
    if (since != NULL)
        query->since = now - MONO_MS(ms);
    query->files = logfiles_new(query->clock.now);
    problems_init(&query->problems);
    if (query->files != NULL && open_logs(query, conf, logs))
        return true;
    fprintf(stderr, "gatehousectl %s: %s\n", command->name,
            query->files == NULL ? "out of memory"
                                 : "there is neither a journal nor " MAIL_LOG
                                   ": name the log with --log FILE");
    (void)logquery_end(query);
    return false;
}

bool logquery_next(struct logquery *query, struct logentry *entry_out, struct slice *text_out)
{
    while (logfiles_next(query->files, text_out, &query->problems)) {
        query->lines++;
        if (!logentry_parse(*text_out, &query->clock, entry_out))
            query->foreign++;
        else if (entry_out->when == LOGENTRY_NO_TIME || entry_out->when >= query->since)
            return true;
    }
    return false;
}

bool logquery_end(struct logquery *query)
{
    bool whole = problems_errors(&query->problems) == 0;
    uint64_t long_ones = query->files != NULL ? logfiles_passed_over(query->files) : 0;

    problems_print(&query->problems, stderr);
    problems_done(&query->problems);
    if (long_ones > 0)
        fprintf(stderr, "%llu lines of more than %d bytes were passed over\n",
                (unsigned long long)long_ones, LOGFILES_LINE_MAX);
    logfiles_free(query->files);
    return whole;
}

/* --- telling ------------------------------------------------------------------------------- */

enum verdict_action logquery_action(const struct logentry *entry)
{
    struct slice word = logentry_get(entry, "would");

    if (word.n == 0)
        word = logentry_get(entry, "verdict");
    if (slice_is(word, "reject"))
        return VERDICT_REJECT;
    return slice_is(word, "tempfail") ? VERDICT_TEMPFAIL : VERDICT_CONTINUE;
}

const char *logquery_time(int64_t when, char text[LOGQUERY_TIME_MAX])
{
    time_t seconds = (time_t)(when / MONO_SECONDS(1));
    struct tm tm;

    if (when == LOGENTRY_NO_TIME || localtime_r(&seconds, &tm) == NULL ||
        strftime(text, LOGQUERY_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        text[0] = '\0';
    return text;
}

static bool unescape(struct slice value, struct strbuf *out)
{
    strbuf_init(out);
    return logentry_unescape(value, out);
}

void logquery_put(struct slice value, struct strbuf *out)
{
    char shown[512];
    struct strbuf own;

    if (unescape(value, &own))
        escape_line((struct slice){strbuf_text(&own), own.n}, shown, sizeof shown);
    out->failed = out->failed || own.failed;
    strbuf_puts(out, own.failed ? "" : shown);
    strbuf_done(&own);
}

void logquery_quote(struct slice value, struct strbuf *out)
{
    struct strbuf own;

    if (unescape(value, &own))
        form_quote((struct slice){strbuf_text(&own), own.n}, out);
    out->failed = out->failed || own.failed;
    strbuf_done(&own);
}
