/*
 * sock.h - TCP connections whose every step ends at a deadline.
 *
 * Non-blocking descriptors with poll(2); CLOEXEC, TCP_NODELAY. A sock may
 * carry TLS (tls.h): sock_read/sock_write then go through it. One thread uses
 * a sock. To wake it from another there is a stop descriptor: as soon as it is
 * readable, every wait of every sock made with it ends with ERR_SYSTEM and
 * ECANCELED. SIGPIPE: see tls.h.
 */
#ifndef LIB_NET_SOCK_H
#define LIB_NET_SOCK_H

#include <sys/types.h>
#include "lib/base/err.h"
#include "lib/base/ip.h"
#include "lib/base/mono.h"

#define SOCK_WASTE_MAX 65536

struct sock;
struct tls_client; /* tls.h */

/* interface: "" or "auto" for the system's choice, else a local address or a
 * device name. stop_fd: see above, borrowed while the sock lives; -1: none.
 * err->kind ERR_TIMEOUT, ERR_SYSTEM, ERR_RANGE (the interface has no address
 * of that kind) or ERR_MEMORY. */
struct sock *sock_connect(const struct ip *ip, uint16_t port, const char *interface, int stop_fd,
                          mono_us deadline, struct err *err);
/* Could a connection begin there: is it an address or a device of this host? Asks
 * the system, blocks on nothing. */
NODISCARD bool sock_check_interface(const char *interface, struct err *err);
void sock_close(struct sock *sock); /* takes NULL; never blocks */
/* Nothing more will be sent. Never blocks; no TLS any more. */
void sock_finish(struct sock *sock);
/* After sock_finish(): has the peer closed as well, or does it by the deadline? What it
 * sends meanwhile is thrown away, up to SOCK_WASTE_MAX. true also when there is nothing to
 * wait for any more: an error, too much waste, or the stop descriptor. */
NODISCARD bool sock_await_close(struct sock *sock, mono_us deadline);
/* The descriptor, which is the caller's now; the sock is gone. Without TLS only. */
int sock_release(struct sock *sock);

/* At least one byte: its count. 0: the peer closed. -1: err, of kind
 * ERR_TIMEOUT, ERR_SYSTEM or ERR_TLS. Takes what is there even past the deadline. */
ssize_t sock_read(struct sock *sock, void *to, size_t room, mono_us deadline, struct err *err);
/* Would sock_read() return at once (bytes, close or error)? For idle checks. */
bool sock_readable(struct sock *sock);
/* Everything or an error. */
NODISCARD bool sock_write(struct sock *sock, const void *from, size_t size, mono_us deadline,
                          struct err *err);
/* What can be written without waiting; for a last word before sock_close(). */
void sock_write_some(struct sock *sock, const void *from, size_t size);

/* Turn on TLS as client. host: the name (or address as text) the certificate
 * must carry when verify is asked for, and SNI. On failure (ERR_TLS when it is
 * TLS's fault) the sock must be closed. */
NODISCARD bool sock_start_tls(struct sock *sock, struct tls_client *tls, const char *host,
                              bool verify, mono_us deadline, struct err *err);
bool sock_has_tls(const struct sock *sock);

#endif
