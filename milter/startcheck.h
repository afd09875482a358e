/*
 * startcheck.h - what must be so on this host before a daemon can start.
 *
 * A configuration may be right in itself and still not start: its user or a
 * group does not exist, a folder is missing or can be written by everybody, a
 * plain file stands where a socket shall be, the host of a socket has no such
 * address, the log cannot be opened, a table is not for the daemon's user to
 * read. The daemon looks at all of that before it opens anything, and so does
 * `gatehousectl check`, by the same calls: both say the same lines, each at the
 * key it is about.
 *
 * Nothing is made, changed or taken away, and a daemon that is running is not
 * disturbed: a connection to its socket is opened and closed, as it does itself.
 * Blocks on files, and on the system's resolver where a socket names a host.
 * Main thread, before any other exists.
 */
#ifndef MILTER_STARTCHECK_H
#define MILTER_STARTCHECK_H

#include "lib/base/problem.h"
#include "milter/privilege.h"
#include "milter/settings.h"
#include "milter/snapshot.h"
#include "milter/wake.h"

enum startcheck_for {
    STARTCHECK_DAEMON, /* sockets must be free */
    STARTCHECK_LOOK    /* a daemon may be running, and may be started by another user */
};

struct startcheck {
    enum startcheck_for purpose;
    const char *path;         /* of the configuration; borrowed */
    struct conf *conf;        /* owned; NULL: it could not be read at all */
    struct settings settings; /* of conf, as far as they are good */
    struct identity identity; /* of the daemon to be */
    bool known;               /* identity is: its user exists */
    bool able;                /* what we may do is what the daemon may */
    gid_t control_gid;
    struct wake *wake; /* owned; NULL: there is no such socket */
};

/* The file, and what is done before root is given up: users, groups, sockets,
 * the folder of state_dir. The caller owns *check_out, also after errors. */
void startcheck_host(const char *path, enum startcheck_for purpose, struct startcheck *check_out,
                     struct problems *problems);

/* The rest, as the daemon's user, whom the process becomes for good where it is
 * root and the user is known: log and tables. NULL where anything at all was wrong. */
struct snapshot *startcheck_rest(struct startcheck *check, struct problems *problems);

void startcheck_done(struct startcheck *check);

#endif
