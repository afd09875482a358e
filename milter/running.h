/*
 * running.h - the configuration in force, and how another one takes its place.
 *
 * A reload builds a whole new snapshot exactly as `check` does. Wrong: the
 * running one stays and every error is told. Right, and nothing against it from
 * the guard: it is swapped in, sessions under way keep theirs (snapshot.h). What came of it is kept
 * for `status`.
 *
 * running_reload(): main thread; blocks on files. running_copy(): any thread.
 */
#ifndef MILTER_RUNNING_H
#define MILTER_RUNNING_H

#include <pthread.h>
#include "lib/base/problem.h"
#include "milter/session.h"

/* Times are wall-clock seconds. */
struct running_state {
    int64_t started, loaded;
    unsigned generation; /* 1 after the start, one more with every reload */
    char *warnings;      /* owned; lines about the configuration in force; NULL: none */
    int64_t refused;     /* when the last reload was refused; 0: it was not */
    char *refusal;       /* owned; lines saying why; NULL: it was not */
};

struct running {
    const char *path; /* borrowed, absolute */
    struct house *house;
    pthread_mutex_t lock; /* a leaf */
    struct running_state state;
};

/* The first configuration has been read; problems: what was found then. */
void running_init(struct running *running, const char *path, struct house *house,
                  const struct problems *problems);
void running_done(struct running *running);

/* For log rotation; a reload does it too. */
void running_reopen_log(void);

/* Whether there is a new configuration in force now; the log and report get all
 * errors and warnings, a line each, and the outcome. force: whatever guard.h
 * has against it. */
bool running_reload(struct running *running, bool force, struct strbuf *report);

/* A copy, for running_state_done(). */
void running_copy(struct running *running, struct running_state *state_out);
void running_state_done(struct running_state *state);

#endif
