/*
 * escape.h - the only way foreign bytes become text of ours.
 *
 * Log values, SMTP reply texts, JSON strings, LDAP filters (RFC 4515). Input
 * is a slice of any bytes; output goes into the caller's array, always
 * NUL-terminated, cut at a whole escape sequence (and whole UTF-8 character)
 * when it does not fit. Returns the length written. Any thread.
 */
#ifndef LIB_BASE_ESCAPE_H
#define LIB_BASE_ESCAPE_H

#include "lib/base/base.h"
#include "lib/base/str.h"

#define ESCAPE_WORST 4      /* output bytes for one byte of input, at most */
#define ESCAPE_JSON_WORST 6 /* the same of escape_json() */

/* logfmt value without the surrounding quotes: control bytes, 127, and bytes
 * that are no well-formed UTF-8 become \xNN, and so do U+0080...U+009F, which
 * terminals obey; backslash and double quote get a backslash. */
size_t escape_log(struct slice in, char *out, size_t room);

/* Must the value stand in double quotes (empty, or holds blank, '=', '"' or
 * anything escape_log() changes)? */
bool escape_log_needs_quotes(struct slice in);

/* A whole line for people: as escape_log(), but backslash and double quote
 * stay as they are. */
size_t escape_line(struct slice in, char *out, size_t room);

/* Text for an SMTP reply: CR, LF and other control bytes and bytes that are
 * no UTF-8 become '?'; runs of blanks and tabs become one blank. '%' is left alone:
 * milter/reply.c doubles it. */
size_t escape_reply(struct slice in, char *out, size_t room);

/* JSON string without its quotes (RFC 8259 section 7), in UTF-8; what terminals
 * obey becomes \u00NN, a byte that is no UTF-8 becomes U+FFFD. */
size_t escape_json(struct slice in, char *out, size_t room);

/* LDAP filter value, RFC 4515 section 3: * ( ) \ NUL and bytes above 127. */
size_t escape_ldap(struct slice in, char *out, size_t room);

#endif
