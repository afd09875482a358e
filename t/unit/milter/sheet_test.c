/* sheet_test.c - columns, their width, what is escaped; moments and spans of time. */
#include "milter/sheet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "lib/base/mono.h"
#include "t/unit/no_memory.h"

static void put(struct sheet *sheet, const char *text)
{
    sheet_put(sheet, slice_of(text), SHEET_BAD); /* in colour, but on a terminal only */
}

static void test_columns(void **state)
{
    static const char *const headers[] = {"NAME", "COUNT", "SAID"};
    struct sheet sheet;
    struct strbuf out;
    (void)state;

    strbuf_init(&out);
    sheet_begin(&sheet, headers, ARRAY_LEN(headers));
    put(&sheet, "a");
    sheet_number(&sheet, 7);
    put(&sheet, "yes");
    put(&sheet, "\xe6\x97\xa5\xe6\x9c\xac.example"); /* two characters of two columns */
    sheet_number(&sheet, 1234567);
    put(&sheet, "");
    put(&sheet, "e\xcc\x81t\xc3\xa9"); /* an accent of its own takes none */
    sheet_number(&sheet, UINT64_MAX);
    put(&sheet, "a\x1b[31m\nb\x7f\xff\xc2\x85"); /* what terminals obey, and no UTF-8 */
    put(&sheet, "");
    sheet_end(&sheet, &out);
    assert_string_equal(strbuf_text(&out),
                        "NAME                         COUNT  SAID\n"
                        "a                                7  yes\n"
                        "\xe6\x97\xa5\xe6\x9c\xac.example               1234567\n"
                        "e\xcc\x81t\xc3\xa9           18446744073709551615  "
                        "a\\x1b[31m\\x0ab\\x7f\\xff\\xc2\\x85\n"
                        "\n");
    strbuf_done(&out);
}

/* What is cut into pieces is whole again, at every place. */
static void test_long(void **state)
{
    char text[4000];
    (void)state;

    for (size_t lead = 0; lead < 4; lead++) {
        struct sheet sheet;
        struct strbuf out;
        memset(text, 'a', lead);
        size_t n = lead;
        for (; n + 4 < sizeof text; n += 3)
            memcpy(text + n, "\xe2\x82\xac", 4);
        strbuf_init(&out);
        sheet_begin(&sheet, NULL, 1);
        put(&sheet, text);
        sheet_end(&sheet, &out);
        assert_int_equal(out.n, n + 1);
        assert_memory_equal(out.p, text, n);
        assert_int_equal(sheet_width(text), lead + (n - lead) / 3);
        strbuf_done(&out);
    }
}

static bool make(void)
{
    struct sheet sheet;
    struct strbuf out;

    strbuf_init(&out);
    sheet_begin(&sheet, (const char *[]){"A", "B"}, 2);
    for (unsigned i = 0; i < 200; i++)
        sheet_number(&sheet, i);
    sheet_end(&sheet, &out);
    bool good = !out.failed;
    strbuf_done(&out);
    return good;
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_true(make());
    memory_fail_each(make, false);
}

static void test_spans(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {-5, "0 s"},
        {0, "0 s"},
        {1, "1 s"},
        {59, "59 s"},
        {60, "1 min"},
        {61, "1 min 1 s"},
        {599, "9 min 59 s"},
        {600, "10 min"},
        {2105, "35 min"},
        {3599, "59 min"},
        {3600, "1 h"},
        {3659, "1 h"},
        {3660, "1 h 1 min"},
        {86399, "23 h 59 min"},
        {86400, "1 d"},
        {90000, "1 d 1 h"},
        {86400LL * 400 + 3600 * 23, "400 d 23 h"},
    };
    char text[SHEET_TEXT_MAX];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(sheet_span(cases[i].seconds, text), cases[i].text);
    assert_true(strlen(sheet_span(INT64_MAX, text)) < SHEET_TEXT_MAX);
}

/* In the zone of who asks, and ahead of us with how long it takes. */
static void test_moments(void **state)
{
    int64_t now = 1796128496 * MONO_SECONDS(1); /* 2026-12-01 12:34:56 UTC */
    char text[SHEET_TEXT_MAX];
    (void)state;

    mono_simulate_wall(&now);
    setenv("TZ", "UTC", 1);
    tzset();
    assert_string_equal(sheet_moment(1796128496, text), "2026-12-01 12:34:56");
    assert_string_equal(sheet_moment(1796128496 + 2100, text), "2026-12-01 13:09:56, in 35 min");
    setenv("TZ", "JST-9", 1);
    tzset();
    assert_string_equal(sheet_moment(1796128496 - 10, text), "2026-12-01 21:34:46");
    (void)sheet_moment(INT64_MAX, text); /* no year that there is */
    mono_simulate_wall(NULL);
}

static void test_tones(void **state)
{
    (void)state;
    assert_int_equal(sheet_tone("verdict", slice_of("accept")), SHEET_GOOD);
    assert_int_equal(sheet_tone("verdict", slice_of("tempfail")), SHEET_DOUBT);
    assert_int_equal(sheet_tone("verdict", slice_of("reject")), SHEET_BAD);
    assert_int_equal(sheet_tone("class", slice_of("user_unknown")), SHEET_BAD);
    assert_int_equal(sheet_tone("health", slice_of("unanswered")), SHEET_BAD);
    assert_int_equal(sheet_tone("health", slice_of("good")), SHEET_GOOD);
    assert_int_equal(sheet_tone("text", slice_of("reject")), SHEET_PLAIN);
    assert_int_equal(sheet_tone("verdict", slice_of("?")), SHEET_PLAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),   cmocka_unit_test(test_long),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_spans),
        cmocka_unit_test(test_moments),   cmocka_unit_test(test_tones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
