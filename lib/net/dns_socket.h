/*
 * dns_socket.h - the system calls that c-ares makes with its sockets, as it would make
 * them itself, but for a look at what this host is short of: descriptors, memory,
 * local ports. Internal to the DNS engine. shortage: a struct dns_shortage. The engine's
 * thread alone; never blocks.
 */
#ifndef LIB_NET_DNS_SOCKET_H
#define LIB_NET_DNS_SOCKET_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct dns_shortage {
    unsigned times;
    int sys; /* errno of the last one */
};

int dns_socket_make(int family, int type, int protocol, void *shortage);
int dns_socket_close(int fd, void *shortage);
int dns_socket_connect(int fd, const struct sockaddr *to, socklen_t n, void *shortage);
ssize_t dns_socket_receive(int fd, void *to, size_t room, int flags, struct sockaddr *from,
                           socklen_t *n, void *shortage);
ssize_t dns_socket_send(int fd, const struct iovec *parts, int n, void *shortage);

#endif
