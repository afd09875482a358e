/*
 * ask.h - gatehousectl's side of the control socket.
 *
 * Where it is stands in the configuration, which may be broken just when one
 * wants to ask: only that one key is looked for. One thread; blocks up to
 * ASK_PATIENCE, for a reload as long as the daemon takes.
 */
#ifndef MILTER_ASK_H
#define MILTER_ASK_H

#include "lib/base/base.h"

#define ASK_PATIENCE_S 30

/* Send words[0..n), print the reply's text (on standard error where the answer
 * is a failure), return the exit status; COMMAND_UNREACHABLE where nobody
 * answers. conf: path of the configuration. */
int ask_daemon(const char *conf, const char *const *words, size_t n);
/* The same, with an answer that is none of a failure going to out. */
int ask_daemon_into(const char *conf, const char *const *words, size_t n, FILE *out);

#endif
