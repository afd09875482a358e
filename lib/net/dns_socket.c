/* dns_socket.c - see dns_socket.h. */
#include "lib/net/dns_socket.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "lib/base/err.h"

/* errno stays as it is. */
static bool note(struct dns_shortage *shortage, int sys)
{
    const struct err err = {.kind = ERR_SYSTEM, .sys = sys};

    if (!err_is_shortage(&err))
        return false;
    shortage->times++;
    shortage->sys = sys;
    return true;
}

int dns_socket_make(int family, int type, int protocol, void *shortage)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

    if (fd < 0)
        (void)note(shortage, errno);
    return fd;
}

int dns_socket_close(int fd, void *shortage)
{
    (void)shortage;
    return close(fd);
}

/* EAGAIN is no connection under way, for which c-ares takes it: no local port is free.
 * EADDRNOTAVAIL is what a host without IPv6 says of its servers, for ever. */
int dns_socket_connect(int fd, const struct sockaddr *to, socklen_t n, void *shortage)
{
    int rc = connect(fd, to, n);

    if (rc != 0 && errno != EINPROGRESS && !(errno == EADDRNOTAVAIL && to->sa_family == AF_INET6) &&
        note(shortage, errno))
        errno = EADDRNOTAVAIL;
    return rc;
}

ssize_t dns_socket_receive(int fd, void *to, size_t room, int flags, struct sockaddr *from,
                           socklen_t *n, void *shortage)
{
    (void)shortage;
    return recvfrom(fd, to, room, flags, from, n);
}

/* EAGAIN: a connection that takes no more for now, which c-ares knows of. */
ssize_t dns_socket_send(int fd, const struct iovec *parts, int n, void *shortage)
{
    const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                                   .msg_iovlen = (size_t)n};
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN)
        (void)note(shortage, errno);
    return sent;
}
