/* Lines come out whole and in order, none is lost, and nobody waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include "lib/base/logqueue.h"

#define THREADS 8
#define LINES 20000

static struct {
    pthread_mutex_t gate; /* held by a test: the writer is stuck */
    unsigned next[THREADS];
    unsigned lines, batches, disorder;
    int level;
} written = {.gate = PTHREAD_MUTEX_INITIALIZER};

/* Lines read "THREAD NUMBER". */
static void take(const struct logqueue_line *line, bool more)
{
    char text[64];
    unsigned thread = 0, number = 0;

    pthread_mutex_lock(&written.gate);
    snprintf(text, sizeof text, "%.*s", (int)line->text.n, line->text.p);
    assert_int_equal(sscanf(text, "%u %u", &thread, &number), 2);
    written.disorder += number != written.next[thread];
    written.next[thread] = number + 1;
    written.lines++;
    written.batches += !more;
    written.level = line->level;
    written.disorder += line->when != (int64_t)number;
    pthread_mutex_unlock(&written.gate);
}

static int reset(void **state)
{
    (void)state;
    memset(written.next, 0, sizeof written.next);
    written.lines = written.batches = written.disorder = 0;
    return 0;
}

static bool put(unsigned thread, unsigned number)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%u %u", thread, number);
    return logqueue_put(
        &(struct logqueue_line){.level = 2, .when = number, .text = {text, (size_t)n}});
}

static void not_running(void **state)
{
    (void)state;
    assert_false(put(0, 0));
    logqueue_stop();
    assert_int_equal(written.lines, 0);
}

static void stop_writes_the_rest(void **state)
{
    struct err err;
    (void)state;
    assert_true(logqueue_start(take, &err));
    for (unsigned i = 0; i < 100; i++)
        assert_true(put(3, i));
    logqueue_stop();
    assert_int_equal(written.lines, 100);
    assert_int_equal(written.disorder, 0);
    assert_int_equal(written.level, 2);
    assert_false(put(3, 100));
}

static void goes_out_without_stop(void **state)
{
    struct err err;
    (void)state;
    assert_true(logqueue_start(take, &err));
    assert_true(put(0, 0));
    mono_us deadline = mono_now() + MONO_SECONDS(10);
    unsigned lines = 0;
    while (lines == 0 && mono_now() < deadline) {
        pthread_mutex_lock(&written.gate);
        lines = written.lines;
        pthread_mutex_unlock(&written.gate);
    }
    assert_int_equal(lines, 1);
    logqueue_stop();
}

/* A stuck writer: the queue takes what fits and then says no, at once. */
static void full_says_no(void **state)
{
    struct err err;
    unsigned taken = 0;
    (void)state;
    assert_true(logqueue_start(take, &err));
    pthread_mutex_lock(&written.gate);
    while (taken < 10U * LOGQUEUE_ROOM && put(0, taken))
        taken++;
    assert_true(taken > LOGQUEUE_ROOM / 64);
    assert_true(taken < 10U * LOGQUEUE_ROOM);
    pthread_mutex_unlock(&written.gate);
    logqueue_stop();
    assert_int_equal(written.lines, taken);
    assert_int_equal(written.disorder, 0);
}

static void *write_many(void *arg)
{
    unsigned thread = *(unsigned *)arg;
    for (unsigned i = 0; i < LINES; i++) {
        while (!put(thread, i))
            sched_yield();
    }
    return NULL;
}

static void many_threads_in_order(void **state)
{
    struct err err;
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];
    (void)state;
    assert_true(logqueue_start(take, &err));
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    logqueue_stop();
    assert_int_equal(written.lines, THREADS * LINES);
    assert_int_equal(written.disorder, 0);
    assert_true(written.batches < written.lines / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(not_running, reset),
        cmocka_unit_test_setup(stop_writes_the_rest, reset),
        cmocka_unit_test_setup(goes_out_without_stop, reset),
        cmocka_unit_test_setup(full_says_no, reset),
        cmocka_unit_test_setup(many_threads_in_order, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
