/*
 * conf_print.c - the configuration in effect, as a file that reads again.
 */
#include "lib/conf/conf.h"

#include "lib/conf/conf_inner.h"

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

static void show_section(const struct conf_section *section, bool defaults, struct strbuf *out)
{
    bool inherits = section->type->flags & CONF_INHERITS;
    strbuf_puts(out, out->n > 0 ? "\n" : "");
    conf_put_title(section->type->name, slice_of(section->name), out);
    strbuf_putc(out, '\n');
    for (size_t i = 0; i < *section->type->nrows; i++)
        if (section->origins[i].line > 0 || (defaults && !inherits))
            show_key(section, i, out);
}

void conf_show(const struct conf *conf, bool defaults, struct strbuf *out)
{
    for (size_t i = 0; i < conf->nshelves; i++) {
        const struct conf_shelf *shelf = &conf->shelves[i];
        for (size_t k = 0; k < shelf->n; k++)
            if (shelf->v[k]->at.line > 0 || defaults)
                show_section(shelf->v[k], defaults, out);
    }
}
