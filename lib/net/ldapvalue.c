/* ldapvalue.c - see ldapvalue.h. */
#include "lib/net/ldapvalue.h"

/* No local part has a colon but in quotes (RFC 5321 section 4.1.2), so one behind a
 * word without quotes ends the name of a kind. */
static size_t kind_length(struct slice value)
{
    size_t n = 0;

    while (n < value.n && (ascii_is_alnum(value.p[n]) || value.p[n] == '-' || value.p[n] == '_'))
        n++;
    return n > 0 && n < value.n && value.p[n] == ':' ? n : 0;
}

enum ldapvalue_kind ldapvalue_kind(struct slice value, struct slice *rest_out)
{
    value = slice_trim(value);
    size_t n = kind_length(value);
    struct slice word = {value.p, n};

    *rest_out = value;
    if (n == 0)
        return LDAPVALUE_PLAIN;
    *rest_out = slice_trim((struct slice){value.p + n + 1, value.n - n - 1});
    if (!slice_is_nocase(word, "smtp"))
        return LDAPVALUE_FOREIGN;
    return slice_is(word, "SMTP") ? LDAPVALUE_PRIMARY : LDAPVALUE_SMTP;
}
