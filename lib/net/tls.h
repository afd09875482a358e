/*
 * tls.h - client TLS for call-ahead, the one module with <openssl/...>.
 *
 * A struct tls_client is one SSL_CTX made from [tls]; counted, because
 * connections outlive a reload. Any thread; loading blocks on files. Sessions
 * are used by one thread at a time and never block by themselves: they say
 * which direction to wait for. The thread that uses them has SIGPIPE blocked
 * or ignored: OpenSSL writes with write(2).
 */
#ifndef LIB_NET_TLS_H
#define LIB_NET_TLS_H

#include "lib/base/err.h"
#include "lib/base/key.h"

struct tls_keys {
#include "lib/base/key_members.h"
#include "lib/net/tls.def"
#include "lib/base/key_end.h"
};
extern const struct key_row tls_rows[];
extern const size_t tls_nrows;

enum tls_min_version { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 };

struct tls_client;

/* Loads certificate, key and authorities. NULL when a file is unreadable, a key does
 * not belong to its certificate, or the key file is open to others: wrong was given each
 * mistake, with the key of [tls] it is about; NULL: with none. */
struct tls_client *tls_client_new(const struct tls_keys *keys,
                                  void (*wrong)(const char *key, const struct err *err, void *arg),
                                  void *arg);
struct tls_client *tls_client_take(struct tls_client *tls); /* takes NULL */
void tls_client_drop(struct tls_client *tls);               /* takes NULL */
/* Made from the same settings and the same, unchanged files? Both may be NULL. */
bool tls_client_same(const struct tls_client *a, const struct tls_client *b);

/* One connection. fd stays the caller's. host: the name, or the address as
 * text, that the certificate must carry when verify is asked for. */
struct tls_session;
struct tls_session *tls_session_new(struct tls_client *tls, int fd, const char *host, bool verify,
                                    struct err *err);
void tls_session_free(struct tls_session *session); /* sends close_notify if it can at once */

enum tls_result { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };
enum tls_result tls_handshake(struct tls_session *session, struct err *err);
enum tls_result tls_read(struct tls_session *session, void *to, size_t room, size_t *n_out,
                         struct err *err);
enum tls_result tls_write(struct tls_session *session, const void *from, size_t size, size_t *n_out,
                          struct err *err);
/* Would tls_read() give bytes, the close or an error now? Session tickets,
 * which servers send at any time, do not count. */
bool tls_readable(struct tls_session *session);

#endif
