/* backoff_test.c - pauses that grow, one for failures at the same time. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
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
            assert_int_equal(backoff_failed(&backoff, now), pause);
            assert_true(backoff_is_on(&backoff, now + pause - 1));
            assert_int_equal(backoff_failed(&backoff, now + pause - 1), 0); /* the same failure */
            assert_false(backoff_is_on(&backoff, now + pause));
            now += pause;
        }
        assert_true(backoff_worked(&backoff));
        assert_false(backoff_worked(&backoff));
        assert_false(backoff_is_on(&backoff, now));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
