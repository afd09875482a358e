/*
 * form.h - one answer of the daemon, as lines for people or as one JSON object.
 *
 *     text    "sessions: 17"        JSON    {"sessions":17,...}
 *
 * Values are escaped. Failed allocations are remembered in the strbuf. One
 * thread.
 */
#ifndef MILTER_FORM_H
#define MILTER_FORM_H

#include "lib/base/str.h"

struct form {
    struct strbuf *out; /* borrowed */
    bool json;
    bool first;
};

void form_begin(struct form *form, bool json, struct strbuf *out);
void form_end(struct form *form);

/* value NULL: null in JSON, left out of the text. */
void form_text(struct form *form, const char *key, const char *value);
void form_slice(struct form *form, const char *key, struct slice value);
void form_number(struct form *form, const char *key, uint64_t value);
void form_bool(struct form *form, const char *key, bool value);
/* Wall-clock seconds: a number in JSON, UTC in the text; 0 as NULL above. */
void form_moment(struct form *form, const char *key, int64_t seconds);
/* An array in JSON, one "key: line" a line in the text. lines: each with its
 * newline; NULL: none. */
void form_lines(struct form *form, const char *key, const char *lines);

/* An array in JSON, whose items, with their commas, are JSON already; left out
 * of the text. */
void form_list(struct form *form, const char *key, const char *items);
void form_close(struct form *form); /* form_end() of an object within such a list */

/* A quoted JSON string. */
void form_quote(struct slice value, struct strbuf *out);

#endif
