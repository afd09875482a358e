/*
 * privilege.h - never stay root (SPEC 2, [gatehouse] user).
 *
 * Started as root, the daemon opens its socket, gives it to the user it will
 * be, and drops everything before it reads a table or talks to anybody.
 * Main thread, before any other exists.
 */
#ifndef MILTER_PRIVILEGE_H
#define MILTER_PRIVILEGE_H

#include <sys/types.h>
#include "lib/base/err.h"

struct identity {
    bool needed; /* started as root: uid and gid are to be taken on */
    char user[64];
    uid_t uid;
    gid_t gid;
    gid_t socket_gid; /* of the unix socket */
};

/* Who a daemon becomes that is started by us: user, where we are root, else who we
 * are. socket_gid is the user's own group. After an error *identity_out is who we are. */
NODISCARD bool privilege_find(const char *user, struct identity *identity_out, struct err *err);

/* The same for user, whoever we are. */
NODISCARD bool privilege_find_user(const char *user, struct identity *identity_out,
                                   struct err *err);

/* The group called name; identity's own when it is "". */
NODISCARD bool privilege_find_group(const char *name, const struct identity *identity,
                                    gid_t *gid_out, struct err *err);

/* Become identity, for good; checked. A second call finds nothing to do. */
NODISCARD bool privilege_drop(struct identity *identity, struct err *err);

#endif
