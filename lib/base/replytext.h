/*
 * replytext.h - reply texts as administrators write them: an enhanced status
 * in front of the text, plain ("5.1.1 User unknown") or in the vendor's
 * spelling ("#5.1.1 ..."), and "\n" where a new line of the reply begins.
 *
 * A text that was read holds a line feed there, which no text from outside
 * can hold: variables are filled in as escape_reply() makes them. Any thread.
 */
#ifndef LIB_BASE_REPLYTEXT_H
#define LIB_BASE_REPLYTEXT_H

#include "lib/base/arena.h"
#include "lib/base/base.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define REPLYTEXT_STATUS_MAX 12 /* "5.123.123" and NUL */
#define REPLYTEXT_MAX 900       /* bytes as written */
#define REPLYTEXT_LINES_MAX 20

/* What was written, into the arena: at most REPLYTEXT_MAX bytes of UTF-8 without
 * control characters, U+0080...U+009F included, and REPLYTEXT_LINES_MAX lines.
 * "" may be given. */
NODISCARD bool replytext_read(struct slice written, struct arena *arena, const char **text_out,
                              struct err *err);
/* The reverse: what reads again as text. */
void replytext_print(const char *text, struct strbuf *out);

/* Split text into status ("" when none is written) and the rest, which points
 * into text. The status is that of all lines. */
void replytext_split(const char *text, char status_out[REPLYTEXT_STATUS_MAX],
                     const char **rest_out);

/* Does a status the administrator wrote fit the class of code (5xx: 5.x.y)?
 * True when none is written. */
NODISCARD bool replytext_fits(const char *text, int code, struct err *err);

#endif
