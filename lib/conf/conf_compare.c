/*
 * conf_compare.c - what a reload changes, one line a key.
 */
#include "lib/conf/conf.h"

#include "lib/conf/conf_inner.h"

#define SHOWN_MAX 200 /* bytes of one value */

struct comparing {
    void (*sink)(const char *line, bool restart, void *arg);
    void *arg;
};

static void say(const struct comparing *c, const struct conf_section *section, bool restart,
                const char *what)
{
    struct strbuf line;
    strbuf_init(&line);
    conf_put_title(section->type->name, slice_of(section->name), &line);
    strbuf_printf(&line, " %s", what);
    if (!line.failed)
        c->sink(strbuf_text(&line), restart, c->arg);
    strbuf_done(&line);
}

static void put_value(const struct conf_section *section, size_t index, struct strbuf *out)
{
    struct strbuf value;
    if (section->type->arg && section->origins[index].line == 0) {
        strbuf_puts(out, "not set");
        return;
    }
    strbuf_init(&value);
    key_print(&section->type->rows[index], section->values, &value);
    strbuf_add(out, strbuf_text(&value), value.n < SHOWN_MAX ? value.n : SHOWN_MAX);
    strbuf_puts(out, value.n > SHOWN_MAX ? "..." : value.n == 0 ? "\"\"" : "");
    strbuf_done(&value);
}

static void compare_key(const struct comparing *c, const struct conf_section *old,
                        const struct conf_section *new, size_t index)
{
    const struct key_row *row = &new->type->rows[index];
    bool same = key_same(row, old->values, new->values);
    /* A policy's key that is no longer written changes, whatever its own
     * default: it is inherited now. */
    if (new->type->arg)
        same = same && (old->origins[index].line > 0) == (new->origins[index].line > 0);
    if (same)
        return;
    struct strbuf text;
    strbuf_init(&text);
    strbuf_printf(&text, "%s: ", row->name);
    if (row->flags & KEY_SECRET) {
        strbuf_puts(&text, "changed");
    } else {
        put_value(old, index, &text);
        strbuf_puts(&text, " -> ");
        put_value(new, index, &text);
    }
    say(c, new, row->flags & KEY_AT_RESTART, strbuf_text(&text));
    strbuf_done(&text);
}

static void compare_shelf(const struct comparing *c, const struct conf *old, const struct conf *new,
                          const struct conf_type *type)
{
    const struct conf_shelf *before = conf_shelf(old, slice_of(type->name));
    const struct conf_shelf *after = conf_shelf(new, slice_of(type->name));
    for (size_t i = 0; i < before->n; i++)
        if (!conf_find(new, type->name, before->v[i]->name))
            say(c, before->v[i], false, "removed");
    for (size_t i = 0; i < after->n; i++) {
        const struct conf_section *was = conf_find(old, type->name, after->v[i]->name);
        if (!was)
            say(c, after->v[i], false, "added");
        for (size_t k = 0; was && k < *type->nrows; k++)
            compare_key(c, was, after->v[i], k);
    }
}

void conf_compare(const struct conf *old, const struct conf *new,
                  void (*sink)(const char *line, bool restart, void *arg), void *arg)
{
    struct comparing c = {sink, arg};
    for (size_t i = 0; i < new->nshelves; i++)
        compare_shelf(&c, old, new, new->shelves[i].type);
}
