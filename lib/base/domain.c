/*
 * domain.c - the canonical form of domain names.
 *
 * Plain ASCII names, nearly all of them, are checked and lower-cased here; only
 * a name with 8-bit bytes is handed to libidn2, and what comes back goes the
 * same way as a name that came in ASCII.
 */
#include "lib/base/domain.h"

#include <idn2.h>
#include <string.h>

#define LABEL_MAX 63
#define NAME_MAX_BYTES (DOMAIN_MAX - 1)
/* A name of 253 bytes in ASCII has at most as many characters, each of up to
 * four bytes; more is not worth converting. */
#define UTF8_NAME_MAX (4 * NAME_MAX_BYTES)

static bool is_name_byte(char c)
{
    return ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool label_is_good(const char *p, size_t n)
{
    if (n == 0 || n > LABEL_MAX || p[0] == '-' || p[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_name_byte(p[i]))
            return false;
    }
    return true;
}

static bool canon_ascii(struct slice text, char out[DOMAIN_MAX])
{
    if (text.n > 0 && text.p[text.n - 1] == '.')
        text.n--;
    if (text.n > NAME_MAX_BYTES)
        return false;
    for (size_t from = 0, i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] != '.')
            continue;
        if (!label_is_good(text.p + from, i - from))
            return false;
        from = i + 1;
    }
    for (size_t i = 0; i < text.n; i++)
        out[i] = ascii_lower(text.p[i]);
    out[text.n] = '\0';
    return true;
}

static bool canon_utf8(struct slice text, char out[DOMAIN_MAX])
{
    char copy[UTF8_NAME_MAX + 2]; /* a final dot, NUL */
    if (text.n >= sizeof copy || memchr(text.p, '\0', text.n) != NULL)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    char *ascii = NULL;
    /* Without the transitional mapping: "straße" is not "strasse" any more. */
    if (idn2_to_ascii_8z(copy, &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    bool good = canon_ascii(slice_of(ascii), out);
    idn2_free(ascii);
    return good;
}

bool domain_canon(struct slice text, char out[DOMAIN_MAX])
{
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] > 127)
            return canon_utf8(text, out);
    }
    return canon_ascii(text, out);
}

static bool has_alabel(const char *name)
{
    for (; name != NULL; name = domain_parent(name)) {
        if (strncmp(name, "xn--", 4) == 0)
            return true;
    }
    return false;
}

bool domain_to_unicode(const char *canonical, char *out, size_t room)
{
    char *text = NULL;
    size_t n = strlen(canonical);
    if (has_alabel(canonical)) {
        if (idn2_to_unicode_8z8z(canonical, &text, 0) != IDN2_OK)
            return false;
        /* Punycode can spell anything, line ends and look-alikes of ASCII too:
         * only what leads back to the same name is its Unicode form. */
        char back[DOMAIN_MAX];
        if (!domain_canon(slice_of(text), back) || strcmp(back, canonical) != 0) {
            idn2_free(text);
            return false;
        }
        n = strlen(text);
    }
    bool fits = n < room;
    if (fits)
        memcpy(out, text != NULL ? text : canonical, n + 1);
    idn2_free(text);
    return fits;
}

bool domain_is_numeric(const char *canonical)
{
    const char *last = strrchr(canonical, '.');
    last = last != NULL ? last + 1 : canonical;
    return last[0] != '\0' && last[strspn(last, "0123456789")] == '\0';
}

const char *domain_parent(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot != NULL ? dot + 1 : NULL;
}
