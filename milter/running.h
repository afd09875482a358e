/*
 * running.h - the configuration in force, and how another one takes its place.
 *
 * A reload builds a whole new snapshot exactly as `check` does, and where there is [maps], looks
 * at it as `gatehousectl maps` does. Wrong: the running one stays and every error is told. Right,
 * and nothing against it from the guard: it may be swapped in; sessions under way keep theirs
 * (snapshot.h). What came of it is kept for `status`.
 *
 * A signal does all of that at once (running_reload()). gatehousectl does it in two steps, since
 * maps and configuration have to change together and the daemon may not write maps: the candidate
 * is held (running_hold()) while the tool writes the maps, and then taken or dropped. One is held
 * at a time; whoever comes meanwhile is told RUNNING_BUSY.
 *
 * Log lines are written when what they say has happened.
 *
 * running_copy() and running.maps (mapswatch.h): any thread; all else: main thread, blocks on
 * files.
 */
#ifndef MILTER_RUNNING_H
#define MILTER_RUNNING_H

#include <pthread.h>
#include "lib/base/problem.h"
#include "milter/mapswatch.h"
#include "milter/session.h"

#define RUNNING_BUSY "reload under way"

/* Times are wall-clock seconds. */
struct running_state {
    int64_t started, loaded;
    unsigned generation; /* 1 after the start, one more with every reload */
    bool held;           /* a reload is under way */
    char *warnings;      /* owned; lines about the configuration in force; NULL: none */
    int64_t refused;     /* when the last reload was refused; 0: it was not */
    char *refusal;       /* owned; lines saying why; NULL: it was not */
};

struct running_candidate;

struct running {
    const char *path; /* borrowed, absolute */
    struct house *house;
    struct running_candidate *held; /* owned; NULL: none */
    struct mapswatch maps;
    pthread_mutex_t lock; /* a leaf */
    struct running_state state;
};

/* The first configuration has been read; problems: what was found then. */
void running_init(struct running *running, const char *path, struct house *house,
                  const struct problems *problems);
void running_done(struct running *running);

/* Make out what the maps should hold, and log where they do not. After the start, which does not
 * wait for it. */
void running_watch_maps(struct running *running);

/* For log rotation; a reload does it too. */
void running_reopen_log(void);

/* By a signal: the log gets all errors and warnings, a line each, the outcome, and which maps
 * differ now. */
void running_reload(struct running *running);

/* Hold a candidate. true: report has what mapsplan_print() prints, an empty line, and all
 * warnings. false: report has what is wrong, and the outcome. force: whatever guard.h has against
 * it, and an open relay in the maps. */
NODISCARD bool running_hold(struct running *running, bool force, struct strbuf *report);
/* Put it in force; report gets what takes effect only at a restart, and the outcome. false: none
 * is held. */
NODISCARD bool running_take(struct running *running, struct strbuf *report);
/* Give it up, for this reason; nothing happens where none is held. */
void running_drop(struct running *running, const char *reason);

/* A copy, for running_state_done(). */
void running_copy(struct running *running, struct running_state *state_out);
void running_state_done(struct running_state *state);

#endif
