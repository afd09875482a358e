/*
 * reply.h - a verdict as libmilter wants it.
 *
 * smfi_setmlreply() refuses lines with CR or LF or of more than 980 bytes; the
 * MTA drops a reply with a lone '%' or whose class does not fit what is returned
 * with it, and Postfix answers 451 4.3.5 for the rest of the session when code and
 * status disagree. So a reply is made here, of bytes that pass, and filter.c alone
 * hands it over. Pure; any thread.
 */
#ifndef MILTER_REPLY_H
#define MILTER_REPLY_H

#include "lib/gate/verdict.h"

#define REPLY_TEXT_MAX 960 /* of a line, after doubling '%'; below libmilter's 980 */
#define REPLY_ALL_MAX 4096 /* of all lines, their NULs included */

struct reply {
    char code[4];
    char status[REPLYTEXT_STATUS_MAX];
    const char *lines[REPLYTEXT_LINES_MAX + 1]; /* in text; ended by NULL */
    char text[REPLY_ALL_MAX];                   /* begins with the first line */
};

/* verdict->action is not VERDICT_CONTINUE. What is too long is cut. single_line:
 * in one line, blanks between what would be several. */
void reply_make(const struct verdict *verdict, bool single_line, struct reply *reply_out);

/* The text of that reply as the MTA passes it on to the client, lines separated by
 * LF. */
void reply_said(const struct verdict *verdict, char text_out[REPLY_ALL_MAX]);

#endif
