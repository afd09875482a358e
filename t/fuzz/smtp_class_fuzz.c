/*
 * smtp_class_fuzz.c - the meaning of replies on any bytes in all fields.
 *
 * Input: stage, code (two bytes), status, recipient, sender, text; the last
 * four are separated by NULs, missing ones are empty. In text a byte 0x01
 * stands for the recipient asked about. user_unknown needs a 5xx at RCPT,
 * valid a 2xx there; a reply means the same of whichever recipient it names.
 */
#include <string.h>
#include "lib/net/smtp_class.h"
#include "lib/net/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice next_field(struct slice *rest)
{
    const char *end = rest->n > 0 ? memchr(rest->p, '\0', rest->n) : NULL;
    struct slice field = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    size_t used = field.n + (end != NULL);
    *rest = (struct slice){rest->p + used, rest->n - used};
    return field;
}

/* The text with an address in place of each 0x01. */
static struct slice fill(struct slice text, const char *address, char *out, size_t room)
{
    size_t n = 0, address_n = strlen(address);
    for (size_t i = 0; i < text.n && n + address_n < room; i++) {
        if (text.p[i] == '\x01') {
            memcpy(out + n, address, address_n);
            n += address_n;
        } else {
            out[n++] = text.p[i];
        }
    }
    return (struct slice){out, n};
}

static enum callahead_class classify(const struct smtp_said *template, struct slice recipient,
                                     struct slice text)
{
    struct smtp_said said = *template;
    said.recipient = recipient;
    said.text = text;
    enum callahead_class class = smtp_classify(&said);
    bool rcpt = said.stage == CALLAHEAD_AT_RCPT;
    CHECK((class == CALLAHEAD_VALID) == (rcpt && said.code / 100 == 2));
    CHECK(class != CALLAHEAD_USER_UNKNOWN || (rcpt && said.code / 100 == 5));
    CHECK(class == smtp_classify(&said));
    return class;
}

/* Of equal length, so that the same of the text is looked at. The address
 * stands in brackets: elsewhere the words around it are part of the matter. */
static void check_addresses(const struct smtp_said *template, struct slice text)
{
    static const char *const paths[] = {"<jane.gray7@site.example>", "<spam.blck7@site.example>",
                                        "<over.quota@site.example>", "<rate_limit@site.example>",
                                        "<sender.ip7@site.example>", "<no.such.uu@site.example>"};
    enum callahead_class first = CALLAHEAD_VALID;
    char filled[2 * SMTP_TEXT_KEPT];
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct slice recipient = {paths[i] + 1, strlen(paths[i]) - 2};
        enum callahead_class class =
            classify(template, recipient, fill(text, paths[i], filled, sizeof filled));
        CHECK(i == 0 || class == first);
        first = class;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char status[12] = "";
    if (size < 3)
        return 0;
    struct slice rest = {(const char *)data + 3, size - 3};
    struct slice code = next_field(&rest), recipient = next_field(&rest),
                 sender = next_field(&rest);
    memcpy(status, code.p, code.n < sizeof status ? code.n : sizeof status - 1);
    struct smtp_said said = {.stage = (enum callahead_stage)(data[0] % (CALLAHEAD_AT_RCPT + 1)),
                             .code = (data[1] * 256 + data[2]) % 700,
                             .status = status,
                             .sender = sender};
    (void)classify(&said, recipient, rest);
    said.sender = slice_of("");
    check_addresses(&said, rest);
    return 0;
}
