/*
 * replytext.c - split and check "5.5.4 text".
 */
#include "lib/base/replytext.h"

#include <string.h>
#include "lib/base/str.h"

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
    return p[at] == '\0' || ascii_is_space(p[at]) ? at : 0;
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
