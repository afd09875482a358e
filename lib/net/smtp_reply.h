/*
 * smtp_reply.h - parse SMTP replies, byte by byte, trusting nothing
 * (RFC 5321 4.2, RFC 2034/3463 status codes).
 *
 * Push parser: feed what arrived, take out complete replies. Bounded:
 * SMTP_LINE_MAX bytes a line, SMTP_LINES_MAX lines and SMTP_REPLY_MAX bytes a
 * reply. Refused as malformed: a code that is no 2xx...5xx, a code that
 * changes inside one reply, a line that does not begin with a code, NUL, and a
 * CR that no LF follows (a LF without CR is tolerated). Text bytes pass
 * through; escape.h cleans them before anybody sees them. No allocation, no
 * I/O, one thread.
 */
#ifndef LIB_NET_SMTP_REPLY_H
#define LIB_NET_SMTP_REPLY_H

#include "lib/base/base.h"
#include "lib/base/str.h"

#define SMTP_LINE_MAX 4096
#define SMTP_LINES_MAX 1000
#define SMTP_REPLY_MAX 65536 /* bytes of one reply, line ends included */
#define SMTP_TEXT_KEPT 2048  /* bytes of text kept of one reply; EHLO needs the most */

struct smtp_reply {
    int code;              /* 200...599 */
    char status[12];       /* enhanced status of the first line that has one; "" none */
    char other_status[12]; /* a different one of a later line, "several" of several; "" none */
    /* Text of all lines without code and status, joined by '\n', cut at
     * SMTP_TEXT_KEPT; may hold any byte but NUL and CR. Not NUL-terminated. */
    char text[SMTP_TEXT_KEPT];
    size_t text_n;
    unsigned lines;
};

struct slice smtp_reply_text(const struct smtp_reply *reply); /* borrowed */

/* An enhanced status "5.1.1" (also spelled "#5.1.1") at the start of text,
 * followed by a blank or the end: its length with the '#', else 0. */
size_t smtp_status_length(struct slice text);

/* May it mean that the transaction has recipients enough, where some were accepted? */
bool smtp_reply_is_too_many(const struct smtp_reply *reply);
/* Does a 4xx speak of the server, which cannot serve anybody now, and not of a recipient:
 * 421, status 4.3.x (RFC 3463: the mail system), or in words? */
bool smtp_reply_is_of_server(const struct smtp_reply *reply);

enum smtp_parse { SMTP_PARSE_MORE, SMTP_PARSE_REPLY, SMTP_PARSE_MALFORMED };

struct smtp_parser {
    struct smtp_reply reply;
    char line[SMTP_LINE_MAX];
    size_t line_n;
    size_t bytes;  /* of this reply so far */
    bool complete; /* reply was given out; the next byte begins a new one */
};

void smtp_parser_init(struct smtp_parser *parser);
bool smtp_parser_at_start(const struct smtp_parser *parser); /* nothing of the next reply came */
/* Eats bytes from *in (advancing it) until a reply is complete. After
 * SMTP_PARSE_REPLY parser->reply is valid until the next call; after
 * MALFORMED the connection must be given up, why_out says why. */
enum smtp_parse smtp_parser_feed(struct smtp_parser *parser, struct slice *in,
                                 const char **why_out);

#endif
