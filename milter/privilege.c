#include "milter/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define LOOKUP_ROOM 16384

bool privilege_find_user(const char *name, struct identity *identity, struct err *err)
{
    struct passwd entry, *found = NULL;
    char room[LOOKUP_ROOM];

    int sys = getpwnam_r(name, &entry, room, sizeof room, &found);
    if (found == NULL)
        return sys != 0 ? err_system(err, sys, "user \"%s\"", name)
                        : err_set(err, ERR_RANGE,
                                  "there is no user \"%s\"; allowed: an existing "
                                  "user other than root",
                                  name);
    if (entry.pw_uid == 0)
        return err_set(err, ERR_RANGE, "\"%s\" is root; allowed: any other user", name);
    identity->uid = entry.pw_uid;
    identity->gid = identity->socket_gid = entry.pw_gid;
    snprintf(identity->user, sizeof identity->user, "%s", name);
    return true;
}

static bool find_group(const char *name, gid_t *gid_out, struct err *err)
{
    struct group entry, *found = NULL;
    char room[LOOKUP_ROOM];

    int sys = getgrnam_r(name, &entry, room, sizeof room, &found);
    if (found == NULL)
        return sys != 0 ? err_system(err, sys, "group \"%s\"", name)
                        : err_set(err, ERR_RANGE, "there is no group \"%s\"", name);
    *gid_out = entry.gr_gid;
    return true;
}

bool privilege_find(const char *user, struct identity *identity_out, struct err *err)
{
    *identity_out = (struct identity){.needed = geteuid() == 0 || getuid() == 0,
                                      .uid = geteuid(),
                                      .gid = getegid(),
                                      .socket_gid = getegid()};
    return !identity_out->needed || privilege_find_user(user, identity_out, err);
}

bool privilege_find_group(const char *name, const struct identity *identity, gid_t *gid_out,
                          struct err *err)
{
    *gid_out = identity->gid;
    return name[0] == '\0' || find_group(name, gid_out, err);
}

bool privilege_drop(struct identity *identity, struct err *err)
{
    if (!identity->needed)
        return true;
    if (initgroups(identity->user, identity->gid) != 0 || setgid(identity->gid) != 0 ||
        setuid(identity->uid) != 0)
        return err_system(err, errno, "cannot become user \"%s\"", identity->user);
    if (setuid(0) == 0 || geteuid() == 0 || getuid() == 0)
        return err_set(err, ERR_SYSTEM, "still root after becoming \"%s\"", identity->user);
    identity->needed = false;
    return true;
}
