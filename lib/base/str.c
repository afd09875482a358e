/* str.c - see str.h. */
#include "lib/base/str.h"

#include <string.h>

struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

struct slice slice_trim(struct slice s)
{
    while (s.n > 0 && ascii_is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && ascii_is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool slice_is(struct slice s, const char *text)
{
    size_t n = strlen(text);
    return s.n == n && (n == 0 || memcmp(s.p, text, n) == 0);
}

bool slice_is_nocase(struct slice s, const char *text)
{
    size_t i = 0;
    while (i < s.n && text[i] && ascii_lower(s.p[i]) == ascii_lower(text[i]))
        i++;
    return i == s.n && !text[i];
}

void strbuf_init(struct strbuf *buf)
{
    *buf = (struct strbuf){0};
}

void strbuf_done(struct strbuf *buf)
{
    free(buf->p);
    strbuf_init(buf);
}

void strbuf_reset(struct strbuf *buf)
{
    buf->n = 0;
    if (buf->p)
        buf->p[0] = '\0';
}

/* Room for n more bytes and the final NUL. */
static bool reserve(struct strbuf *buf, size_t n)
{
    if (buf->failed)
        return false;
    if (n < buf->room - buf->n)
        return true;
    size_t room = buf->room ? buf->room : 64;
    while (room <= SIZE_MAX / 2 && room - buf->n <= n)
        room *= 2;
    char *p = room - buf->n > n ? realloc(buf->p, room) : NULL;
    if (!p) {
        buf->failed = true;
        return false;
    }
    buf->p = p;
    buf->room = room;
    return true;
}

void strbuf_add(struct strbuf *buf, const char *p, size_t n)
{
    if (!reserve(buf, n))
        return;
    if (n > 0)
        memcpy(buf->p + buf->n, p, n);
    buf->n += n;
    buf->p[buf->n] = '\0';
}

void strbuf_puts(struct strbuf *buf, const char *text)
{
    strbuf_add(buf, text, strlen(text));
}

void strbuf_putc(struct strbuf *buf, char c)
{
    strbuf_add(buf, &c, 1);
}

void strbuf_printf(struct strbuf *buf, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strbuf_vprintf(buf, fmt, ap);
    va_end(ap);
}

void strbuf_vprintf(struct strbuf *buf, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0) {
        buf->failed = true;
    } else if (reserve(buf, (size_t)n)) {
        vsnprintf(buf->p + buf->n, (size_t)n + 1, fmt, again);
        buf->n += (size_t)n;
    }
    va_end(again);
}

const char *strbuf_text(const struct strbuf *buf)
{
    return buf->p ? buf->p : "";
}

char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool ascii_is_alnum(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c);
}

bool ascii_is_space(char c)
{
    return c == ' ' || c == '\t';
}

bool ascii_is_control(char c)
{
    unsigned char u = (unsigned char)c;
    return u < 32 || u == 127;
}

int ascii_casecmp(const char *a, const char *b)
{
    while (*a && ascii_lower(*a) == ascii_lower(*b)) {
        a++;
        b++;
    }
    return (unsigned char)ascii_lower(*a) - (unsigned char)ascii_lower(*b);
}

void ascii_lower_in_place(char *text)
{
    for (; *text; text++)
        *text = ascii_lower(*text);
}

bool str_to_uint(struct slice s, uint64_t max, uint64_t *value_out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit(s.p[i]))
            return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (s.n == 0)
        return false;
    *value_out = value;
    return true;
}

/* Lead byte: length of the character and, for the leads where RFC 3629 section
 * 4 narrows it, the range of the second byte. */
static size_t lead_byte(unsigned char lead, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef) {
        if (lead == 0xe0)
            *low = 0xa0; /* shorter form exists */
        if (lead == 0xed)
            *high = 0x9f; /* surrogates */
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        if (lead == 0xf0)
            *low = 0x90; /* shorter form exists */
        if (lead == 0xf4)
            *high = 0x8f; /* above U+10FFFF */
        return 4;
    }
    return 0;
}

size_t str_utf8_length(struct slice s)
{
    unsigned char low, high;
    if (s.n == 0)
        return 0;
    size_t n = lead_byte((unsigned char)s.p[0], &low, &high);
    if (n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < low || c > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return n;
}

/* Where the bracket that opens at `open` closes; s.n: not before a blank. */
static size_t closing_bracket(struct slice s, size_t open)
{
    size_t at = open;
    while (at < s.n && strchr("] \t\r\n", s.p[at]) == NULL)
        at++;
    return at < s.n && s.p[at] == ']' ? at : s.n;
}

size_t str_item(struct slice s, const char *stops)
{
    bool closes = true; /* a bracket that opens; where one does not, no later one does */
    size_t n = 0, nstops = strlen(stops);
    for (; n < s.n && memchr(stops, s.p[n], nstops) == NULL; n++) {
        if (!closes || s.p[n] != '[')
            continue;
        size_t end = closing_bracket(s, n);
        closes = end < s.n;
        n = closes ? end : n;
    }
    return n;
}

bool str_is_utf8(struct slice s)
{
    while (s.n > 0) {
        size_t n = str_utf8_length(s);
        if (n == 0)
            return false;
        s.p += n;
        s.n -= n;
    }
    return true;
}
