/* conf.c - the read configuration: finding sections, reporting about them. */
#include "lib/conf/conf.h"

#include <string.h>
#include "lib/conf/conf_inner.h"

#define SHOWN_MAX 80 /* bytes of an unknown key that an error repeats */

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    for (size_t i = 0; i < conf->nshelves; i++) {
        free(conf->shelves[i].v);
        strmap_free(conf->shelves[i].names);
        strmap_free(conf->shelves[i].lost);
    }
    free(conf->shelves);
    arena_free(conf->arena);
    free(conf);
}

const char *conf_path(const struct conf *conf)
{
    return conf->path;
}

const char *conf_absolute(const struct conf *conf, const char *path)
{
    const char *folder = conf->folder;
    if (path[0] == '/')
        return arena_dup(conf->arena, path);
    return arena_printf(conf->arena, "%s%s%s", folder, strcmp(folder, "/") == 0 ? "" : "/", path);
}

struct arena *conf_arena(const struct conf *conf)
{
    return conf->arena;
}

struct conf_shelf *conf_shelf(const struct conf *conf, struct slice type)
{
    for (size_t i = 0; i < conf->nshelves; i++)
        if (slice_is(type, conf->shelves[i].type->name))
            return &conf->shelves[i];
    return NULL;
}

static bool make_room(struct conf_shelf *shelf)
{
    if (shelf->n < shelf->room)
        return true;
    size_t room = shelf->room ? shelf->room * 2 : 4;
    struct conf_section **v = realloc(shelf->v, room * sizeof(struct conf_section *));
    if (!v)
        return false;
    shelf->v = v;
    shelf->room = room;
    return true;
}

struct conf_section *conf_add(struct conf *conf, struct conf_shelf *shelf, struct slice name,
                              struct place at)
{
    const struct conf_type *type = shelf->type;
    struct conf_section *section = arena_alloc(conf->arena, sizeof *section);
    if (!section || !make_room(shelf))
        return NULL;
    section->type = type;
    section->name = arena_dup_slice(conf->arena, name);
    section->index = shelf->n;
    section->at = at;
    section->values = arena_alloc(conf->arena, type->size);
    section->origins = arena_alloc(conf->arena, *type->nrows * sizeof *section->origins);
    section->wrong = arena_alloc(conf->arena, *type->nrows * sizeof *section->wrong);
    if (!section->name || !section->values || !section->origins || !section->wrong)
        return NULL;
    for (size_t i = 0; i < *type->nrows; i++)
        if (!key_set_default(&type->rows[i], section->values, conf->folder, conf->arena))
            return NULL;
    if (!strmap_add(shelf->names, name, (uint32_t)shelf->n, NULL))
        return NULL;
    shelf->v[shelf->n++] = section;
    return section;
}

const struct conf_section *conf_find(const struct conf *conf, const char *type, const char *name)
{
    const struct conf_shelf *shelf = conf_shelf(conf, slice_of(type));
    if (!shelf)
        return NULL;
    uint32_t index = strmap_get(shelf->names, slice_of(name));
    return index == STRMAP_NONE ? NULL : shelf->v[index];
}

const struct conf_section *conf_next(const struct conf *conf, const char *type,
                                     const struct conf_section *previous)
{
    const struct conf_shelf *shelf = conf_shelf(conf, slice_of(type));
    if (!shelf)
        return NULL;
    for (size_t i = previous ? previous->index + 1 : 0; i < shelf->n; i++)
        if (shelf->v[i]->at.line > 0)
            return shelf->v[i];
    return NULL;
}

bool conf_is_set(const struct conf_section *section, const char *key)
{
    size_t i = key_find(section->type->rows, *section->type->nrows, slice_of(key));
    return i != SIZE_MAX && section->origins[i].line > 0;
}

bool conf_is_wrong(const struct conf_section *section, const char *key)
{
    size_t i = key_find(section->type->rows, *section->type->nrows, slice_of(key));
    return i != SIZE_MAX && section->wrong[i];
}

bool conf_is_guessed(const struct conf *conf)
{
    return conf->guessed;
}

bool conf_is_lost(const struct conf *conf, const char *type, const char *name)
{
    const struct conf_shelf *shelf = conf_shelf(conf, slice_of(type));
    return shelf && strmap_get(shelf->lost, slice_of(name)) != STRMAP_NONE;
}

struct place conf_place(const struct conf_section *section, const char *key)
{
    size_t i = key_find(section->type->rows, *section->type->nrows, slice_of(key));
    return i != SIZE_MAX && section->origins[i].line > 0 ? section->origins[i] : section->at;
}

/* --- reporting ---------------------------------------------------------------- */

void conf_put_title(const char *type, struct slice name, struct strbuf *out)
{
    strbuf_printf(out, "[%s", type);
    if (name.n > 0)
        strbuf_printf(out, " %.*s%s", (int)(name.n < CONF_NAME_MAX ? name.n : CONF_NAME_MAX),
                      name.p, name.n > CONF_NAME_MAX ? "..." : "");
    strbuf_puts(out, "]");
}

void conf_report(struct problems *problems, enum problem_severity severity, struct place at,
                 const char *title, struct slice key, const char *fmt, va_list ap)
{
    struct strbuf text;
    strbuf_init(&text);
    strbuf_puts(&text, title);
    if (key.n > 0) {
        strbuf_puts(&text, title[0] ? " " : "");
        strbuf_add(&text, key.p, key.n < SHOWN_MAX ? key.n : SHOWN_MAX);
        strbuf_puts(&text, key.n > SHOWN_MAX ? "...:" : ":");
    }
    strbuf_puts(&text, text.n > 0 ? " " : "");
    strbuf_vprintf(&text, fmt, ap);
    at.key = NULL; /* the title says it */
    if (severity == PROBLEM_ERROR)
        problem_error(problems, at, "%s", strbuf_text(&text));
    else
        problem_warning(problems, at, "%s", strbuf_text(&text));
    strbuf_done(&text);
}

PRINTF_LIKE(6, 0)
static void report_key(struct problems *problems, enum problem_severity severity, struct place at,
                       const struct conf_section *section, const char *key, const char *fmt,
                       va_list ap)
{
    size_t row = key_find(section->type->rows, *section->type->nrows, slice_of(key));
    struct strbuf title;
    strbuf_init(&title);
    conf_put_title(section->type->name, slice_of(section->name), &title);
    conf_report(problems, severity, at, strbuf_text(&title), slice_of(key), fmt, ap);
    strbuf_done(&title);
    if (severity == PROBLEM_ERROR && row != SIZE_MAX)
        section->wrong[row] = true;
}

static struct place place_or_section(const struct conf_section *section, const char *key)
{
    return key ? conf_place(section, key) : section->at;
}

void conf_error(struct problems *problems, const struct conf_section *section, const char *key,
                const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report_key(problems, PROBLEM_ERROR, place_or_section(section, key), section, key, fmt, ap);
    va_end(ap);
}

void conf_item_error(struct problems *problems, const struct conf_section *section, const char *key,
                     const struct key_item *item, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report_key(problems, PROBLEM_ERROR, item->at, section, key, fmt, ap);
    va_end(ap);
}

void conf_warning(struct problems *problems, const struct conf_section *section, const char *key,
                  const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report_key(problems, PROBLEM_WARNING, place_or_section(section, key), section, key, fmt, ap);
    va_end(ap);
}
