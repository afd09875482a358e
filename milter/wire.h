/*
 * wire.h - what goes over the control socket: one request, one reply, close.
 *
 *     request   "gatehouse-1" TAB verb (TAB argument)* LF
 *     reply     "gatehouse-1" TAB status TAB length LF, then length bytes of text
 *
 * Words are UTF-8 without control bytes and may be empty. Both sides bound what
 * they read; anything else is refused, nothing is repaired. Plain functions
 * over bytes, any thread.
 */
#ifndef MILTER_WIRE_H
#define MILTER_WIRE_H

#include "lib/base/err.h"
#include "lib/base/str.h"

#define WIRE_REQUEST_MAX 4096                /* bytes of a request, LF included */
#define WIRE_WORDS_MAX 8                     /* the verb included */
#define WIRE_HEAD_MAX 64                     /* bytes of a reply's first line, LF included */
#define WIRE_REPLY_MAX (256U * 1024U * 1024) /* bytes of a reply's text */

/* Exit codes of gatehousectl (SPEC 14). */
enum wire_status { WIRE_YES, WIRE_NO, WIRE_USAGE, WIRE_UNREACHABLE };

struct wire_request {
    const char *words[WIRE_WORDS_MAX]; /* the verb and its arguments; point into the line */
    size_t nwords;                     /* at least 1 */
};

/* line: a whole request; line[n] is its LF. Changed in place. false: err says
 * what is wrong. */
NODISCARD bool wire_parse_request(char *line, size_t n, struct wire_request *request_out,
                                  struct err *err);
/* The request as it is sent; false: a word cannot be sent, or the request is
 * too long. */
NODISCARD bool wire_print_request(const char *const *words, size_t nwords, struct strbuf *out,
                                  struct err *err);

/* The first line of a reply; returns its length. */
size_t wire_print_head(enum wire_status status, size_t length, char out[WIRE_HEAD_MAX]);
/* line: without its LF. */
NODISCARD bool wire_parse_head(struct slice line, enum wire_status *status_out, size_t *length_out);

#endif
