/*
 * sheet.h - what gatehousectl prints for people: rows of text whose columns stand below
 * each other, in colour on a terminal.
 *
 *     RECIPIENT        CLASS  LEFT
 *     joe@example.com  valid  35 min
 *
 * Texts are escaped (escape.h) and take the columns that a terminal gives them. Failed
 * allocations are remembered in the strbuf they end in. One thread.
 */
#ifndef MILTER_SHEET_H
#define MILTER_SHEET_H

#include "lib/base/str.h"

#define SHEET_COLUMNS_MAX 16
#define SHEET_TEXT_MAX 64 /* bytes of a moment or a span of time, and the NUL */

enum sheet_tone { SHEET_PLAIN, SHEET_GOOD, SHEET_DOUBT, SHEET_BAD };

struct sheet_cell {
    size_t at; /* of its text among those of all */
    size_t width;
    enum sheet_tone tone;
};

struct sheet {
    size_t columns;
    bool right[SHEET_COLUMNS_MAX]; /* numbers: against the right edge */
    struct strbuf texts;           /* each with its NUL */
    struct sheet_cell *cells;
    size_t n, room;
};

/* headers[0..columns): borrowed during the call; NULL: none. */
void sheet_begin(struct sheet *sheet, const char *const *headers, size_t columns);
/* The next cell, row after row. */
void sheet_put(struct sheet *sheet, struct slice text, enum sheet_tone tone);
void sheet_number(struct sheet *sheet, uint64_t number); /* a cell of digits */
/* Prints all and is empty then. */
void sheet_end(struct sheet *sheet, struct strbuf *out);

/* Is standard output a terminal that obeys escape sequences? */
bool sheet_on_terminal(void);
/* Are there colours? On such a terminal, unless NO_COLOR forbids them. */
bool sheet_is_coloured(void);
/* A text escaped as a cell's is. */
void sheet_escape(struct slice text, struct strbuf *out);
/* A text in its colour; escapes nothing. */
void sheet_paint(const char *text, enum sheet_tone tone, struct strbuf *out);
/* How good is such a word (accept, tempfail, user_unknown, ...), of a key that has one? */
enum sheet_tone sheet_tone(const char *key, struct slice word);

/* Columns of a terminal that a text in UTF-8 without control bytes takes. */
size_t sheet_width(const char *text);

/* Wall-clock seconds in the local zone, "2026-12-01 12:34:56", and of what is to come how
 * long it takes: ", in 35 min". Returns text. */
const char *sheet_moment(int64_t seconds, char text[SHEET_TEXT_MAX]);
/* "35 s", "35 min", "2 h 5 min", "3 d 4 h". Returns text. */
const char *sheet_span(int64_t seconds, char text[SHEET_TEXT_MAX]);

#endif
