/* key_test.c - keys: parsing, errors, printing (lib/base/key.h). */
#include "t/unit/base/key_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/replytext.h"
#include "t/unit/no_memory.h"

static struct arena *arena;
static struct key_test section;

static const struct key_row *row_called(const char *name)
{
    size_t i = key_find(key_test_rows, ARRAY_LEN(key_test_rows), slice_of(name));
    assert_true(i < ARRAY_LEN(key_test_rows));
    return &key_test_rows[i];
}

static bool set_slice(const char *name, struct slice value, struct err *err)
{
    struct key_source source = {
        value, {.file = "a.conf", .line = 10, .column = 3}, "/etc/gatehouse"};
    return key_set(row_called(name), &section, &source, arena, err);
}

static bool set(const char *name, const char *value)
{
    struct err err = {0};
    return set_slice(name, slice_of(value), &err);
}

/* The value as printed, or the error. */
static void check(const char *name, const char *value, const char *expected)
{
    struct err err = {0};
    struct strbuf printed;
    strbuf_init(&printed);
    bool ok = set_slice(name, slice_of(value), &err);
    if (ok)
        key_print(row_called(name), &section, &printed);
    if (strcmp(ok ? strbuf_text(&printed) : err.text, expected) != 0)
        fail_msg("%s = %s: %s, not %s", name, value, ok ? strbuf_text(&printed) : err.text,
                 expected);
    assert_int_equal(ok, err.kind == ERR_NONE);
    strbuf_done(&printed);
}

static void defaults_are_as_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(key_test_rows); i++)
        assert_true(key_set_default(&key_test_rows[i], &section, "/etc", arena));
    assert_true(section.on);
    assert_int_equal(section.count, 7);
    assert_true(section.limit == KEY_NO_LIMIT);
    assert_true(section.zero_off == KEY_NO_LIMIT);
    assert_int_equal(section.harvest, 25);
    assert_int_equal(section.wait, 25000);
    assert_int_equal(section.any_wait, 0);
    assert_int_equal(section.size, 10485760);
    assert_string_equal(section.string, "a b");
    assert_string_equal(section.secret, "");
    assert_string_equal(section.text, "Access denied");
    assert_int_equal(section.code, 554);
    assert_string_equal(section.path, "/etc/hat.conf");
    assert_int_equal(section.list.n, 0);
    assert_int_equal(section.mode, 1);
    assert_int_equal(section.unverified, 1);
    assert_string_equal(section.callahead, "");
}

static void switches(void **state)
{
    (void)state;
    static const char *const yes[] = {"yes", "YES", "On", "true", " yes\t"};
    static const char *const no[] = {"no", "No", "OFF", "False"};
    static const char *const bad[] = {"y", "1", "0", "yes no", "yess"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        check("on", yes[i], "yes");
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        check("on", no[i], "no");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(set("on", bad[i]));
    check("on", "maybe", "\"maybe\" is wrong; allowed: yes or no");
    check("on", "", "a value is missing; allowed: yes or no");
}

static void counts(void **state)
{
    (void)state;
    check("count", "0", "\"0\" is outside 1..10");
    check("count", "1", "1");
    check("count", "10", "10");
    check("count", "11", "\"11\" is outside 1..10");
    check("count", "007", "7");
    check("count", "-1", "\"-1\" is not a number; allowed: 1..10");
    check("count", "unlimited", "\"unlimited\" is not a number; allowed: 1..10");
    check("count", "99999999999999999999",
          "\"99999999999999999999\" is not a number; allowed: 1..10");
    check("limit", "-1", "unlimited");
    check("limit", "UNLIMITED", "unlimited");
    check("limit", "100", "100");
    check("limit", "101", "\"101\" is outside the range; allowed: 1..100 or unlimited");
    check("limit", "0", "\"0\" is outside the range; allowed: 1..100 or unlimited");
    check("limit", "-2", "\"-2\" is not a number; allowed: 1..100 or unlimited");
    check("harvest", "0", "unlimited");
    check("harvest", "00", "unlimited");
    check("harvest", "9223372036854775806", "9223372036854775806");
    check("harvest", "9223372036854775807",
          "\"9223372036854775807\" is not a number; allowed: any number or unlimited (0)");
    check("zero_off", "0", "0");
    assert_true(section.zero_off == KEY_NO_LIMIT);
    check("zero_off", "4", "\"4\" is outside the range; allowed: 5..9, 0 is unlimited");
}

static void durations(void **state)
{
    (void)state;
    check("wait", "1", "1s");
    check("wait", "1000ms", "1s");
    check("wait", "1500ms", "1500ms");
    check("wait", "60", "1m");
    check("wait", "999ms", "\"999ms\" is outside 1s..1m");
    check("wait", "90s", "\"90s\" is outside 1s..1m");
    check("wait", "60001ms", "\"60001ms\" is outside 1s..1m");
    check("wait", "5M", "\"5M\" is not a duration; allowed: 1s..1m");
    check("any_wait", "0", "0");
    check("any_wait", "0ms", "0");
    check("any_wait", "500ms", "500ms");
    check("any_wait", "5m", "5m");
    check("any_wait", "4h", "4h");
    check("any_wait", "24h", "1d");
    check("any_wait", "86401", "86401s");
    check("any_wait", "106751991167d", "106751991167d");
    check("any_wait", "106751991168d",
          "\"106751991168d\" is not a duration; allowed: any duration");
    static const char *const bad[] = {"s", "1 s", "1.5h", "-1s", "1w", "1ss", "+1", "1h30m", ""};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(set("any_wait", bad[i]));
}

static void sizes(void **state)
{
    (void)state;
    check("size", "1023", "\"1023\" is outside the range; allowed: at least 1K");
    check("size", "1024", "1K");
    check("size", "1025", "1025");
    check("size", "1k", "1K");
    check("size", "512K", "512K");
    check("size", "1024M", "1G");
    check("size", "1g", "1G");
    check("size", "8589934591G", "8589934591G");
    check("size", "8589934592G", "\"8589934592G\" is not a size; allowed: at least 1K");
    static const char *const bad[] = {"K", "1KB", "1T", "1 M", "-1K", "0x400", "1.5M", ""};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(set("size", bad[i]));
}

static void codes(void **state)
{
    (void)state;
    check("code", "500", "500");
    check("code", "599", "599");
    check("code", "499", "\"499\" is outside 500..599");
    check("code", "600", "\"600\" is outside 500..599");
    check("code", "0550", "\"0550\" is not an SMTP code of three digits; allowed: 500..599");
    check("code", "55x", "\"55x\" is not an SMTP code of three digits; allowed: 500..599");
    check("code", "", "a value is missing; allowed: 500..599");
}

static void words_and_sets(void **state)
{
    (void)state;
    check("mode", "Strict", "strict");
    check("mode", "foo", "\"foo\" is unknown; allowed: strict or loose");
    check("mode", "", "a value is missing; allowed: strict or loose");
    check("mode", "strict loose", "\"strict loose\" is unknown; allowed: strict or loose");
    check("unverified", "", "");
    check("unverified", "ptr_mismatch,no_ptr", "no_ptr, ptr_mismatch");
    check("unverified", "no_ptr no_ptr", "no_ptr");
    assert_int_equal(section.unverified, 1);
    check("unverified", "no_ptr, ptr",
          "\"ptr\" is unknown; allowed: any of no_ptr, ptr_tempfail and ptr_mismatch");
}

static void strings(void **state)
{
    (void)state;
    check("string", "  a  \tb ", "a  \tb");
    check("string", "", "");
    check("string", "\"x\" ; # \xe4", "\"x\" ; # \xe4");
    check("string", "a\nb", "the value holds a control byte; allowed: one line of text");
    assert_false(set_slice("string", (struct slice){"a\0b", 3}, NULL));
    check("secret", "geheim", "(set)");
    assert_string_equal(section.secret, "geheim");
    check("secret", "", "");
}

static void texts(void **state)
{
    (void)state;
    char text[REPLYTEXT_MAX + 2];
    struct err err;
    memset(text, 'a', sizeof text);
    assert_true(set_slice("text", (struct slice){text, REPLYTEXT_MAX}, &err));
    assert_int_equal(strlen(section.text), REPLYTEXT_MAX);
    assert_false(set_slice("text", (struct slice){text, REPLYTEXT_MAX + 1}, &err));
    assert_string_equal(err.text, "the text has 901 bytes; allowed: at most 900");
    check("text", "\xc3\xa4 100%", "\xc3\xa4 100%");
    check("text", "\xe4", "the text is not UTF-8");
    check(
        "text", "a\tb",
        "the text holds a control character; allowed: text without tabs, and \\n for a new line of "
        "the reply");
    check("text", "one\\ntwo\\\\nthree \\t", "one\\ntwo\\\\nthree \\t");
    assert_string_equal(section.text, "one\ntwo\\\nthree \\t");
    check("text", "", "");
}

static void paths_and_names(void **state)
{
    (void)state;
    check("path", "/x/y", "/x/y");
    check("path", "x/y z", "/etc/gatehouse/x/y z");
    check("path", "", "");
    check("path", "a\nb", "the file name holds a control byte");
    struct key_source source = {slice_of("x"), {0}, "/"};
    assert_true(key_set(row_called("path"), &section, &source, arena, NULL));
    assert_string_equal(section.path, "/x");
    source.folder = NULL;
    assert_true(key_set(row_called("path"), &section, &source, arena, NULL));
    assert_string_equal(section.path, "x");
    check("callahead", "In-side_2.x", "In-side_2.x");
    check("callahead", "", "");
    check("callahead", "a b",
          "\"a b\" is not a section name; allowed: letters, digits, \"_\", \".\", \"-\"");
    assert_false(set_slice("callahead", (struct slice){"a\0", 2}, NULL));
}

static void lists(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
    } items[] = {{"192.0.2.1", 10}, {"SBRS[-1.0:2.0]", 10}, {"dnslist[zone]", 11},
                 {"#x", 13},        {".example.com", 13},   {"ALL", 14}};
    check("list", " ,192.0.2.1, SBRS[-1.0:2.0]\n  dnslist[zone],\n\n#x\t.example.com\n,ALL,\n",
          "192.0.2.1, SBRS[-1.0:2.0], dnslist[zone], #x, .example.com, ALL");
    assert_int_equal(section.list.n, ARRAY_LEN(items));
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        assert_string_equal(section.list.v[i].text, items[i].text);
        assert_string_equal(section.list.v[i].at.file, "a.conf");
        assert_int_equal(section.list.v[i].at.line, items[i].line);
        assert_int_equal(section.list.v[i].at.column, 0);
    }
    check("list", "\n\na", "a");
    assert_int_equal(section.list.v[0].at.line, 12);
    check("list", " , \n", "");
    assert_int_equal(section.list.n, 0);
    check("list", "a, b\001c", "\"b\\x01c\" holds a control byte");
    struct key_source builtin = {slice_of("a\nb"), {0}, NULL};
    assert_true(key_set(row_called("list"), &section, &builtin, arena, NULL));
    assert_int_equal(section.list.v[1].at.line, 0);
}

static void a_wrong_value_changes_nothing(void **state)
{
    (void)state;
    struct key_test before;
    static const char *const bad[] = {"\001", "\001x y", "a\001b,c"};
    for (size_t i = 0; i < ARRAY_LEN(key_test_rows); i++)
        assert_true(key_set_default(&key_test_rows[i], &section, "/", arena));
    before = section;
    for (size_t i = 0; i < ARRAY_LEN(key_test_rows); i++) {
        for (size_t j = 0; j < ARRAY_LEN(bad); j++) {
            assert_false(set(key_test_rows[i].name, bad[j]));
            assert_memory_equal(&before, &section, sizeof section);
        }
    }
}

static void errors_stay_short_and_printable(void **state)
{
    (void)state;
    char value[5000];
    struct err err;
    memset(value, '\xff', sizeof value);
    for (size_t i = 0; i < ARRAY_LEN(key_test_rows); i++) {
        if (!set_slice(key_test_rows[i].name, (struct slice){value, sizeof value}, &err)) {
            assert_true(strlen(err.text) < 200);
            assert_true(str_is_utf8(slice_of(err.text)));
        }
    }
    memset(value, 'x', sizeof value);
    for (size_t n = 70; n < 90; n++) {
        assert_false(set_slice("on", (struct slice){value, n}, &err));
        assert_int_equal(n >= 77, strstr(err.text, "...\"") != NULL);
    }
}

static void says_when_memory_is_out(void **state)
{
    (void)state;
    static const char *const names[] = {"string", "text", "path", "list", "callahead"};
    char value[900];
    memset(value, 'x', sizeof value);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct err err = {0};
        struct arena *small = arena_new(16);
        struct key_row row = *row_called(names[i]);
        struct key_source source = {{value, sizeof value}, {0}, "/folder"};
        struct key_test before = section;
        row.dflt =
            row.type == KEY_LIST ? "long enough, to, need, a, block" : "long-enough-for-that";
        assert_non_null(small);
        memory_allow(0);
        bool ok = key_set(&row, &section, &source, small, &err);
        bool same = memcmp(&before, &section, sizeof section) == 0;
        bool dflt = key_set_default(&row, &section, "/folder", small);
        memory_allow(-1);
        assert_false(ok);
        assert_true(same);
        assert_int_equal(err.kind, ERR_MEMORY);
        assert_false(dflt);
        arena_free(small);
    }
    assert_string_equal(section.string, "");
    assert_string_equal(section.text, "");
    assert_int_equal(section.list.n, 0);
}

static void copies_and_compares(void **state)
{
    (void)state;
    static const char *const values[][2] = {
        {"yes", "no"},  {"1", "2"},     {"1", "2"},   {"1", "2"},      {"5", "6"},
        {"1s", "2s"},   {"1s", "2s"},   {"1K", "2K"}, {"a", "b"},      {"a", "b"},
        {"a", "b"},     {"550", "551"}, {"a", "b"},   {"a, b", "a c"}, {"strict", "loose"},
        {"no_ptr", ""}, {"a", "b"},
    };
    struct key_test a = {0}, b = {0};
    assert_int_equal(ARRAY_LEN(values), ARRAY_LEN(key_test_rows));
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        const struct key_row *row = &key_test_rows[i];
        struct key_source one = {slice_of(values[i][0]), {.file = "f", .line = 1}, "/"};
        struct key_source two = {slice_of(values[i][1]), {.file = "f", .line = 1}, "/"};
        assert_true(key_set(row, &a, &one, arena, NULL));
        assert_true(key_set(row, &b, &two, arena, NULL));
        assert_true(key_same(row, &a, &a));
        assert_false(key_same(row, &a, &b));
        assert_true(key_set(row, &b, &one, arena, NULL));
        assert_true(key_same(row, &a, &b));
        assert_true(key_set(row, &b, &two, arena, NULL));
        key_copy(row, &b, &a);
        assert_true(key_same(row, &a, &b));
    }
    struct key_source more = {slice_of("a, b, c"), {0}, "/"};
    assert_true(key_set(row_called("list"), &b, &more, arena, NULL));
    assert_false(key_same(row_called("list"), &a, &b));
}

static void says_what_is_allowed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"on", "yes or no"},
        {"count", "1..10"},
        {"limit", "1..100 or unlimited"},
        {"wait", "1s..1m"},
        {"any_wait", "any duration"},
        {"size", "at least 1K"},
        {"code", "500..599"},
        {"string", "one line of text"},
        {"text", "at most 900 bytes of UTF-8 without control characters"},
        {"path", "a file name"},
        {"list", "items separated by commas or blanks"},
        {"mode", "strict or loose"},
        {"unverified", "any of no_ptr, ptr_tempfail and ptr_mismatch"},
        {"callahead", "a [callahead] section"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct strbuf out;
        strbuf_init(&out);
        key_allowed(row_called(cases[i][0]), &out);
        assert_string_equal(strbuf_text(&out), cases[i][1]);
        strbuf_done(&out);
    }
}

static const char *nearest(const char *name)
{
    return key_nearest(key_test_rows, ARRAY_LEN(key_test_rows), slice_of(name));
}

static void finds_names_and_near_ones(void **state)
{
    (void)state;
    char name[100];
    assert_int_equal(key_find(key_test_rows, ARRAY_LEN(key_test_rows), slice_of("on")), 0);
    assert_int_equal(key_find(key_test_rows, ARRAY_LEN(key_test_rows), slice_of("On")), SIZE_MAX);
    assert_int_equal(key_find(key_test_rows, 0, slice_of("on")), SIZE_MAX);
    assert_string_equal(nearest("unverifed"), "unverified");
    assert_string_equal(nearest("unverifde"), "unverified");
    assert_string_equal(nearest("unvrifed"), "unverified");
    assert_string_equal(nearest("call_ahead"), "callahead");
    assert_string_equal(nearest("CallAhead"), "callahead");
    assert_string_equal(nearest("mdoe"), "mode");
    assert_string_equal(nearest("lists"), "list");
    assert_null(nearest("xvrifed"));
    assert_null(nearest("what"));
    assert_null(nearest("something_else"));
    memset(name, 'x', sizeof name);
    for (size_t n = 63; n <= 66; n++)
        assert_null(key_nearest(key_test_rows, ARRAY_LEN(key_test_rows), (struct slice){name, n}));
}

static int start(void **state)
{
    (void)state;
    arena = arena_new(0);
    return arena ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_written),
        cmocka_unit_test(switches),
        cmocka_unit_test(counts),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(codes),
        cmocka_unit_test(words_and_sets),
        cmocka_unit_test(strings),
        cmocka_unit_test(texts),
        cmocka_unit_test(paths_and_names),
        cmocka_unit_test(lists),
        cmocka_unit_test(a_wrong_value_changes_nothing),
        cmocka_unit_test(errors_stay_short_and_printable),
        cmocka_unit_test(says_when_memory_is_out),
        cmocka_unit_test(copies_and_compares),
        cmocka_unit_test(says_what_is_allowed),
        cmocka_unit_test(finds_names_and_near_ones),
    };
    return cmocka_run_group_tests_name("base/key", tests, start, stop);
}
