/* lease_test.c - who is at a place at the same time, in many threads too. */
#include "lib/state/lease.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <cmocka.h>

#include "t/unit/dice.h"
#include "t/unit/no_memory.h"

static struct lease *must_take(struct lease_table *table, const char *key, uint64_t limit)
{
    struct lease *lease = NULL;
    assert_int_equal(lease_take(table, slice_of(key), limit, &lease), LEASE_GIVEN);
    assert_non_null(lease);
    return lease;
}

static void assert_full(struct lease_table *table, const char *key, uint64_t limit)
{
    struct lease *lease = (struct lease *)table;
    assert_int_equal(lease_take(table, slice_of(key), limit, &lease), LEASE_REFUSED);
    assert_null(lease);
}

static uint64_t count(struct lease_table *table, const char *key)
{
    return lease_count(table, slice_of(key));
}

static void up_to_the_limit_and_down_again(void **state)
{
    struct lease_table *table = lease_new();
    (void)state;
    assert_int_equal(count(table, "a"), 0);
    struct lease *first = must_take(table, "a", 2), *second = must_take(table, "a", 2);
    assert_full(table, "a", 2);
    assert_full(table, "a", 1);
    struct lease *third = must_take(table, "a", 3);
    assert_int_equal(count(table, "a"), 3);
    assert_int_equal(count(table, "b"), 0);
    lease_give_back(second);
    assert_full(table, "a", 2);
    lease_give_back(third);
    second = must_take(table, "a", 2);
    lease_give_back(first);
    lease_give_back(second);
    lease_give_back(NULL);
    assert_int_equal(count(table, "a"), 0);
    lease_free(table);
    lease_free(NULL);
}

static void a_place_left_is_entered_again(void **state)
{
    struct lease_table *table = lease_new();
    (void)state;
    for (int i = 0; i < 1000; i++)
        lease_give_back(must_take(table, "a", 1));
    assert_int_equal(lease_places(table), 1);
    lease_free(table);
}

static void places_that_were_left_go_away(void **state)
{
    struct lease_table *table = lease_new();
    char key[20];
    (void)state;
    for (int i = 0; i < 1000000; i++) {
        snprintf(key, sizeof key, "%d", i);
        lease_give_back(must_take(table, key, 1));
    }
    assert_in_range(lease_places(table), 1, 16 * 256);
    lease_free(table);
}

static void without_memory_only_known_places_are_entered(void **state)
{
    struct lease_table *table = lease_new();
    struct lease *known = must_take(table, "known", 2), *lease = known;
    (void)state;
    memory_allow(0);
    enum lease_answer other = lease_take(table, slice_of("other"), 2, &lease);
    struct lease *none = lease;
    enum lease_answer again = lease_take(table, slice_of("known"), 2, &lease);
    memory_allow(-1);
    assert_int_equal(other, LEASE_NO_MEMORY);
    assert_null(none);
    assert_int_equal(again, LEASE_GIVEN);
    assert_int_equal(count(table, "known"), 2);
    lease_free(table);
}

/* --- threads ---------------------------------------------------------------------- */

#define THREADS 64
#define ROUNDS 2000
#define LIMIT 20

static struct lease_table *shared;
static atomic_int inside, most, given;

static void note_most(int now_inside)
{
    int seen = atomic_load(&most);
    while (now_inside > seen && !atomic_compare_exchange_weak(&most, &seen, now_inside))
        ;
}

static void *come_and_go(void *arg)
{
    struct dice dice = {.x = (uint64_t)(uintptr_t)arg};
    char key[20];
    for (int i = 0; i < ROUNDS; i++) {
        struct lease *lease = NULL, *other = NULL;
        snprintf(key, sizeof key, "%u", dice_below(&dice, 5000));
        if (lease_take(shared, slice_of("one"), LIMIT, &lease) == LEASE_GIVEN) {
            note_most(atomic_fetch_add(&inside, 1) + 1);
            atomic_fetch_add(&given, 1);
        }
        assert_int_equal(lease_take(shared, slice_of(key), THREADS, &other), LEASE_GIVEN);
        lease_give_back(other);
        if (lease != NULL) {
            atomic_fetch_sub(&inside, 1);
            lease_give_back(lease);
        }
    }
    return NULL;
}

static void threads_never_pass_the_limit_and_leave_nothing(void **state)
{
    pthread_t threads[THREADS];
    char key[20];
    (void)state;
    shared = lease_new();
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&most), 1, LIMIT);
    assert_true(atomic_load(&given) > 0);
    assert_int_equal(count(shared, "one"), 0);
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(count(shared, key), 0);
    }
    lease_free(shared);
}

#define CROWD 500

static pthread_barrier_t start;
static struct lease *leases[CROWD];

static void *come_once(void *arg)
{
    struct lease **lease = arg;
    pthread_barrier_wait(&start);
    (void)lease_take(shared, slice_of("one"), CROWD / 2, lease);
    return NULL;
}

static void a_crowd_is_let_in_exactly(void **state)
{
    pthread_t threads[CROWD];
    int in = 0;
    (void)state;
    shared = lease_new();
    pthread_barrier_init(&start, NULL, CROWD);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_once, &leases[i]), 0);
    for (int i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
        in += leases[i] != NULL;
    }
    assert_int_equal(in, CROWD / 2);
    assert_int_equal(count(shared, "one"), CROWD / 2);
    for (int i = 0; i < CROWD; i++)
        lease_give_back(leases[i]);
    assert_int_equal(count(shared, "one"), 0);
    pthread_barrier_destroy(&start);
    lease_free(shared);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_to_the_limit_and_down_again),
        cmocka_unit_test(a_place_left_is_entered_again),
        cmocka_unit_test(places_that_were_left_go_away),
        cmocka_unit_test(without_memory_only_known_places_are_entered),
        cmocka_unit_test(threads_never_pass_the_limit_and_leave_nothing),
        cmocka_unit_test(a_crowd_is_let_in_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
