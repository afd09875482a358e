/* str_test.c - slices, growing strings, ASCII, UTF-8 (lib/base/str.h). */
#include "lib/base/str.h"

#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

static void slices_compare_and_trim(void **state)
{
    (void)state;
    assert_int_equal(slice_of(NULL).n, 0);
    assert_int_equal(slice_of("abc").n, 3);
    assert_true(slice_is(slice_of(NULL), ""));
    assert_true(slice_is(slice_of("ab"), "ab"));
    assert_false(slice_is(slice_of("ab"), "a"));
    assert_false(slice_is(slice_of("a"), "ab"));
    assert_false(slice_is((struct slice){"a\0b", 3}, "a"));
    assert_true(slice_is_nocase(slice_of("aBz@"), "AbZ@"));
    assert_false(slice_is_nocase(slice_of("ab"), "abc"));
    assert_false(slice_is_nocase(slice_of("abc"), "ab"));
    assert_false(slice_is_nocase(slice_of("["), "{"));
    assert_false(slice_is_nocase((struct slice){"a\0", 2}, "a"));
    static const char *const blank[][2] = {
        {"", ""}, {" \t ", ""}, {" a b\t", "a b"}, {"a", "a"}, {"\na", "\na"}};
    for (size_t i = 0; i < ARRAY_LEN(blank); i++)
        assert_true(slice_is(slice_trim(slice_of(blank[i][0])), blank[i][1]));
}

static void strbuf_grows_over_every_size(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf);
    assert_string_equal(strbuf_text(&buf), "");
    for (int i = 0; i < 1000; i++) {
        strbuf_putc(&buf, (char)('a' + i % 26));
        assert_int_equal(buf.n, i + 1);
        assert_int_equal(strlen(strbuf_text(&buf)), i + 1);
    }
    strbuf_reset(&buf);
    assert_string_equal(strbuf_text(&buf), "");
    for (int n = 0; n < 300; n++) {
        struct strbuf one;
        strbuf_init(&one);
        strbuf_puts(&one, "x");
        strbuf_printf(&one, "%0*d", n, 7);
        assert_int_equal(one.n, strlen(one.p));
        assert_int_equal(one.n, 1 + (n ? n : 1));
        strbuf_done(&one);
    }
    strbuf_done(&buf);
}

static void strbuf_keeps_nul_bytes(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf);
    strbuf_add(&buf, "a\0b", 3);
    strbuf_add(&buf, NULL, 0);
    assert_int_equal(buf.n, 3);
    assert_memory_equal(buf.p, "a\0b", 4);
    strbuf_done(&buf);
}

static void strbuf_remembers_failure(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf);
    strbuf_puts(&buf, "kept");
    strbuf_add(&buf, "x", SIZE_MAX - 2);
    assert_true(buf.failed);
    strbuf_puts(&buf, "not added");
    strbuf_printf(&buf, "%d", 1);
    assert_string_equal(strbuf_text(&buf), "kept");
    strbuf_done(&buf);
}

static void ascii_ignores_everything_else(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        bool upper = i >= 'A' && i <= 'Z', lower = i >= 'a' && i <= 'z';
        bool digit = i >= '0' && i <= '9';
        assert_int_equal(ascii_lower(c), upper ? (char)(i + 32) : c);
        assert_int_equal(ascii_is_alpha(c), upper || lower);
        assert_int_equal(ascii_is_digit(c), digit);
        assert_int_equal(ascii_is_alnum(c), upper || lower || digit);
        assert_int_equal(ascii_is_space(c), i == ' ' || i == '\t');
        assert_int_equal(ascii_is_control(c), i < 32 || i == 127);
    }
    assert_int_equal(ascii_casecmp("aBc", "AbC"), 0);
    assert_true(ascii_casecmp("a", "ab") < 0);
    assert_true(ascii_casecmp("b", "A") > 0);
    assert_true(ascii_casecmp("\xff", "a") > 0);
    char text[] = "ABC\xc4z";
    ascii_lower_in_place(text);
    assert_string_equal(text, "abc\xc4z");
}

static void numbers_end_at_their_limit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t max;
        bool ok;
        uint64_t value;
    } cases[] = {
        {"0", 0, true, 0},
        {"1", 0, false, 0},
        {"", 10, false, 0},
        {"9", 10, true, 9},
        {"10", 10, true, 10},
        {"11", 10, false, 0},
        {"99", 10, false, 0},
        {"5", 3, false, 0},
        {"0010", 10, true, 10},
        {"18446744073709551614", UINT64_MAX, true, UINT64_MAX - 1},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"99999999999999999999999999", UINT64_MAX, false, 0},
        {"-1", 10, false, 0},
        {"+1", 10, false, 0},
        {" 1", 10, false, 0},
        {"1 ", 10, false, 0},
        {"1a", 10, false, 0},
        {"0x1", 10, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t value = 4711;
        bool ok = str_to_uint(slice_of(cases[i].text), cases[i].max, &value);
        if (ok != cases[i].ok || value != (ok ? cases[i].value : 4711))
            fail_msg("%s at most %llu", cases[i].text, (unsigned long long)cases[i].max);
    }
    uint64_t value;
    assert_false(str_to_uint((struct slice){"1\0", 2}, 100, &value));
    assert_true(str_to_uint((struct slice){"12", 1}, 100, &value));
    assert_int_equal(value, 1);
}

/* RFC 3629 by arithmetic, to check the table-driven function against. */
static bool is_scalar_value(uint32_t code)
{
    return code < 0xd800 || (code > 0xdfff && code <= 0x10ffff);
}

static size_t encode(uint32_t code, size_t n, char out[4])
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    if (n == 1) {
        out[0] = (char)code;
        return 1;
    }
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(leads[n] | code);
    return n;
}

static void utf8_is_exactly_rfc_3629(void **state)
{
    (void)state;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    static const uint32_t limit[] = {0, 0x80, 0x800, 0x10000, 0x200000};
    for (size_t n = 1; n <= 4; n++) {
        for (uint32_t code = 0; code < limit[n]; code++) {
            char bytes[4];
            bool good = code >= least[n] && is_scalar_value(code);
            size_t length = str_utf8_length((struct slice){bytes, encode(code, n, bytes)});
            if (length != (good ? n : 0))
                fail_msg("U+%X in %zu bytes gives %zu", code, n, length);
        }
    }
}

static void utf8_refuses_torn_characters(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc3",
                                      "\xc3z",
                                      "\xe2\x82",
                                      "\xe2\x82z",
                                      "\xf0\x9f\x98",
                                      "\xf5\x80\x80\x80",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xff",
                                      "\xfe",
                                      "a\xc0\xaf",
                                      "\xed\xa0\x80",
                                      "ok\xc3\xa4\xc3"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (str_is_utf8(slice_of(bad[i])))
            fail_msg("case %zu passed", i);
    assert_true(str_is_utf8(slice_of("")));
    assert_true(str_is_utf8((struct slice){"a\0b", 3}));
    assert_true(str_is_utf8(slice_of("z\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
    assert_int_equal(str_utf8_length(slice_of("")), 0);
}

static void items_keep_what_is_in_brackets(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
    } rows[] = {{"", 0},         {",a", 0},
                {"a", 1},        {"a,b", 1},
                {"a b", 1},      {"a[b,c]d,e", 7},
                {"a[b,c] d", 6}, {"[a,b][c,d],e", 10},
                {"a[b,c", 3},    {"a[b, c]", 3},
                {"a[b\tc]", 3},  {"[[[,]]],x", 7},
                {"a]b,c", 3},    {"[,]", 3},
                {"[", 1},        {"[a,[b]", 6},
                {"[a\n,b]", 3},  {"a[b=c,d{e}],f", 11}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = str_item(slice_of(rows[i].text), ", \t");
        if (n != rows[i].n)
            fail_msg("\"%s\": %zu", rows[i].text, n);
    }
    assert_int_equal(str_item((struct slice){"a\0,b", 4}, ","), 2);
    assert_int_equal(str_item((struct slice){"[\0,]b", 5}, ","), 2);

    /* Many brackets that never close take no more time than other bytes. */
    size_t n = 1 << 22;
    char *open = malloc(n);
    assert_non_null(open);
    memset(open, '[', n);
    assert_int_equal(str_item((struct slice){open, n}, ","), n);
    free(open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare_and_trim),
        cmocka_unit_test(strbuf_grows_over_every_size),
        cmocka_unit_test(strbuf_keeps_nul_bytes),
        cmocka_unit_test(strbuf_remembers_failure),
        cmocka_unit_test(ascii_ignores_everything_else),
        cmocka_unit_test(numbers_end_at_their_limit),
        cmocka_unit_test(utf8_is_exactly_rfc_3629),
        cmocka_unit_test(items_keep_what_is_in_brackets),
        cmocka_unit_test(utf8_refuses_torn_characters),
    };
    return cmocka_run_group_tests_name("base/str", tests, NULL, NULL);
}
