#include "milter/jsonread.h"

#include <jansson.h>

static struct json_t *no_json(const char *why, struct err *err)
{
    err_set(err, ERR_SYNTAX, "no JSON: %s", why);
    return NULL;
}

struct json_t *jsonread_one(struct slice text, struct err *err)
{
    json_error_t wrong;
    json_t *value = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &wrong);

    return value != NULL ? value : no_json(wrong.text, err);
}

struct json_t *jsonread_all(struct slice text, struct err *err)
{
    json_t *list = json_array();
    json_error_t wrong = {.text = "out of memory"};

    for (;;) {
        while (text.n > 0 && (ascii_is_space(text.p[0]) || text.p[0] == '\n'))
            text = (struct slice){text.p + 1, text.n - 1};
        if (text.n == 0 && list != NULL)
            return list;
        json_t *value = json_loadb(text.p, text.n, JSON_DISABLE_EOF_CHECK, &wrong);
        if (json_array_append_new(list, value) != 0) {
            json_decref(list);
            return no_json(wrong.text, err);
        }
        size_t n = (size_t)wrong.position; /* of what was read */
        text = (struct slice){text.p + n, text.n - n};
    }
}

void jsonread_drop(struct json_t *value)
{
    json_decref(value);
}

enum jsonread_kind jsonread_kind(const struct json_t *value)
{
    if (value == NULL)
        return JSONREAD_NULL;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return JSONREAD_OBJECT;
    case JSON_ARRAY:
        return JSONREAD_LIST;
    case JSON_STRING:
        return JSONREAD_STRING;
    case JSON_INTEGER:
        return JSONREAD_INTEGER;
    case JSON_REAL:
        return JSONREAD_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSONREAD_BOOL;
    case JSON_NULL:
        break;
    }
    return JSONREAD_NULL;
}

bool jsonread_bool(const struct json_t *value)
{
    return json_is_true(value);
}

int64_t jsonread_integer(const struct json_t *value)
{
    return json_integer_value(value);
}

double jsonread_number(const struct json_t *value)
{
    return json_number_value(value);
}

const char *jsonread_string(const struct json_t *value)
{
    return json_string_value(value);
}

size_t jsonread_count(const struct json_t *list)
{
    return json_array_size(list);
}

const struct json_t *jsonread_item(const struct json_t *list, size_t i)
{
    return json_array_get(list, i);
}

const struct json_t *jsonread_member(const struct json_t *object, const char *key)
{
    return json_object_get(object, key);
}

bool jsonread_each(const struct json_t *object,
                   bool (*visit)(void *arg, const char *key, const struct json_t *value), void *arg)
{
    json_t *walked = json_incref((json_t *)(uintptr_t)object); /* is changed in its count only */
    bool whole = true;

    for (void *at = json_object_iter(walked); whole && at != NULL;
         at = json_object_iter_next(walked, at))
        whole = visit(arg, json_object_iter_key(at), json_object_iter_value(at));
    json_decref(walked);
    return whole;
}
