#include "milter/form.h"

#include <string.h>

#include "lib/base/escape.h"
#include "lib/base/mono.h"

/* Room for one piece of input, at its worst, and the NUL. */
#define PIECE 512

void form_begin(struct form *form, bool json, struct strbuf *out)
{
    *form = (struct form){.out = out, .json = json, .first = true};
    if (json)
        strbuf_putc(out, '{');
}

void form_close(struct form *form)
{
    if (form->json)
        strbuf_putc(form->out, '}');
}

void form_end(struct form *form)
{
    form_close(form);
    if (form->json)
        strbuf_putc(form->out, '\n');
}

/* Long values in pieces, cut between characters. */
void form_quote(struct slice value, struct strbuf *out)
{
    char escaped[PIECE * ESCAPE_JSON_WORST + 1];

    strbuf_putc(out, '"');
    while (value.n > 0) {
        size_t n = value.n < PIECE ? value.n : PIECE;
        while (n < value.n && n > PIECE - 4 && ((unsigned char)value.p[n] & 0xC0) == 0x80)
            n--;
        escape_json((struct slice){value.p, n}, escaped, sizeof escaped);
        strbuf_puts(out, escaped);
        value = (struct slice){value.p + n, value.n - n};
    }
    strbuf_putc(out, '"');
}

static void put_line(struct slice value, struct strbuf *out)
{
    char escaped[PIECE * ESCAPE_WORST + 1];

    for (size_t at = 0; at < value.n; at += PIECE) {
        size_t n = value.n - at < PIECE ? value.n - at : PIECE;
        escape_line((struct slice){value.p + at, n}, escaped, sizeof escaped);
        strbuf_puts(out, escaped);
    }
    strbuf_putc(out, '\n');
}

static void put_key(struct form *form, const char *key)
{
    if (form->json)
        strbuf_printf(form->out, "%s\"%s\":", form->first ? "" : ",", key);
    else
        strbuf_printf(form->out, "%s: ", key);
    form->first = false;
}

void form_slice(struct form *form, const char *key, struct slice value)
{
    put_key(form, key);
    if (form->json)
        form_quote(value, form->out);
    else
        put_line(value, form->out);
}

void form_text(struct form *form, const char *key, const char *value)
{
    if (value != NULL) {
        form_slice(form, key, slice_of(value));
    } else if (form->json) {
        put_key(form, key);
        strbuf_puts(form->out, "null");
    }
}

void form_number(struct form *form, const char *key, uint64_t value)
{
    put_key(form, key);
    strbuf_printf(form->out, form->json ? "%llu" : "%llu\n", (unsigned long long)value);
}

void form_bool(struct form *form, const char *key, bool value)
{
    put_key(form, key);
    if (form->json)
        strbuf_puts(form->out, value ? "true" : "false");
    else
        strbuf_puts(form->out, value ? "yes\n" : "no\n");
}

void form_moment(struct form *form, const char *key, int64_t seconds)
{
    char text[MONO_WALL_TEXT_MAX];

    if (seconds == 0)
        form_text(form, key, NULL);
    else if (form->json)
        form_number(form, key, (uint64_t)seconds);
    else
        form_text(form, key, mono_wall_at(seconds, text));
}

void form_lines(struct form *form, const char *key, const char *lines)
{
    bool first = true;

    if (form->json) {
        put_key(form, key);
        strbuf_putc(form->out, '[');
    }
    for (const char *end; lines != NULL && (end = strchr(lines, '\n')) != NULL; lines = end + 1) {
        struct slice line = {lines, (size_t)(end - lines)};
        if (!form->json) {
            put_key(form, key);
            put_line(line, form->out);
            continue;
        }
        if (!first)
            strbuf_putc(form->out, ',');
        form_quote(line, form->out);
        first = false;
    }
    if (form->json)
        strbuf_putc(form->out, ']');
}

void form_list(struct form *form, const char *key, const char *items)
{
    if (!form->json)
        return;
    put_key(form, key);
    strbuf_putc(form->out, '[');
    strbuf_puts(form->out, items);
    strbuf_putc(form->out, ']');
}
