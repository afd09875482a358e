/* mono_test.c - the forward clock and waiting (lib/base/mono.h). */
#include "lib/base/mono.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void goes_forward(void **state)
{
    (void)state;
    mono_us before = mono_now();
    for (int i = 0; i < 1000; i++) {
        mono_us now = mono_now();
        assert_true(now >= before);
        before = now;
    }
    assert_true(mono_wall_seconds() > 1600000000);
    before = mono_since_boot();
    assert_true(before >= mono_now() - MONO_SECONDS(1));
    assert_true(mono_since_boot() >= before);
}

static void tests_set_both_clocks(void **state)
{
    (void)state;
    mono_us now = 5;
    int64_t wall = MONO_SECONDS(7) - 1;
    mono_simulate(&now);
    mono_simulate_wall(&wall);
    assert_int_equal(mono_since_boot(), 5);
    assert_int_equal(mono_wall_us(), wall);
    assert_int_equal(mono_wall_seconds(), 6);
    mono_simulate(NULL);
    mono_simulate_wall(NULL);
    assert_int_not_equal(mono_since_boot(), 5);
    assert_true(mono_wall_seconds() > 1600000000);
}

static void poll_rounds_up(void **state)
{
    (void)state;
    static const mono_us now = MONO_SECONDS(1000);
    static const struct {
        mono_us deadline;
        int ms;
    } cases[] = {
        {0, 0},
        {MONO_SECONDS(1000) - 1, 0},
        {MONO_SECONDS(1000), 0},
        {MONO_SECONDS(1000) + 1, 1},
        {MONO_SECONDS(1000) + 999, 1},
        {MONO_SECONDS(1000) + 1000, 1},
        {MONO_SECONDS(1000) + 1001, 2},
        {MONO_NEVER - 1, INT_MAX},
        {MONO_NEVER, -1},
    };
    mono_simulate(&now);
    assert_int_equal(mono_now(), now);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(mono_poll_ms(cases[i].deadline), cases[i].ms);
    mono_simulate(NULL);
    assert_int_not_equal(mono_now(), now);
}

static void wall_text_has_the_iso_form(void **state)
{
    (void)state;
    char text[MONO_WALL_TEXT_MAX];
    assert_ptr_equal(mono_wall_at(0, text), text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    assert_string_equal(mono_wall_at(1795344303, text), "2026-11-22T10:45:03Z");
    assert_true(mono_wall_us() / MONO_SECONDS(1) - mono_wall_seconds() <= 0);
}

struct waiting {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool go;
};

static void *signal_it(void *arg)
{
    struct waiting *w = arg;
    pthread_mutex_lock(&w->mutex);
    w->go = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

static void waits_for_signal_or_deadline(void **state)
{
    (void)state;
    struct waiting w = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    assert_true(mono_cond_init(&w.cond));
    pthread_mutex_lock(&w.mutex);
    mono_us start = mono_now(), deadline = start + MONO_MS(30);
    assert_false(mono_cond_wait(&w.cond, &w.mutex, start - 1));
    while (mono_cond_wait(&w.cond, &w.mutex, deadline))
        ;
    assert_true(mono_now() >= deadline);
    for (int i = 0; i < 2; i++) {
        mono_us until = i == 0 ? MONO_NEVER : mono_now() + MONO_SECONDS(60);
        w.go = false;
        assert_int_equal(pthread_create(&thread, NULL, signal_it, &w), 0);
        while (!w.go)
            assert_true(mono_cond_wait(&w.cond, &w.mutex, until));
        pthread_mutex_unlock(&w.mutex);
        pthread_join(thread, NULL);
        pthread_mutex_lock(&w.mutex);
    }
    pthread_mutex_unlock(&w.mutex);
    pthread_cond_destroy(&w.cond);
}

static mono_us pretended;

static void *move_clock(void *arg)
{
    (void)arg;
    __atomic_store_n(&pretended, MONO_SECONDS(3600), __ATOMIC_RELAXED);
    return NULL;
}

static void waiting_follows_the_simulated_clock(void **state)
{
    (void)state;
    struct waiting w = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    mono_us start = mono_now();
    pretended = 1;
    mono_simulate(&pretended);
    assert_true(mono_cond_init(&w.cond));
    assert_int_equal(pthread_create(&thread, NULL, move_clock, NULL), 0);
    pthread_mutex_lock(&w.mutex);
    while (mono_cond_wait(&w.cond, &w.mutex, MONO_SECONDS(3600)))
        ;
    pthread_mutex_unlock(&w.mutex);
    pthread_join(thread, NULL);
    mono_simulate(NULL);
    assert_true(mono_now() - start < MONO_SECONDS(60));
    pthread_cond_destroy(&w.cond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_forward),
        cmocka_unit_test(tests_set_both_clocks),
        cmocka_unit_test(poll_rounds_up),
        cmocka_unit_test(wall_text_has_the_iso_form),
        cmocka_unit_test(waits_for_signal_or_deadline),
        cmocka_unit_test(waiting_follows_the_simulated_clock),
    };
    return cmocka_run_group_tests_name("base/mono", tests, NULL, NULL);
}
