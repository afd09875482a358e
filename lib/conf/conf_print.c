/*
 * conf_print.c - the configuration in effect, as a file that reads again.
 */
#include "lib/conf/conf.h"

#include <string.h>
#include "lib/conf/conf_inner.h"

/* --- where a section is used --------------------------------------------------- */

static bool refers_to(const struct key_row *row, const struct conf_section *section)
{
    return row->type == KEY_REF && strcmp(row->refers, section->type->name) == 0;
}

/* Lines for the keys of other that name section. */
static size_t show_uses(const struct conf_section *section, const struct conf_section *other,
                        struct strbuf *out)
{
    size_t uses = 0;
    for (size_t i = 0; i < *other->type->nrows; i++) {
        const struct key_row *row = &other->type->rows[i];
        const struct place *at = &other->origins[i];
        if (!refers_to(row, section) || at->line == 0 ||
            strcmp(*(const char *const *)((const char *)other->values + row->offset),
                   section->name) != 0)
            continue;
        uses++;
        strbuf_puts(out, "# used by ");
        conf_put_title(other->type->name, slice_of(other->name), out);
        strbuf_printf(out, " %s, %s:%u\n", row->name, at->file, at->line);
    }
    return uses;
}

static bool can_be_used(const struct conf *conf, const struct conf_section *section)
{
    for (size_t i = 0; i < conf->nshelves; i++) {
        const struct conf_type *type = conf->shelves[i].type;
        for (size_t k = 0; k < *type->nrows; k++)
            if (refers_to(&type->rows[k], section))
                return true;
    }
    return false;
}

static void show_users(const struct conf *conf, const struct conf_section *section,
                       struct strbuf *out)
{
    size_t uses = 0;
    if (!can_be_used(conf, section))
        return;
    for (size_t i = 0; i < conf->nshelves; i++)
        for (size_t k = 0; k < conf->shelves[i].n; k++)
            uses += show_uses(section, conf->shelves[i].v[k], out);
    if (uses == 0)
        strbuf_puts(out, "# not used\n");
}

/* --- sections ------------------------------------------------------------------- */

static void show_key(const struct conf_section *section, size_t index, struct strbuf *out)
{
    const struct key_row *row = &section->type->rows[index];
    const struct place *origin = &section->origins[index];
    struct strbuf value;
    strbuf_init(&value);
    key_print(row, section->values, &value);
    if (origin->line > 0)
        strbuf_printf(out, "# %s:%u\n", origin->file, origin->line);
    else
        strbuf_puts(out, "# default\n");
    /* A printed secret would read again as the password "(set)". */
    strbuf_printf(out, "%s%s =%s%s\n", row->flags & KEY_SECRET && value.n > 0 ? "# " : "",
                  row->name, value.n > 0 ? " " : "", strbuf_text(&value));
    out->failed = out->failed || value.failed;
    strbuf_done(&value);
}

static void show_title(const struct conf_type *type, const char *name, struct strbuf *out)
{
    strbuf_puts(out, out->n > 0 ? "\n" : "");
    conf_put_title(type->name, slice_of(name), out);
    strbuf_putc(out, '\n');
}

/* A key that a section of that name does not write, and that inherits where it can. */
static void show_unwritten(const struct conf_type *type, const char *section, size_t index,
                           struct strbuf *out)
{
    const struct key_row *row = &type->rows[index];
    const char *preset = key_preset(type->presets, section, row->name);
    if (preset != NULL)
        strbuf_printf(out, "# predefined\n%s = %s\n", row->name, preset);
    else if (strcmp(section, CONF_PARENT) == 0)
        strbuf_printf(out, "# default\n# %s =%s%s\n", row->name, row->dflt[0] ? " " : "",
                      row->dflt);
}

static void show_rest(const char *section, struct strbuf *out)
{
    if (strcmp(section, CONF_PARENT) != 0)
        strbuf_puts(out, "# all else as in " CONF_PARENT "\n");
}

static void show_section(const struct conf *conf, const struct conf_section *section, bool defaults,
                         struct strbuf *out)
{
    const struct conf_type *type = section->type;
    show_title(type, section->name, out);
    show_users(conf, section, out);
    for (size_t i = 0; i < *type->nrows; i++) {
        bool own = type->inherits || key_preset(type->presets, section->name, type->rows[i].name);
        if (section->origins[i].line > 0 || (defaults && !own))
            show_key(section, i, out);
        else if (defaults)
            show_unwritten(type, section->name, i, out);
    }
    if (type->inherits && defaults)
        show_rest(section->name, out);
}

static void show_absent(const struct conf *conf, const struct conf_type *type, const char *name,
                        struct strbuf *out)
{
    if (conf_find(conf, type->name, name) != NULL)
        return;
    show_title(type, name, out);
    for (size_t i = 0; i < *type->nrows; i++)
        show_unwritten(type, name, i, out);
    show_rest(name, out);
}

/* Sections that are in effect though the file does not have them. */
static void show_all_absent(const struct conf *conf, const struct conf_type *type,
                            struct strbuf *out)
{
    const struct key_preset *preset = type->presets;
    show_absent(conf, type, CONF_PARENT, out);
    for (const char *last = ""; preset != NULL && preset->section != NULL; preset++) {
        if (strcmp(preset->section, last) != 0)
            show_absent(conf, type, preset->section, out);
        last = preset->section;
    }
}

void conf_show(const struct conf *conf, bool defaults, struct strbuf *out)
{
    for (size_t i = 0; i < conf->nshelves; i++) {
        const struct conf_shelf *shelf = &conf->shelves[i];
        for (size_t k = 0; k < shelf->n; k++)
            if (shelf->v[k]->at.line > 0 || defaults)
                show_section(conf, shelf->v[k], defaults, out);
        if (defaults && shelf->type->inherits)
            show_all_absent(conf, shelf->type, out);
    }
}
