/* callahead_pace_test.c - sizes of batches, for servers of several kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/net/callahead_pace.h"
#include "lib/net/smtp_dialog.h"

/* So many batches of what pace_part() gives, of a queue that is always full. */
static void serve(struct pace *pace, unsigned batches, mono_us fixed, mono_us each)
{
    for (unsigned i = 0; i < batches; i++) {
        size_t n = pace_part(pace, 400 - i % 7, 5, 1 + i % 3);
        assert_in_range(n, 1, DIALOG_BATCH_MAX);
        pace_add(pace, n, fixed + each * (mono_us)n);
    }
}

static void test_wire(void **state)
{
    static const mono_us latencies[] = {MONO_MS(1), MONO_MS(20), MONO_MS(100), MONO_SECONDS(2)};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(latencies); i++) {
        struct pace pace;
        pace_init(&pace);
        assert_int_equal(pace_part(&pace, 500, 5, 5), PACE_FIRST);
        serve(&pace, 40, latencies[i], 1);
        assert_int_equal(pace.most, DIALOG_BATCH_MAX);
        /* All that waits, shared by those who are free. */
        assert_int_equal(pace_part(&pace, 150, 5, 1), 150);
        assert_int_equal(pace_part(&pace, 150, 5, 2), 75);
        assert_int_equal(pace_part(&pace, 1000, 5, 1), DIALOG_BATCH_MAX);
        assert_int_equal(pace_part(&pace, 1, 5, 1), 1);
        assert_int_equal(pace_part(&pace, 0, 5, 1), 1);
    }
}

static void test_serial(void **state)
{
    static const mono_us latencies[] = {MONO_MS(20), MONO_MS(100), MONO_MS(300), MONO_SECONDS(1)};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(latencies); i++) {
        struct pace pace;
        pace_init(&pace);
        serve(&pace, 40, MONO_MS(1), latencies[i]);
        mono_us longest = (mono_us)pace.most * latencies[i];
        assert_true(longest <= PACE_SLOW || pace.most == 1);
        assert_true(pace.most == 1 || longest > PACE_SLOW / 3);
        /* A part of the queue, whoever is free. */
        assert_int_equal(pace_part(&pace, 10, 10, 1), 1);
        assert_true(pace_part(&pace, 20, 10, 1) <= 2);
    }
}

/* A server nobody knows is slow: it takes a few batches to see, none of them huge. */
static void test_slow_start(void **state)
{
    struct pace pace;
    (void)state;
    pace_init(&pace);
    for (int i = 0; i < 3; i++) {
        size_t n = pace_part(&pace, 500, 1, 1);
        assert_true(n <= 2 * PACE_FIRST);
        pace_add(&pace, n, MONO_SECONDS(1) * (mono_us)n);
    }
    assert_int_equal(pace_part(&pace, 500, 1, 1), 1);
}

static void test_change(void **state)
{
    struct pace pace;
    (void)state;
    pace_init(&pace);
    serve(&pace, 40, MONO_MS(20), 1);
    serve(&pace, 60, MONO_MS(1), MONO_MS(50));
    assert_true(pace.most <= 25); /* a second, not the ten of two hundred */
    serve(&pace, 100, MONO_MS(20), 1);
    assert_true(pace.most > 100);
}

/* Before a refusal was seen batches are as small as they may be. */
static void test_refusals_unknown(void **state)
{
    struct pace pace;
    (void)state;
    pace_init(&pace);
    assert_int_equal(pace_bearable(&pace, 500, 5, true, 0), 1); /* no round trip known either */
    pace_add_trip(&pace, 0);
    pace_add_trip(&pace, MONO_MS(30));
    pace_add_trip(&pace, MONO_MS(20));
    pace_add_trip(&pace, MONO_MS(90));
    assert_true(pace_may_tire(&pace, 0));
    assert_int_equal(pace_bearable(&pace, 20, 5, true, 0), 1);
    assert_int_equal(pace_bearable(&pace, 500, 5, true, 0), 20);
    assert_int_equal(pace_bearable(&pace, 500, 5, false, 0), DIALOG_BATCH_MAX);
    pace_add_trip(&pace, 200); /* the same host */
    assert_int_equal(pace_bearable(&pace, 10, 5, false, 0), 1);
    assert_int_equal(pace_bearable(&pace, 500, 5, true, 0), 1);
}

/* One slow refusal is enough to be careful, it takes more quick ones to be not. */
static void test_refusals_known(void **state)
{
    struct pace pace;
    int quick = 0;
    (void)state;
    pace_init(&pace);
    pace_add_refusals(&pace, 100, MONO_MS(1), 0);
    assert_false(pace_may_tire(&pace, 1));
    assert_int_equal(pace_bearable(&pace, 500, 5, true, 1), DIALOG_BATCH_MAX);
    pace_add_refusals(&pace, 1, MONO_SECONDS(5), 2);
    assert_true(pace_may_tire(&pace, 3));
    assert_int_equal(pace_bearable(&pace, 500, 5, true, 3), 1);
    assert_int_equal(pace_bearable(&pace, 500, 5, false, 3), 1);
    for (; pace_may_tire(&pace, 3); quick++)
        pace_add_refusals(&pace, 1, 10, 3);
    assert_in_range(quick, 10, 50);
    /* What each of a batch would cost is bounded, not only what the next one does. */
    pace_init(&pace);
    pace_add_refusals(&pace, 1, MONO_MS(50), 0);
    assert_in_range(pace_bearable(&pace, 500, 5, true, 1), 4, 5);
    /* It is forgotten. */
    assert_true(pace_may_tire(&pace, PACE_REFUSAL_KNOWN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire),
        cmocka_unit_test(test_serial),
        cmocka_unit_test(test_slow_start),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_refusals_unknown),
        cmocka_unit_test(test_refusals_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
