/* key.c - see key.h. Numbers and units: key_unit.c; printing: key_print.c. */
#include "lib/base/key.h"

#include <limits.h>
#include <string.h>
#include "lib/base/escape.h"
#include "lib/base/replytext.h"

#define SHOWN_MAX 80 /* bytes of a wrong value that an error repeats */

/* A value of any type before it is stored. */
union value {
    bool truth;
    int number;
    int64_t wide;
    unsigned set;
    const char *text;
    struct key_list list;
};

static size_t value_size(enum key_type type)
{
    switch (type) {
    case KEY_BOOL:
        return sizeof(bool);
    case KEY_COUNT:
    case KEY_DURATION:
    case KEY_SIZE:
        return sizeof(int64_t);
    case KEY_STRING:
    case KEY_TEXT:
    case KEY_PATH:
    case KEY_REF:
        return sizeof(const char *);
    case KEY_CODE:
    case KEY_WORD:
        return sizeof(int);
    case KEY_LIST:
        return sizeof(struct key_list);
    case KEY_SET:
        return sizeof(unsigned);
    }
    return 0;
}

/* --- errors --------------------------------------------------------------- */

static const char *shown(struct slice value, char text[SHOWN_MAX])
{
    size_t room = SHOWN_MAX - 3;
    bool cut = value.n >= room;
    if (cut)
        value.n = room;
    size_t n = escape_line(value, text, room);
    if (cut)
        memcpy(text + n, "...", 4);
    return text;
}

/* `"maybe" is no switch; allowed: yes or no` */
static bool refuse(const struct key_row *row, struct slice value, const char *what, struct err *err)
{
    char text[SHOWN_MAX];
    struct strbuf allowed;
    strbuf_init(&allowed);
    key_allowed(row, &allowed);
    if (value.n == 0)
        err_set(err, ERR_SYNTAX, "a value is missing; allowed: %s", strbuf_text(&allowed));
    else
        err_set(err, ERR_SYNTAX, "\"%s\" %s; allowed: %s", shown(value, text), what,
                strbuf_text(&allowed));
    strbuf_done(&allowed);
    return false;
}

static bool refuse_range(const struct key_row *row, struct slice value, struct err *err)
{
    char text[SHOWN_MAX];
    struct strbuf allowed;
    if (row->max >= KEY_ANY_MAX || row->flags & (KEY_UNLIMITED | KEY_ZERO_UNLIMITED)) {
        refuse(row, value, "is outside the range", err);
        if (err)
            err->kind = ERR_RANGE;
        return false;
    }
    strbuf_init(&allowed);
    key_allowed(row, &allowed);
    err_set(err, ERR_RANGE, "\"%s\" is outside %s", shown(value, text), strbuf_text(&allowed));
    strbuf_done(&allowed);
    return false;
}

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_MEMORY, "out of memory");
}

/* --- numbers and words ------------------------------------------------------ */

static bool in_range(const struct key_row *row, struct slice value, int64_t number, struct err *err)
{
    return (number >= row->min && number <= row->max) || refuse_range(row, value, err);
}

static bool parse_number(const struct key_row *row, struct slice value, const char *what,
                         int64_t *number_out, struct err *err)
{
    uint64_t plain = 0;
    bool ok;
    if (row->flags & KEY_UNLIMITED &&
        (slice_is_nocase(value, "unlimited") || slice_is(value, "-1"))) {
        *number_out = KEY_NO_LIMIT;
        return true;
    }
    if (row->type == KEY_DURATION) {
        ok = key_parse_duration(value, number_out);
    } else if (row->type == KEY_SIZE) {
        ok = key_parse_size(value, number_out);
    } else {
        ok = str_to_uint(value, KEY_ANY_MAX, &plain);
        *number_out = (int64_t)plain;
    }
    if (!ok)
        return refuse(row, value, what, err);
    if (row->flags & KEY_ZERO_UNLIMITED && *number_out == 0) {
        *number_out = KEY_NO_LIMIT;
        return true;
    }
    return in_range(row, value, *number_out, err);
}

static bool parse_code(const struct key_row *row, struct slice value, int *code_out,
                       struct err *err)
{
    uint64_t code = 0;
    if (value.n != 3 || !str_to_uint(value, 999, &code))
        return refuse(row, value, "is not an SMTP code of three digits", err);
    *code_out = (int)code;
    return in_range(row, value, (int64_t)code, err);
}

static bool word_index(const struct key_row *row, struct slice value, int *index_out)
{
    for (int i = 0; row->words[i]; i++) {
        if (slice_is_nocase(value, row->words[i])) {
            *index_out = i;
            return true;
        }
    }
    return false;
}

/* --- lists ------------------------------------------------------------------ */

static bool is_separator(char c)
{
    return c == ',' || ascii_is_space(c) || c == '\n' || c == '\r';
}

/* Takes the next item off the front of rest and counts the lines passed. */
static bool next_item(struct slice *rest, unsigned *line, struct slice *item_out)
{
    while (rest->n > 0 && is_separator(rest->p[0])) {
        *line += rest->p[0] == '\n';
        rest->p++;
        rest->n--;
    }
    item_out->p = rest->p;
    item_out->n = str_item(*rest, ", \t\r\n");
    rest->p += item_out->n;
    rest->n -= item_out->n;
    return item_out->n > 0;
}

static size_t count_items(struct slice rest)
{
    struct slice item;
    unsigned line = 0;
    size_t n = 0;
    while (next_item(&rest, &line, &item))
        n++;
    return n;
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (ascii_is_control(s.p[i]) && s.p[i] != '\t')
            return true;
    return false;
}

/* One copy of the whole value; its separators make room for the final NULs. */
static bool parse_list(const struct key_source *source, struct arena *arena,
                       struct key_list *list_out, struct err *err)
{
    struct slice rest = source->value, item;
    unsigned line = 0;
    size_t n = count_items(rest), i = 0;
    *list_out = (struct key_list){NULL, 0};
    if (n == 0)
        return true;
    char *copy = arena_dup_slice(arena, rest);
    struct key_item *items =
        n < SIZE_MAX / sizeof *items ? arena_alloc(arena, n * sizeof *items) : NULL;
    if (!copy || !items)
        return no_memory(err);
    while (next_item(&rest, &line, &item)) {
        char text[SHOWN_MAX];
        if (has_control(item))
            return err_set(err, ERR_SYNTAX, "\"%s\" holds a control byte", shown(item, text));
        char *p = copy + (item.p - source->value.p);
        p[item.n] = '\0';
        items[i].text = p;
        items[i].at = source->at;
        items[i].at.column = 0;
        if (source->at.line > 0)
            items[i].at.line += line;
        i++;
    }
    *list_out = (struct key_list){items, n};
    return true;
}

static bool parse_set(const struct key_row *row, struct slice value, unsigned *set_out,
                      struct err *err)
{
    struct slice item;
    unsigned line = 0, set = 0;
    int word = 0;
    while (next_item(&value, &line, &item)) {
        if (!word_index(row, item, &word))
            return refuse(row, item, "is unknown", err);
        CHECK(word < (int)(sizeof set * CHAR_BIT));
        set |= 1u << word;
    }
    *set_out = set;
    return true;
}

/* --- texts ------------------------------------------------------------------ */

static bool store_text(struct slice value, struct arena *arena, const char **text_out,
                       struct err *err)
{
    *text_out = value.n == 0 ? "" : arena_dup_slice(arena, value);
    return *text_out || no_memory(err);
}

static bool parse_line(struct slice value, struct arena *arena, const char **text_out,
                       struct err *err)
{
    if (has_control(value))
        return err_set(err, ERR_SYNTAX,
                       "the value holds a control byte; allowed: one line of text");
    return store_text(value, arena, text_out, err);
}

static bool parse_path(const struct key_source *source, struct arena *arena, const char **path_out,
                       struct err *err)
{
    struct slice value = source->value;
    if (value.n == 0 || value.p[0] == '/' || !source->folder || !source->folder[0])
        return parse_line(value, arena, path_out, err);
    if (has_control(value))
        return err_set(err, ERR_SYNTAX, "the file name holds a control byte");
    size_t n = strlen(source->folder);
    bool slash = source->folder[n - 1] != '/';
    char *path = arena_alloc(arena, n + slash + value.n + 1);
    if (!path)
        return no_memory(err);
    memcpy(path, source->folder, n);
    if (slash)
        path[n++] = '/';
    memcpy(path + n, value.p, value.n);
    *path_out = path;
    return true;
}

static bool parse_ref(struct slice value, struct arena *arena, const char **name_out,
                      struct err *err)
{
    char text[SHOWN_MAX];
    for (size_t i = 0; i < value.n; i++)
        if (!ascii_is_alnum(value.p[i]) && !strchr("_.-", value.p[i] ? value.p[i] : ' '))
            return err_set(
                err, ERR_SYNTAX,
                "\"%s\" is not a section name; allowed: letters, digits, \"_\", \".\", \"-\"",
                shown(value, text));
    return store_text(value, arena, name_out, err);
}

/* --- the registry's side ------------------------------------------------------ */

static struct slice trimmed(struct slice value)
{
    while (value.n > 0 && (ascii_is_space(value.p[value.n - 1]) || value.p[value.n - 1] == '\n'))
        value.n--;
    return slice_trim(value);
}

static bool parse_any(const struct key_row *row, const struct key_source *source,
                      struct arena *arena, union value *value_out, struct err *err)
{
    struct slice value = source->value;
    switch (row->type) {
    case KEY_BOOL:
        return key_parse_bool(value, &value_out->truth) || refuse(row, value, "is wrong", err);
    case KEY_COUNT:
        return parse_number(row, value, "is not a number", &value_out->wide, err);
    case KEY_DURATION:
        return parse_number(row, value, "is not a duration", &value_out->wide, err);
    case KEY_SIZE:
        return parse_number(row, value, "is not a size", &value_out->wide, err);
    case KEY_CODE:
        return parse_code(row, value, &value_out->number, err);
    case KEY_STRING:
        return parse_line(value, arena, &value_out->text, err);
    case KEY_TEXT:
        return replytext_read(value, arena, &value_out->text, err);
    case KEY_PATH:
        return parse_path(source, arena, &value_out->text, err);
    case KEY_LIST:
        return parse_list(source, arena, &value_out->list, err);
    case KEY_WORD:
        return word_index(row, value, &value_out->number) || refuse(row, value, "is unknown", err);
    case KEY_SET:
        return parse_set(row, value, &value_out->set, err);
    case KEY_REF:
        return parse_ref(value, arena, &value_out->text, err);
    }
    return false;
}

static void store(const struct key_row *row, void *section, const void *value)
{
    memcpy((char *)section + row->offset, value, value_size(row->type));
}

bool key_set(const struct key_row *row, void *section, const struct key_source *source,
             struct arena *arena, struct err *err)
{
    struct key_source clean = *source;
    union value value = {0};
    clean.value = trimmed(source->value);
    if (!parse_any(row, &clean, arena, &value, err))
        return false;
    store(row, section, &value);
    return true;
}

bool key_set_default(const struct key_row *row, void *section, const char *folder,
                     struct arena *arena)
{
    struct key_source source = {.value = slice_of(row->dflt), .folder = folder};
    struct err err = {0};
    union value empty = {0};
    if (key_set(row, section, &source, arena, &err))
        return true;
    CHECK(err.kind == ERR_MEMORY);
    if (row->type != KEY_LIST)
        empty.text = ""; /* numbers need no memory: this is a text */
    store(row, section, &empty);
    return false;
}

void key_copy(const struct key_row *row, void *to, const void *from)
{
    store(row, to, (const char *)from + row->offset);
}

static bool same_list(const struct key_list *a, const struct key_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i].text, b->v[i].text) != 0)
            return false;
    return true;
}

bool key_same(const struct key_row *row, const void *a, const void *b)
{
    union value x = {0}, y = {0};
    size_t n = value_size(row->type);
    memcpy(&x, (const char *)a + row->offset, n);
    memcpy(&y, (const char *)b + row->offset, n);
    switch (row->type) {
    case KEY_BOOL:
        return x.truth == y.truth;
    case KEY_COUNT:
    case KEY_DURATION:
    case KEY_SIZE:
        return x.wide == y.wide;
    case KEY_CODE:
    case KEY_WORD:
        return x.number == y.number;
    case KEY_SET:
        return x.set == y.set;
    case KEY_STRING:
    case KEY_TEXT:
    case KEY_PATH:
    case KEY_REF:
        return strcmp(x.text, y.text) == 0;
    case KEY_LIST:
        return same_list(&x.list, &y.list);
    }
    return false;
}
