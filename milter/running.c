#include "milter/running.h"

#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mono.h"
#include "milter/mapsplan.h"
#include "milter/notify.h"

/* Built and found good. */
struct running_candidate {
    struct snapshot *snapshot;
    struct problems problems; /* its warnings */
    bool has_plan;            /* there is [maps] */
    struct mapsplan plan;     /* borrows from snapshot */
    struct mapsums sums;
};

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

/* Takes over why. */
static void note_refused(struct running *running, char *why)
{
    pthread_mutex_lock(&running->lock);
    running->state.refused = mono_wall_seconds();
    replace(&running->state.refusal, why);
    pthread_mutex_unlock(&running->lock);
}

static void note_held(struct running *running, struct running_candidate *candidate)
{
    running->held = candidate;
    pthread_mutex_lock(&running->lock);
    running->state.held = candidate != NULL;
    pthread_mutex_unlock(&running->lock);
}

static char *copy_text(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

/* One line as lines are kept; NULL: out of memory. */
static char *make_line(const char *text)
{
    struct strbuf line;

    strbuf_init(&line);
    strbuf_printf(&line, "%s\n", text);
    if (!line.failed)
        return line.p;
    strbuf_done(&line);
    return NULL;
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

static void tell_problems(const struct problems *problems, struct strbuf *report)
{
    for (size_t i = 0; i < problems->count; i++) {
        bool error = problems->list[i].severity == PROBLEM_ERROR;
        log_note(error ? LOG_AT_ERROR : LOG_AT_WARNING, "configuration", "%s",
                 problems->list[i].line);
        strbuf_printf(report, "%s\n", problems->list[i].line);
    }
}

/* --- maps ----------------------------------------------------------------------------- */

/* Which differ, or cannot be read, for a log line; "" none. */
static void describe_maps(struct running *running, struct strbuf *out)
{
    struct strbuf lines;

    strbuf_init(&lines);
    enum mapswatch_state state = mapswatch_look(&running->maps, &lines);
    if (state == MAPSWATCH_DIFFER || state == MAPSWATCH_UNKNOWN)
        strbuf_printf(out, "; maps %s",
                      state == MAPSWATCH_DIFFER ? "differ" : "cannot all be looked at");
    const char *separator = ": ";
    for (const char *line = strbuf_text(&lines); line[0] != '\0'; separator = ", ") {
        size_t n = strcspn(line, "\n");
        strbuf_puts(out, separator);
        strbuf_add(out, line, n);
        line += line[n] == '\n' ? n + 1 : n;
    }
    strbuf_done(&lines);
}

static void log_maps(struct running *running)
{
    struct strbuf state;

    strbuf_init(&state);
    describe_maps(running, &state);
    if (state.n > 2 && !state.failed)
        log_note(LOG_AT_WARNING, "maps", "%s", strbuf_text(&state) + 2); /* without "; " */
    strbuf_done(&state);
}

void running_watch_maps(struct running *running)
{
    struct snapshot *snapshot = running->house->snapshots.current;
    struct problems problems;
    struct mapsplan plan;
    struct mapsums sums = {0};

    if (!mapsplan_get(snapshot, &plan))
        return;
    problems_init(&problems);
    mapsplan_check(snapshot, true, &problems);
    bool good = problems_errors(&problems) == 0 && mapsplan_sums(snapshot, &plan, &sums);
    mapswatch_set(&running->maps, plan.folder, good ? &sums : NULL);
    problems_done(&problems);
    log_maps(running);
}

void running_init(struct running *running, const char *path, struct house *house,
                  const struct problems *problems)
{
    *running = (struct running){.path = path, .house = house};
    mapswatch_init(&running->maps);
    CHECK(pthread_mutex_init(&running->lock, NULL) == 0);
    running->state.started = mono_wall_seconds();
    note_taken(running, problems);
}

static void candidate_free(struct running_candidate *candidate)
{
    if (candidate == NULL)
        return;
    snapshot_drop(candidate->snapshot);
    problems_done(&candidate->problems);
    mapsums_done(&candidate->sums);
    free(candidate);
}

void running_done(struct running *running)
{
    candidate_free(running->held);
    mapswatch_done(&running->maps);
    running_state_done(&running->state);
    pthread_mutex_destroy(&running->lock);
}

/* --- a candidate --------------------------------------------------------------------------- */

/* The maps of next, as far as they can be made here. false: problems says why not. */
static bool plan_maps(struct running_candidate *candidate, bool force)
{
    struct problems *problems = &candidate->problems;
    size_t before = problems_errors(problems);

    mapsplan_check(candidate->snapshot, force, problems);
    if (problems_errors(problems) > before)
        return false;
    candidate->has_plan = mapsplan_get(candidate->snapshot, &candidate->plan);
    if (!candidate->has_plan ||
        mapsplan_sums(candidate->snapshot, &candidate->plan, &candidate->sums))
        return true;
    problem_error(problems, (struct place){0}, "out of memory");
    return false;
}

/* false: candidate->problems says why. */
static bool build(const struct running *running, bool force, struct running_candidate *candidate)
{
    struct house *house = running->house;
    struct problems *problems = &candidate->problems;
    struct snapshot *next = snapshot_build(running->path, problems);

    candidate->snapshot = next;
    if (next == NULL)
        return false;
    bool fits = guard_snapshots(house->guard, house->snapshots.current, next, problems) || force;
    if (!fits)
        problem_error(problems, (struct place){0},
                      "if this is meant: gatehousectl reload --force, or [gatehouse] reload_guard");
    return plan_maps(candidate, force) && fits;
}

/* NULL: out of memory. */
static struct running_candidate *candidate_new(void)
{
    struct running_candidate *candidate = calloc(1, sizeof *candidate);

    if (candidate != NULL)
        problems_init(&candidate->problems);
    return candidate;
}

void running_reopen_log(void)
{
    struct err err = {0};

    if (!log_reopen(&err))
        log_note(LOG_AT_ERROR, "log", "%s; the old log file stays open", err.text);
}

static void tell_refusal(struct strbuf *report)
{
    static const char words[] = "the running configuration stays";

    log_note(LOG_AT_ERROR, "reload", "%s", words);
    strbuf_printf(report, "%s\n", words);
}

static bool refuse_for_memory(struct running *running, struct strbuf *report)
{
    note_refused(running, make_line("out of memory"));
    strbuf_puts(report, "out of memory\n");
    tell_refusal(report);
    return false;
}

/* As running_hold(), without what the tool is told of maps. */
static bool hold(struct running *running, bool force, struct strbuf *report)
{
    notify_state("RELOADING=1");
    running_reopen_log();
    struct running_candidate *candidate = candidate_new();
    bool good = candidate != NULL && build(running, force, candidate);

    if (candidate != NULL)
        tell_problems(&candidate->problems, report);
    if (good) {
        note_held(running, candidate);
        return true;
    }
    if (candidate == NULL)
        refuse_for_memory(running, report);
    else {
        note_refused(running, join(&candidate->problems, PROBLEM_ERROR));
        tell_refusal(report);
    }
    candidate_free(candidate);
    notify_state("READY=1");
    return false;
}

bool running_hold(struct running *running, bool force, struct strbuf *report)
{
    struct strbuf text;

    if (running->held != NULL) {
        strbuf_puts(report, RUNNING_BUSY "\n");
        return false;
    }
    strbuf_init(&text);
    bool good = hold(running, force, &text);
    const struct running_candidate *candidate = running->held;
    if (good) {
        mapsplan_print(candidate->has_plan ? &candidate->plan : NULL, &candidate->sums, report);
        strbuf_putc(report, '\n');
    }
    strbuf_add(report, strbuf_text(&text), text.n);
    report->failed = report->failed || text.failed;
    strbuf_done(&text);
    return good;
}

/* --- taken ------------------------------------------------------------------------------------ */

static void tell_change(const char *line, bool restart, void *arg)
{
    struct strbuf *report = arg;

    log_note(LOG_AT_INFO, "reload", "%s%s", line, restart ? " (after a restart)" : "");
    if (restart)
        strbuf_printf(report, "%s: takes effect when gatehoused is restarted\n", line);
}

static void take_over(struct running *running, struct snapshot *before, struct snapshot *next,
                      struct strbuf *report)
{
    struct house *house = running->house;
    struct err err = {0};

    bool configured = engine_reconfigure(house->engine, next, &err);
    snapshot_publish(&house->snapshots, next);
    blocks_use(&house->blocks, next);
    if (!configured) {
        log_note(LOG_AT_ERROR, "reload", "[dns]: %s; the old settings stay", err.text);
        strbuf_printf(report, "[dns]: %s; the old settings stay\n", err.text);
    }
    conf_compare(before->conf, next->conf, tell_change, report);
}

bool running_take(struct running *running, struct strbuf *report)
{
    static const char words[] = "the new configuration is in force";
    struct running_candidate *candidate = running->held;
    struct snapshot *before = running->house->snapshots.current;
    struct strbuf maps;

    if (candidate == NULL) {
        strbuf_puts(report, "no reload is under way\n");
        return false;
    }
    enum log_level level = candidate->snapshot->settings.log_level;
    snapshot_take(before); /* to be compared yet */
    if (level > before->settings.log_level)
        log_set_level(level); /* either level is reason enough for the lines of this reload */
    take_over(running, before, candidate->snapshot, report);
    snapshot_drop(before);
    note_taken(running, &candidate->problems);
    mapswatch_set(&running->maps, candidate->has_plan ? candidate->plan.folder : NULL,
                  &candidate->sums);
    candidate->snapshot = NULL; /* which the store has now */
    note_held(running, NULL);
    candidate_free(candidate);

    strbuf_init(&maps);
    describe_maps(running, &maps);
    log_note(LOG_AT_INFO, "reload", "%s%s", words, strbuf_text(&maps));
    strbuf_done(&maps);
    log_set_level(level);
    strbuf_printf(report, "%s\n", words);
    notify_state("READY=1");
    return true;
}

void running_drop(struct running *running, const char *reason)
{
    struct strbuf unread;

    if (running->held == NULL)
        return;
    candidate_free(running->held);
    note_held(running, NULL);
    note_refused(running, make_line(reason));
    strbuf_init(&unread);
    log_note(LOG_AT_ERROR, "reload", "%s", reason);
    tell_refusal(&unread);
    strbuf_done(&unread);
    log_maps(running); /* the tool may have been killed while it changed them */
    notify_state("READY=1");
}

void running_reload(struct running *running)
{
    struct strbuf report; /* the log has it all */

    if (running->held != NULL) {
        log_note(LOG_AT_ERROR, "reload", "%s", RUNNING_BUSY);
        running_reopen_log();
        return;
    }
    strbuf_init(&report);
    if (hold(running, false, &report))
        (void)!running_take(running, &report);
    strbuf_done(&report);
}
