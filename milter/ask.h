/*
 * ask.h - gatehousectl's side of the control socket.
 *
 * Where it is stands in the configuration, which may be broken just when one
 * wants to ask: only that one key is looked for. One thread. A daemon that hangs
 * is not waited for: connecting, sending, the first bytes of the answer and every
 * further ones have ASK_PATIENCE_S each. A reload may take longer; while it does,
 * the daemon is asked for its status every ASK_PATIENCE_S, and must answer.
 */
#ifndef MILTER_ASK_H
#define MILTER_ASK_H

#include "lib/base/err.h"
#include "lib/base/mono.h"
#include "lib/base/str.h"
#include "milter/wire.h"

#define ASK_PATIENCE_S 5
#define ASK_TEXT_PATIENCE_S 60    /* for the whole of an answer, once it has begun */
#define ASK_RELOAD_PATIENCE_S 120 /* for the outcome of a reload */

/* Send words[0..n), print the reply's text (on standard error where the answer
 * is a failure), return the exit status; COMMAND_UNREACHABLE where nobody
 * answers. conf: path of the configuration. */
int ask_daemon(const char *conf, const char *const *words, size_t n);
/* The same, with an answer that is none of a failure going to out. */
int ask_daemon_into(const char *conf, const char *const *words, size_t n, FILE *out);

/* The same for a program: the reply's text goes to text_out, whatever the status; err says why
 * where there is none. */
int ask_daemon_text(const char *conf, const char *const *words, size_t n, struct strbuf *text_out,
                    struct err *err);

/* A reload holds something of the daemon's between its two requests, and so does the connection.
 * The first one: text_out gets the answer. WIRE_YES: the caller owns *held_out. WIRE_UNREACHABLE,
 * and WIRE_NO where held_out stays NULL and text_out empty: standard error has been told. */
struct ask_held;
enum wire_status ask_hold(const char *conf, const char *const *words, size_t n,
                          struct strbuf *text_out, struct ask_held **held_out);
/* The second one, or with words NULL none; ends the connection and frees. WIRE_UNREACHABLE: err. */
enum wire_status ask_end(struct ask_held *held, const char *const *words, size_t n,
                         struct strbuf *text_out, struct err *err);

/* What the above comes down to. path: of the socket. patience: ask_patience, or that
 * of a test. */
struct ask_patience {
    mono_us step, text, reload;
};
extern const struct ask_patience ask_patience;
int ask_at(const char *path, const char *const *words, size_t n,
           const struct ask_patience *patience, FILE *out);

#endif
