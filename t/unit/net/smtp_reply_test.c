/* smtp_reply_test.c - the reply parser: shapes, limits, every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/net/smtp_reply.h"

struct good {
    const char *in;
    int code;
    const char *status, *text;
    unsigned lines;
};

static const struct good goods[] = {
    {"250\r\n", 250, "", "", 1},
    {"250 \r\n", 250, "", "", 1},
    {"250 ok\r\n", 250, "", "ok", 1},
    {"250 ok\n", 250, "", "ok", 1},
    {"200 lowest\r\n", 200, "", "lowest", 1},
    {"599 highest\r\n", 599, "", "highest", 1},
    {"354 go\r\n", 354, "", "go", 1},
    {"550 5.1.1 no such user\r\n", 550, "5.1.1", "no such user", 1},
    {"550 #5.1.0 Address rejected.\r\n", 550, "5.1.0", "Address rejected.", 1},
    {"550 5.1.1\r\n", 550, "5.1.1", "", 1},
    {"550 5.999.999 long\r\n", 550, "5.999.999", "long", 1},
    {"550 5.1000.1 text\r\n", 550, "", "5.1000.1 text", 1},
    {"550 3.1.1 text\r\n", 550, "", "3.1.1 text", 1},
    {"550 5.1.1text\r\n", 550, "", "5.1.1text", 1},
    {"550 5.1 text\r\n", 550, "", "5.1 text", 1},
    {"550 5..1 text\r\n", 550, "", "5..1 text", 1},
    {"550 4.1.1 contradicts\r\n", 550, "4.1.1", "contradicts", 1},
    {"250-a\r\n250-b\r\n250 c\r\n", 250, "", "a\nb\nc", 3},
    {"250-a\r\n250\r\n", 250, "", "a\n", 2},
    {"250-\r\n250 c\r\n", 250, "", "\nc", 2},
    {"550-5.7.1 first\r\n550 5.7.2 second\r\n", 550, "5.7.1", "first\nsecond", 2},
    {"550-no status\r\n550 5.1.1 here\r\n", 550, "5.1.1", "no status\nhere", 2},
    {"250 caf\xc3\xa9 \x80\x01\x7f\r\n", 250, "", "caf\xc3\xa9 \x80\x01\x7f", 1},
};

static const char *const bads[] = {
    "\r\n",           "\n",           "25\r\n",        "2500 x\r\n",  "250x\r\n",
    "199 x\r\n",      "600 x\r\n",    "099 x\r\n",     "x50 x\r\n",   "hello\r\n",
    "250_x\r\n",      " 250 x\r\n",   "25a x\r\n",     "250\tx\r\n",  "250-a\r\n550 b\r\n",
    "250-a\r\nb\r\n", "250 a\rb\r\n", "250-a\r\n\r\n", "250 a\r\r\n",
};

/* Of whom a reply speaks. */
static const struct {
    const char *in;
    bool of_server, too_many;
} speakers[] = {
    {"421 4.4.2 Timeout\r\n", true, false},
    {"421 go\r\n", true, false},
    {"450 4.3.2 Not now\r\n", true, false},
    {"451 4.3.0 <a@b.example>: Temporary lookup failure\r\n", true, false},
    {"452 4.3.1 Insufficient system resources\r\n", true, true},
    {"452 Insufficient System Storage\r\n", true, true},
    {"452-Sorry\r\n452 insufficient resources\r\n", true, true},
    {"452 4.4.5 Insufficient system storage\r\n", true, true},
    {"452 4.2.2 Mailbox full, insufficient system storage\r\n", false, true},
    {"452 4.5.3 Too many recipients\r\n", false, true},
    {"451 4.5.3 Too many\r\n", false, true},
    {"550 5.5.3 Too many\r\n", false, true},
    {"451 Temporary local problem\r\n", false, false},
    {"450 4.2.0 Greylisted\r\n", false, false},
    {"451 4.7.1 4.3.0\r\n", false, false},
    {"550 5.3.0 Insufficient system resources\r\n", false, false},
    {"554 4.3.0 contradicts\r\n", false, false},
    {"250 2.1.5 insufficient system resources\r\n", false, false},
};

static enum smtp_parse feed(struct smtp_parser *parser, const char *in, size_t n, size_t *left_out)
{
    const char *why = NULL;
    struct slice s = {in, n};
    enum smtp_parse parse = smtp_parser_feed(parser, &s, &why);
    assert_int_equal(parse == SMTP_PARSE_MALFORMED, why != NULL);
    *left_out = s.n;
    return parse;
}

static void check_reply(const struct smtp_reply *reply, const struct good *good)
{
    struct slice text = smtp_reply_text(reply);
    assert_int_equal(reply->code, good->code);
    assert_string_equal(reply->status, good->status);
    assert_int_equal(text.n, strlen(good->text));
    assert_memory_equal(text.p, good->text, text.n);
    assert_int_equal(reply->lines, good->lines);
}

/* What lines after the first one with a status say that it does not. */
static void test_other_status(void **state)
{
    static const struct {
        const char *in, *status, *other;
    } rows[] = {
        {"550 5.1.1 a\r\n", "5.1.1", ""},
        {"550-5.1.1 a\r\n550 5.1.1 b\r\n", "5.1.1", ""},
        {"550-a\r\n550 5.1.1 b\r\n", "5.1.1", ""},
        {"550-5.7.1 a\r\n550 #5.7.2 b\r\n", "5.7.1", "5.7.2"},
        {"550-5.7.1 a\r\n550-5.7.2 b\r\n550-5.7.1 c\r\n550 5.7.2 d\r\n", "5.7.1", "5.7.2"},
        {"550-5.7.1 a\r\n550-5.7.2 b\r\n550-5.7.3 c\r\n550 5.7.2 d\r\n", "5.7.1", "several"},
    };
    struct smtp_parser parser;
    size_t left = 0;
    (void)state;
    smtp_parser_init(&parser);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(feed(&parser, rows[i].in, strlen(rows[i].in), &left), SMTP_PARSE_REPLY);
        assert_string_equal(parser.reply.status, rows[i].status);
        assert_string_equal(parser.reply.other_status, rows[i].other);
    }
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goods); i++) {
        size_t n = strlen(goods[i].in), left = 0;
        for (size_t split = 0; split < n; split++) {
            struct smtp_parser parser;
            smtp_parser_init(&parser);
            assert_true(smtp_parser_at_start(&parser));
            assert_int_equal(feed(&parser, goods[i].in, split, &left), SMTP_PARSE_MORE);
            assert_int_equal(smtp_parser_at_start(&parser), split == 0);
            assert_int_equal(feed(&parser, goods[i].in + split, n - split, &left),
                             SMTP_PARSE_REPLY);
            assert_int_equal(left, 0);
            check_reply(&parser.reply, &goods[i]);
        }
    }
}

static void test_several(void **state)
{
    static const char in[] = "250 one\r\n550-5.1.1 two\r\n550 x\r\n220";
    struct smtp_parser parser;
    size_t left = 0;
    (void)state;
    smtp_parser_init(&parser);
    assert_int_equal(feed(&parser, in, sizeof in - 1, &left), SMTP_PARSE_REPLY);
    assert_int_equal(parser.reply.code, 250);
    const char *rest = in + sizeof in - 1 - left;
    assert_int_equal(feed(&parser, rest, left, &left), SMTP_PARSE_REPLY);
    assert_int_equal(parser.reply.code, 550);
    assert_int_equal(left, 3);
    assert_int_equal(feed(&parser, "220", 3, &left), SMTP_PARSE_MORE);
    assert_int_equal(feed(&parser, " three\r\n", 8, &left), SMTP_PARSE_REPLY);
    assert_string_equal(parser.reply.status, ""); /* nothing of the reply before */
    assert_int_equal(parser.reply.lines, 1);
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
        struct smtp_parser parser;
        size_t left = 0;
        smtp_parser_init(&parser);
        if (feed(&parser, bads[i], strlen(bads[i]), &left) != SMTP_PARSE_MALFORMED)
            fail_msg("taken as a reply: %s", bads[i]);
    }
    struct smtp_parser parser;
    size_t left = 0;
    smtp_parser_init(&parser);
    assert_int_equal(feed(&parser, "250 \0x\r\n", 8, &left), SMTP_PARSE_MALFORMED);
}

/* One line of n bytes with CR, without LF. */
static enum smtp_parse line_of(size_t n)
{
    static char line[SMTP_LINE_MAX + 8];
    struct smtp_parser parser;
    size_t left = 0;
    memset(line, 'x', sizeof line);
    line[0] = line[1] = line[2] = '2';
    line[3] = ' ';
    line[n - 1] = '\r';
    line[n] = '\n';
    smtp_parser_init(&parser);
    return feed(&parser, line, n + 1, &left);
}

static enum smtp_parse lines_of(size_t n, const char *line)
{
    struct smtp_parser parser;
    size_t left = 0;
    enum smtp_parse parse = SMTP_PARSE_MORE;
    smtp_parser_init(&parser);
    for (size_t i = 0; i + 1 < n && parse == SMTP_PARSE_MORE; i++)
        parse = feed(&parser, line, strlen(line), &left);
    return parse == SMTP_PARSE_MORE ? feed(&parser, "250 end\r\n", 9, &left) : parse;
}

static void test_limits(void **state)
{
    char line[1026];
    (void)state;
    assert_int_equal(line_of(SMTP_LINE_MAX - 1), SMTP_PARSE_REPLY);
    assert_int_equal(line_of(SMTP_LINE_MAX), SMTP_PARSE_REPLY);
    assert_int_equal(line_of(SMTP_LINE_MAX + 1), SMTP_PARSE_MALFORMED);
    assert_int_equal(lines_of(SMTP_LINES_MAX - 1, "250-x\r\n"), SMTP_PARSE_REPLY);
    assert_int_equal(lines_of(SMTP_LINES_MAX, "250-x\r\n"), SMTP_PARSE_REPLY);
    assert_int_equal(lines_of(SMTP_LINES_MAX + 1, "250-x\r\n"), SMTP_PARSE_MALFORMED);
    assert_int_equal(lines_of(10000, "250-x\r\n"), SMTP_PARSE_MALFORMED);
    memset(line, 'x', sizeof line);
    memcpy(line, "250-", 4);
    memcpy(line + 1022, "\r\n", 3); /* 1024 bytes a line, 64 of them are SMTP_REPLY_MAX */
    assert_int_equal(lines_of(64, line), SMTP_PARSE_REPLY);
    assert_int_equal(lines_of(65, line), SMTP_PARSE_MALFORMED);
}

static void test_text_is_cut(void **state)
{
    struct smtp_parser parser;
    char line[103];
    size_t left = 0;
    (void)state;
    memset(line, 'y', sizeof line);
    memcpy(line, "250-", 4);
    memcpy(line + 100, "\r\n", 3);
    smtp_parser_init(&parser);
    for (int i = 0; i < 30; i++)
        assert_int_equal(feed(&parser, line, 102, &left), SMTP_PARSE_MORE);
    assert_int_equal(feed(&parser, "250 end\r\n", 9, &left), SMTP_PARSE_REPLY);
    assert_int_equal(parser.reply.text_n, SMTP_TEXT_KEPT);
    assert_int_equal(parser.reply.lines, 31);
}

static void test_speakers(void **state)
{
    static struct smtp_parser parser;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(speakers); i++) {
        size_t left;
        smtp_parser_init(&parser);
        assert_int_equal(feed(&parser, speakers[i].in, strlen(speakers[i].in), &left),
                         SMTP_PARSE_REPLY);
        if (smtp_reply_is_of_server(&parser.reply) != speakers[i].of_server ||
            smtp_reply_is_too_many(&parser.reply) != speakers[i].too_many)
            fail_msg("%s", speakers[i].in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_speakers),     cmocka_unit_test(test_good),
        cmocka_unit_test(test_other_status), cmocka_unit_test(test_several),
        cmocka_unit_test(test_bad),          cmocka_unit_test(test_limits),
        cmocka_unit_test(test_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
