/* backoff_test.c - pauses that grow, one for failures at the same time. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/net/backoff.h"

static void test_grows_and_ends(void **state)
{
    static const unsigned seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
    struct backoff backoff = {0};
    mono_us now = MONO_SECONDS(100);
    (void)state;
    assert_false(backoff_is_on(&backoff, now));
    for (int life = 0; life < 2; life++) {
        for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
            mono_us pause = MONO_SECONDS(seconds[i]);
            assert_int_equal(backoff_failed(&backoff, now, "ill"), pause);
            assert_true(backoff_is_on(&backoff, now + pause - 1));
            /* The same failure. */
            assert_int_equal(backoff_failed(&backoff, now + pause - 1, "other"), 0);
            assert_string_equal(backoff.cause, "ill");
            assert_false(backoff_is_on(&backoff, now + pause));
            now += pause;
        }
        assert_true(backoff_worked(&backoff));
        assert_false(backoff_worked(&backoff));
        assert_false(backoff_is_on(&backoff, now));
        assert_string_equal(backoff.cause, "");
    }
}

/* Long causes end between characters. */
static void test_cause(void **state)
{
    char text[3 * BACKOFF_CAUSE_MAX];
    struct backoff backoff = {0};
    struct backoff_pause pause;
    (void)state;
    for (size_t lead = 0; lead < 3; lead++) {
        memset(text, 'a', lead);
        for (size_t n = lead; n + 3 < sizeof text; n += 3)
            memcpy(text + n, "\xe2\x82\xac", 4);
        (void)backoff_worked(&backoff);
        assert_int_equal(backoff_failed(&backoff, 0, text), BACKOFF_FIRST);
        size_t n = strlen(backoff.cause);
        assert_true(n < BACKOFF_CAUSE_MAX && n + 4 > BACKOFF_CAUSE_MAX);
        assert_int_equal((n - lead) % 3, 0);
        assert_memory_equal(backoff.cause, text, n);
    }
    backoff_describe(&backoff, "host", "profile", MONO_MS(300), &pause);
    assert_string_equal(pause.host, "host");
    assert_string_equal(pause.profile, "profile");
    assert_string_equal(pause.cause, backoff.cause);
    assert_int_equal(pause.left, MONO_MS(700));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_ends),
        cmocka_unit_test(test_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
