/*
 * scan.h - take one line of a table file apart, word by word.
 *
 * Shared by RAT and SMTP routes files. A scan borrows the line and counts
 * bytes, so that an error names the column. Comments are already off
 * (lines_strip_comment()). One thread.
 */
#ifndef LIB_TABLES_SCAN_H
#define LIB_TABLES_SCAN_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

struct scan {
    struct slice line;
    size_t at; /* offset of the next byte */
};

unsigned scan_column(const struct scan *scan); /* 1... */
void scan_blanks(struct scan *scan);           /* go past blanks and tabs */
bool scan_end(const struct scan *scan);
bool scan_next_is(const struct scan *scan, char c);
bool scan_take(struct scan *scan, char c); /* go past c if it comes next */
struct slice scan_rest(const struct scan *scan);

/* Up to a blank or one of the bytes in stops, which is left where it is. In
 * double quotes all bytes belong to the word, and a backslash keeps the next
 * one from ending them. May be empty. */
struct slice scan_word(struct scan *scan, const char *stops);

/* "text" in double quotes, where a backslash makes the next byte an ordinary
 * one, but "\n", which stays for replytext_read(): the text without them, as UTF-8. The opening
 * quote comes next (a CHECK). On failure the scan stands at the opening quote. */
NODISCARD bool scan_quoted(struct scan *scan, struct arena *arena, const char **text_out,
                           struct err *err);

/* Table files are UTF-8 or Latin-1 (SPEC 3): text as UTF-8, a copy in the
 * arena only where it was not. false: out of memory. */
NODISCARD bool scan_utf8(struct slice text, struct arena *arena, struct slice *utf8_out);

#endif
