#include "milter/form.h"

#include <string.h>

#include "lib/base/escape.h"

/* Room for one piece of input, at its worst, and the NUL. */
#define PIECE 512

void form_begin(struct form *form, bool json, struct strbuf *out)
{
    *form = (struct form){.out = out, .json = json, .first = true};
    strbuf_init(&form->tail);
    if (json)
        strbuf_putc(out, '{');
    else
        sheet_begin(&form->sheet, NULL, 2);
}

void form_close(struct form *form)
{
    if (form->json)
        strbuf_putc(form->out, '}');
}

void form_end(struct form *form)
{
    form_close(form);
    if (form->json) {
        strbuf_putc(form->out, '\n');
        return;
    }
    sheet_end(&form->sheet, form->out);
    strbuf_puts(form->out, strbuf_text(&form->tail));
    form->out->failed = form->out->failed || form->tail.failed;
    strbuf_done(&form->tail);
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

/* JSON only. */
static void put_key(struct form *form, const char *key)
{
    strbuf_printf(form->out, "%s\"%s\":", form->first ? "" : ",", key);
    form->first = false;
}

/* key "": one more of the line before. */
static void put_line(struct form *form, const char *key, struct slice value, enum sheet_tone tone)
{
    char label[80];

    snprintf(label, sizeof label, "%s%s", key, key[0] != '\0' ? ":" : "");
    sheet_put(&form->sheet, slice_of(label), SHEET_PLAIN);
    sheet_put(&form->sheet, value, tone);
}

void form_slice(struct form *form, const char *key, struct slice value)
{
    if (!form->json) {
        put_line(form, key, value, sheet_tone(key, value));
        return;
    }
    put_key(form, key);
    form_quote(value, form->out);
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
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    if (!form->json) {
        form_text(form, key, text);
        return;
    }
    put_key(form, key);
    strbuf_puts(form->out, text);
}

void form_bool(struct form *form, const char *key, bool value)
{
    if (!form->json) {
        form_text(form, key, value ? "yes" : "no");
        return;
    }
    put_key(form, key);
    strbuf_puts(form->out, value ? "true" : "false");
}

void form_moment(struct form *form, const char *key, int64_t seconds)
{
    char text[SHEET_TEXT_MAX];

    if (seconds == 0)
        form_text(form, key, NULL);
    else if (form->json)
        form_number(form, key, (uint64_t)seconds);
    else
        form_text(form, key, sheet_moment(seconds, text));
}

void form_span(struct form *form, const char *key, int64_t seconds)
{
    char text[SHEET_TEXT_MAX];

    if (form->json)
        form_number(form, key, (uint64_t)seconds);
    else
        form_text(form, key, sheet_span(seconds, text));
}

void form_ms(struct form *form, const char *key, uint64_t ms)
{
    char text[32];

    snprintf(text, sizeof text, "%llu ms", (unsigned long long)ms);
    if (form->json)
        form_number(form, key, ms);
    else
        form_text(form, key, text);
}

static struct slice line_of(const char *lines)
{
    const char *end = strchr(lines, '\n');
    return (struct slice){lines, end != NULL ? (size_t)(end - lines) : strlen(lines)};
}

static void put_lines(struct form *form, const char *key, const char *lines)
{
    while (*lines != '\0') {
        struct slice line = line_of(lines);
        put_line(form, key, line, SHEET_PLAIN);
        lines += line.n + (lines[line.n] == '\n');
        key = "";
    }
}

void form_lines(struct form *form, const char *key, const char *lines)
{
    bool first = true;

    lines = lines != NULL ? lines : "";
    if (!form->json) {
        put_lines(form, key, lines);
        return;
    }
    put_key(form, key);
    strbuf_putc(form->out, '[');
    while (*lines != '\0') {
        struct slice line = line_of(lines);
        strbuf_puts(form->out, first ? "" : ",");
        form_quote(line, form->out);
        lines += line.n + (lines[line.n] == '\n');
        first = false;
    }
    strbuf_putc(form->out, ']');
}

void form_reply(struct form *form, const char *key, const char *text)
{
    if (form->json || text == NULL)
        form_text(form, key, text);
    else
        put_lines(form, key, text);
}

void form_note(struct form *form, const char *fmt, ...)
{
    struct strbuf text;
    va_list ap;

    if (form->json)
        return;
    strbuf_init(&text);
    va_start(ap, fmt);
    strbuf_vprintf(&text, fmt, ap);
    va_end(ap);
    struct sheet sheet;
    sheet_begin(&sheet, NULL, 1);
    sheet_put(&sheet, slice_of(strbuf_text(&text)), SHEET_PLAIN);
    form_table(form, &sheet);
    form->out->failed = form->out->failed || text.failed;
    strbuf_done(&text);
}

void form_table(struct form *form, struct sheet *sheet)
{
    sheet_end(sheet, &form->tail);
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
