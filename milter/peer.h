/*
 * peer.h - who is at the other end of a unix socket.
 *
 * The kernel says which user and groups a process had when it connected; file
 * permissions of the socket alone would let everybody through who can once
 * open it. Any thread; does not block.
 */
#ifndef MILTER_PEER_H
#define MILTER_PEER_H

#include <sys/types.h>
#include "lib/base/err.h"

/* root may always. */
struct peer_rules {
    uid_t user;
    bool has_group;
    gid_t group; /* members may, by first or supplementary group */
};

/* Whether the peer of the connection fd may come in; when not, err says who it
 * is. user_out: who it is, for the log. */
NODISCARD bool peer_may(int fd, const struct peer_rules *rules, uid_t *user_out, struct err *err);

#endif
