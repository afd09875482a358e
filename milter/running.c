#include "milter/running.h"

#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mono.h"
#include "milter/notify.h"

/* --- what is known of it ------------------------------------------------------------- */

/* The lines of one severity as one text; NULL: none, or out of memory. */
static char *join(const struct problems *problems, enum problem_severity severity)
{
    struct strbuf text;

    strbuf_init(&text);
    for (size_t i = 0; i < problems->count; i++) {
        if (problems->list[i].severity == severity)
            strbuf_printf(&text, "%s\n", problems->list[i].line);
    }
    if (!text.failed)
        return text.p;
    strbuf_done(&text);
    return NULL;
}

static void replace(char **text, char *by)
{
    free(*text);
    *text = by;
}

static void note_taken(struct running *running, const struct problems *problems)
{
    char *warnings = join(problems, PROBLEM_WARNING);

    pthread_mutex_lock(&running->lock);
    struct running_state *state = &running->state;
    state->loaded = mono_wall_seconds();
    state->generation++;
    state->refused = 0;
    replace(&state->warnings, warnings);
    replace(&state->refusal, NULL);
    pthread_mutex_unlock(&running->lock);
}

static void note_refused(struct running *running, const struct problems *problems)
{
    char *errors = join(problems, PROBLEM_ERROR);

    pthread_mutex_lock(&running->lock);
    running->state.refused = mono_wall_seconds();
    replace(&running->state.refusal, errors);
    pthread_mutex_unlock(&running->lock);
}

static char *copy_text(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

void running_copy(struct running *running, struct running_state *state_out)
{
    pthread_mutex_lock(&running->lock);
    *state_out = running->state;
    state_out->warnings = copy_text(running->state.warnings);
    state_out->refusal = copy_text(running->state.refusal);
    pthread_mutex_unlock(&running->lock);
}

void running_state_done(struct running_state *state)
{
    free(state->warnings);
    free(state->refusal);
}

void running_init(struct running *running, const char *path, struct house *house,
                  const struct problems *problems)
{
    *running = (struct running){.path = path, .house = house};
    CHECK(pthread_mutex_init(&running->lock, NULL) == 0);
    running->state.started = mono_wall_seconds();
    note_taken(running, problems);
}

void running_done(struct running *running)
{
    running_state_done(&running->state);
    pthread_mutex_destroy(&running->lock);
}

/* --- reload ---------------------------------------------------------------------------- */

static void log_change(const char *line, bool restart, void *arg)
{
    (void)arg;
    log_note(LOG_AT_INFO, "reload", "%s%s", line, restart ? " (after a restart)" : "");
}

static void take_over(struct running *running, struct snapshot *next)
{
    struct house *house = running->house;
    struct err err = {0};

    conf_compare(house->snapshots.current->conf, next->conf, log_change, NULL);
    if (!engine_reconfigure(house->engine, next, &err))
        log_note(LOG_AT_ERROR, "reload", "[dns]: %s; the old settings stay", err.text);
    log_set_level(next->settings.log_level);
    snapshot_publish(&house->snapshots, next);
    blocks_use(&house->blocks, next);
}

static void tell_problems(const struct problems *problems, struct strbuf *report)
{
    for (size_t i = 0; i < problems->count; i++) {
        bool error = problems->list[i].severity == PROBLEM_ERROR;
        log_note(error ? LOG_AT_ERROR : LOG_AT_WARNING, "configuration", "%s",
                 problems->list[i].line);
        strbuf_printf(report, "%s\n", problems->list[i].line);
    }
}

static void tell_outcome(bool taken, struct strbuf *report)
{
    const char *words =
        taken ? "the new configuration is in force" : "the running configuration stays";

    log_note(taken ? LOG_AT_INFO : LOG_AT_ERROR, "reload", "%s", words);
    strbuf_printf(report, "%s\n", words);
}

/* The configuration that may be put in force; NULL: none, problems says why. */
static struct snapshot *make_next(struct running *running, bool force, struct problems *problems)
{
    struct house *house = running->house;
    struct snapshot *next = snapshot_build(running->path, problems);

    if (next == NULL || guard_snapshots(house->guard, house->snapshots.current, next, problems) ||
        force)
        return next;
    snapshot_drop(next);
    problem_error(problems, (struct place){0},
                  "if this is meant: gatehousectl reload --force, or [gatehouse] reload_guard");
    return NULL;
}

void running_reopen_log(void)
{
    struct err err = {0};

    if (!log_reopen(&err))
        log_note(LOG_AT_ERROR, "log", "%s; the old log file stays open", err.text);
}

bool running_reload(struct running *running, bool force, struct strbuf *report)
{
    struct problems problems;

    notify_state("RELOADING=1");
    running_reopen_log();
    problems_init(&problems);
    struct snapshot *next = make_next(running, force, &problems);
    tell_problems(&problems, report);
    if (next != NULL) {
        take_over(running, next);
        note_taken(running, &problems);
    } else {
        note_refused(running, &problems);
    }
    tell_outcome(next != NULL, report);
    problems_done(&problems);
    notify_state("READY=1");
    return next != NULL;
}
