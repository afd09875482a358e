#include "milter/startcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/state/statefile.h"
#include "milter/registry.h"
#include "milter/socketfile.h"

static const struct conf_section *section_of(const struct startcheck *check)
{
    return conf_find(check->conf, "gatehouse", "");
}

static bool is_set(const struct startcheck *check, const char *key)
{
    return conf_is_set(section_of(check), key);
}

static void complain(const struct startcheck *check, const char *key, const struct err *err,
                     struct problems *problems)
{
    conf_error(problems, section_of(check), key, "%s", err->text);
}

/* --- who it will be ---------------------------------------------------------------- */

/* Not root: the daemon would be whoever we are. But one who only looks and is not
 * the user it is meant for cannot tell what that one may do. */
static void find_user(struct startcheck *check, struct problems *problems)
{
    const char *name = check->settings.keys->user;
    struct err err = {0};
    struct identity other;

    check->known = privilege_find(name, &check->identity, &err);
    check->able = true;
    if (!check->known && name[0] != '\0' && strcmp(name, "root") != 0)
        complain(check, "user", &err, problems);
    if (check->identity.needed || check->purpose == STARTCHECK_DAEMON)
        return;
    if (!privilege_find_user(name, &other, &err)) {
        if (is_set(check, "user"))
            conf_warning(problems, section_of(check), "user",
                         "%s; started as root the daemon "
                         "would stop",
                         err.text);
    } else if (other.uid != check->identity.uid) {
        check->identity = other;
        check->able = false;
    }
}

static void find_group(struct startcheck *check, const char *key, const char *name, gid_t *gid_out,
                       struct problems *problems)
{
    struct err err = {0};
    if (!privilege_find_group(name, &check->identity, gid_out, &err))
        complain(check, key, &err, problems);
}

/* --- sockets ------------------------------------------------------------------------ */

/* One that answers there is the daemon of this configuration, as far as anybody can tell. */
static bool is_running(const struct startcheck *check)
{
    char name[PATH_MAX];
    struct err unused;

    snprintf(name, sizeof name, "unix:%s", check->settings.keys->control_socket);
    struct wake *control = wake_new(name, &unused);
    bool running = control != NULL && wake_listener(control, &unused);
    wake_free(control);
    return running;
}

/* libmilter would take the socket of a running program away from it. */
static void tell_in_use(const struct startcheck *check, const struct err *err,
                        struct problems *problems)
{
    const char *name = check->settings.socket;

    if (check->purpose == STARTCHECK_DAEMON)
        complain(check, "socket", err, problems);
    else if (!is_running(check))
        conf_warning(problems, section_of(check), "socket",
                     SOCKETFILE_IN_USE ", unless it is a daemon without a control socket", name);
}

static void check_inet(struct startcheck *check, struct problems *problems)
{
    struct err err = {0};
    int sys = wake_try_bind(check->wake);

    if (sys == 0 || (sys == EACCES && !check->able))
        return;
    err_system(&err, sys, "cannot listen on %s", check->settings.socket);
    if (sys == EADDRINUSE)
        tell_in_use(check, &err, problems);
    else
        complain(check, "socket", &err, problems);
}

static void check_unix(struct startcheck *check, struct problems *problems)
{
    struct err err = {0};
    struct socketfile_wish wish = {check->settings.socket_path, check->identity.socket_gid,
                                   check->able};

    if (!socketfile_check(&wish, &err))
        complain(check, "socket", &err, problems);
    else if (wake_listener(check->wake, &err)) {
        err_set(&err, ERR_SYSTEM, SOCKETFILE_IN_USE, wish.path);
        tell_in_use(check, &err, problems);
    }
}

static void check_socket(struct startcheck *check, struct problems *problems)
{
    struct err err = {0};

    if (check->settings.socket == NULL)
        return;
    check->wake = wake_new(check->settings.socket, &err);
    if (check->wake == NULL)
        complain(check, "socket", &err, problems);
    else if (check->settings.socket_path != NULL)
        check_unix(check, problems);
    else
        check_inet(check, problems);
}

/* What stands at its default is a convenience: many a host has no such folder.
 * What was asked for must be there. */
static void judge(const struct startcheck *check, const char *key, const char *without,
                  const struct err *err, struct problems *problems)
{
    if (is_set(check, key))
        complain(check, key, err, problems);
    else if (check->purpose == STARTCHECK_LOOK)
        conf_warning(problems, section_of(check), key, "%s: %s", without, err->text);
}

static void check_control(const struct startcheck *check, struct problems *problems)
{
    struct err err = {0};
    struct socketfile_wish wish = {check->settings.keys->control_socket, check->control_gid,
                                   check->able};

    if (wish.path[0] != '\0' && !socketfile_check(&wish, &err))
        judge(check, "control_socket", "there is no control socket", &err, problems);
    else if (check->purpose == STARTCHECK_DAEMON && is_running(check)) {
        err_set(&err, ERR_SYSTEM, SOCKETFILE_IN_USE, wish.path);
        judge(check, "control_socket", "", &err, problems);
    }
}

static void check_state(const struct startcheck *check, struct problems *problems)
{
    struct err err = {0};
    const char *folder = check->settings.keys->state_dir;

    if (check->known && folder[0] != '\0' &&
        !statefile_check_folder(folder, check->identity.uid, check->able, &err))
        judge(check, "state_dir", "nothing will outlive a restart", &err, problems);
}

void startcheck_host(const char *path, enum startcheck_for purpose, struct startcheck *check_out,
                     struct problems *problems)
{
    *check_out = (struct startcheck){.path = path, .purpose = purpose};
    check_out->conf = conf_read_anyway(path, registry, registry_count, problems);
    if (check_out->conf == NULL)
        return;
    (void)!settings_build(check_out->conf, &check_out->settings, problems);

    const struct settings_keys *keys = check_out->settings.keys;
    find_user(check_out, problems);
    find_group(check_out, "socket_group", keys->socket_group, &check_out->identity.socket_gid,
               problems);
    find_group(check_out, "control_group", keys->control_group, &check_out->control_gid, problems);
    check_socket(check_out, problems);
    check_control(check_out, problems);
    check_state(check_out, problems);
}

/* --- as the daemon's user --------------------------------------------------------------- */

static void check_log(const struct startcheck *check, struct problems *problems)
{
    struct err err = {0};
    if (check->able && check->settings.log_path != NULL &&
        !log_check(check->settings.log_path, &err))
        complain(check, "log", &err, problems);
}

/* The daemon connects to its own socket, see wake.h; and one that a service manager
 * starts as this user makes it, too. */
static void check_reach(const struct startcheck *check, struct problems *problems)
{
    char copy[PATH_MAX], inside[PATH_MAX + 2];

    if (!check->able || check->wake == NULL || check->settings.socket_path == NULL)
        return;
    snprintf(copy, sizeof copy, "%s", check->settings.socket_path);
    const char *folder = dirname(copy);
    snprintf(inside, sizeof inside, "%s/.", folder);
    if (faccessat(AT_FDCWD, inside, X_OK, AT_EACCESS) != 0 && errno == EACCES)
        conf_error(problems, section_of(check), "socket",
                   "the daemon's user may not enter the folder %s: it could not connect to itself",
                   folder);
    else if (check->purpose == STARTCHECK_LOOK &&
             faccessat(AT_FDCWD, inside, W_OK, AT_EACCESS) != 0 && errno == EACCES)
        conf_warning(problems, section_of(check), "socket",
                     "the daemon's user may not write in the folder %s: only a daemon started as "
                     "root can make its socket there",
                     folder);
}

struct snapshot *startcheck_rest(struct startcheck *check, struct problems *problems)
{
    struct err err = {0};

    if (check->conf == NULL)
        return NULL;
    if (check->known && check->able && !privilege_drop(&check->identity, &err))
        complain(check, "user", &err, problems);
    check_reach(check, problems);
    check_log(check, problems);
    struct snapshot *snapshot = snapshot_build(check->path, problems);
    if (problems_errors(problems) == 0)
        return snapshot;
    snapshot_drop(snapshot);
    return NULL;
}

void startcheck_done(struct startcheck *check)
{
    wake_free(check->wake);
    conf_free(check->conf);
    *check = (struct startcheck){.conf = NULL};
}
