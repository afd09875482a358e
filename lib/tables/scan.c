/* scan.c - see scan.h. */
#include "lib/tables/scan.h"

#include <string.h>

unsigned scan_column(const struct scan *scan)
{
    return scan->at < UINT32_MAX ? (unsigned)scan->at + 1 : UINT32_MAX;
}

bool scan_end(const struct scan *scan)
{
    return scan->at >= scan->line.n;
}

void scan_blanks(struct scan *scan)
{
    while (!scan_end(scan) && ascii_is_space(scan->line.p[scan->at]))
        scan->at++;
}

bool scan_next_is(const struct scan *scan, char c)
{
    return !scan_end(scan) && scan->line.p[scan->at] == c;
}

bool scan_take(struct scan *scan, char c)
{
    bool is = scan_next_is(scan, c);
    scan->at += is;
    return is;
}

struct slice scan_rest(const struct scan *scan)
{
    return (struct slice){scan->line.p + scan->at, scan->line.n - scan->at};
}

struct slice scan_word(struct scan *scan, const char *stops)
{
    size_t from = scan->at;
    bool quoted = false;
    for (; !scan_end(scan); scan->at++) {
        char c = scan->line.p[scan->at];
        if (c == '"')
            quoted = !quoted;
        else if (quoted && c == '\\' && scan->at + 1 < scan->line.n)
            scan->at++;
        else if (!quoted && (ascii_is_space(c) || strchr(stops, c) != NULL))
            break;
    }
    return (struct slice){scan->line.p + from, scan->at - from};
}

bool scan_utf8(struct slice text, struct arena *arena, struct slice *utf8_out)
{
    *utf8_out = text;
    if (str_is_utf8(text))
        return true;
    /* A Latin-1 byte is the code point of the same number: two bytes at most. */
    char *p = arena_alloc(arena, 2 * text.n);
    if (p == NULL)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t byte = (uint8_t)text.p[i];
        if (byte < 0x80) {
            p[n++] = (char)byte;
        } else {
            p[n++] = (char)(0xc0 | byte >> 6);
            p[n++] = (char)(0x80 | (byte & 0x3f));
        }
    }
    *utf8_out = (struct slice){p, n};
    return true;
}

bool scan_quoted(struct scan *scan, struct arena *arena, const char **text_out, struct err *err)
{
    size_t from = scan->at + 1, end = from, n = 0;
    CHECK(scan_next_is(scan, '"'));
    for (; end < scan->line.n && scan->line.p[end] != '"'; end++)
        end += scan->line.p[end] == '\\';
    if (end >= scan->line.n)
        return err_set(err, ERR_SYNTAX, "the closing double quote is missing");
    struct slice utf8;
    char *text = arena_alloc(arena, end - from + 1);
    if (text == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = from; i < end; i++) {
        i += scan->line.p[i] == '\\' && scan->line.p[i + 1] != 'n';
        text[n++] = scan->line.p[i];
    }
    if (!scan_utf8((struct slice){text, n}, arena, &utf8))
        return err_set(err, ERR_MEMORY, "out of memory");
    *text_out = utf8.p == text ? text : arena_dup_slice(arena, utf8);
    scan->at = end + 1;
    return *text_out != NULL || err_set(err, ERR_MEMORY, "out of memory");
}
