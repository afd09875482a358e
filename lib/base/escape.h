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

/* logfmt value without the surrounding quotes: control bytes, 127, and bytes
 * that are no well-formed UTF-8 become \xNN; backslash and double quote get a
 * backslash. */
size_t escape_log(struct slice in, char *out, size_t room);

/* Must the value stand in double quotes (empty, or holds blank, '=', '"' or
 * anything escape_log() changes)? */
bool escape_log_needs_quotes(struct slice in);

/* Text for an SMTP reply: CR, LF and other control bytes and bytes that are
 * no UTF-8 become '?'; runs of blanks become one. '%' is left alone:
 * milter/reply.c doubles it. */
size_t escape_reply(struct slice in, char *out, size_t room);

/* LDAP filter value, RFC 4515 section 3: * ( ) \ NUL and bytes above 127. */
size_t escape_ldap(struct slice in, char *out, size_t room);

#endif
