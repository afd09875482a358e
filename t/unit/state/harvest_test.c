/* harvest_test.c - different invalid recipients of a client in its window. */
#include "lib/state/harvest.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HOUR MONO_SECONDS(3600)
#define LIMIT 10

static void assert_noted(struct harvest *harvest, const char *client, const char *address,
                         mono_us now, uint32_t different, uint32_t total)
{
    struct harvest_value value =
        harvest_note(harvest, slice_of(client), slice_of(address), LIMIT, HOUR, now);
    assert_int_equal(value.different, different);
    assert_int_equal(value.total, total);
    value = (struct harvest_value){0};
    assert_true(harvest_get(harvest, slice_of(client), HOUR, now, &value));
    assert_int_equal(value.different, different);
    assert_int_equal(value.total, total);
}

static bool is_open(struct harvest *harvest, const char *client, mono_us now)
{
    struct harvest_value value;
    return harvest_get(harvest, slice_of(client), HOUR, now, &value);
}

static void different_addresses_count(void **state)
{
    struct harvest *harvest = harvest_new(100);
    (void)state;
    assert_false(is_open(harvest, "c", 0));
    assert_noted(harvest, "c", "a", 0, 1, 1);
    assert_noted(harvest, "c", "a", 1, 1, 2);
    assert_noted(harvest, "c", "b", 2, 2, 3);
    assert_noted(harvest, "c", "a", 3, 2, 4);
    assert_noted(harvest, "d", "a", 4, 1, 1);
    assert_int_equal(harvest_clients(harvest), 2);
    harvest_free(harvest);
    harvest_free(NULL);
}

static void a_new_window_knows_nothing_of_the_old(void **state)
{
    struct harvest *harvest = harvest_new(100);
    (void)state;
    assert_noted(harvest, "c", "a", 0, 1, 1);
    assert_noted(harvest, "c", "b", HOUR - 1, 2, 2);
    assert_false(is_open(harvest, "c", HOUR));
    assert_noted(harvest, "c", "b", HOUR, 1, 1);
    assert_noted(harvest, "c", "a", HOUR + 1, 2, 2);
    assert_noted(harvest, "c", "b", 2 * HOUR - 1, 2, 3);
    harvest_free(harvest);
}

static void a_reset_client_starts_afresh(void **state)
{
    struct harvest *harvest = harvest_new(100);
    (void)state;
    assert_false(harvest_reset(harvest, slice_of("c")));
    assert_noted(harvest, "c", "a", 0, 1, 1);
    assert_true(harvest_reset(harvest, slice_of("c")));
    assert_false(is_open(harvest, "c", 0));
    assert_noted(harvest, "c", "a", 1, 1, 1);
    harvest_free(harvest);
}

static void memory_is_bounded_whatever_a_client_names(void **state)
{
    struct harvest *harvest = harvest_new(100);
    char name[20];
    (void)state;
    for (uint32_t i = 1; i <= 100000; i++) {
        snprintf(name, sizeof name, "a%u", i);
        assert_noted(harvest, "c", name, 0, i, i);
    }
    /* the last ones are still known, the first ones count again */
    assert_noted(harvest, "c", "a100000", 0, 100000, 100001);
    assert_noted(harvest, "c", "a1", 0, 100001, 100002);
    harvest_free(harvest);
}

/* At 9 of 10, and 1,500 networks after it name one address each. */
static void who_is_near_the_limit_outlasts_a_flood(void **state)
{
    struct harvest *harvest = harvest_new(1000);
    char name[20];
    (void)state;
    for (uint32_t i = 1; i < LIMIT; i++) {
        snprintf(name, sizeof name, "a%u", i);
        assert_noted(harvest, "attacker", name, 0, i, i);
    }
    for (uint32_t i = 0; i < 1500; i++) {
        snprintf(name, sizeof name, "network %u", i);
        assert_noted(harvest, name, "a", 1, 1, 1);
    }
    assert_noted(harvest, "attacker", "last", HOUR - 1, LIMIT, LIMIT);
    assert_int_equal(harvest_clients(harvest), 1000);
    harvest_free(harvest);
}

/* --- threads ---------------------------------------------------------------------- */

#define THREADS 100
#define ADDRESSES 50

static struct harvest *shared;
static pthread_barrier_t start;

static void *name_all(void *arg)
{
    char name[20];
    (void)arg;
    pthread_barrier_wait(&start);
    for (int i = 0; i < ADDRESSES; i++) {
        snprintf(name, sizeof name, "a%d", i);
        (void)harvest_note(shared, slice_of("c"), slice_of(name), LIMIT, HOUR, 0);
    }
    return NULL;
}

static void threads_that_name_the_same_count_each_once(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    shared = harvest_new(10000);
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, name_all, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_noted(shared, "c", "a0", 0, ADDRESSES, THREADS * ADDRESSES + 1);
    pthread_barrier_destroy(&start);
    harvest_free(shared);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(different_addresses_count),
        cmocka_unit_test(a_new_window_knows_nothing_of_the_old),
        cmocka_unit_test(a_reset_client_starts_afresh),
        cmocka_unit_test(who_is_near_the_limit_outlasts_a_flood),
        cmocka_unit_test(memory_is_bounded_whatever_a_client_names),
        cmocka_unit_test(threads_that_name_the_same_count_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
