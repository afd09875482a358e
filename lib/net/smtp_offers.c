/* smtp_offers.c - see smtp_offers.h. */
#include "lib/net/smtp_offers.h"

#include <string.h>

unsigned smtp_offers(struct slice text)
{
    static const struct {
        const char *keyword;
        enum smtp_offer offer;
    } known[] = {{"PIPELINING", SMTP_OFFERS_PIPELINING},
                 {"STARTTLS", SMTP_OFFERS_STARTTLS},
                 {"SMTPUTF8", SMTP_OFFERS_SMTPUTF8}};
    unsigned offers = 0;
    bool first_line = true;
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        for (size_t i = 0; i < ARRAY_LEN(known) && !first_line; i++) {
            if (slice_is_nocase(slice_trim((struct slice){text.p, n}), known[i].keyword))
                offers |= known[i].offer;
        }
        first_line = false;
        n += end != NULL;
        text = (struct slice){text.p + n, text.n - n};
    }
    return offers;
}

const char smtp_offers_no_utf8[] = "the server does not offer SMTPUTF8";

const char *smtp_offers_refuse(unsigned offers, const char *recipient, bool utf8)
{
    size_t n = strlen(recipient);
    if (n == 0 || n > RCPT_BYTES_MAX)
        return "an address of this length is not asked for";
    for (size_t i = 0; i < n; i++) {
        if (ascii_is_control(recipient[i]))
            return "an address with control bytes is not asked for";
        if ((unsigned char)recipient[i] >= 128 && !utf8)
            return "an address with 8-bit bytes needs SMTPUTF8";
    }
    if (utf8 && !(offers & SMTP_OFFERS_SMTPUTF8))
        return smtp_offers_no_utf8;
    return NULL;
}
