/* counter_test.c - counters in windows, against a plain array that does the same. */
#include "lib/state/counter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "t/unit/dice.h"

#define HOUR MONO_SECONDS(3600)

static bool take(struct counter_table *table, const char *key, uint64_t limit, mono_us now)
{
    return counter_take(table, slice_of(key), limit, HOUR, now, NULL);
}

static void assert_counted(struct counter_table *table, const char *key, mono_us now,
                           uint32_t count, uint32_t total)
{
    struct counter_value value;
    assert_true(counter_get(table, slice_of(key), HOUR, now, &value));
    assert_int_equal(value.count, count);
    assert_int_equal(value.total, total);
}

static bool is_open(struct counter_table *table, const char *key, mono_us now)
{
    struct counter_value value;
    return counter_get(table, slice_of(key), HOUR, now, &value);
}

static void up_to_the_limit(void **state)
{
    struct counter_table *table = counter_new(100);
    (void)state;
    assert_false(is_open(table, "a", 0));
    assert_true(take(table, "a", 3, 0));
    assert_true(take(table, "a", 3, 0));
    assert_true(take(table, "a", 3, 0));
    assert_false(take(table, "a", 3, 0));
    assert_counted(table, "a", 0, 3, 4);
    /* another asker, another limit, the same count */
    assert_false(take(table, "a", 2, 0));
    assert_true(take(table, "a", 4, 0));
    assert_true(take(table, "a", INT64_MAX, 0));
    assert_counted(table, "a", 0, 5, 7);
    assert_true(take(table, "b", 1, 0));
    assert_false(take(table, "b", 1, 0));
    assert_int_equal(counter_keys(table), 2);
    counter_free(table);
    counter_free(NULL);
}

static void a_window_begins_with_the_first_event(void **state)
{
    struct counter_table *table = counter_new(100);
    mono_us began = MONO_SECONDS(5);
    (void)state;
    assert_true(take(table, "a", 1, began));
    assert_false(take(table, "a", 1, began + HOUR - 1));
    assert_true(is_open(table, "a", began + HOUR - 1));
    assert_false(is_open(table, "a", began + HOUR));
    assert_true(take(table, "a", 1, began + HOUR));
    assert_counted(table, "a", began + HOUR, 1, 1);
    assert_false(take(table, "a", 1, began + 2 * HOUR - 1));
    assert_true(take(table, "a", 1, began + 2 * HOUR));
    assert_int_equal(counter_keys(table), 1);
    /* a clock read before the window was opened by somebody else */
    assert_false(take(table, "a", 1, began));
    counter_free(table);
}

static void the_asker_says_how_long_a_window_is(void **state)
{
    struct counter_table *table = counter_new(100);
    (void)state;
    assert_true(counter_take(table, slice_of("a"), 1, HOUR, 0, NULL));
    assert_false(counter_take(table, slice_of("a"), 1, HOUR, HOUR / 2, NULL));
    assert_true(counter_take(table, slice_of("a"), 1, HOUR / 2, HOUR / 2, NULL));
    assert_false(counter_take(table, slice_of("a"), 1, HOUR, HOUR, NULL));
    counter_free(table);
}

static void limit_zero_only_opens(void **state)
{
    struct counter_table *table = counter_new(100);
    struct counter_value value;
    (void)state;
    assert_false(counter_take(table, slice_of("a"), 0, HOUR, 7, &value));
    assert_int_equal(value.count, 0);
    assert_int_equal(value.total, 1);
    assert_int_equal(value.began, 7);
    assert_counted(table, "a", 7, 0, 1);
    counter_free(table);
}

static void a_count_is_corrected_in_its_window_only(void **state)
{
    struct counter_table *table = counter_new(100);
    struct counter_value value;
    struct slice a = slice_of("a");
    (void)state;
    assert_int_equal(counter_correct(table, a, 2, 0, 1), 0);
    assert_true(counter_take(table, a, 2, HOUR, 5, &value));
    assert_int_equal(counter_correct(table, a, 2, value.began, 1), 2);
    assert_false(take(table, "a", 2, 5));
    assert_int_equal(counter_correct(table, a, 2, value.began, -1), 1);
    assert_true(take(table, "a", 2, 5));
    assert_int_equal(counter_correct(table, a, 2, value.began - 1, -1), 0);
    assert_false(take(table, "a", 2, 5));
    assert_int_equal(counter_correct(table, a, 2, value.began, -1), 1);
    assert_int_equal(counter_correct(table, a, 2, value.began, -1), 0);
    assert_int_equal(counter_correct(table, a, 2, value.began, -1), 0);
    assert_counted(table, "a", 5, 0, 4);
    counter_free(table);
}

static void a_reset_key_starts_afresh(void **state)
{
    struct counter_table *table = counter_new(100);
    (void)state;
    assert_false(counter_reset(table, slice_of("a")));
    assert_true(take(table, "a", 1, 0));
    assert_true(counter_reset(table, slice_of("a")));
    assert_false(is_open(table, "a", 0));
    assert_int_equal(counter_keys(table), 0);
    assert_true(take(table, "a", 1, 1));
    assert_counted(table, "a", 1, 1, 1);
    counter_free(table);
}

static void any_bytes_are_a_key(void **state)
{
    struct counter_table *table = counter_new(100);
    struct slice zero = {"\0", 1}, two = {"\0\0", 2}, none = {NULL, 0};
    (void)state;
    assert_true(counter_take(table, zero, 1, HOUR, 0, NULL));
    assert_true(counter_take(table, two, 1, HOUR, 0, NULL));
    assert_true(counter_take(table, none, 1, HOUR, 0, NULL));
    assert_false(counter_take(table, zero, 1, HOUR, 0, NULL));
    counter_free(table);
}

static const char *name_of(char text[20], uint32_t i)
{
    snprintf(text, 20, "key %u", i);
    return text;
}

static void a_full_table_forgets_the_oldest_window(void **state)
{
    struct counter_table *table = counter_new(10);
    char name[20];
    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        assert_true(take(table, name_of(name, i), 1, i));
    for (uint32_t i = 0; i < 10; i++)
        assert_false(take(table, name_of(name, i), 1, 20));
    assert_true(take(table, "more", 1, 21));
    assert_int_equal(counter_keys(table), 10);
    assert_false(is_open(table, name_of(name, 0), 21));
    for (uint32_t i = 1; i < 10; i++)
        assert_true(is_open(table, name_of(name, i), 21));
    counter_free(table);
}

static void what_is_over_goes_first(void **state)
{
    struct counter_table *table = counter_new(10);
    char name[20];
    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        assert_true(take(table, name_of(name, i), 1, i));
    /* the first one begins again and is the youngest now */
    assert_true(take(table, name_of(name, 0), 1, HOUR));
    assert_true(take(table, "more", 1, HOUR + 1));
    assert_true(is_open(table, name_of(name, 0), HOUR + 1));
    assert_false(is_open(table, name_of(name, 1), HOUR + 1));
    assert_true(is_open(table, name_of(name, 2), HOUR + 1));
    /* each new key makes room for itself and one more: old ones do not pile up */
    for (uint32_t i = 100; i < 110; i++)
        assert_true(take(table, name_of(name, i), 1, 3 * HOUR));
    assert_int_equal(counter_keys(table), 10);
    counter_free(table);
}

/* An attacker at 9 of 10 was forgotten after some thousand others. */
static void who_is_near_a_limit_outlasts_a_flood(void **state)
{
    struct counter_table *table = counter_new(1000);
    char name[20];
    (void)state;
    for (uint32_t i = 0; i < 9; i++)
        assert_true(take(table, "near", 10, 0));
    for (uint32_t i = 0; i < 10; i++)
        assert_true(take(table, "reached", 10, 1));
    for (uint32_t i = 0; i < 11; i++)
        (void)take(table, "refused", 10, 2);
    for (uint32_t i = 0; i < 100000; i++)
        assert_true(take(table, name_of(name, i), 10, 3 + i));
    assert_int_equal(counter_keys(table), 1000);
    assert_counted(table, "near", HOUR - 1, 9, 9);
    assert_true(take(table, "near", 10, HOUR - 1));
    assert_false(take(table, "near", 10, HOUR - 1));
    assert_false(take(table, "reached", 10, HOUR - 1));
    assert_false(take(table, "refused", 10, HOUR - 1));
    /* their windows end as ever */
    assert_true(take(table, "reached", 10, 1 + HOUR));
    counter_free(table);
}

static void the_nearer_the_later_it_goes(void **state)
{
    struct counter_table *table = counter_new(8);
    char name[20];
    (void)state;
    /* key n comes to n of 8, the nearest first */
    for (uint32_t n = 8; n > 0; n--) {
        for (uint32_t i = 0; i < n; i++)
            assert_true(take(table, name_of(name, n), 8, 0));
    }
    for (uint32_t n = 1; n <= 7; n++) {
        assert_true(take(table, "new", 8, 1));
        assert_false(is_open(table, name_of(name, n), 1));
        assert_true(is_open(table, name_of(name, n + 1), 1));
        /* it takes the place that became free, and comes as near as none of them */
        for (uint32_t i = 1; i < 8; i++)
            assert_true(take(table, "new", 8, 1));
        assert_true(counter_reset(table, slice_of("new")));
        for (uint32_t i = 0; i < 8; i++)
            assert_true(take(table, name_of(name, 100 + n), 8, 1));
    }
    counter_free(table);
}

static void the_smallest_limit_asked_for_counts(void **state)
{
    struct counter_table *table = counter_new(2);
    (void)state;
    assert_true(take(table, "a", 1000, 0));
    assert_false(take(table, "a", 1, 0)); /* reached for this asker */
    assert_true(take(table, "a", 1000, 0));
    for (int i = 0; i < 100; i++)
        assert_true(take(table, "b", INT64_MAX, 0)); /* no limit: nothing to tell */
    assert_true(take(table, "c", 1000, 1));
    assert_true(is_open(table, "a", 1));
    assert_false(is_open(table, "b", 1));
    /* a correction counts, too; opening a window does not */
    struct counter_value value;
    assert_false(counter_take(table, slice_of("d"), 0, HOUR, 2, &value));
    assert_false(is_open(table, "c", 2));
    assert_int_equal(counter_correct(table, slice_of("d"), 2, value.began, 1), 1);
    assert_true(take(table, "e", 1000, 3));
    assert_false(is_open(table, "d", 3));
    counter_free(table);
}

static void where_all_have_reached_theirs_the_first_goes(void **state)
{
    struct counter_table *table = counter_new(10);
    char name[20];
    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        assert_true(take(table, name_of(name, i), 2, i));
    for (uint32_t i = 10; i-- > 0;)
        assert_true(take(table, name_of(name, i), 2, 20 - i));
    for (uint32_t i = 0; i < 9; i++) {
        assert_true(take(table, name_of(name, 100 + i), 1, 30));
        assert_int_equal(counter_keys(table), 10);
        assert_false(is_open(table, name_of(name, 9 - i), 30));
        assert_true(is_open(table, name_of(name, 8 - i), 30));
        assert_false(take(table, name_of(name, 100 + i), 1, 30));
    }
    counter_free(table);
}

/* --- a full table against a plain array ------------------------------------------------ */

#define ROOM 30
#define STRANGERS 90
#define WINDOW MONO_SECONDS(30)

struct plain {
    bool there;
    mono_us began;
    uint64_t order; /* when it came to its level */
    uint32_t count, level;
};

struct model {
    struct plain keys[STRANGERS];
    uint64_t clock;
    size_t n;
};

static bool is_over(const struct plain *key, mono_us now)
{
    return now - key->began >= WINDOW;
}

/* The one that goes: over, the oldest of them; or with the least to tell. */
static struct plain *worst(struct model *model, bool over, mono_us now)
{
    struct plain *found = NULL;
    for (size_t i = 0; i < STRANGERS; i++) {
        struct plain *key = &model->keys[i];
        if (!key->there || (over && !is_over(key, now)))
            continue;
        if (found == NULL || (over ? key->began < found->began
                                   : key->level < found->level ||
                                         (key->level == found->level && key->order < found->order)))
            found = key;
    }
    return found;
}

static void forget(struct model *model, struct plain *key)
{
    key->there = false;
    model->n--;
}

static void make_room(struct model *model, mono_us now)
{
    for (int i = 0; i < 2; i++) {
        struct plain *over = worst(model, true, now);
        if (over != NULL)
            forget(model, over);
    }
    if (model->n == ROOM)
        forget(model, worst(model, false, now));
}

static bool model_take(struct model *model, size_t k, uint32_t limit, mono_us now)
{
    struct plain *key = &model->keys[k];
    if (!key->there) {
        make_room(model, now);
        model->n++;
    }
    if (!key->there || is_over(key, now))
        *key = (struct plain){.there = true, .began = now, .order = model->clock++};
    bool within = key->count < limit;
    key->count += within;
    uint32_t level = key->count >= limit ? 8 : key->count * 8 / limit;
    if (level > key->level) {
        key->level = level;
        key->order = model->clock++;
    }
    return within;
}

/* None that reached its limit is ever missing while another has not. */
static void check_full(const struct model *before, const struct model *after, mono_us now)
{
    uint32_t lost = 0, least = 8;
    for (size_t i = 0; i < STRANGERS; i++) {
        const struct plain *was = &before->keys[i], *is = &after->keys[i];
        if (was->there && !is->there && !is_over(was, now) && was->level > lost)
            lost = was->level;
        if (was->there && is->there && was->level < least)
            least = was->level;
    }
    assert_true(lost <= least);
}

static void a_full_table_forgets_as_the_plain_array_does(void **state)
{
    static struct model model, before;
    struct counter_table *table = counter_new(ROOM);
    struct dice dice = dice_start(0);
    mono_us now = 0;
    (void)state;
    for (int i = 0; i < 40000; i++) {
        char name[20];
        /* a few come often, most only now and then; whiles of haste and of rest */
        uint32_t k = dice_below(&dice, dice_below(&dice, 3) == 0 ? STRANGERS : 10);
        uint32_t limit = 1 + dice_below(&dice, dice_below(&dice, 2) == 0 ? 3 : 40);
        now += 1 + (mono_us)dice_below(&dice, i / 1000 % 3 == 0 ? 2000 : 400) * 1000;
        before = model;
        assert_int_equal(counter_take(table, slice_of(name_of(name, k)), limit, WINDOW, now, NULL),
                         model_take(&model, k, limit, now));
        check_full(&before, &model, now);
        assert_int_equal(counter_keys(table), model.n);
        for (uint32_t j = 0; j < STRANGERS; j++) {
            struct counter_value value = {.count = 0};
            const struct plain *key = &model.keys[j];
            bool open = counter_get(table, slice_of(name_of(name, j)), WINDOW, now, &value);
            assert_int_equal(open, key->there && !is_over(key, now));
            assert_true(!open || value.count == key->count);
        }
    }
    counter_free(table);
}

/* --- against a plain array ------------------------------------------------------------ */

#define KEYS 40

static void as_a_plain_array_counts(void **state)
{
    struct {
        bool open;
        mono_us began;
        uint32_t count;
    } plain[KEYS] = {{0}};
    struct counter_table *table = counter_new(KEYS);
    struct dice dice = dice_start(0);
    mono_us now = 0;
    (void)state;
    for (int i = 0; i < 100000; i++) {
        char name[20];
        uint32_t k = dice_below(&dice, KEYS), limit = dice_below(&dice, 5);
        now += (mono_us)dice_below(&dice, 1000) * 1000;
        name_of(name, k);
        if (dice_below(&dice, 50) == 0) {
            (void)counter_reset(table, slice_of(name));
            plain[k].open = false;
            continue;
        }
        if (!plain[k].open || now - plain[k].began >= MONO_SECONDS(30)) {
            plain[k].open = true;
            plain[k].began = now;
            plain[k].count = 0;
        }
        bool within = plain[k].count < limit;
        plain[k].count += within;
        assert_int_equal(counter_take(table, slice_of(name), limit, MONO_SECONDS(30), now, NULL),
                         within);
    }
    counter_free(table);
}

static void small_and_large_tables(void **state)
{
    (void)state;
    struct counter_table *one = counter_new(0), *large = counter_new(1000000);
    assert_true(take(one, "a", 1, 0));
    assert_true(take(one, "b", 1, 0));
    assert_int_equal(counter_keys(one), 1);
    char name[20];
    for (uint32_t i = 0; i < 100000; i++)
        assert_true(take(large, name_of(name, i), 1, 0));
    for (uint32_t i = 0; i < 100000; i++)
        assert_false(take(large, name_of(name, i), 1, 1));
    assert_int_equal(counter_keys(large), 100000);
    assert_in_range(counter_bytes(large), 1000000 * COUNTER_BYTES,
                    1000000 * (COUNTER_BYTES + 8) + 100000);
    assert_null(counter_new(SIZE_MAX));
    counter_free(one);
    counter_free(large);
}

/* --- threads ---------------------------------------------------------------------------- */

#define THREADS 500
#define TRIES 20

static struct shared {
    struct counter_table *table;
    pthread_barrier_t start;
    uint64_t limit;
    uint32_t taken[THREADS];
    int numbers[THREADS];
} shared;

static void *try_often(void *arg)
{
    int me = *(const int *)arg;
    char name[20];
    pthread_barrier_wait(&shared.start);
    for (uint32_t i = 0; i < TRIES; i++) {
        shared.taken[me] += take(shared.table, "one", shared.limit, 0);
        (void)take(shared.table, name_of(name, (uint32_t)me * TRIES + i), 1, 0);
    }
    return NULL;
}

static uint64_t run_threads(uint64_t limit, size_t max_keys)
{
    pthread_t threads[THREADS];
    pthread_attr_t small;
    uint64_t sum = 0;
    shared = (struct shared){.table = counter_new(max_keys), .limit = limit};
    pthread_barrier_init(&shared.start, NULL, THREADS);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 * 1024);
    for (int i = 0; i < THREADS; i++) {
        shared.numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], &small, try_often, &shared.numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += shared.taken[i];
    }
    pthread_attr_destroy(&small);
    pthread_barrier_destroy(&shared.start);
    return sum;
}

static void five_hundred_threads_are_let_in_exactly(void **state)
{
    static const uint64_t limits[] = {
        1, 499, 500, 501, 777, THREADS * TRIES - 1, THREADS * TRIES, THREADS * TRIES + 1};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        uint64_t most = THREADS * TRIES, want = limits[i] < most ? limits[i] : most;
        assert_int_equal(run_threads(limits[i], 100000), want);
        assert_counted(shared.table, "one", 0, (uint32_t)want, (uint32_t)most);
        counter_free(shared.table);
    }
}

static void a_full_table_stays_within_its_bound(void **state)
{
    (void)state;
    (void)run_threads(1, 4200);
    assert_in_range(counter_keys(shared.table), 4100, 4200);
    counter_free(shared.table);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_to_the_limit),
        cmocka_unit_test(a_window_begins_with_the_first_event),
        cmocka_unit_test(the_asker_says_how_long_a_window_is),
        cmocka_unit_test(limit_zero_only_opens),
        cmocka_unit_test(a_count_is_corrected_in_its_window_only),
        cmocka_unit_test(a_reset_key_starts_afresh),
        cmocka_unit_test(any_bytes_are_a_key),
        cmocka_unit_test(a_full_table_forgets_the_oldest_window),
        cmocka_unit_test(what_is_over_goes_first),
        cmocka_unit_test(who_is_near_a_limit_outlasts_a_flood),
        cmocka_unit_test(the_nearer_the_later_it_goes),
        cmocka_unit_test(the_smallest_limit_asked_for_counts),
        cmocka_unit_test(where_all_have_reached_theirs_the_first_goes),
        cmocka_unit_test(a_full_table_forgets_as_the_plain_array_does),
        cmocka_unit_test(as_a_plain_array_counts),
        cmocka_unit_test(small_and_large_tables),
        cmocka_unit_test(five_hundred_threads_are_let_in_exactly),
        cmocka_unit_test(a_full_table_stays_within_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
