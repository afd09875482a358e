/* stats_test.c - counters, also by several threads at once. */
#include "lib/state/stats.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define THREADS 4
#define TIMES 20000

static void counts_each_by_itself(void **state)
{
    (void)state;
    struct stats *stats = stats_new(3);

    assert_non_null(stats);
    stats_count(stats, 0);
    stats_count(stats, 2);
    stats_count(stats, 2);
    assert_int_equal(stats_get(stats, 0), 1);
    assert_int_equal(stats_get(stats, 1), 0);
    assert_int_equal(stats_get(stats, 2), 2);
    stats_free(stats);
    stats_free(NULL);
}

static void *count(void *arg)
{
    for (size_t i = 0; i < TIMES; i++)
        stats_count(arg, i % 2);
    return NULL;
}

static void no_count_is_lost(void **state)
{
    (void)state;
    struct stats *stats = stats_new(2);
    pthread_t thread[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, count, stats), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(stats_get(stats, 0), THREADS * TIMES / 2);
    assert_int_equal(stats_get(stats, 1), THREADS * TIMES / 2);
    stats_free(stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_each_by_itself),
        cmocka_unit_test(no_count_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
