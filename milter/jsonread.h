/*
 * jsonread.h - JSON as it is read (RFC 8259), the one module that knows jansson. It is
 * written by form.h.
 *
 * Values belong to the one that was read and live until jsonread_drop() of that; where a
 * value may be NULL, that is none, and null. One thread for each value read.
 */
#ifndef MILTER_JSONREAD_H
#define MILTER_JSONREAD_H

#include "lib/base/err.h"
#include "lib/base/str.h"

struct json_t; /* jansson's */

enum jsonread_kind {
    JSONREAD_NULL,
    JSONREAD_BOOL,
    JSONREAD_INTEGER,
    JSONREAD_REAL,
    JSONREAD_STRING,
    JSONREAD_LIST,
    JSONREAD_OBJECT
};

/* One object or list and nothing else; a key that is there twice is an error. NULL: err. */
struct json_t *jsonread_one(struct slice text, struct err *err);
/* One object or list after the other, as one list. NULL: err. */
struct json_t *jsonread_all(struct slice text, struct err *err);
void jsonread_drop(struct json_t *value); /* takes NULL */

enum jsonread_kind jsonread_kind(const struct json_t *value);
bool jsonread_bool(const struct json_t *value);
int64_t jsonread_integer(const struct json_t *value);
double jsonread_number(const struct json_t *value);
const char *jsonread_string(const struct json_t *value); /* NULL: it is none; holds no NUL */

size_t jsonread_count(const struct json_t *list); /* 0: it is none */
const struct json_t *jsonread_item(const struct json_t *list, size_t i);
const struct json_t *jsonread_member(const struct json_t *object, const char *key);
/* In their order, until visit returns false, which is returned. */
bool jsonread_each(const struct json_t *object,
                   bool (*visit)(void *arg, const char *key, const struct json_t *value),
                   void *arg);

#endif
