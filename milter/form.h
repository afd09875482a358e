/*
 * form.h - one answer, as lines for people or as one JSON object.
 *
 *     address:  joe@example.com      JSON    {"address":"joe@example.com","code":550,...}
 *     code:     550
 *
 * The daemon answers in JSON alone; lines are for a terminal (sheet.h). Values are
 * escaped. Failed allocations are remembered in the strbuf. One thread.
 */
#ifndef MILTER_FORM_H
#define MILTER_FORM_H

#include "milter/sheet.h"

struct form {
    struct strbuf *out; /* borrowed */
    bool json;
    bool first;
    struct sheet sheet; /* the lines */
    struct strbuf tail; /* what comes below them */
};

void form_begin(struct form *form, bool json, struct strbuf *out);
void form_end(struct form *form);

/* value NULL: null in JSON, left out of the text. */
void form_text(struct form *form, const char *key, const char *value);
void form_slice(struct form *form, const char *key, struct slice value);
/* Of a reply, whose lines "\n" separates: one string in JSON, below each other in the text. */
void form_reply(struct form *form, const char *key, const char *text);
void form_number(struct form *form, const char *key, uint64_t value);
void form_bool(struct form *form, const char *key, bool value);
/* Wall-clock seconds: a number in JSON, local time in the text; 0 as NULL above. */
void form_moment(struct form *form, const char *key, int64_t seconds);
/* How long: a number in JSON, with its unit in the text. */
void form_span(struct form *form, const char *key, int64_t seconds);
void form_ms(struct form *form, const char *key, uint64_t ms);
/* An array in JSON, lines below each other in the text. lines: each with its
 * newline; NULL: none. */
void form_lines(struct form *form, const char *key, const char *lines);
/* A sentence for people, below all; not in JSON. */
void form_note(struct form *form, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A table for people, below all; ends the sheet. Not for JSON. */
void form_table(struct form *form, struct sheet *sheet);

/* An array in JSON, whose items, with their commas, are JSON already; left out
 * of the text. */
void form_list(struct form *form, const char *key, const char *items);
void form_close(struct form *form); /* form_end() of an object within such a list */

/* A quoted JSON string. */
void form_quote(struct slice value, struct strbuf *out);

#endif
