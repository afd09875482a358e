/* log.c - see log.h. */

#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include "lib/base/escape.h"
#include "lib/base/logqueue.h"
#include "lib/base/mono.h"

#define CUT_MARK " cut=yes"
#define PREFIX_MAX (MONO_WALL_TEXT_MAX + 16)
#define OUTPUT_MAX (PREFIX_MAX + LOG_LINE_MAX) /* one line with all around it */
#define GATHERED_MAX (64 * 1024)

/* Written by log_open() before threads start; then only the level and the
 * sink change. */
static struct {
    enum log_target target;
    int fd;
    const char *path;                          /* owned; LOG_TO_FILE */
    int level;                                 /* enum log_level; atomic */
    void (*sink)(const char *line, void *arg); /* atomic */
    void *sink_arg;
} state = {.target = LOG_TO_STDERR, .fd = STDERR_FILENO, .level = LOG_AT_INFO};

static const char *level_word(enum log_level level)
{
    switch (level) {
    case LOG_AT_ERROR:
        return "error";
    case LOG_AT_WARNING:
        return "warning";
    case LOG_AT_INFO:
        return "info";
    case LOG_AT_DEBUG:
        return "debug";
    }
    return "info";
}

static int syslog_priority(enum log_level level)
{
    switch (level) {
    case LOG_AT_ERROR:
        return LOG_ERR;
    case LOG_AT_WARNING:
        return LOG_WARNING;
    case LOG_AT_INFO:
        return LOG_INFO;
    case LOG_AT_DEBUG:
        return LOG_DEBUG;
    }
    return LOG_INFO;
}

static int open_file(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0)
        err_system(err, errno, "cannot open log file %s", path);
    return fd;
}

bool log_open(enum log_target target, const char *path, int facility, enum log_level level,
              const char *program, struct err *err)
{
    char *copy = NULL;
    int fd = STDERR_FILENO;
    if (target == LOG_TO_FILE) {
        copy = malloc(strlen(path) + 1);
        if (!copy)
            return err_set(err, ERR_MEMORY, "out of memory");
        memcpy(copy, path, strlen(path) + 1);
        fd = open_file(path, err);
        if (fd < 0) {
            free(copy);
            return false;
        }
    }
    if (target == LOG_TO_SYSLOG)
        openlog(program, LOG_PID | LOG_NDELAY, facility);
    if (state.fd != STDERR_FILENO)
        close(state.fd);
    free((void *)(uintptr_t)state.path);
    state.target = target;
    state.fd = fd;
    state.path = copy;
    log_set_level(level);
    return true;
}

bool log_reopen(struct err *err)
{
    if (state.target != LOG_TO_FILE)
        return true;
    int fd = open_file(state.path, err);
    if (fd < 0)
        return false;
    /* Other threads may be writing: the number stays, the file behind it is
     * replaced in one step. */
    bool ok = dup3(fd, state.fd, O_CLOEXEC) >= 0;
    if (!ok)
        err_system(err, errno, "cannot replace log file %s", state.path);
    close(fd);
    return ok;
}

void log_set_level(enum log_level level)
{
    __atomic_store_n(&state.level, (int)level, __ATOMIC_RELAXED);
}

bool log_wants(enum log_level level)
{
    return (int)level <= __atomic_load_n(&state.level, __ATOMIC_RELAXED);
}

void log_capture(void (*sink)(const char *line, void *arg), void *arg)
{
    state.sink_arg = arg;
    __atomic_store_n(&state.sink, sink, __ATOMIC_RELEASE);
}

void log_begin(struct logline *line, enum log_level level)
{
    line->level = level;
    line->wanted = log_wants(level);
    line->cut = false;
    line->n = 0;
    line->text[0] = '\0';
}

/* Appends ` key=value`, whole or not at all. The first pair that does not fit
 * ends the line, so that what is there is always its beginning. */
static void pair(struct logline *line, const char *key, struct slice value, bool quotes)
{
    size_t key_n = strlen(key);
    size_t n = (line->n > 0) + key_n + 1 + value.n + (quotes ? 2 : 0);
    if (line->cut || n > sizeof line->text - sizeof CUT_MARK - line->n) {
        line->cut = true;
        return;
    }
    char *p = line->text + line->n;
    if (line->n > 0)
        *p++ = ' ';
    memcpy(p, key, key_n);
    p += key_n;
    *p++ = '=';
    if (quotes)
        *p++ = '"';
    if (value.n > 0)
        memcpy(p, value.p, value.n);
    p += value.n;
    if (quotes)
        *p++ = '"';
    *p = '\0';
    line->n += n;
}

void log_word(struct logline *line, const char *key, const char *word)
{
    if (line->wanted && word)
        pair(line, key, slice_of(word), false);
}

static void escaped(struct logline *line, const char *key, struct slice value, bool quotes)
{
    char text[LOG_VALUE_MAX + 1];
    size_t n = escape_log(value, text, sizeof text);
    pair(line, key, (struct slice){text, n}, quotes);
}

void log_text(struct logline *line, const char *key, struct slice value)
{
    if (line->wanted)
        escaped(line, key, value, escape_log_needs_quotes(value));
}

void log_quoted(struct logline *line, const char *key, struct slice value)
{
    if (line->wanted)
        escaped(line, key, value, true);
}

void log_uint(struct logline *line, const char *key, uint64_t value)
{
    char text[20];
    size_t at = sizeof text;
    if (!line->wanted)
        return;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    pair(line, key, (struct slice){text + at, sizeof text - at}, false);
}

static void write_all(const char *text, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t wrote = write(state.fd, text + done, n - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            break; /* a full disk must not stop mail */
    }
}

/* "2026-01-02T03:04:05.678Z info "; the second is kept from line to line. */
struct prefix {
    int64_t second;
    char at[MONO_WALL_TEXT_MAX];
};

static size_t put_prefix(struct prefix *prefix, int64_t when, enum log_level level,
                         char text[PREFIX_MAX])
{
    int64_t second = when / MONO_SECONDS(1);
    int ms = (int)(when % MONO_SECONDS(1) / MONO_MS(1));
    if (second != prefix->second || prefix->at[0] == '\0')
        mono_wall_at(second, prefix->at);
    prefix->second = second;
    int n = snprintf(text, PREFIX_MAX, "%.19s.%03dZ %s ", prefix->at, ms, level_word(level));
    return n < PREFIX_MAX ? (size_t)n : PREFIX_MAX - 1;
}

/* Time, level, line and newline, so that a line leaves with one system call. */
static size_t put_line(struct prefix *prefix, const struct logqueue_line *line,
                       char text[OUTPUT_MAX])
{
    size_t n = put_prefix(prefix, line->when, (enum log_level)line->level, text);
    memcpy(text + n, line->text.p, line->text.n);
    n += line->text.n;
    text[n++] = '\n';
    return n;
}

/* The queue's thread: lines that came together leave together. */
static void write_queued(const struct logqueue_line *line, bool more)
{
    static struct prefix prefix;
    static char gathered[GATHERED_MAX];
    static size_t n;
    if (state.target == LOG_TO_SYSLOG) {
        syslog(syslog_priority((enum log_level)line->level), "%.*s", (int)line->text.n,
               line->text.p);
        return;
    }
    n += put_line(&prefix, line, gathered + n);
    if (!more || n > sizeof gathered - OUTPUT_MAX) {
        write_all(gathered, n);
        n = 0;
    }
}

static void write_now(const struct logqueue_line *line)
{
    struct prefix prefix = {0};
    char text[OUTPUT_MAX];
    write_all(text, put_line(&prefix, line, text));
}

static void output(const struct logline *line)
{
    struct logqueue_line queued = {
        .level = (int)line->level, .when = mono_wall_us(), .text = {line->text, line->n}};
    if (logqueue_put(&queued))
        return;
    if (state.target == LOG_TO_SYSLOG)
        syslog(syslog_priority(line->level), "%s", line->text);
    else
        write_now(&queued);
}

bool log_start_thread(struct err *err)
{
    return logqueue_start(write_queued, err);
}

void log_stop_thread(void)
{
    logqueue_stop();
}

void log_end(struct logline *line)
{
    if (!line->wanted || (line->n == 0 && !line->cut))
        return;
    if (line->cut) {
        memcpy(line->text + line->n, CUT_MARK, sizeof CUT_MARK);
        line->n += sizeof CUT_MARK - 1;
    }
    void (*sink)(const char *, void *) = __atomic_load_n(&state.sink, __ATOMIC_ACQUIRE);
    if (sink)
        sink(line->text, state.sink_arg);
    else
        output(line);
    line->wanted = false;
}

void log_note(enum log_level level, const char *event, const char *fmt, ...)
{
    struct logline line;
    char raw[LOG_NOTE_MAX];
    char text[LOG_NOTE_MAX];
    log_begin(&line, level);
    if (!line.wanted)
        return;
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(raw, sizeof raw, fmt, ap) < 0)
        raw[0] = '\0';
    va_end(ap);
    size_t n = escape_log(slice_of(raw), text, sizeof text);
    log_word(&line, "event", event);
    pair(&line, "detail", (struct slice){text, n}, true);
    log_end(&line);
}
