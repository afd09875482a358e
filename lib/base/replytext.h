/*
 * replytext.h - reply texts as administrators write them: an enhanced status
 * in front of the text, plain ("5.1.1 User unknown") or in the vendor's
 * spelling ("#5.1.1 ...") (SPEC 4, "Replies"). No allocation, any thread.
 */
#ifndef LIB_BASE_REPLYTEXT_H
#define LIB_BASE_REPLYTEXT_H

#include "lib/base/base.h"
#include "lib/base/err.h"

#define REPLYTEXT_STATUS_MAX 12 /* "5.123.123" and NUL */

/* Split text into status ("" when none is written) and the rest, which points
 * into text. */
void replytext_split(const char *text, char status_out[REPLYTEXT_STATUS_MAX],
                     const char **rest_out);

/* Does a status the administrator wrote fit the class of code (5xx: 5.x.y)?
 * True when none is written. */
NODISCARD bool replytext_fits(const char *text, int code, struct err *err);

#endif
