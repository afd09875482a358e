/*
 * smtp_reply_fuzz.c - the reply parser and the classifier on any bytes, in two
 * pieces whose border the first byte sets.
 */
#include <string.h>
#include "lib/net/smtp_class.h"
#include "lib/net/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct smtp_reply *reply)
{
    CHECK(reply->code >= 200 && reply->code <= 599);
    CHECK(reply->text_n <= SMTP_TEXT_KEPT && reply->lines >= 1);
    CHECK(strlen(reply->status) < sizeof reply->status);
    CHECK(strlen(reply->other_status) < sizeof reply->other_status);
    CHECK(!memchr(reply->text, '\0', reply->text_n) && !memchr(reply->text, '\r', reply->text_n));
    for (int stage = CALLAHEAD_AT_RESOLVE; stage <= CALLAHEAD_AT_RCPT; stage++) {
        enum callahead_class class =
            smtp_classify_reply((enum callahead_stage)stage, reply, NULL, NULL);
        CHECK((class == CALLAHEAD_VALID) == (stage == CALLAHEAD_AT_RCPT && reply->code < 300));
        CHECK(class != CALLAHEAD_USER_UNKNOWN || reply->code >= 500);
    }
}

static bool feed(struct smtp_parser *parser, const char *bytes, size_t n)
{
    struct slice in = {bytes, n};
    const char *why = NULL;
    enum smtp_parse parse = SMTP_PARSE_REPLY;
    while (parse == SMTP_PARSE_REPLY) {
        parse = smtp_parser_feed(parser, &in, &why);
        if (parse == SMTP_PARSE_REPLY)
            check(&parser->reply);
    }
    return parse == SMTP_PARSE_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_parser parser;
    size_t border = size > 1 ? data[0] % size : 0;
    const char *bytes = (const char *)data;
    smtp_parser_init(&parser);
    if (size > 0 && feed(&parser, bytes + 1, border ? border - 1 : 0))
        (void)feed(&parser, bytes + (border ? border : 1), size - (border ? border : 1));
    return 0;
}
