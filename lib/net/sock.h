/*
 * sock.h - TCP connections whose every step ends at a deadline.
 *
 * Non-blocking descriptors with poll(2); CLOEXEC, TCP_NODELAY. A sock may
 * carry TLS (tls.h): sock_read/sock_write then go through it. One thread uses
 * a sock at a time; sock_shutdown() alone may be called from another thread to
 * wake it.
 */
#ifndef LIB_NET_SOCK_H
#define LIB_NET_SOCK_H

#include "lib/base/err.h"
#include "lib/base/ip.h"
#include "lib/base/mono.h"

struct sock;
struct tls_client; /* tls.h */

/* interface: "" or "auto" for the system's choice, else a local address or a
 * device name. err->kind ERR_TIMEOUT or ERR_SYSTEM. */
struct sock *sock_connect(const struct ip *ip, uint16_t port, const char *interface,
                          mono_us deadline, struct err *err);
void sock_close(struct sock *sock); /* takes NULL; never blocks */
void sock_shutdown(struct sock *sock);

/* At least one byte: its count. 0: the peer closed. -1: err. */
ssize_t sock_read(struct sock *sock, void *to, size_t room, mono_us deadline, struct err *err);
/* Would sock_read() return at once (bytes, close or error)? For idle checks. */
bool sock_readable(struct sock *sock);
/* Everything or an error. */
NODISCARD bool sock_write(struct sock *sock, const void *from, size_t size, mono_us deadline,
                          struct err *err);

/* Turn on TLS as client. host: the name the certificate must carry when
 * verify is asked for, and SNI. On failure the sock must be closed. */
NODISCARD bool sock_start_tls(struct sock *sock, struct tls_client *tls, const char *host,
                              bool verify, mono_us deadline, struct err *err);
bool sock_has_tls(const struct sock *sock);

#endif
