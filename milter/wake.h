/*
 * wake.h - the self-connect that keeps libmilter's worker pool moving.
 *
 * Debian's libmilter hands a ready session to a worker it believes to be
 * idle; when callbacks block, sessions queue behind them. A
 * callback that is about to wait therefore opens and closes a connection to
 * our own listener: the pool then starts one more worker, which drains the
 * queue. It shows up as a close without private data.
 */
#ifndef MILTER_WAKE_H
#define MILTER_WAKE_H

#include "lib/base/err.h"

struct wake;

/* socket: a libmilter connection string (unix:PATH, local:PATH,
 * inet:PORT@HOST, inet6:PORT@HOST). Resolves the host once; blocks on that. */
struct wake *wake_new(const char *socket, struct err *err);
void wake_free(struct wake *wake);

/* The socket as smfi_setconn() takes it, its host an address: the one the self-connect
 * goes to, where a name has several. */
const char *wake_connection(const struct wake *wake);

/* Could one listen on this inet socket? 0, else why not: EADDRINUSE, EADDRNOTAVAIL,
 * EACCES ... Nothing stays bound. */
int wake_try_bind(const struct wake *wake);

/* Open and close one connection; one descriptor is held back for it. Any thread; does not
 * block. */
bool wake_listener(struct wake *wake, struct err *err);
/* The same in the shape of an about_to_wait hook; arg is the wake. */
void wake_before_wait(void *arg);

#endif
