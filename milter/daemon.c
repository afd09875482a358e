#include "milter/daemon.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/state/statefile.h"
#include "milter/daemonize.h"
#include "milter/filter.h"
#include "milter/interpose.h"
#include "milter/mapsplan.h"
#include "milter/notify.h"
#include "milter/shortage.h"
#include "milter/signals.h"
#include "milter/socketfile.h"
#include "milter/startcheck.h"
#include "milter/tally.h"
#include "milter/turnaway.h"
#include "milter/verbs.h"
#include "milter/workers.h"

#define TICK_MS 250 /* closed sessions are reaped this often: no wake-up for each */
/* For callbacks under way, which need not wait for anybody any more. */
#define STOP_PATIENCE MONO_SECONDS(2)
/* Enough for the deepest callback, and for the 0.6 MiB that ThreadSanitizer
 * keeps there; libmilter's default of 8 MiB would reserve gigabytes under load. */
#define THREAD_STACK (1024 * 1024)

struct daemon {
    const char *path;
    enum daemon_place place;
    int status;              /* where it cannot start */
    struct startcheck first; /* of the first reading: socket, user, log */
    struct problems found;   /* then, and in the tables */
    struct socketfile socket_file;
    struct house house;
    struct running running;
    struct verbs_world world;
    const char *state_dir;      /* NULL: there is none */
    struct err state_trouble;   /* why */
    struct control *control;    /* NULL: there is none */
    struct err control_trouble; /* why */
    pthread_t filter;
    atomic_bool filter_done;
};

/* --- start ------------------------------------------------------------------------ */

static bool complain(const struct daemon *daemon, const char *key, const struct err *err)
{
    const struct conf_section *section = conf_find(daemon->first.conf, "gatehouse", "");
    struct problems problems;

    problems_init(&problems);
    conf_error(&problems, section, key, "%s", err->text);
    problems_print(&problems, stderr);
    problems_done(&problems);
    return false;
}

/* Reads the tables, as the user we become here at the latest: what that one cannot
 * read now could not be read at a reload. */
static struct snapshot *read_tables(struct daemon *daemon)
{
    size_t before = problems_errors(&daemon->found);
    struct snapshot *snapshot = startcheck_rest(&daemon->first, &daemon->found);

    if (daemon->first.conf == NULL || problems_errors(&daemon->found) > before)
        daemon->status = EX_CONFIG;
    return snapshot;
}

/* Whoever has one mistake may have more: where the start ends here, the tables are
 * read all the same. */
static bool look_at_host(struct daemon *daemon)
{
    problems_init(&daemon->found);
    startcheck_host(daemon->path, STARTCHECK_DAEMON, &daemon->first, &daemon->found);
    if (problems_errors(&daemon->found) == 0)
        return true;
    snapshot_drop(read_tables(daemon));
    problems_print(&daemon->found, stderr);
    return false;
}

/* A socket at the place of the default is a convenience: many a host has no
 * such folder. One that was asked for must be there. */
static bool open_control(struct daemon *daemon)
{
    const struct startcheck *first = &daemon->first;
    const struct settings_keys *keys = first->settings.keys;
    struct control_setup setup = {
        .path = keys->control_socket,
        .rules = {.user = first->identity.uid,
                  .has_group = keys->control_group[0] != '\0',
                  .group = first->control_gid},
        .group = first->control_gid,
        .verbs = verbs,
        .nverbs = verbs_count,
        .ctx = &daemon->world,
        .let_go = verbs_let_go,
        .hold_patience = CONTROL_HOLD_PATIENCE,
        .poke = signals_poke,
    };
    struct err err = {0};

    daemon->control = control_open(&setup, &err);
    if (daemon->control == NULL &&
        conf_is_set(conf_find(first->conf, "gatehouse", ""), "control_socket"))
        return complain(daemon, "control_socket", &err);
    daemon->control_trouble = err;
    return true;
}

static bool open_state(struct daemon *daemon)
{
    const struct startcheck *first = &daemon->first;
    const char *folder = first->settings.keys->state_dir;
    struct err err = {0};

    if (statefile_folder(folder, first->identity.uid, first->identity.gid, &err))
        daemon->state_dir = folder;
    else if (conf_is_set(conf_find(first->conf, "gatehouse", ""), "state_dir"))
        return complain(daemon, "state_dir", &err);
    daemon->state_trouble = err;
    return true;
}

static bool open_sockets(struct daemon *daemon)
{
    const struct settings *settings = &daemon->first.settings;
    struct identity *identity = &daemon->first.identity;
    struct err err = {0};

    if (!filter_open(&daemon->house, wake_connection(daemon->first.wake), settings->socket_mode,
                     &err) ||
        !socketfile_own(&daemon->socket_file, settings->socket_path, identity->uid,
                        identity->socket_gid, &err))
        return complain(daemon, "socket", &err);
    if (!open_state(daemon) || !open_control(daemon))
        return false;
    if (!privilege_drop(identity, &err))
        return complain(daemon, "user", &err);
    return true;
}

static bool open_log(struct daemon *daemon)
{
    const struct settings *settings = &daemon->first.settings;
    enum log_target target =
        daemon->place == DAEMON_TERMINAL ? LOG_TO_STDERR : settings->log_target;
    struct err err = {0};

    if (!log_open(target, settings->log_path, settings->log_facility, settings->log_level,
                  "gatehoused", &err) ||
        !log_start_thread(&err))
        return complain(daemon, "log", &err);
    if (daemon->control == NULL)
        log_note(LOG_AT_WARNING, "control", "there is no control socket: %s",
                 daemon->control_trouble.text);
    if (daemon->state_dir == NULL)
        log_note(LOG_AT_WARNING, "state", "nothing will outlive a restart: %s",
                 daemon->state_trouble.text);
    return true;
}

/* Out of descriptors libmilter spins; take all we may have. */
static void raise_descriptors(const struct snapshot *snapshot)
{
    struct rlimit limit;
    uint64_t connections = 0;

    for (size_t i = 0; i < snapshot->listeners.n; i++)
        connections += (uint64_t)snapshot->listeners.v[i]->keys->max_connections;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 2 * connections)
        log_note(LOG_AT_WARNING, "limits",
                 "%llu descriptors are fewer than twice max_connections (%llu)",
                 (unsigned long long)limit.rlim_cur, (unsigned long long)connections);
}

static void log_problems(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        log_note(problems->list[i].severity == PROBLEM_ERROR ? LOG_AT_ERROR : LOG_AT_WARNING,
                 "configuration", "%s", problems->list[i].line);
}

static bool take_tables(struct daemon *daemon)
{
    signals_begin();
    struct snapshot *snapshot = read_tables(daemon);
    signals_block_all();

    if (snapshot == NULL) {
        problems_print(&daemon->found, stderr);
        return false;
    }
    if (!open_log(daemon)) {
        snapshot_drop(snapshot);
        return false;
    }
    mapsplan_check(snapshot, true, &daemon->found); /* nothing to stop for: mail goes on without */
    log_problems(&daemon->found);
    snapshot_store_init(&daemon->house.snapshots, snapshot);
    running_init(&daemon->running, daemon->path, &daemon->house, &daemon->found);
    numbers_init(&daemon->house.numbers, daemon->state_dir);
    blocks_init(&daemon->house.blocks, daemon->state_dir, snapshot);
    raise_descriptors(snapshot);
    return true;
}

static void *serve(void *arg)
{
    struct daemon *daemon = arg;

    signals_block_all();
    filter_run();
    atomic_store(&daemon->filter_done, true);
    signals_poke();
    return NULL;
}

static bool start_threads(struct daemon *daemon)
{
    struct err err = {0};
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    (void)pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);

    if (!interpose_check(&err) || !workers_start(&err) || !turnaway_start(&err))
        return complain(daemon, NULL, &err);
    if (!wake_listener(daemon->first.wake, &err))
        return complain(daemon, "socket", &err);
    daemon->house.limits = limits_new((size_t)daemon->first.settings.keys->max_counters);
    if (daemon->house.limits == NULL) {
        err_set(&err, ERR_MEMORY, "there is not enough memory for so many counters");
        return complain(daemon, "max_counters", &err);
    }
    daemon->house.engine = engine_new(daemon->house.snapshots.current, &err);
    if (daemon->house.engine == NULL)
        return complain(daemon, NULL, &err);
    if (daemon->state_dir != NULL)
        engine_keep(daemon->house.engine, daemon->state_dir);
    daemon->house.wake = daemon->first.wake;
    daemon->house.tally = tally_new();
    daemon->house.guard = guard_new(daemon->state_dir);
    daemon->world = (struct verbs_world){.house = &daemon->house, .running = &daemon->running};
    if (!signals_listen(&err) || (daemon->control != NULL && !control_start(daemon->control, &err)))
        return complain(daemon, NULL, &err);

    int sys = pthread_create(&daemon->filter, NULL, serve, daemon);
    if (sys != 0) {
        err_system(&err, sys, "cannot start the filter thread");
        return complain(daemon, NULL, &err);
    }
    return true;
}

/* --- stop ----------------------------------------------------------------------------- */

static void close_control(struct daemon *daemon)
{
    control_close(daemon->control);
    daemon->control = NULL;
}

/* Nobody waits any more: what is asked for is answered from memory or not at all, and
 * tempfailed then; so is whatever begins now. */
static bool wait_for_quiet(struct daemon *daemon)
{
    mono_us deadline = mono_now() + STOP_PATIENCE;

    atomic_store(&daemon->house.stopping, true);
    engine_stop(daemon->house.engine);
    while (atomic_load(&daemon->house.busy) > 0) {
        if (mono_now() > deadline)
            return false;
        (void)poll(NULL, 0, 10);
        session_reap(&daemon->house);
    }
    return true;
}

/* libmilter's threads go on until the process ends, see filter.h. */
static void stop(struct daemon *daemon)
{
    notify_state("STOPPING=1");
    log_note(LOG_AT_INFO, "stop", "stopping");
    close_control(daemon);
    socketfile_remove(&daemon->socket_file);
    bool quiet = wait_for_quiet(daemon);
    session_reap(&daemon->house);
    log_note(LOG_AT_INFO, "stop", "stopped with %u sessions open",
             atomic_load(&daemon->house.open));
    if (!quiet) /* a callback still uses the rest */
        return;
    engine_free(daemon->house.engine);
    blocks_done(&daemon->house.blocks);
    /* A session libmilter never closed may still give its leases back. */
    if (atomic_load(&daemon->house.open) == 0)
        limits_free(daemon->house.limits);
    snapshot_store_done(&daemon->house.snapshots);
    running_done(&daemon->running);
    stats_free(daemon->house.tally);
    guard_free(daemon->house.guard);
    startcheck_done(&daemon->first);
    problems_done(&daemon->found);
}

/* Under a leak checker; otherwise there is no such function. */
void __lsan_do_leak_check(void) __attribute__((weak));

/* Not by exit(): libmilter's part of that destroys locks its threads hold. */
static _Noreturn void end(int status)
{
    log_stop_thread();
    if (__lsan_do_leak_check != NULL)
        __lsan_do_leak_check();
    _exit(status);
}

/* --- main loop -------------------------------------------------------------------------- */

static void drain(int fd)
{
    uint64_t count;
    (void)!read(fd, &count, sizeof count);
}

static _Noreturn void serve_until_stopped(struct daemon *daemon)
{
    struct pollfd event = {.fd = signals_fd(), .events = POLLIN};

    while (!signals_stop() && !atomic_load(&daemon->filter_done)) {
        (void)poll(&event, 1, TICK_MS);
        drain(event.fd);
        session_reap(&daemon->house);
        engine_tick(daemon->house.engine);
        numbers_tick(&daemon->house.numbers);
        blocks_tick(&daemon->house.blocks);
        if (daemon->house.guard != NULL)
            guard_tick(daemon->house.guard);
        workers_tick();
        shortage_tick();
        if (signals_reopen())
            running_reopen_log();
        if (signals_reload())
            running_reload(&daemon->running);
        if (daemon->control != NULL)
            control_serve(daemon->control);
    }
    bool asked = signals_stop();
    if (!asked)
        log_note(LOG_AT_ERROR, "stop", "libmilter has ended by itself");
    stop(daemon);
    end(asked ? EXIT_SUCCESS : EXIT_FAILURE);
}

static bool start(struct daemon *daemon)
{
    struct err err = {0};

    signals_block_all();
    if (!look_at_host(daemon))
        return false;
    if (daemon->place == DAEMON_BACKGROUND && !daemonize_begin(&err))
        return complain(daemon, NULL, &err);
    return open_sockets(daemon) && take_tables(daemon) && start_threads(daemon);
}

int daemon_main(const char *path, enum daemon_place place)
{
    static struct daemon daemon; /* libmilter keeps a pointer to its house */

    daemon.path = path;
    daemon.place = place;
    daemon.status = EXIT_FAILURE;
    if (start(&daemon)) {
        log_note(LOG_AT_INFO, "start", "gatehoused %s listens on %s", PACKAGE_VERSION,
                 daemon.first.settings.socket);
        daemonize_ready();
        notify_state("READY=1");
        running_watch_maps(&daemon.running);
        serve_until_stopped(&daemon);
    }
    close_control(&daemon);
    log_stop_thread();
    socketfile_remove(&daemon.socket_file);
    startcheck_done(&daemon.first);
    problems_done(&daemon.found);
    return signals_stop() ? EXIT_SUCCESS : daemon.status;
}
