/*
 * conf_read.c - from the lines of the file to typed sections.
 *
 * Goes on after every mistake, so that one run shows them all, but never
 * reports the same mistake twice: keys below an unknown or missing section
 * line, and indented lines below a broken key, are passed over.
 */
#include "lib/conf/conf.h"

#include <limits.h>
#include <string.h>
#include "lib/conf/conf_inner.h"
#include "lib/conf/ini.h"

#define HINT_KEYS_MAX 20 /* up to here an unknown key's error lists all keys */

enum above { /* what an indented line would continue */
             ABOVE_NOTHING,
             ABOVE_LIST,
             ABOVE_OTHER,
             ABOVE_BROKEN /* reported already */
};

struct reading {
    struct conf *conf;
    struct problems *problems;
    const struct conf_section *section; /* NULL: none yet, or not a known one */
    struct strbuf title;                /* of the section as written */
    unsigned opened;                    /* its line */
    bool orphans;                       /* keys without a section have been reported */
    enum above above;
    size_t row;         /* of the key above */
    struct strbuf list; /* ABOVE_LIST: its lines so far */
    struct place list_at;
    unsigned list_line; /* the line last added */
    bool no_memory;
};

PRINTF_LIKE(4, 5)
static void report(struct reading *reading, struct place at, struct slice key, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    conf_report(reading->problems, PROBLEM_ERROR, at, strbuf_text(&reading->title), key, fmt, ap);
    reading->conf->guessed = true;
    va_end(ap);
}

/* "[listener in] rat", for whoever finds the value wrong later. */
static const char *key_title(struct reading *reading, const char *key)
{
    const char *title =
        arena_printf(reading->conf->arena, "%s %s", strbuf_text(&reading->title), key);
    reading->no_memory = reading->no_memory || !title;
    return title;
}

/* A line that is wrong, and told, was meant for this key of the section. */
static void note_wrong(struct reading *reading, struct slice key)
{
    const struct conf_section *section = reading->section;
    size_t index = section ? key_find(section->type->rows, *section->type->nrows, key) : SIZE_MAX;
    if (index != SIZE_MAX)
        section->wrong[index] = true;
}

static bool is_list(const struct key_row *row)
{
    return row->type == KEY_LIST || row->type == KEY_SET;
}

/* --- values ----------------------------------------------------------------------- */

/* Of a section without a name that stands there twice the first value is in effect. */
static void set_key(struct reading *reading, size_t index, struct slice value, struct place at)
{
    const struct conf_section *section = reading->section;
    const struct key_row *row = &section->type->rows[index];
    struct key_source source = {value, at, reading->conf->folder};
    struct err err = {0};
    bool first = section->origins[index].line == at.line;
    void *values = first ? section->values : arena_alloc(reading->conf->arena, section->type->size);
    reading->no_memory = reading->no_memory || !values;
    if (!values || key_set(row, values, &source, reading->conf->arena, &err))
        return;
    section->wrong[index] = true;
    report(reading, at, slice_of(row->name), "%s", err.text);
}

/* The list above is complete: nothing indented followed. */
static void finish_list(struct reading *reading)
{
    if (reading->above != ABOVE_LIST)
        return;
    if (reading->list.failed)
        reading->no_memory = true;
    else
        set_key(reading, reading->row, (struct slice){strbuf_text(&reading->list), reading->list.n},
                reading->list_at);
    reading->above = ABOVE_NOTHING;
}

static void begin_list(struct reading *reading, struct slice value, struct place at)
{
    strbuf_reset(&reading->list);
    strbuf_add(&reading->list, value.p, value.n);
    reading->list_at = at;
    reading->list_line = at.line;
    reading->above = ABOVE_LIST;
}

/* Does an indented line read as a key of its own? Items hold no "name =". */
static bool looks_like_key(const struct reading *reading, struct slice line)
{
    const struct conf_type *type = reading->section->type;
    const char *equals = memchr(line.p, '=', line.n);
    if (!equals)
        return false;
    struct slice name = slice_trim((struct slice){line.p, (size_t)(equals - line.p)});
    return key_find(type->rows, *type->nrows, name) != SIZE_MAX;
}

static void continue_list(struct reading *reading, struct slice line, struct place at)
{
    if (looks_like_key(reading, line)) {
        report(reading, at, slice_of(reading->section->type->rows[reading->row].name),
               "an indented line continues this list, but this one looks like a key; allowed: "
               "keys begin at the start of a line");
        return;
    }
    /* Items count their lines by newlines: comments between them count too. */
    for (; reading->list_line < at.line; reading->list_line++)
        strbuf_putc(&reading->list, '\n');
    strbuf_add(&reading->list, line.p, line.n);
}

static void report_orphan(struct reading *reading, const struct ini_event *event)
{
    if (!reading->orphans && reading->title.n == 0)
        report(reading, event->at, event->name,
               "this line is before the first section; allowed: keys below a [section] line");
    reading->orphans = true;
}

static void take_more(struct reading *reading, const struct ini_event *event)
{
    struct slice key = {NULL, 0};
    if (reading->section && (reading->above == ABOVE_LIST || reading->above == ABOVE_OTHER))
        key = slice_of(reading->section->type->rows[reading->row].name);
    if (event->wrong)
        report(reading, event->at, key, "%s", event->wrong);
    else if (reading->above == ABOVE_LIST)
        continue_list(reading, event->value, event->at);
    else if (reading->above == ABOVE_OTHER)
        report(reading, event->at, key,
               "an indented line follows, but this key holds no list; allowed: one line, and keys "
               "begin at the start of a line");
    else if (!reading->section)
        report_orphan(reading, event);
    else if (reading->above == ABOVE_NOTHING)
        report(reading, event->at, key,
               "an indented line without a list above; allowed: keys begin at the start of a line");
}

/* --- keys ------------------------------------------------------------------------- */

static const struct conf_type *other_owner(const struct reading *reading, struct slice name)
{
    for (size_t i = 0; i < reading->conf->nshelves; i++) {
        const struct conf_type *type = reading->conf->shelves[i].type;
        if (key_find(type->rows, *type->nrows, name) != SIZE_MAX)
            return type;
    }
    return NULL;
}

static void report_unknown_key(struct reading *reading, const struct ini_event *event)
{
    const struct conf_type *type = reading->section->type;
    const char *near = key_nearest(type->rows, *type->nrows, event->name);
    const struct conf_type *owner = near ? NULL : other_owner(reading, event->name);
    note_wrong(reading, slice_of(near));
    struct strbuf hint;
    strbuf_init(&hint);
    if (near) {
        strbuf_printf(&hint, "did you mean \"%s\"?", near);
    } else if (owner) {
        strbuf_printf(&hint, "it is one of [%s%s%s]", owner->name, owner->arg ? " " : "",
                      owner->arg ? owner->arg : "");
    } else if (*type->nrows <= HINT_KEYS_MAX) {
        strbuf_puts(&hint, "allowed: ");
        for (size_t i = 0; i < *type->nrows; i++)
            strbuf_printf(&hint, "%s%s", i == 0 ? "" : ", ", type->rows[i].name);
    } else {
        strbuf_puts(&hint, "allowed: those of gatehouse.conf(5)");
    }
    report(reading, event->at, event->name, "unknown key; %s", strbuf_text(&hint));
    strbuf_done(&hint);
}

static void take_key(struct reading *reading, const struct ini_event *event)
{
    const struct conf_section *section = reading->section;
    reading->above = ABOVE_BROKEN;
    if (event->wrong) {
        report(reading, event->at, event->name, "%s", event->wrong);
        note_wrong(reading, event->name);
        return;
    }
    if (!section) {
        report_orphan(reading, event);
        return;
    }
    size_t index = key_find(section->type->rows, *section->type->nrows, event->name);
    if (index == SIZE_MAX) {
        report_unknown_key(reading, event);
        return;
    }
    if (section->origins[index].line >= reading->opened) {
        report(reading, event->at, event->name, "given twice, first on line %u",
               section->origins[index].line);
        return;
    }
    struct place at = event->at;
    at.key = key_title(reading, section->type->rows[index].name);
    if (section->origins[index].line == 0)
        section->origins[index] = at;
    reading->row = index;
    reading->above = ABOVE_OTHER;
    if (is_list(&section->type->rows[index]))
        begin_list(reading, event->value, at);
    else
        set_key(reading, index, event->value, at);
}

/* --- sections ----------------------------------------------------------------------- */

static bool is_section_name(struct slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!ascii_is_alnum(name.p[i]) && !memchr("_.-", name.p[i], 3))
            return false;
    return name.n > 0 && name.n <= CONF_NAME_MAX;
}

/* "policy THROTTLED" -> "policy", "THROTTLED". */
static void split_title(struct slice title, struct slice *type_out, struct slice *name_out)
{
    size_t n = 0;
    while (n < title.n && !ascii_is_space(title.p[n]))
        n++;
    *type_out = (struct slice){title.p, n};
    *name_out = slice_trim((struct slice){title.p + n, title.n - n});
}

static void put_form(const struct conf_type *type, struct strbuf *out)
{
    conf_put_title(type->name, slice_of(type->arg), out);
}

/* What refers to a section whose type is misspelled is not wrong as well. */
static void note_lost(struct reading *reading, struct conf_shelf *shelf, struct slice name)
{
    if (!strmap_add(shelf->lost, name, 0, NULL))
        reading->no_memory = true;
}

static void report_unknown_section(struct reading *reading, struct slice type, struct slice name,
                                   struct place at)
{
    struct conf *conf = reading->conf;
    struct key_row *names = calloc(conf->nshelves + 1, sizeof *names);
    struct strbuf hint;
    strbuf_init(&hint);
    for (size_t i = 0; names && i < conf->nshelves; i++)
        names[i].name = conf->shelves[i].type->name;
    const char *near = names ? key_nearest(names, conf->nshelves, type) : NULL;
    if (near) {
        strbuf_puts(&hint, "did you mean ");
        put_form(conf_shelf(conf, slice_of(near))->type, &hint);
        note_lost(reading, conf_shelf(conf, slice_of(near)), name);
        strbuf_puts(&hint, "?");
    } else {
        strbuf_puts(&hint, "allowed: ");
        for (size_t i = 0; i < conf->nshelves; i++) {
            strbuf_puts(&hint, i == 0 ? "" : ", ");
            put_form(conf->shelves[i].type, &hint);
        }
    }
    report(reading, at, (struct slice){NULL, 0}, "unknown section; %s", strbuf_text(&hint));
    strbuf_done(&hint);
    free(names);
}

/* Is the name as the type wants it? */
static bool check_name(struct reading *reading, const struct conf_type *type, struct slice name,
                       struct place at)
{
    struct slice none = {NULL, 0};
    bool named = type->arg && is_section_name(name);
    if (!type->arg && name.n > 0)
        report(reading, at, none, "this section has no name; allowed: [%s]", type->name);
    else if (type->arg && name.n == 0)
        report(reading, at, none, "a name is missing; allowed: [%s %s]", type->name, type->arg);
    else if (type->arg && !named)
        report(
            reading, at, none,
            "this is not a name; allowed: letters, digits, \"_\", \".\", \"-\", at most %d bytes",
            CONF_NAME_MAX);
    return named || (!type->arg && name.n == 0);
}

/* The section that keys go to from now on; also for a wrong or repeated name,
 * so that the keys are checked all the same. */
static void open_section(struct reading *reading, struct conf_shelf *shelf, struct slice name,
                         struct place at)
{
    bool good = check_name(reading, shelf->type, name, at);
    if (!shelf->type->arg)
        name.n = 0;
    uint32_t index = strmap_get(shelf->names, name);
    struct conf_section *known = index == STRMAP_NONE ? NULL : shelf->v[index], *section = known;
    bool again = known && known->at.line > 0;
    if (again && good && !known->misnamed)
        report(reading, at, (struct slice){NULL, 0}, "written twice, first on line %u",
               known->at.line);
    if (!known || (again && shelf->type->arg))
        section = conf_add(reading->conf, shelf, name, at);
    else if (!again)
        section->at = at;
    reading->section = section;
    reading->no_memory = reading->no_memory || !section;
    if (!section)
        return;
    if (!again || good)
        section->misnamed = !good;
    section->again = again && section != known;
}

static void take_section(struct reading *reading, const struct ini_event *event)
{
    struct slice type, name;
    split_title(event->name, &type, &name);
    strbuf_reset(&reading->title);
    strbuf_putc(&reading->title, '[');
    strbuf_add(&reading->title, event->name.p, event->name.n < 256 ? event->name.n : 256);
    strbuf_putc(&reading->title, ']');
    reading->section = NULL;
    reading->opened = event->at.line;
    reading->above = ABOVE_NOTHING;
    struct conf_shelf *shelf = conf_shelf(reading->conf, type);
    if (event->wrong) {
        report(reading, event->at, (struct slice){NULL, 0}, "%s", event->wrong);
    } else if (!shelf) {
        report_unknown_section(reading, type, name, event->at);
    } else {
        open_section(reading, shelf, name, event->at);
    }
}

static void take_event(const struct ini_event *event, void *arg)
{
    struct reading *reading = arg;
    switch (event->kind) {
    case INI_SECTION:
        finish_list(reading);
        take_section(reading, event);
        break;
    case INI_KEY:
        finish_list(reading);
        take_key(reading, event);
        break;
    case INI_MORE:
        take_more(reading, event);
        break;
    }
}

/* --- what only the whole file shows ------------------------------------------------- */

static void check_reference(const struct conf *conf, const struct conf_section *section,
                            const struct key_row *row, struct problems *problems)
{
    const char *name = NULL;
    memcpy(&name, (const char *)section->values + row->offset, sizeof name);
    if (name[0] && !conf_find(conf, row->refers, name) && !conf_is_lost(conf, row->refers, name))
        conf_error(problems, section, row->name,
                   "there is no section [%s %s]; allowed: the name of a [%s] section", row->refers,
                   name, row->refers);
}

static void check_required(const struct conf_section *section, size_t index,
                           struct problems *problems)
{
    const struct key_row *row = &section->type->rows[index];
    struct strbuf value, allowed;
    if (section->wrong[index])
        return;
    strbuf_init(&value);
    strbuf_init(&allowed);
    key_print(row, section->values, &value);
    key_allowed(row, &allowed);
    if (section->origins[index].line == 0)
        conf_error(problems, section, row->name, "is missing; allowed: %s", strbuf_text(&allowed));
    else if (value.n == 0)
        conf_error(problems, section, row->name, "is empty; allowed: %s", strbuf_text(&allowed));
    strbuf_done(&value);
    strbuf_done(&allowed);
}

static void check_sections(const struct conf *conf, const struct conf_shelf *shelf,
                           struct problems *problems)
{
    for (size_t i = 0; i < shelf->n; i++) {
        const struct conf_section *section = shelf->v[i];
        for (size_t k = 0; section->at.line > 0 && k < *shelf->type->nrows; k++) {
            const struct key_row *row = &shelf->type->rows[k];
            if (row->flags & KEY_REQUIRED)
                check_required(section, k, problems);
            if (row->type == KEY_REF)
                check_reference(conf, section, row, problems);
        }
    }
}

/* --- the whole ------------------------------------------------------------------------ */

/* The folder relative paths start from, whatever the working directory will
 * be. The file itself may be a link: its own folder is where it was named. */
static const char *folder_of(const char *path, struct arena *arena)
{
    const char *slash = strrchr(path, '/');
    size_t n = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
    char *folder = n == 0 ? arena_dup(arena, ".") : arena_dup_slice(arena, (struct slice){path, n});
    char *real = folder ? realpath(folder, NULL) : NULL;
    if (real)
        folder = arena_dup(arena, real);
    free(real);
    return folder;
}

static bool fill_shelf(struct conf *conf, struct conf_shelf *shelf, const struct conf_type *type)
{
    shelf->type = type;
    shelf->names = strmap_new();
    shelf->lost = strmap_new();
    if (!shelf->names || !shelf->lost)
        return false;
    struct place nowhere = {.file = conf->path};
    return type->arg || conf_add(conf, shelf, (struct slice){"", 0}, nowhere);
}

static bool fill_conf(struct conf *conf, const char *path, const struct conf_type *const *types,
                      size_t ntypes)
{
    conf->arena = arena_new(0);
    conf->shelves = calloc(ntypes + 1, sizeof *conf->shelves);
    if (!conf->arena || !conf->shelves)
        return false;
    conf->nshelves = ntypes;
    conf->path = arena_dup(conf->arena, path);
    conf->folder = conf->path ? folder_of(conf->path, conf->arena) : NULL;
    if (!conf->folder)
        return false;
    for (size_t i = 0; i < ntypes; i++)
        if (!fill_shelf(conf, &conf->shelves[i], types[i]))
            return false;
    return true;
}

static struct conf *new_conf(const char *path, const struct conf_type *const *types, size_t ntypes)
{
    struct conf *conf = calloc(1, sizeof *conf);
    if (conf && fill_conf(conf, path, types, ntypes))
        return conf;
    conf_free(conf);
    return NULL;
}

struct conf *conf_read_anyway(const char *path, const struct conf_type *const *types, size_t ntypes,
                              struct problems *problems)
{
    struct reading reading = {.problems = problems};
    bool opened = true;
    strbuf_init(&reading.title);
    strbuf_init(&reading.list);
    reading.conf = new_conf(path, types, ntypes);
    if (reading.conf) {
        opened = ini_read(reading.conf->path, take_event, &reading, problems);
        finish_list(&reading);
        for (size_t i = 0; i < ntypes; i++)
            check_sections(reading.conf, &reading.conf->shelves[i], problems);
    }
    if (!reading.conf || reading.no_memory)
        problem_error(problems, (struct place){.file = path}, "out of memory");
    strbuf_done(&reading.title);
    strbuf_done(&reading.list);
    if (opened && !reading.no_memory)
        return reading.conf;
    conf_free(reading.conf);
    return NULL;
}

struct conf *conf_read(const char *path, const struct conf_type *const *types, size_t ntypes,
                       struct problems *problems)
{
    size_t before = problems_errors(problems);
    struct conf *conf = conf_read_anyway(path, types, ntypes, problems);
    if (problems_errors(problems) == before)
        return conf;
    conf_free(conf);
    return NULL;
}
