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

static void knows_what_we_are_short_of(void **state)
{
    static const struct {
        enum err_kind kind;
        int sys;
        bool shortage;
    } rows[] = {
        {ERR_MEMORY, 0, true},
        {ERR_SYSTEM, EMFILE, true},
        {ERR_SYSTEM, ENFILE, true},
        {ERR_SYSTEM, ENOMEM, true},
        {ERR_SYSTEM, ENOBUFS, true},
        {ERR_SYSTEM, EAGAIN, true},
        {ERR_SYSTEM, EADDRNOTAVAIL, true},
        {ERR_SYSTEM, ECONNREFUSED, false},
        {ERR_SYSTEM, ECANCELED, false},
        {ERR_SYSTEM, EIO, false},
        {ERR_SYSTEM, 0, false},
        {ERR_TIMEOUT, 0, false},
        {ERR_PEER, 0, false},
        {ERR_TLS, 0, false},
        {ERR_NONE, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct err err = {.kind = rows[i].kind, .sys = rows[i].sys};
        assert_int_equal(err_is_shortage(&err), rows[i].shortage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_kind_and_text),
        cmocka_unit_test(system_errors_keep_errno_and_say_it),
        cmocka_unit_test(nobody_need_listen),
        cmocka_unit_test(cuts_at_its_room),
        cmocka_unit_test(knows_what_we_are_short_of),
    };
    return cmocka_run_group_tests_name("base/err", tests, NULL, NULL);
}
