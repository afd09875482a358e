/* log.c - see log.h. */

#include "lib/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include "lib/base/escape.h"
#include "lib/base/logqueue.h"
#include "lib/base/logtarget.h"
#include "lib/base/mono.h"

#define CUT_MARK " cut=yes"
/* How long a line may wait for its place without the log's thread, which is at
 * the start; once one has waited in vain the next do not. */
#define PATIENCE MONO_SECONDS(1)
/* Beyond it the log's thread may still be in a system call. */
#define STOP_PATIENCE MONO_MS(500)

static struct {
    int level;                                 /* enum log_level; atomic */
    uint64_t dropped;                          /* lines, since the start; atomic */
    void (*sink)(const char *line, void *arg); /* atomic */
    void *sink_arg;
} state = {.level = LOG_AT_INFO};

/* Without the log's thread: one writer at a time. */
static struct {
    pthread_mutex_t mutex; /* guards the rest and the target; held while writing */
    bool stuck;            /* the last line could not be written */
    uint64_t unsaid;       /* lines dropped and not yet told of */
} direct = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static uint64_t unsaid; /* the same; belongs to the log's thread */

bool log_check(const char *path, struct err *err)
{
    return logtarget_check(path, err);
}

bool log_open(enum log_target target, const char *path, int facility, enum log_level level,
              const char *program, struct err *err)
{
    if (!logtarget_open(target, path, facility, program, err))
        return false;
    direct.stuck = false;
    direct.unsaid = unsaid = 0; /* they were not for this one */
    log_set_level(level);
    return true;
}

bool log_reopen(struct err *err)
{
    return logtarget_reopen(err);
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

static uint64_t count_dropped(size_t lines)
{
    if (lines > 0)
        __atomic_add_fetch(&state.dropped, lines, __ATOMIC_RELAXED);
    return lines;
}

uint64_t log_dropped(void)
{
    return __atomic_load_n(&state.dropped, __ATOMIC_RELAXED);
}

/* The line that says how many are missing. It is about the log itself and goes
 * out at every log_level. false: not now. */
static bool tell_dropped(uint64_t lines, mono_us deadline)
{
    char text[64];
    int n = snprintf(text, sizeof text, "event=log dropped=%llu", (unsigned long long)lines);
    struct logqueue_line line = {
        .level = LOG_AT_WARNING, .when = mono_wall_us(), .text = {text, (size_t)n}};

    return logtarget_put(&line, false, deadline) == 0;
}

/* Those dropped are counted already: when they were. */
static void tell_written(uint64_t dropped)
{
    unsaid += dropped;
    if (unsaid > 0 && tell_dropped(unsaid, MONO_NEVER))
        unsaid = 0;
}

static void write_queued(const struct logqueue_line *line, bool more)
{
    tell_written(0); /* of lines lost just before this one */
    unsaid += count_dropped(logtarget_put(line, more, MONO_NEVER));
}

static void write_now(const struct logqueue_line *line)
{
    size_t lost = 1;

    pthread_mutex_lock(&direct.mutex);
    mono_us deadline = mono_now() + (direct.stuck ? 0 : PATIENCE);
    if (direct.unsaid == 0 || tell_dropped(direct.unsaid, deadline)) {
        direct.unsaid = 0;
        lost = logtarget_put(line, false, deadline);
    }
    direct.unsaid += count_dropped(lost);
    direct.stuck = lost > 0;
    pthread_mutex_unlock(&direct.mutex);
}

static void output(const struct logline *line)
{
    struct logqueue_line queued = {
        .level = (int)line->level, .when = mono_wall_us(), .text = {line->text, line->n}};

    switch (logqueue_put(&queued)) {
    case LOGQUEUE_TAKEN:
        break;
    case LOGQUEUE_DROPPED:
        count_dropped(1);
        break;
    case LOGQUEUE_NOT_RUNNING:
        write_now(&queued);
        break;
    }
}

bool log_start_thread(struct err *err)
{
    static const struct logqueue_writer writer = {.write = write_queued, .written = tell_written};

    unsaid = direct.unsaid;
    direct.unsaid = 0;
    return logtarget_listen(err) && logqueue_start(&writer, err);
}

void log_stop_thread(void)
{
    mono_us deadline = mono_now() + PATIENCE;

    logtarget_hurry(deadline);
    if (logqueue_stop(deadline + STOP_PATIENCE))
        logtarget_hurry(MONO_NEVER);
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
