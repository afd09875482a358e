/* sock.c - see sock.h. */
#include "lib/net/sock.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/net/tls.h"

struct sock {
    int fd;
    int stop_fd;
    struct tls_session *tls;
};

/* --- waiting -------------------------------------------------------------------- */

static bool wait_for(const struct sock *sock, short events, mono_us deadline, struct err *err)
{
    struct pollfd fds[2] = {{.fd = sock->fd, .events = events},
                            {.fd = sock->stop_fd, .events = POLLIN}};
    int n = 0;
    do
        n = poll(fds, 2, mono_poll_ms(deadline));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_system(err, errno, "waiting for the server");
    if (fds[1].revents)
        return err_system(err, ECANCELED, "waiting for the server");
    if (n == 0)
        return err_set(err, ERR_TIMEOUT, "no answer in time");
    return true;
}

/* --- connecting ----------------------------------------------------------------- */

static bool bind_address(int fd, const struct ip *to, const struct ip *from, struct err *err)
{
    struct sockaddr_storage ss;
    char text[IP_TEXT_MAX];
    int one = 1;
    socklen_t n = ip_to_sockaddr(from, 0, &ss);
    if (ip_is_v4(from) != ip_is_v4(to))
        return err_set(err, ERR_RANGE, "interface %s cannot reach addresses of the other kind",
                       ip_text(from, text));
#ifdef IP_BIND_ADDRESS_NO_PORT
    /* Else the system must find a port free for all destinations. */
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
#endif
    if (bind(fd, (struct sockaddr *)&ss, n) != 0)
        return err_system(err, errno, "binding to interface %s", ip_text(from, text));
    return true;
}

static bool bind_device(int fd, const char *name, struct err *err)
{
#ifdef SO_BINDTODEVICE
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)) != 0)
        return err_system(err, errno, "binding to device %s", name);
    return true;
#else
    (void)fd;
    return err_set(err, ERR_RANGE, "device %s: this system binds to addresses only", name);
#endif
}

static bool bind_interface(int fd, const struct ip *to, const char *interface, struct err *err)
{
    struct ip from;
    if (interface[0] == '\0' || strcmp(interface, "auto") == 0)
        return true;
    if (ip_parse(slice_of(interface), &from))
        return bind_address(fd, to, &from, err);
    return bind_device(fd, interface, err);
}

bool sock_check_interface(const char *interface, struct err *err)
{
    struct ip from;
    if (interface[0] == '\0' || strcmp(interface, "auto") == 0)
        return true;
    if (!ip_parse(slice_of(interface), &from))
        return if_nametoindex(interface) != 0 ||
               err_set(err, ERR_RANGE,
                       "\"%.64s\" is neither an address nor a device of this host; allowed: auto, "
                       "a local "
                       "address or a device",
                       interface);
    int fd = socket(ip_is_v4(&from) ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && bind_address(fd, &from, &from, err);
    int sys = errno;
    if (fd >= 0)
        (void)close(fd);
    return good || err_set(err, ERR_RANGE,
                           "cannot connect from %s: %s; allowed: auto, a local address or a device",
                           interface, strerror(sys));
}

static bool finish_connect(const struct sock *sock, mono_us deadline, struct err *err)
{
    int failed = 0;
    socklen_t n = sizeof failed;
    if (!wait_for(sock, POLLOUT, deadline, err))
        return false;
    if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &failed, &n) != 0)
        failed = errno;
    return failed == 0 || err_system(err, failed, "connecting");
}

static bool start_connect(struct sock *sock, const struct ip *ip, uint16_t port,
                          const char *interface, mono_us deadline, struct err *err)
{
    struct sockaddr_storage ss;
    int one = 1;
    socklen_t n = ip_to_sockaddr(ip, port, &ss);
    sock->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock->fd < 0)
        return err_system(err, errno, "making a socket");
    (void)setsockopt(sock->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!bind_interface(sock->fd, ip, interface, err))
        return false;
    if (connect(sock->fd, (struct sockaddr *)&ss, n) == 0)
        return true;
    if (errno != EINPROGRESS && errno != EINTR)
        return err_system(err, errno, "connecting");
    return finish_connect(sock, deadline, err);
}

struct sock *sock_connect(const struct ip *ip, uint16_t port, const char *interface, int stop_fd,
                          mono_us deadline, struct err *err)
{
    struct sock *sock = calloc(1, sizeof *sock);
    if (!sock) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    sock->fd = -1;
    sock->stop_fd = stop_fd;
    if (start_connect(sock, ip, port, interface, deadline, err))
        return sock;
    sock_close(sock);
    return NULL;
}

void sock_close(struct sock *sock)
{
    if (!sock)
        return;
    tls_session_free(sock->tls);
    if (sock->fd >= 0)
        (void)close(sock->fd);
    free(sock);
}

void sock_finish(struct sock *sock)
{
    tls_session_free(sock->tls);
    sock->tls = NULL;
    (void)shutdown(sock->fd, SHUT_WR);
}

bool sock_await_close(struct sock *sock, mono_us deadline)
{
    char waste[1024];
    for (size_t wasted = 0; wasted < SOCK_WASTE_MAX;) {
        struct err err = {0};
        ssize_t n = recv(sock->fd, waste, sizeof waste, 0);
        bool later = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
        if (!later && n <= 0)
            return true;
        if (n > 0)
            wasted += (size_t)n;
        else if (!wait_for(sock, POLLIN, deadline, &err))
            return err.kind != ERR_TIMEOUT;
    }
    return true;
}

int sock_release(struct sock *sock)
{
    int fd = sock->fd;
    CHECK(sock->tls == NULL);
    free(sock);
    return fd;
}

/* --- bytes ---------------------------------------------------------------------- */

/* One step of reading or writing, plain or through TLS, in the words of tls.h. */
static enum tls_result step_result(ssize_t n, enum tls_result again, size_t *n_out, struct err *err)
{
    *n_out = n > 0 ? (size_t)n : 0;
    if (n > 0)
        return TLS_DONE;
    if (n == 0)
        return TLS_CLOSED;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return again;
    err_system(err, errno, again == TLS_WANT_READ ? "reading" : "writing");
    return TLS_FAILED;
}

static enum tls_result read_step(struct sock *sock, void *to, size_t room, size_t *n_out,
                                 struct err *err)
{
    if (sock->tls)
        return tls_read(sock->tls, to, room, n_out, err);
    return step_result(recv(sock->fd, to, room, 0), TLS_WANT_READ, n_out, err);
}

static enum tls_result write_step(struct sock *sock, const void *from, size_t size, size_t *n_out,
                                  struct err *err)
{
    if (sock->tls)
        return tls_write(sock->tls, from, size, n_out, err);
    return step_result(send(sock->fd, from, size, MSG_NOSIGNAL), TLS_WANT_WRITE, n_out, err);
}

static bool wait_as_told(const struct sock *sock, enum tls_result result, mono_us deadline,
                         struct err *err)
{
    return wait_for(sock, result == TLS_WANT_READ ? POLLIN : POLLOUT, deadline, err);
}

ssize_t sock_read(struct sock *sock, void *to, size_t room, mono_us deadline, struct err *err)
{
    for (;;) {
        size_t n = 0;
        enum tls_result result = read_step(sock, to, room, &n, err);
        switch (result) {
        case TLS_DONE:
            return (ssize_t)n;
        case TLS_CLOSED:
            return 0;
        case TLS_FAILED:
            return -1;
        case TLS_WANT_READ:
        case TLS_WANT_WRITE:
            if (!wait_as_told(sock, result, deadline, err))
                return -1;
        }
    }
}

bool sock_readable(struct sock *sock)
{
    struct pollfd fd = {.fd = sock->fd, .events = POLLIN};
    if (sock->tls)
        return tls_readable(sock->tls);
    return poll(&fd, 1, 0) != 0;
}

bool sock_write(struct sock *sock, const void *from, size_t size, mono_us deadline, struct err *err)
{
    const char *at = from;
    while (size > 0) {
        size_t n = 0;
        enum tls_result result = write_step(sock, at, size, &n, err);
        switch (result) {
        case TLS_DONE:
            at += n;
            size -= n;
            break;
        case TLS_CLOSED:
            return err_set(err, ERR_PEER, "the server closed the connection");
        case TLS_FAILED:
            return false;
        case TLS_WANT_READ:
        case TLS_WANT_WRITE:
            if (!wait_as_told(sock, result, deadline, err))
                return false;
        }
    }
    return true;
}

void sock_write_some(struct sock *sock, const void *from, size_t size)
{
    size_t n = 0;
    if (size > 0)
        (void)write_step(sock, from, size, &n, NULL);
}

/* --- TLS ------------------------------------------------------------------------ */

bool sock_start_tls(struct sock *sock, struct tls_client *tls, const char *host, bool verify,
                    mono_us deadline, struct err *err)
{
    sock->tls = tls_session_new(tls, sock->fd, host, verify, err);
    if (!sock->tls)
        return false;
    for (;;) {
        enum tls_result result = tls_handshake(sock->tls, err);
        switch (result) {
        case TLS_DONE:
            return true;
        case TLS_CLOSED:
            return err_set(err, ERR_TLS, "the server closed the connection in the TLS handshake");
        case TLS_FAILED:
            return false;
        case TLS_WANT_READ:
        case TLS_WANT_WRITE:
            if (!wait_as_told(sock, result, deadline, err))
                return false;
        }
    }
}

bool sock_has_tls(const struct sock *sock)
{
    return sock->tls != NULL;
}
