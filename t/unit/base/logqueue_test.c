/* Lines come out whole and in order, or are counted, and nobody waits. */
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
    uint64_t dropped;
    unsigned last_before; /* the number of the line before the first gap */
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

static void take_end(uint64_t dropped)
{
    pthread_mutex_lock(&written.gate);
    if (dropped > 0 && written.dropped == 0)
        written.last_before = written.next[0] - 1;
    written.dropped += dropped;
    pthread_mutex_unlock(&written.gate);
}

static const struct logqueue_writer writer = {.write = take, .written = take_end};

static int reset(void **state)
{
    (void)state;
    memset(written.next, 0, sizeof written.next);
    written.lines = written.batches = written.disorder = 0;
    written.dropped = 0;
    return 0;
}

static void stop(void)
{
    assert_true(logqueue_stop(mono_now() + MONO_SECONDS(60)));
}

static enum logqueue_result put(unsigned thread, unsigned number)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%u %u", thread, number);
    return logqueue_put(
        &(struct logqueue_line){.level = 2, .when = number, .text = {text, (size_t)n}});
}

static void not_running(void **state)
{
    (void)state;
    assert_int_equal(put(0, 0), LOGQUEUE_NOT_RUNNING);
    stop();
    assert_int_equal(written.lines, 0);
}

static void stop_writes_the_rest(void **state)
{
    struct err err;
    (void)state;
    assert_true(logqueue_start(&writer, &err));
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(put(3, i), LOGQUEUE_TAKEN);
    stop();
    assert_int_equal(written.lines, 100);
    assert_int_equal(written.disorder, 0);
    assert_int_equal(written.level, 2);
    assert_int_equal(put(3, 100), LOGQUEUE_NOT_RUNNING);
}

static void goes_out_without_stop(void **state)
{
    struct err err;
    (void)state;
    assert_true(logqueue_start(&writer, &err));
    assert_int_equal(put(0, 0), LOGQUEUE_TAKEN);
    mono_us deadline = mono_now() + MONO_SECONDS(10);
    unsigned lines = 0;
    while (lines == 0 && mono_now() < deadline) {
        pthread_mutex_lock(&written.gate);
        lines = written.lines;
        pthread_mutex_unlock(&written.gate);
    }
    assert_int_equal(lines, 1);
    stop();
}

/* A stuck writer: the queue takes what fits and drops the rest at once, shorter
 * lines too; when it goes on, so does the queue. */
static void full_drops(void **state)
{
    struct err err;
    unsigned taken = 1000000; /* of seven digits, all equally long */
    (void)state;
    written.next[0] = taken;
    assert_true(logqueue_start(&writer, &err));
    pthread_mutex_lock(&written.gate);
    while (taken < 1000000 + 10U * LOGQUEUE_ROOM && put(0, taken) == LOGQUEUE_TAKEN)
        taken++;
    assert_true(taken > 1000000 + LOGQUEUE_ROOM / 64);
    assert_true(taken < 1000000 + 10U * LOGQUEUE_ROOM);
    for (unsigned i = 1; i < 20; i++)
        assert_int_equal(put(1, i), LOGQUEUE_DROPPED);
    pthread_mutex_unlock(&written.gate);
    while (put(2, 0) == LOGQUEUE_DROPPED)
        sched_yield();
    stop();
    assert_int_equal(written.next[0], taken);
    assert_int_equal(written.last_before, taken - 1);
    assert_int_equal(written.next[1], 0);
    assert_int_equal(written.next[2], 1);
    assert_int_equal(written.disorder, 0);
    assert_true(written.dropped >= 20);
}

/* One that never comes back: stopping gives it up. */
static void stop_does_not_wait_for_ever(void **state)
{
    struct err err;
    (void)state;
    assert_true(logqueue_start(&writer, &err));
    pthread_mutex_lock(&written.gate);
    assert_int_equal(put(0, 0), LOGQUEUE_TAKEN);
    mono_us began = mono_now();
    assert_false(logqueue_stop(began + MONO_MS(50)));
    assert_true(mono_now() - began < MONO_SECONDS(10));
    assert_int_equal(put(0, 1), LOGQUEUE_DROPPED);
    assert_false(logqueue_stop(mono_now()));
    pthread_mutex_unlock(&written.gate);
}

static void *write_many(void *arg)
{
    unsigned thread = *(unsigned *)arg;
    for (unsigned i = 0; i < LINES; i++) {
        while (put(thread, i) != LOGQUEUE_TAKEN)
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
    assert_true(logqueue_start(&writer, &err));
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    stop();
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
        cmocka_unit_test_setup(full_drops, reset),
        cmocka_unit_test_setup(many_threads_in_order, reset),
        cmocka_unit_test_setup(stop_does_not_wait_for_ever, reset), /* nothing runs after it */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
