/*
 * socketfile.h - the file of our unix socket.
 *
 * Its folder decides who could put another one in its place; the file itself
 * is given to the user the daemon becomes, and taken away at the end, but only
 * while it is still ours: a successor may have been started already. With an
 * inet socket (path NULL) nothing is to be done. Main thread.
 */
#ifndef MILTER_SOCKETFILE_H
#define MILTER_SOCKETFILE_H

#include <sys/types.h>
#include "lib/base/err.h"

struct socketfile {
    const char *path; /* borrowed; NULL: none of ours */
    dev_t device;
    ino_t inode;
};

#define SOCKETFILE_IN_USE "another program is listening on %s"

/* A socket to be: its path (absolute; not NULL), the group it is to get, and whether
 * our own rights are those of the daemon (else they are not looked at). */
struct socketfile_wish {
    const char *path;
    gid_t group;
    bool able;
};

/* Could it be made? As below, and: the folder is for us to write in, the group ours to
 * give, and nothing but a socket stands there already. Changes nothing. */
NODISCARD bool socketfile_check(const struct socketfile_wish *wish, struct err *err);

/* The folder must exist and not be writable by others. */
NODISCARD bool socketfile_check_folder(const char *path, struct err *err);

/* The file has just been made: remember it and give it away. */
NODISCARD bool socketfile_own(struct socketfile *file, const char *path, uid_t uid, gid_t gid,
                              struct err *err);

void socketfile_remove(struct socketfile *file);

#endif
