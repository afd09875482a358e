/*
 * smtp_offers_fuzz.c - answers to EHLO, and addresses for the commands that follow.
 *
 * Up to the first NUL the text of an answer, then an address. An offer is a
 * whole line behind the first one; what is put into a command is one line of it.
 */
#include <string.h>
#include "lib/net/smtp_offers.h"
#include "lib/net/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Without its first line; "" when it has no other. */
static struct slice behind_first_line(struct slice text)
{
    const char *end = text.n > 0 ? memchr(text.p, '\n', text.n) : NULL;
    size_t n = end ? (size_t)(end - text.p) + 1 : text.n;
    return (struct slice){text.p + n, text.n - n};
}

static bool has_word(struct slice text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.n; i++) {
        if (slice_is_nocase((struct slice){text.p + i, n}, word))
            return true;
    }
    return false;
}

static void check_offers(struct slice text)
{
    char twice[2 * SMTP_TEXT_KEPT + 1];
    unsigned offers = smtp_offers(text);
    struct slice lines = behind_first_line(text);
    CHECK(offers < 8);
    CHECK(!(offers & SMTP_OFFERS_PIPELINING) || has_word(lines, "PIPELINING"));
    CHECK(!(offers & SMTP_OFFERS_STARTTLS) || has_word(lines, "STARTTLS"));
    CHECK(!(offers & SMTP_OFFERS_SMTPUTF8) || has_word(lines, "SMTPUTF8"));
    if (text.n > SMTP_TEXT_KEPT || text.n == 0)
        return;
    /* The same lines again offer the same. */
    memcpy(twice, text.p, text.n);
    twice[text.n] = '\n';
    memcpy(twice + text.n + 1, lines.p, lines.n);
    CHECK(smtp_offers((struct slice){twice, text.n + 1 + lines.n}) == offers);
}

static void check_address(const char *address)
{
    size_t n = strlen(address);
    for (unsigned offers = 0; offers < 8; offers++) {
        for (unsigned utf8 = 0; utf8 < 2; utf8++) {
            if (smtp_offers_refuse(offers, address, utf8 == 1))
                continue;
            CHECK(n > 0 && n <= RCPT_BYTES_MAX);
            CHECK(!utf8 || (offers & SMTP_OFFERS_SMTPUTF8));
            for (size_t i = 0; i < n; i++) {
                CHECK(!ascii_is_control(address[i]));
                CHECK(utf8 || (unsigned char)address[i] < 128);
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    if (copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    size_t n = strlen(copy);
    check_offers((struct slice){copy, n});
    check_address(n < size ? copy + n + 1 : copy);
    free(copy);
    return 0;
}
