/*
 * reply.h - a verdict as libmilter wants it.
 *
 * smfi_setreply() drops a reply without a word when its text holds a lone
 * '%', CR or LF, is over 980 bytes, or its class does not fit; Postfix answers
 * 451 4.3.5 for the rest of the session when code and status disagree. So a
 * reply is made here, of bytes that pass, and filter.c alone hands it over.
 * Pure; any thread.
 */
#ifndef MILTER_REPLY_H
#define MILTER_REPLY_H

#include "lib/gate/verdict.h"

#define REPLY_TEXT_MAX 960 /* after doubling '%'; below libmilter's 980 */

struct reply {
    char code[4];
    char status[REPLYTEXT_STATUS_MAX];
    char text[REPLY_TEXT_MAX + 1];
};

/* verdict->action is not VERDICT_CONTINUE. */
void reply_make(const struct verdict *verdict, struct reply *reply_out);

/* The text of that reply as the MTA passes it on to the client. */
void reply_said(const struct verdict *verdict, char text_out[REPLY_TEXT_MAX + 1]);

#endif
