#include "milter/listing.h"

#include <stdio.h>
#include <string.h>

#include "milter/ask.h"

/* --- asking --------------------------------------------------------------------------- */

struct json_t *listing_ask(const struct command *command, const char *conf,
                           const char *const *words, size_t n, int *status_out)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct json_t *values = NULL;
    struct err err = {.text = "out of memory"};

    *status_out = out != NULL ? ask_daemon_into(conf, words, n, out) : COMMAND_NO;
    bool whole = out != NULL && fclose(out) == 0;
    if (whole && *status_out == COMMAND_YES)
        values = jsonread_all((struct slice){text, size}, &err);
    if (values == NULL && (!whole || *status_out == COMMAND_YES)) {
        fprintf(stderr, "gatehousectl %s: cannot read the answer: %s\n", command->name, err.text);
        *status_out = COMMAND_NO;
    }
    free(text);
    return values;
}

/* --- what a value means ----------------------------------------------------------------- */

enum meaning { AS_IT_IS, MOMENT, END, SPAN, MILLISECONDS };

static enum meaning meaning_of(const char *key)
{
    static const struct {
        const char *key;
        enum meaning meaning;
    } known[] = {
        {"loaded", MOMENT}, {"reload_refused", MOMENT}, {"added", MOMENT}, {"expires", END},
        {"until", MOMENT},  {"uptime", SPAN},           {"left", SPAN},    {"ms", MILLISECONDS},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(key, known[i].key) == 0)
            return known[i].meaning;
    }
    return AS_IT_IS;
}

static struct slice text_of(const struct json_t *value)
{
    return slice_of(jsonread_string(value));
}

/* --- tables -------------------------------------------------------------------------------- */

static void put_integer(struct sheet *sheet, const char *key, int64_t number)
{
    char text[SHEET_TEXT_MAX];

    switch (meaning_of(key)) {
    case MOMENT:
    case END:
        sheet_put(sheet, slice_of(sheet_moment(number, text)), SHEET_PLAIN);
        return;
    case SPAN:
        sheet_put(sheet, slice_of(sheet_span(number, text)), SHEET_PLAIN);
        return;
    case MILLISECONDS:
        snprintf(text, sizeof text, "%lld ms", (long long)number);
        sheet_put(sheet, slice_of(text), SHEET_PLAIN);
        return;
    case AS_IT_IS:
        sheet_number(sheet, (uint64_t)number);
        return;
    }
}

/* value NULL: the row has no such key. */
static void put_value(struct sheet *sheet, const char *key, const struct json_t *value)
{
    switch (jsonread_kind(value)) {
    case JSONREAD_STRING:
        sheet_put(sheet, text_of(value), sheet_tone(key, text_of(value)));
        return;
    case JSONREAD_INTEGER:
        put_integer(sheet, key, jsonread_integer(value));
        return;
    case JSONREAD_BOOL:
        sheet_put(sheet, slice_of(jsonread_bool(value) ? "yes" : "no"), SHEET_PLAIN);
        return;
    case JSONREAD_NULL:
    case JSONREAD_REAL:
    case JSONREAD_LIST:
    case JSONREAD_OBJECT:
        break;
    }
    sheet_put(sheet, slice_of(meaning_of(key) == END ? "never" : "-"), SHEET_PLAIN);
}

/* "in_force" as "IN FORCE" */
static void put_header(struct sheet *sheet, const char *key)
{
    char text[SHEET_TEXT_MAX];
    size_t n = 0;

    for (; key[n] != '\0' && n + 1 < sizeof text; n++)
        text[n] = key[n] == '_'                    ? ' '
                  : key[n] >= 'a' && key[n] <= 'z' ? (char)(key[n] - 'a' + 'A')
                                                   : key[n];
    sheet_put(sheet, (struct slice){text, n}, SHEET_PLAIN);
}

struct keys {
    const char *key[SHEET_COLUMNS_MAX];
    size_t n;
};

/* What a sheet has no room for is left out. */
static bool add_key(void *arg, const char *key, const struct json_t *value)
{
    struct keys *keys = arg;
    size_t at = 0;

    (void)value;
    while (at < keys->n && strcmp(keys->key[at], key) != 0)
        at++;
    if (at == keys->n && at < SHEET_COLUMNS_MAX)
        keys->key[keys->n++] = key;
    return true;
}

static bool make_table(const struct json_t *rows, struct sheet *sheet)
{
    struct keys keys = {.n = 0};

    for (size_t i = 0; i < jsonread_count(rows); i++)
        (void)jsonread_each(jsonread_item(rows, i), add_key, &keys);
    if (keys.n == 0)
        return false;
    sheet_begin(sheet, NULL, keys.n);
    for (size_t k = 0; k < keys.n; k++)
        put_header(sheet, keys.key[k]);
    for (size_t i = 0; i < jsonread_count(rows); i++) {
        for (size_t k = 0; k < keys.n; k++)
            put_value(sheet, keys.key[k], jsonread_member(jsonread_item(rows, i), keys.key[k]));
    }
    return true;
}

void listing_table(const struct json_t *rows, struct strbuf *out)
{
    struct sheet sheet;

    if (make_table(rows, &sheet))
        sheet_end(&sheet, out);
}

/* --- an object ------------------------------------------------------------------------------- */

static void put_strings(struct form *form, const char *key, const struct json_t *list)
{
    struct strbuf lines;

    strbuf_init(&lines);
    for (size_t i = 0; i < jsonread_count(list); i++) {
        struct slice text = text_of(jsonread_item(list, i));
        strbuf_add(&lines, text.p, text.n);
        strbuf_putc(&lines, '\n');
    }
    form_lines(form, key, strbuf_text(&lines));
    form->out->failed = form->out->failed || lines.failed;
    strbuf_done(&lines);
}

static void put_list(struct form *form, const char *key, const struct json_t *list)
{
    struct sheet sheet;

    if (jsonread_kind(jsonread_item(list, 0)) != JSONREAD_OBJECT) {
        put_strings(form, key, list);
    } else if (make_table(list, &sheet)) {
        form_note(form, "%s", "");
        form_note(form, "%s:", key);
        form_table(form, &sheet);
    }
}

static void put_number(struct form *form, const char *key, int64_t number)
{
    switch (meaning_of(key)) {
    case MOMENT:
    case END:
        form_moment(form, key, number);
        return;
    case SPAN:
        form_span(form, key, number);
        return;
    case MILLISECONDS:
        form_ms(form, key, (uint64_t)number);
        return;
    case AS_IT_IS:
        form_number(form, key, (uint64_t)number);
        return;
    }
}

static bool put_member(void *arg, const char *key, const struct json_t *value)
{
    struct form *form = arg;

    switch (jsonread_kind(value)) {
    case JSONREAD_LIST:
        put_list(form, key, value);
        break;
    case JSONREAD_STRING:
        form_slice(form, key, text_of(value));
        break;
    case JSONREAD_BOOL:
        form_bool(form, key, jsonread_bool(value));
        break;
    case JSONREAD_INTEGER:
        put_number(form, key, jsonread_integer(value));
        break;
    case JSONREAD_NULL:
    case JSONREAD_REAL:
    case JSONREAD_OBJECT:
        break;
    }
    return true;
}

static void put_object(const struct json_t *object, struct strbuf *out)
{
    struct form form;

    form_begin(&form, false, out);
    (void)jsonread_each(object, put_member, &form);
    form_end(&form);
}

/* --- a command ---------------------------------------------------------------------------------
 */

int listing_run(const struct listing *listing, const struct command *command, const char *conf)
{
    struct strbuf out;
    int status;

    if (listing->json)
        return ask_daemon(conf, listing->words, listing->n);
    struct json_t *values = listing_ask(command, conf, listing->words, listing->n, &status);
    if (values == NULL)
        return status;
    const struct json_t *first = jsonread_item(values, 0),
                        *rows = jsonread_kind(first) == JSONREAD_LIST ? first : values;
    strbuf_init(&out);
    if (listing->object)
        put_object(first, &out);
    else if (jsonread_count(rows) == 0)
        strbuf_printf(&out, "%s\n", listing->nothing);
    else
        listing_table(rows, &out);
    status = command_print(command, &out);
    strbuf_done(&out);
    jsonread_drop(values);
    return status;
}
