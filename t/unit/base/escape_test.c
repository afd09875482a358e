/* escape_test.c - foreign bytes made harmless (lib/base/escape.h). */
#include "lib/base/escape.h"

#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#define S(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

typedef size_t escaper(struct slice in, char *out, size_t room);

struct sample {
    struct slice in;
    const char *out;
};

static void check(escaper *escape, const struct sample *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char out[200];
        size_t length = escape(samples[i].in, out, sizeof out);
        assert_string_equal(out, samples[i].out);
        assert_int_equal(length, strlen(out));
    }
}

static void log_values(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {S(""), ""},
        {S("a b=c"), "a b=c"},
        {S("a\"b\\c"), "a\\\"b\\\\c"},
        {S("\r\n\t\0\x7f"), "\\x0d\\x0a\\x09\\x00\\x7f"},
        {S("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {S("\xe4\xc3"), "\\xe4\\xc3"},
        {S("\xc3(\xed\xa0\x80"), "\\xc3(\\xed\\xa0\\x80"},
        {S("\xc2\x9b\xc2\xa0"), "\\xc2\\x9b\xc2\xa0"},
    };
    check(escape_log, samples, ARRAY_LEN(samples));
}

static void lines_for_people(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {S("say \"a\\b\""), "say \"a\\b\""},
        {S("\033[31m\n\xff"), "\\x1b[31m\\x0a\\xff"},
    };
    check(escape_line, samples, ARRAY_LEN(samples));
}

static void reply_texts(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {S("5.1.1 no  such \t user"), "5.1.1 no such user"},
        {S("a\r\nb\0c"), "a??b?c"},
        {S("100%\xe4\xc3\xa4"), "100%?\xc3\xa4"},
        {S("  a "), " a "},
        {S("\t"), " "},
        {S("\xc2\x85"), "??"},
    };
    check(escape_reply, samples, ARRAY_LEN(samples));
}

static void json_strings(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {S(""), ""},
        {S("a b=c/d"), "a b=c/d"},
        {S("say \"a\\b\""), "say \\\"a\\\\b\\\""},
        {S("\r\n\t\0\x7f"), "\\u000d\\u000a\\u0009\\u0000\\u007f"},
        {S("\xc3\xa4\xe2\x82\xac"), "\xc3\xa4\xe2\x82\xac"},
        {S("\xc2\x9b\xc2\xa0"), "\\u009b\xc2\xa0"},
        {S("\xff-\xc2"), "\xef\xbf\xbd-\xef\xbf\xbd"},
        {S("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    check(escape_json, samples, ARRAY_LEN(samples));
}

static void ldap_filters(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {S("a*b(c)d\\e\0f"), "a\\2ab\\28c\\29d\\5ce\\00f"},
        {S("\xc3\xa4\x80"), "\\c3\\a4\\80"},
        {S("x=y&z|!~<>/"), "x=y&z|!~<>/"},
    };
    check(escape_ldap, samples, ARRAY_LEN(samples));
}

/* In every room: NUL at the end, nothing behind, and a beginning of the whole
 * that stops between two pieces. */
static void check_rooms(escaper *escape, struct slice in, const size_t *ends, size_t nends)
{
    char whole[200], out[200];
    size_t n = escape(in, whole, sizeof whole);
    assert_int_equal(n, ends[nends - 1]);
    for (size_t room = 1; room <= n + 2; room++) {
        size_t expected = 0;
        for (size_t i = 0; i < nends; i++)
            if (ends[i] < room)
                expected = ends[i];
        memset(out, '#', sizeof out);
        assert_int_equal(escape(in, out, room), expected);
        assert_memory_equal(out, whole, expected);
        assert_int_equal(out[expected], 0);
        assert_int_equal(out[room], '#');
    }
    out[0] = '#';
    assert_int_equal(escape(in, out, 0), 0);
    assert_int_equal(out[0], '#');
}

static void cuts_between_pieces(void **state)
{
    (void)state;
    static const struct slice in = S("a\n\"\xe2\x82\xac");
    static const size_t log[] = {1, 5, 7, 10};
    static const size_t line[] = {1, 5, 6, 9};
    static const size_t reply[] = {1, 2, 3, 6};
    static const size_t ldap[] = {1, 2, 3, 6, 9, 12};
    check_rooms(escape_log, in, log, ARRAY_LEN(log));
    check_rooms(escape_line, in, line, ARRAY_LEN(line));
    check_rooms(escape_reply, in, reply, ARRAY_LEN(reply));
    check_rooms(escape_ldap, in, ldap, ARRAY_LEN(ldap));
}

static void quotes_where_logfmt_needs_them(void **state)
{
    (void)state;
    static const struct {
        struct slice in;
        bool quotes;
    } cases[] = {
        {S(""), true},          {S("a"), false},     {S("a b"), true},      {S("a=b"), true},
        {S("a\"b"), true},      {S("a\\b"), true},   {S("a\tb"), true},     {S("\xff"), true},
        {S("\xc3\xa4"), false}, {S("<a@b>"), false}, {S("\xc2\x80"), true}, {S("a\0"), true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(escape_log_needs_quotes(cases[i].in), cases[i].quotes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_values),
        cmocka_unit_test(lines_for_people),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(reply_texts),
        cmocka_unit_test(ldap_filters),
        cmocka_unit_test(cuts_between_pieces),
        cmocka_unit_test(quotes_where_logfmt_needs_them),
    };
    return cmocka_run_group_tests_name("base/escape", tests, NULL, NULL);
}
