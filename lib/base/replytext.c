/*
 * replytext.c - split and check "5.5.4 text".
 */
#include "lib/base/replytext.h"

#include <string.h>

/* --- as written -------------------------------------------------------------- */

/* Terminals obey U+0080...U+009F like control bytes. */
static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        bool c1 = (uint8_t)text.p[i] == 0xc2 && i + 1 < text.n && (uint8_t)text.p[i + 1] < 0xa0;
        if (ascii_is_control(text.p[i]) || c1)
            return true;
    }
    return false;
}

static bool check(struct slice written, struct err *err)
{
    if (written.n > REPLYTEXT_MAX)
        return err_set(err, ERR_RANGE, "the text has %zu bytes; allowed: at most %d", written.n,
                       REPLYTEXT_MAX);
    if (has_control(written))
        return err_set(
            err, ERR_SYNTAX,
            "the text holds a control character; allowed: text without tabs, and \\n for "
            "a new line of the reply");
    return str_is_utf8(written) || err_set(err, ERR_SYNTAX, "the text is not UTF-8");
}

bool replytext_read(struct slice written, struct arena *arena, const char **text_out,
                    struct err *err)
{
    size_t n = 0, lines = 1;
    *text_out = "";
    if (!check(written, err))
        return false;
    if (written.n == 0)
        return true;
    char *text = arena_alloc(arena, written.n + 1);
    if (text == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < written.n; i++) {
        bool line = written.p[i] == '\\' && i + 1 < written.n && written.p[i + 1] == 'n';
        text[n++] = line ? '\n' : written.p[i];
        i += line;
        lines += line;
    }
    text[n] = '\0';
    *text_out = text;
    return lines <= REPLYTEXT_LINES_MAX ||
           err_set(err, ERR_RANGE, "the text has %zu lines; allowed: at most %d", lines,
                   REPLYTEXT_LINES_MAX);
}

void replytext_print(const char *text, struct strbuf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            strbuf_puts(out, "\\n");
        else
            strbuf_putc(out, *text);
    }
}

/* --- the status in front ------------------------------------------------------- */

/* Digits of one part of a status: 1 to 3 without a leading zero (RFC 3463
 * section 2); 0 when p does not begin with such a number. */
static size_t part_length(const char *p)
{
    size_t n = 0;
    while (n < 4 && ascii_is_digit(p[n]))
        n++;
    return n > 3 || (n > 1 && p[0] == '0') ? 0 : n;
}

/* Bytes of the status p begins with, or 0. */
static size_t status_length(const char *p)
{
    if (p[0] != '2' && p[0] != '4' && p[0] != '5')
        return 0;
    size_t at = 1;
    for (int part = 0; part < 2; part++) {
        if (p[at] != '.')
            return 0;
        at++;
        size_t n = part_length(p + at);
        if (n == 0)
            return 0;
        at += n;
    }
    return p[at] == '\0' || p[at] == '\n' || ascii_is_space(p[at]) ? at : 0;
}

static const char *skip_blanks(const char *p)
{
    while (ascii_is_space(*p))
        p++;
    return p;
}

void replytext_split(const char *text, char status_out[REPLYTEXT_STATUS_MAX], const char **rest_out)
{
    const char *p = skip_blanks(text);
    const char *status = p[0] == '#' ? p + 1 : p;
    size_t n = status_length(status);
    memcpy(status_out, status, n);
    status_out[n] = '\0';
    *rest_out = n > 0 ? skip_blanks(status + n) : p;
    /* A status alone in its line is no line of the text. */
    if (n > 0 && **rest_out == '\n')
        ++*rest_out;
}

bool replytext_fits(const char *text, int code, struct err *err)
{
    char status[REPLYTEXT_STATUS_MAX];
    const char *rest;
    replytext_split(text, status, &rest);
    if (status[0] == '\0' || status[0] - '0' == code / 100)
        return true;
    return err_set(err, ERR_RANGE, "the status %s does not fit the code %d: it must begin with %d",
                   status, code, code / 100);
}
