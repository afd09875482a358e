/*
 * conf_doc.c - the rows as documents: the example file and the manual's list.
 */
#include "lib/conf/conf.h"

#include <string.h>
#include "lib/conf/conf_inner.h"

#define WIDTH 78 /* columns of a line of prose */

/* Does it hold anything the key's type does not say by itself? */
static bool has_range(const struct key_row *row)
{
    switch (row->type) {
    case KEY_BOOL:
    case KEY_COUNT:
    case KEY_DURATION:
    case KEY_SIZE:
    case KEY_CODE:
    case KEY_WORD:
    case KEY_SET:
    case KEY_REF:
        return true;
    case KEY_STRING:
    case KEY_TEXT:
    case KEY_PATH:
    case KEY_LIST:
        return false;
    }
    return false;
}

/* What is to be said of a key beside its default, as sentences. */
static void put_prose(const struct key_row *row, struct strbuf *out)
{
    strbuf_puts(out, row->doc);
    if (has_range(row)) {
        strbuf_puts(out, " Allowed: ");
        key_allowed(row, out);
        strbuf_putc(out, '.');
    }
    if (row->flags & KEY_REQUIRED)
        strbuf_puts(out, " Required.");
    if (row->flags & KEY_AT_RESTART)
        strbuf_puts(out, " A change takes effect at a restart.");
}

/* The section's title without brackets: "policy NAME". */
static void put_words(const struct conf_type *type, struct strbuf *out)
{
    strbuf_printf(out, "%s%s%s", type->name, type->arg ? " " : "", type->arg ? type->arg : "");
}

/* --- lines ------------------------------------------------------------------- */

static bool ends_sentence(struct slice word, const char *next)
{
    char last = word.n > 0 ? word.p[word.n - 1] : ' ';
    return (last == '.' || last == '?') && next[0] >= 'A' && next[0] <= 'Z';
}

/* Text in lines of at most WIDTH columns that begin with prefix. put writes one
 * word; sentences: each begins a line, as mdoc wants it. */
static void put_wrapped(const char *text, const char *prefix, bool sentences,
                        void (*put)(struct slice word, bool first, struct strbuf *out),
                        struct strbuf *out)
{
    size_t column = 0;
    while (*text) {
        struct slice word = {text, strcspn(text, " ")};
        bool first = column == 0 || column + 1 + word.n > WIDTH;
        strbuf_puts(out, !first ? " " : column > 0 ? "\n" : "");
        strbuf_puts(out, first ? prefix : "");
        put(word, first, out);
        column = first ? strlen(prefix) + word.n : column + 1 + word.n;
        text += word.n;
        text += strspn(text, " ");
        if (sentences && ends_sentence(word, text)) {
            strbuf_puts(out, "\n");
            column = 0;
        }
    }
    strbuf_puts(out, column > 0 ? "\n" : "");
}

/* --- the example -------------------------------------------------------------- */

static void put_plain(struct slice word, bool first, struct strbuf *out)
{
    (void)first;
    strbuf_add(out, word.p, word.n);
}

static void example_key(const struct key_row *row, struct strbuf *out)
{
    struct strbuf prose;
    strbuf_init(&prose);
    put_prose(row, &prose);
    strbuf_putc(out, '\n');
    put_wrapped(strbuf_text(&prose), "# ", false, put_plain, out);
    strbuf_printf(out, "#%s =%s%s\n", row->name, row->dflt[0] ? " " : "", row->dflt);
    out->failed = out->failed || prose.failed;
    strbuf_done(&prose);
}

static const char *presets_title(const struct conf_type *type)
{
    return type->inherits ? "Predefined:" : "These have another default:";
}

/* Presets as the sections that would say the same. */
static void put_presets(const struct conf_type *type, const char *prefix, struct strbuf *out)
{
    const struct key_preset *preset = type->presets;
    for (const char *last = ""; preset->section != NULL; preset++) {
        if (strcmp(preset->section, last) != 0)
            strbuf_printf(out, "%s[%s %s]\n", prefix, type->name, preset->section);
        strbuf_printf(out, "%s%s = %s\n", prefix, preset->key, preset->value);
        last = preset->section;
    }
}

static void example_presets(const struct conf_type *type, struct strbuf *out)
{
    if (type->presets == NULL)
        return;
    strbuf_printf(out, "#\n# %s\n", presets_title(type));
    put_presets(type, "#   ", out);
    strbuf_puts(out, "#\n");
}

static void example_section(const struct conf_type *type, struct strbuf *out)
{
    strbuf_printf(out, "\n\n# --- ");
    put_words(type, out);
    strbuf_puts(out, " ---\n#\n");
    put_wrapped(type->doc, "# ", false, put_plain, out);
    example_presets(type, out);
    strbuf_puts(out, "#[");
    put_words(type, out);
    strbuf_puts(out, "]\n");
    for (size_t i = 0; i < *type->nrows; i++)
        example_key(&type->rows[i], out);
}

void conf_example(const struct conf_type *const *types, size_t ntypes, struct strbuf *out)
{
    static const char head[] =
        "gatehouse.conf: every section and key with its default. A line takes effect without the "
        "\"#\" in front of it, and of its section; remove both. \"#\" and \";\" begin a comment "
        "only "
        "at the start of a line. Lists are separated by commas or blanks and may continue in "
        "indented lines. Sizes may have K, M, G; durations ms, s, m, h, d; a bare number is "
        "seconds. "
        "Relative paths start in the folder of this file. `gatehousectl check` finds every error; "
        "gatehouse.conf(5) has the same descriptions as this file.";
    put_wrapped(head, "# ", false, put_plain, out);
    for (size_t i = 0; i < ntypes; i++)
        example_section(types[i], out);
}

/* --- the manual ----------------------------------------------------------------- */

static void put_mdoc(struct slice word, bool first, struct strbuf *out)
{
    if (first && word.n > 0 && (word.p[0] == '.' || word.p[0] == '\''))
        strbuf_puts(out, "\\&");
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] == '\\')
            strbuf_puts(out, "\\e");
        else
            strbuf_putc(out, word.p[i]);
    }
}

static void manual_key(const struct key_row *row, struct strbuf *out)
{
    struct strbuf prose;
    strbuf_init(&prose);
    put_prose(row, &prose);
    if (row->dflt[0] && !strstr(row->doc, "Default: "))
        strbuf_printf(&prose, " Default: %s%s", row->dflt,
                      row->dflt[strlen(row->dflt) - 1] == '.' ? "" : ".");
    strbuf_printf(out, ".It Cm %s\n", row->name);
    put_wrapped(strbuf_text(&prose), "", true, put_mdoc, out);
    out->failed = out->failed || prose.failed;
    strbuf_done(&prose);
}

/* Marked for the test that runs the examples of manual pages. */
static void manual_presets(const struct conf_type *type, struct strbuf *out)
{
    if (type->presets == NULL)
        return;
    strbuf_printf(out,
                  ".Pp\n%s\n.\\\" example: presets\n"
                  ".Bd -literal -offset indent\n",
                  presets_title(type));
    put_presets(type, "", out);
    strbuf_puts(out, ".Ed\n");
}

static void manual_section(const struct conf_type *type, struct strbuf *out)
{
    strbuf_puts(out, ".Ss [");
    put_words(type, out);
    strbuf_puts(out, "]\\&\n");
    put_wrapped(type->doc, "", true, put_mdoc, out);
    strbuf_puts(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < *type->nrows; i++)
        manual_key(&type->rows[i], out);
    strbuf_puts(out, ".El\n");
    manual_presets(type, out);
}

void conf_manual(const struct conf_type *const *types, size_t ntypes, struct strbuf *out)
{
    for (size_t i = 0; i < ntypes; i++)
        manual_section(types[i], out);
}
