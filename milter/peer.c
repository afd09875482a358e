#include "milter/peer.h"

#include <errno.h>
#include <sys/socket.h>

static bool is_among(const gid_t *groups, size_t n, gid_t group)
{
    for (size_t i = 0; i < n; i++) {
        if (groups[i] == group)
            return true;
    }
    return false;
}

/* Supplementary groups, as many as there are (Linux 4.13). */
static bool is_member(int fd, gid_t group)
{
    socklen_t size = 0;
    gid_t *groups = NULL;
    bool member = false;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE)
        return false;
    groups = malloc(size);
    if (groups != NULL && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
        member = is_among(groups, size / sizeof *groups, group);
    free(groups);
    return member;
}

bool peer_may(int fd, const struct peer_rules *rules, uid_t *user_out, struct err *err)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return err_system(err, errno, "cannot tell who connects");
    *user_out = peer.uid;
    if (peer.uid == 0 || peer.uid == rules->user)
        return true;
    if (rules->has_group && (peer.gid == rules->group || is_member(fd, rules->group)))
        return true;
    return err_set(err, ERR_RANGE, "user %lu (process %ld) may not use the control socket",
                   (unsigned long)peer.uid, (long)peer.pid);
}
