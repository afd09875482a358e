/* problem_test.c - collected problems and their line shapes (lib/base/problem.h). */
#include "lib/base/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/no_memory.h"

static void writes_the_place(void **state)
{
    (void)state;
    static const struct {
        struct place at;
        const char *error, *warning;
    } cases[] = {
        {{0}, "x 7", "warning: x 7"},
        {{.line = 3, .column = 4}, "x 7", "warning: x 7"},
        {{.file = "a.conf"}, "a.conf: x 7", "a.conf: warning: x 7"},
        {{.file = "a.conf", .line = 12}, "a.conf:12: x 7", "a.conf:12: warning: x 7"},
        {{.file = "a.conf", .line = 12, .column = 3},
         "a.conf:12:3: x 7",
         "a.conf:12:3: warning: x 7"},
        {{.file = "a.conf", .line = 12, .key = "[routes] file"},
         "a.conf:12: [routes] file: x 7",
         "a.conf:12: warning: [routes] file: x 7"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct problems problems;
        problems_init(&problems);
        problem_error(&problems, cases[i].at, "x %d", 7);
        problem_warning(&problems, cases[i].at, "x %d", 7);
        assert_int_equal(problems.count, 2);
        assert_string_equal(problems.list[0].line, cases[i].error);
        assert_string_equal(problems.list[1].line, cases[i].warning);
        assert_int_equal(problems.list[0].severity, PROBLEM_ERROR);
        assert_int_equal(problems.list[1].severity, PROBLEM_WARNING);
        assert_int_equal(problems_errors(&problems), 1);
        assert_int_equal(problems.warnings, 1);
        problems_done(&problems);
        assert_int_equal(problems_errors(&problems), 0);
    }
}

static void keeps_all_in_order(void **state)
{
    (void)state;
    struct problems problems;
    struct place at = {.file = "f"};
    problems_init(&problems);
    for (at.line = 1; at.line <= 1000; at.line++)
        problem_error(&problems, at, "x");
    assert_int_equal(problems.count, 1000);
    assert_string_equal(problems.list[0].line, "f:1: x");
    assert_string_equal(problems.list[999].line, "f:1000: x");
    problems_done(&problems);
}

static void twice_is_told_once(void **state)
{
    (void)state;
    struct problems problems;
    struct place at = {.file = "f", .line = 1};
    problems_init(&problems);
    for (int i = 0; i < 2; i++) {
        problem_error(&problems, at, "x");
        problem_warning(&problems, at, "x");
        problem_error(&problems, (struct place){.file = "f", .line = 2}, "x");
    }
    assert_int_equal(problems.count, 3);
    assert_int_equal(problems_errors(&problems), 4);
    assert_int_equal(problems.warnings, 2);
    assert_string_equal(problems.list[2].line, "f:2: x");
    problems_done(&problems);
}

static void foreign_bytes_become_printable(void **state)
{
    (void)state;
    struct problems problems;
    problems_init(&problems);
    problem_error(&problems, (struct place){.file = "a\033b", .line = 1}, "\"%s\" \\",
                  "\xff\n\xc3\xa4");
    assert_string_equal(problems.list[0].line, "a\\x1bb:1: \"\\xff\\x0a\xc3\xa4\" \\");
    problems_done(&problems);
}

static void long_texts_are_cut_visibly(void **state)
{
    (void)state;
    static char text[3 * PROBLEM_TEXT_MAX];
    memset(text, 'a', sizeof text);
    for (int n = PROBLEM_TEXT_MAX - 2; n <= PROBLEM_TEXT_MAX + 1; n++) {
        struct problems problems;
        bool cut = n >= PROBLEM_TEXT_MAX;
        problems_init(&problems);
        problem_error(&problems, (struct place){0}, "%.*s", n, text);
        size_t length = strlen(problems.list[0].line);
        assert_int_equal(length, cut ? PROBLEM_TEXT_MAX - 1 + 3 : n);
        assert_int_equal(cut, strstr(problems.list[0].line, "...") != NULL);
        problems_done(&problems);
    }
}

static void lost_memory_is_an_error(void **state)
{
    (void)state;
    struct problems problems;
    char printed[200] = "";
    problems_init(&problems);
    problem_warning(&problems, (struct place){0}, "kept");
    memory_allow(0);
    problem_warning(&problems, (struct place){0}, "lost");
    memory_allow(-1);
    assert_int_equal(problems_errors(&problems), 1);
    assert_int_equal(problems.count, 1);
    FILE *out = fmemopen(printed, sizeof printed, "w");
    assert_non_null(out);
    problems_print(&problems, out);
    fclose(out);
    assert_string_equal(printed, "warning: kept\nout of memory: some problems are missing here\n");
    problems_done(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_place),
        cmocka_unit_test(keeps_all_in_order),
        cmocka_unit_test(twice_is_told_once),
        cmocka_unit_test(foreign_bytes_become_printable),
        cmocka_unit_test(long_texts_are_cut_visibly),
        cmocka_unit_test(lost_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("base/problem", tests, NULL, NULL);
}
