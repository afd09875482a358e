/*
 * filter.h - libmilter: the one module that includes it.
 *
 * Registers the callbacks, negotiates only the stages the configuration needs,
 * and turns verdicts into replies. Callbacks collect what the MTA says, call
 * session.h, speak the verdict; they own no thread-local state, because
 * libmilter moves sessions between threads.
 */
#ifndef MILTER_FILTER_H
#define MILTER_FILTER_H

#include "lib/base/err.h"
#include "milter/session.h"

/* The macros that it asks an MTA for at connect: by them another program knows whom it met. */
#define FILTER_CONNECT_MACROS                                                                      \
    "j v {daemon_name} {daemon_addr} {daemon_port} {if_addr} "                                     \
    "{client_addr} {client_name} {client_resolve}"

/* Once a process, main thread. house is borrowed for ever. socket: libmilter
 * connection string. mode: of a unix socket. */
NODISCARD bool filter_open(struct house *house, const char *socket, unsigned mode, struct err *err);
/* Serve for ever, in a thread with all signals blocked; returns when libmilter
 * fails. There is no way to stop it: libmilter's own destroys locks that other
 * threads of it still take. house->stopping makes every callback tempfail, and
 * once house->busy is zero none uses the house any more: the process can end. */
void filter_run(void);

#endif
