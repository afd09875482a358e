/* cache_test.c - the cache against a plain array that does the same. */
#include "lib/state/cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void put(struct cache *cache, const char *key, const char *value, mono_us expires)
{
    cache_put(cache, slice_of(key), value, strlen(value), expires, 0);
}

static bool has(struct cache *cache, const char *key, mono_us now)
{
    size_t size;
    return cache_get(cache, slice_of(key), now, NULL, 0, &size, NULL);
}

static void assert_value(struct cache *cache, const char *key, mono_us now, const char *value)
{
    char out[100];
    size_t size = 0;
    assert_true(cache_get(cache, slice_of(key), now, out, sizeof out, &size, NULL));
    assert_int_equal(size, strlen(value));
    assert_memory_equal(out, value, size);
}

static void test_put_get_replace_remove(void **state)
{
    (void)state;
    struct cache *cache = cache_new(10);
    mono_us expires = 0;
    size_t size = 0;
    char out[3] = "";
    assert_false(has(cache, "a", 0));
    put(cache, "a", "one", 100);
    put(cache, "b", "", 200);
    assert_value(cache, "a", 50, "one");
    assert_value(cache, "b", 50, "");
    put(cache, "a", "another", 300);
    assert_int_equal(cache_count(cache), 2);
    assert_true(cache_get(cache, slice_of("a"), 0, out, 2, &size, &expires));
    assert_int_equal(size, 7);
    assert_int_equal(expires, 300);
    assert_string_equal(out, "an");
    assert_true(cache_remove(cache, slice_of("a")));
    assert_false(cache_remove(cache, slice_of("a")));
    assert_int_equal(cache_count(cache), 1);
    cache_clear(cache);
    assert_int_equal(cache_count(cache), 0);
    put(cache, "a", "again", 100);
    assert_value(cache, "a", 0, "again");
    cache_free(cache);
    cache_free(NULL);
}

static void test_any_bytes_are_a_key(void **state)
{
    (void)state;
    struct cache *cache = cache_new(10);
    struct slice empty = {NULL, 0}, with_nul = {"a\0b", 3};
    size_t size;
    char out[1];
    cache_put(cache, empty, "e", 1, 10, 0);
    cache_put(cache, with_nul, "n", 1, 10, 0);
    put(cache, "a", "x", 10);
    assert_int_equal(cache_count(cache), 3);
    assert_true(cache_get(cache, empty, 0, out, 1, &size, NULL));
    assert_int_equal(out[0], 'e');
    assert_true(cache_get(cache, with_nul, 0, out, 1, &size, NULL));
    assert_int_equal(out[0], 'n');
    cache_free(cache);
}

static void test_life_ends_at_expires(void **state)
{
    (void)state;
    struct cache *cache = cache_new(10);
    put(cache, "a", "one", 100);
    assert_true(has(cache, "a", 99));
    assert_false(has(cache, "a", 100));
    assert_int_equal(cache_count(cache), 0);
    put(cache, "b", "x", 100);
    cache_put(cache, slice_of("b"), "y", 1, 50, 50); /* dead on arrival: the old one goes, too */
    assert_false(has(cache, "b", 0));
    assert_int_equal(cache_count(cache), 0);
    cache_free(cache);
}

static void test_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct cache *cache = cache_new(3);
    put(cache, "a", "1", 100);
    put(cache, "b", "2", 100);
    put(cache, "c", "3", 100);
    assert_true(has(cache, "a", 0));
    put(cache, "d", "4", 100);
    assert_int_equal(cache_count(cache), 3);
    assert_false(has(cache, "b", 0));
    put(cache, "c", "5", 100);
    put(cache, "e", "6", 100);
    assert_false(has(cache, "a", 0));
    assert_value(cache, "c", 0, "5");
    assert_value(cache, "d", 0, "4");
    cache_free(cache);
}

static void test_sizes_are_bounded(void **state)
{
    (void)state;
    static char big[CACHE_VALUE_MAX + 1];
    struct cache *cache = cache_new(100);
    size_t size;
    put(cache, "a", "1", 100);
    cache_put(cache, slice_of("a"), big, CACHE_VALUE_MAX + 1, 100, 0);
    assert_false(has(cache, "a", 0)); /* not kept, and the outdated one is gone */
    cache_put(cache, slice_of("a"), big, CACHE_VALUE_MAX, 100, 0);
    assert_true(cache_get(cache, slice_of("a"), 0, NULL, 0, &size, NULL));
    assert_int_equal(size, CACHE_VALUE_MAX);
    /* 100 entries of 1024 bytes: a second one of 64 KiB drives the first out. */
    cache_put(cache, slice_of("b"), big, CACHE_VALUE_MAX, 100, 0);
    assert_int_equal(cache_count(cache), 1);
    assert_true(has(cache, "b", 0));
    cache_free(cache);

    cache = cache_new(0); /* as small as it gets: still one entry, of any size */
    cache_put(cache, slice_of("a"), big, CACHE_VALUE_MAX, 100, 0);
    assert_true(has(cache, "a", 0));
    put(cache, "b", "1", 100);
    assert_int_equal(cache_count(cache), 1);
    cache_free(cache);
}

static void test_never_more_than_asked_for(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 16, 1023, 1024, 1025, 1039, 5000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct cache *cache = cache_new(sizes[i]);
        for (uint32_t key = 0; key < 3 * sizes[i]; key++)
            cache_put(cache, (struct slice){(char *)&key, sizeof key}, "", 0, 100, 0);
        assert_in_range(cache_count(cache), sizes[i] * 3 / 4, sizes[i]);
        cache_free(cache);
    }
}

struct seen {
    unsigned visited, sum;
};

static bool remove_odd(struct slice key, const void *value, size_t size, mono_us expires, void *arg)
{
    struct seen *seen = arg;
    unsigned number;
    assert_int_equal(size, sizeof number);
    memcpy(&number, value, size);
    assert_memory_equal(key.p, value, size);
    assert_int_equal(expires, number + 1);
    seen->visited++;
    seen->sum += number;
    return number % 2 != 0;
}

static void test_each_visits_and_removes(void **state)
{
    (void)state;
    struct cache *cache = cache_new(2000);
    for (unsigned n = 0; n < 100; n++)
        cache_put(cache, (struct slice){(char *)&n, sizeof n}, &n, sizeof n, (mono_us)n + 1, 0);
    struct seen seen = {0};
    cache_each(cache, 90, remove_odd, &seen); /* 90...99 are alive */
    assert_int_equal(seen.visited, 10);
    assert_int_equal(seen.sum, 945);
    assert_int_equal(cache_count(cache), 5);
    cache_free(cache);
}

/* --- a cache of ten lines: an array, searched and aged by hand ------------ */

struct model_entry {
    bool there;
    unsigned value;
    mono_us expires;
    unsigned used;
};

#define KEYS 40
#define ROOM 12

static void model_make_room(struct model_entry *model)
{
    struct model_entry *oldest = NULL;
    size_t count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        if (!model[i].there)
            continue;
        count++;
        if (oldest == NULL || model[i].used < oldest->used)
            oldest = &model[i];
    }
    if (count > ROOM)
        oldest->there = false;
}

static unsigned random_below(unsigned *seed, unsigned n)
{
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 16) % n;
}

static void test_same_as_a_plain_array(void **state)
{
    (void)state;
    struct cache *cache = cache_new(ROOM);
    struct model_entry model[KEYS] = {{0}};
    unsigned seed = 4711, hits = 0;
    mono_us now = 0;
    for (unsigned step = 1; step < 200000; step++) {
        unsigned key = random_below(&seed, KEYS), value = 0;
        struct slice k = {(char *)&key, sizeof key};
        struct model_entry *m = &model[key];
        mono_us expires = 0;
        size_t size = 0;
        now += random_below(&seed, 3);
        switch (random_below(&seed, 5)) {
        case 0:
        case 1:
            *m = (struct model_entry){true, step, now + random_below(&seed, 60), step};
            cache_put(cache, k, &step, sizeof step, m->expires, now);
            m->there = m->expires > now;
            model_make_room(model);
            break;
        case 2:
            assert_int_equal(cache_remove(cache, k), m->there);
            m->there = false;
            break;
        default:
            m->there = m->there && m->expires > now;
            assert_int_equal(cache_get(cache, k, now, &value, sizeof value, &size, &expires),
                             m->there);
            if (m->there) {
                assert_int_equal(value, m->value);
                assert_int_equal(expires, m->expires);
                m->used = step;
                hits++;
            }
        }
    }
    assert_true(hits > 1000);
    cache_free(cache);
}

/* --- threads: a value always belongs to its key --------------------------- */

struct worker {
    pthread_t thread;
    struct cache *cache;
    unsigned seed, wrong, hits;
};

static bool remove_some(struct slice key, const void *value, size_t size, mono_us expires,
                        void *arg)
{
    (void)value, (void)size, (void)expires, (void)arg;
    return key.p[0] % 7 == 0;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (unsigned step = 0; step < 20000; step++) {
        unsigned key = random_below(&w->seed, 3000), value[64], got[64];
        struct slice k = {(char *)&key, sizeof key};
        size_t size;
        for (size_t i = 0; i < ARRAY_LEN(value); i++)
            value[i] = key;
        if (step % 3 == 0) {
            cache_put(w->cache, k, value, sizeof value, step + 1000, step);
        } else if (cache_get(w->cache, k, step, got, sizeof got, &size, NULL)) {
            w->wrong += size != sizeof value || memcmp(got, value, size) != 0;
            w->hits++;
        }
        if (step % 1999 == 0)
            cache_each(w->cache, step, remove_some, NULL);
        if (step == 10000)
            cache_clear(w->cache);
        if (step % 100 == 0)
            w->wrong += cache_remove(w->cache, k) && cache_count(w->cache) > 2000;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct worker workers[4] = {{0}};
    struct cache *cache = cache_new(2000);
    for (unsigned i = 0; i < ARRAY_LEN(workers); i++) {
        workers[i].cache = cache;
        workers[i].seed = i + 1;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < ARRAY_LEN(workers); i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
        assert_true(workers[i].hits > 100);
    }
    cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_replace_remove),
        cmocka_unit_test(test_any_bytes_are_a_key),
        cmocka_unit_test(test_life_ends_at_expires),
        cmocka_unit_test(test_least_recently_used_goes_first),
        cmocka_unit_test(test_sizes_are_bounded),
        cmocka_unit_test(test_never_more_than_asked_for),
        cmocka_unit_test(test_each_visits_and_removes),
        cmocka_unit_test(test_same_as_a_plain_array),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
