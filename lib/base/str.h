/*
 * str.h - slices, a growing string, and ASCII helpers that ignore the locale.
 *
 * A slice borrows bytes and need not end in NUL: remote text stays a slice
 * until escape.h makes it printable. A strbuf grows on the heap; the first
 * failed allocation is remembered in `failed`, later appends do nothing, so a
 * caller checks once at the end. No function here is safe for two threads on
 * the same object; all are on different ones.
 */
#ifndef LIB_BASE_STR_H
#define LIB_BASE_STR_H

#include <stdarg.h>
#include "lib/base/base.h"

struct slice {
    const char *p; /* borrowed */
    size_t n;
};

struct slice slice_of(const char *text);         /* NULL gives an empty slice */
struct slice slice_trim(struct slice s);         /* without leading and trailing blanks and tabs */
bool slice_is(struct slice s, const char *text); /* equal, byte by byte */
bool slice_is_nocase(struct slice s, const char *text); /* equal, ASCII case ignored */

struct strbuf {
    char *p; /* owned; always NUL-terminated once something was appended, else NULL */
    size_t n, room;
    bool failed;
};

void strbuf_init(struct strbuf *buf);
void strbuf_done(struct strbuf *buf);
void strbuf_reset(struct strbuf *buf); /* empty, keep the room and the failed flag */
void strbuf_add(struct strbuf *buf, const char *p, size_t n);
void strbuf_puts(struct strbuf *buf, const char *text);
void strbuf_putc(struct strbuf *buf, char c);
void strbuf_printf(struct strbuf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strbuf_vprintf(struct strbuf *buf, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* The text, "" when empty; valid until the next change. */
const char *strbuf_text(const struct strbuf *buf);

char ascii_lower(char c);
bool ascii_is_alpha(char c);
bool ascii_is_digit(char c);
bool ascii_is_alnum(char c);
bool ascii_is_space(char c);   /* blank or tab */
bool ascii_is_control(char c); /* 0...31 and 127 */
int ascii_casecmp(const char *a, const char *b);
void ascii_lower_in_place(char *text);

/* Decimal without sign, spaces or leading '+'; the whole slice; at most max. */
NODISCARD bool str_to_uint(struct slice s, uint64_t max, uint64_t *value_out);

/* How many bytes s begins with make one item of a list: up to one of `stops`. What stands
 * between '[' and ']' without a blank belongs to it, stops too. */
size_t str_item(struct slice s, const char *stops);

/* Is it well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool str_is_utf8(struct slice s);
/* Bytes of the well-formed character s begins with; 0 when there is none. */
size_t str_utf8_length(struct slice s);

#endif
