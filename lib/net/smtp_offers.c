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
