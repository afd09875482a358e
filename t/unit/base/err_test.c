/* err_test.c - one error, filled once (lib/base/err.h). */
#include "lib/base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void fills_kind_and_text(void **state)
{
    (void)state;
    struct err err = {.sys = 77};
    assert_false(err_set(&err, ERR_RANGE, "%d is outside %s", 5, "1..4"));
    assert_int_equal(err.kind, ERR_RANGE);
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.text, "5 is outside 1..4");
}

static void system_errors_keep_errno_and_say_it(void **state)
{
    (void)state;
    struct err err = {0};
    assert_false(err_system(&err, ENOENT, "cannot open %s", "x"));
    assert_int_equal(err.kind, ERR_SYSTEM);
    assert_int_equal(err.sys, ENOENT);
    assert_string_equal(err.text, "cannot open x: No such file or directory");
}

static void nobody_need_listen(void **state)
{
    (void)state;
    assert_false(err_set(NULL, ERR_SYNTAX, "x"));
    assert_false(err_system(NULL, EIO, "x"));
}

static void cuts_at_its_room(void **state)
{
    (void)state;
    char text[1000];
    struct err err;
    for (int n = 252; n <= 258; n++) {
        memset(text, 'a', sizeof text);
        err_set(&err, ERR_PEER, "%.*s", n, text);
        assert_int_equal(strlen(err.text), n < 255 ? n : 255);
        err_system(&err, ENOENT, "%.*s", n, text);
        assert_int_equal(strlen(err.text), 255);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_kind_and_text),
        cmocka_unit_test(system_errors_keep_errno_and_say_it),
        cmocka_unit_test(nobody_need_listen),
        cmocka_unit_test(cuts_at_its_room),
    };
    return cmocka_run_group_tests_name("base/err", tests, NULL, NULL);
}
