/* escape.c - see escape.h. */
#include "lib/base/escape.h"

#include <string.h>

struct out {
    char *p;
    size_t n, room;
};

/* A whole piece or nothing. */
static bool put(struct out *out, const char *piece, size_t n)
{
    if (n >= out->room - out->n)
        return false;
    memcpy(out->p + out->n, piece, n);
    out->n += n;
    return true;
}

static bool put_hex(struct out *out, const char *before, char byte)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char u = (unsigned char)byte;
    char piece[ESCAPE_JSON_WORST];
    size_t n = strlen(before);
    memcpy(piece, before, n);
    piece[n] = digits[u >> 4];
    piece[n + 1] = digits[u & 15];
    return put(out, piece, n + 2);
}

/* Length of the character s begins with when it may be shown as it is, else
 * 0. Terminals obey U+0080...U+009F like control bytes. */
static size_t shown(struct slice s)
{
    if (ascii_is_control(s.p[0]))
        return 0;
    size_t n = str_utf8_length(s);
    if (n == 2 && (unsigned char)s.p[0] == 0xc2 && (unsigned char)s.p[1] < 0xa0)
        return 0;
    return n;
}

static struct slice rest_of(struct slice in, size_t from)
{
    return (struct slice){in.p + from, in.n - from};
}

/* Text in which bytes that may not be shown become \xNN, and those of `marked`
 * get a backslash. */
static size_t escape_text(struct slice in, const char *marked, char *out, size_t room)
{
    struct out to = {out, 0, room};
    size_t used = 1;
    if (room == 0)
        return 0;
    for (size_t i = 0; i < in.n; i += used) {
        size_t n = shown(rest_of(in, i));
        bool fits;
        used = n ? n : 1;
        if (n == 0)
            fits = put_hex(&to, "\\x", in.p[i]);
        else if (n == 1 && strchr(marked, in.p[i]))
            fits = put(&to, (const char[]){'\\', in.p[i]}, 2);
        else
            fits = put(&to, in.p + i, n);
        if (!fits)
            break;
    }
    out[to.n] = '\0';
    return to.n;
}

size_t escape_log(struct slice in, char *out, size_t room)
{
    return escape_text(in, "\\\"", out, room);
}

size_t escape_line(struct slice in, char *out, size_t room)
{
    return escape_text(in, "", out, room);
}

bool escape_log_needs_quotes(struct slice in)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i += n) {
        n = shown(rest_of(in, i));
        if (n == 0 || (n == 1 && strchr(" =\"\\", in.p[i])))
            return true;
    }
    return in.n == 0;
}

size_t escape_reply(struct slice in, char *out, size_t room)
{
    struct out to = {out, 0, room};
    size_t used = 1;
    if (room == 0)
        return 0;
    for (size_t i = 0; i < in.n; i += used) {
        bool blank = ascii_is_space(in.p[i]);
        size_t n = blank ? 1 : shown(rest_of(in, i));
        used = n ? n : 1;
        if (blank && i > 0 && ascii_is_space(in.p[i - 1]))
            continue;
        if (!put(&to, blank ? " " : n ? in.p + i : "?", used))
            break;
    }
    out[to.n] = '\0';
    return to.n;
}

/* U+0080...U+009F are two bytes, of which the second says which. */
static bool put_json(struct out *out, struct slice s, size_t *used)
{
    bool high = s.n > 1 && (unsigned char)s.p[0] == 0xc2 && (unsigned char)s.p[1] < 0xa0 &&
                str_utf8_length(s) == 2;
    size_t n = shown(s);
    *used = n ? n : high ? 2 : 1;
    if (n == 1 && strchr("\\\"", s.p[0]))
        return put(out, (const char[]){'\\', s.p[0]}, 2);
    if (n > 0)
        return put(out, s.p, n);
    if (!high && (unsigned char)s.p[0] >= 128)
        return put(out, "\xef\xbf\xbd", 3);
    return put_hex(out, "\\u00", s.p[high]);
}

size_t escape_json(struct slice in, char *out, size_t room)
{
    struct out to = {out, 0, room};
    size_t used = 1;
    if (room == 0)
        return 0;
    for (size_t i = 0; i < in.n; i += used) {
        if (!put_json(&to, rest_of(in, i), &used))
            break;
    }
    out[to.n] = '\0';
    return to.n;
}

size_t escape_ldap(struct slice in, char *out, size_t room)
{
    struct out to = {out, 0, room};
    if (room == 0)
        return 0;
    for (size_t i = 0; i < in.n; i++) {
        /* strchr() also finds the NUL, which must be escaped too. */
        bool plain = (unsigned char)in.p[i] < 128 && !strchr("*()\\", in.p[i]);
        if (!(plain ? put(&to, in.p + i, 1) : put_hex(&to, "\\", in.p[i])))
            break;
    }
    out[to.n] = '\0';
    return to.n;
}
