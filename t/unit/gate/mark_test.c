/* mark_test.c - what later filters are told (lib/gate/mark.h). */
#include "lib/gate/mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/no_memory.h"

static const char *mark_of(const char *group, const struct policy *policy, struct arena *arena)
{
    struct conn_facts conn = {.match = {.group = group}, .policy = policy};
    return mark_value(&conn, arena);
}

static const struct {
    const char *group, *want;
} groups[] = {
    {NULL, "None"},
    {"SUSPECTLIST", "SUSPECTLIST"},
    {"a b", "a\\x20b"},
    {"a=b \"c\" 'd' \\e", "a\\x3Db\\x20\\x22c\\x22\\x20\\x27d\\x27\\x20\\x5Ce"},
    {"x\r\nBcc: y", "x\\x0D\\x0ABcc:\\x20y"},
    {"\t\x01\x1f\x7f", "\\x09\\x01\\x1F\\x7F"},
    {"\xc3\xbc\xff", "\\xC3\\xBC\\xFF"},
    {"%$;,(){}<>", "%$;,(){}<>"},
};

static void values_are_words(void **state)
{
    struct arena *arena = arena_new(0);
    struct policy policy = {.name = "P", .keys = {.spam_scan = true}};
    char want[512];
    (void)state;
    assert_non_null(arena);
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        snprintf(want, sizeof want, "group=%s policy=P score=none spam_scan=yes virus_scan=no",
                 groups[i].want);
        assert_string_equal(mark_of(groups[i].group, &policy, arena), want);
    }
    arena_free(arena);
}

static void long_values_are_cut(void **state)
{
    struct arena *arena = arena_new(0);
    char name[1001];
    struct policy policy = {.name = name};
    (void)state;
    assert_non_null(arena);
    memset(name, '\xfc', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const char *value = mark_of(name, &policy, arena);
    assert_non_null(value);
    assert_in_range(strlen(value), 256, 400);
    assert_non_null(strstr(value, "\\xFC policy=\\xFC"));
    assert_non_null(strstr(value, "\\xFC score=none spam_scan=no virus_scan=no"));
    arena_free(arena);
}

static void without_memory_there_is_none(void **state)
{
    struct arena *arena = arena_new(0);
    (void)state;
    assert_non_null(arena);
    memory_allow(0);
    const char *value = mark_of("G", NULL, arena);
    memory_allow(-1);
    assert_null(value);
    arena_free(arena);
}

static const struct {
    const char *name;
    bool ok;
} names[] = {
    {"X-Gatehouse", true}, {"X-a", true},       {"X-1-b-2", true},  {"", false},
    {"X-", false},         {"x-lower", false},  {"Subject", false}, {"Gatehouse", false},
    {"X-a b", false},      {"X-a:", false},     {"X-a_b", false},   {"X-\xc3\xbc", false},
    {"X-a\n", false},      {"X-Gate%s", false},
};

static void names_are_harmless(void **state)
{
    char longest[MARK_NAME_MAX + 2] = "X-";
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(mark_name_ok(names[i].name), names[i].ok);
    memset(longest + 2, 'a', MARK_NAME_MAX - 1);
    assert_false(mark_name_ok(longest));
    longest[MARK_NAME_MAX] = '\0';
    assert_true(mark_name_ok(longest));
}

static const struct {
    const char *field;
    bool forged;
} fields[] = {
    {"X-Gatehouse", true},   {"x-gatehouse", true},    {"X-GATEHOUSE", true},
    {"X-Gatehouse ", true},  {"X-gateHouse\t ", true}, {"X-Gatehouse2", false},
    {"X-Gatehous", false},   {" X-Gatehouse", false},  {"", false},
    {"XX-Gatehouse", false},
};

static void copies_are_known_in_any_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        assert_int_equal(mark_is_forged("X-Gatehouse", fields[i].field), fields[i].forged);
    assert_false(mark_is_forged("", ""));
    assert_false(mark_is_forged("", " "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_words),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(without_memory_there_is_none),
        cmocka_unit_test(names_are_harmless),
        cmocka_unit_test(copies_are_known_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
