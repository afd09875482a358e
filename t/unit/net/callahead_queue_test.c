/* callahead_queue_test.c - whose turn it is. */
#include "lib/net/callahead_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/net/callahead_pool.h"
#include "t/unit/dice.h"

#define MANY 400

static struct queue queue;
static struct question questions[MANY];
static size_t made;
static struct question_list list; /* what was taken and is not over */

static int begin(void **state)
{
    (void)state;
    queue_init(&queue);
    memset(questions, 0, sizeof questions);
    made = 0;
    question_list_init(&list);
    return 0;
}

static struct question *add(uint64_t client)
{
    struct question *question = &questions[made++];
    assert_true(made <= MANY);
    question->client = client;
    queue_add(&queue, question, MONO_SECONDS(100));
    return question;
}

static struct queue_wanted wanting(size_t n)
{
    return (struct queue_wanted){
        .n = n, .connections = 5, .newest_first = true, .fresh = true, .now = MONO_SECONDS(100)};
}

/* Takes n, and tells of which clients they are, as letters. */
static const char *take(const struct queue_wanted *wanted)
{
    static char letters[MANY + 1];
    size_t n = 0;
    struct question_list taken;
    question_list_init(&taken);
    queue_take(&queue, wanted, &taken);
    for (struct question *question = question_list_take(&taken); question;
         question = question_list_take(&taken)) {
        assert_true(question->taken && !question->queued);
        letters[n++] = (char)question->client;
        question_list_add(&list, question);
    }
    letters[n] = '\0';
    return letters;
}

static void over(mono_us now)
{
    for (struct question *question = question_list_take(&list); question;
         question = question_list_take(&list))
        queue_over(&queue, question, now);
}

static void add_all(const char *clients)
{
    for (; *clients; clients++)
        (void)add((unsigned char)*clients);
}

/* One client's are asked in order, and all of them at once where there is room. */
static void test_one_client(void **state)
{
    struct queue_wanted wanted = wanting(3);
    (void)state;
    add_all("aaaaa");
    assert_int_equal(queue.clients, 1);
    assert_string_equal(take(&wanted), "aaa");
    assert_ptr_equal(list.first, &questions[0]);
    assert_ptr_equal(list.first->queue_next, &questions[1]);
    wanted.n = 10;
    assert_string_equal(take(&wanted), "aa");
    assert_int_equal(queue.n, 0);
    assert_int_equal(queue.clients, 0);
    assert_string_equal(take(&wanted), "");
}

/* A batch is one client's as far as it goes. Of equal ones the newcomer is first, every fifth
 * turn it is the one who waits longest. */
static void test_newcomers(void **state)
{
    struct queue_wanted wanted = wanting(1);
    char turns[11] = "";
    size_t told = 0;
    (void)state;
    add_all("abcdefghij");
    for (int i = 0; i < 10; i++) {
        told += (size_t)snprintf(turns + told, sizeof turns - told, "%s", take(&wanted));
        over(wanted.now);
    }
    assert_string_equal(turns, "jihgafedcb");
    begin(NULL);
    add_all("aabbb");
    wanted.n = 3;
    assert_string_equal(take(&wanted), "bbb");
    over(wanted.now);
    add_all("c");
    assert_string_equal(take(&wanted), "aac"); /* all there is, as it came */
}

/* Where refusals are quick, those who came first are first. */
static void test_in_order(void **state)
{
    struct queue_wanted wanted = wanting(1);
    char turns[11] = "";
    size_t told = 0;
    (void)state;
    wanted.newest_first = false;
    add_all("aaabc");
    for (int i = 0; i < 5; i++)
        told += (size_t)snprintf(turns + told, sizeof turns - told, "%s", take(&wanted));
    /* a has one in hands then: b and c go before its others, but for the fifth turn. */
    assert_string_equal(turns, "abcaa");
}

/* Whoever has more in hands waits; nobody has the last connection while another waits. */
static void test_hands(void **state)
{
    struct queue_wanted wanted = wanting(1);
    (void)state;
    add_all("aaaaaaaaa");
    for (int i = 0; i < 4; i++)
        assert_string_equal(take(&wanted), "a");
    add_all("b");
    queue.turn = QUEUE_OLDEST - 1; /* a waits longest, and may not all the same */
    assert_string_equal(take(&wanted), "b");
    assert_string_equal(take(&wanted), "a"); /* nobody else is there */
}

/* Who kept connections for long lately is behind others, and no longer when it is long ago. */
static void test_took_long(void **state)
{
    struct queue_wanted wanted = wanting(1);
    (void)state;
    add_all("a");
    assert_string_equal(take(&wanted), "a");
    wanted.now += MONO_SECONDS(5);
    over(wanted.now);
    add_all("ba");
    assert_string_equal(take(&wanted), "b");
    assert_string_equal(take(&wanted), "a");
    over(wanted.now);
    wanted.now += 6 * QUEUE_HALF_LIFE;
    add_all("ba");
    assert_string_equal(take(&wanted), "a"); /* the newer one */
}

/* What was taken and not answered is first again, in its order. */
static void test_put_back(void **state)
{
    struct queue_wanted wanted = wanting(2);
    (void)state;
    add_all("aaab");
    wanted.newest_first = false;
    assert_string_equal(take(&wanted), "aa");
    queue_put_back(&queue, &list);
    assert_int_equal(list.n, 0);
    assert_int_equal(queue.n, 4);
    assert_ptr_equal(queue.first, &questions[0]);
    assert_ptr_equal(queue.first->queue_next, &questions[1]);
    assert_ptr_equal(queue.first->queue_next->queue_next, &questions[2]);
    assert_ptr_equal(queue.last, &questions[3]);
    wanted.n = 10;
    assert_string_equal(take(&wanted), "aaab");
    over(wanted.now);
    for (size_t i = 0; i <= QUEUE_CLIENTS; i++)
        assert_int_equal(queue.standing[i].asked + queue.standing[i].waiting, 0);
}

/* A connection that the question does not fit ends the batch. */
static void test_fitness(void **state)
{
    struct queue_wanted wanted = wanting(10);
    (void)state;
    add_all("aaaa");
    questions[1].fresh = true;
    questions[3].not_before = 50;
    wanted.fresh = false;
    wanted.since = 40;
    assert_string_equal(take(&wanted), "a");
    assert_string_equal(take(&wanted), "");
    wanted.fresh = true;
    assert_string_equal(take(&wanted), "aa");
    assert_string_equal(take(&wanted), "");
    wanted.since = 50;
    assert_string_equal(take(&wanted), "a");
}

/* Several who wait for the same: it goes by the better turn. */
static void test_share(void **state)
{
    struct queue_wanted wanted = wanting(1);
    (void)state;
    add_all("aaaaaz");
    queue_share(&queue, &questions[4], 'b', wanted.now);
    assert_int_equal(questions[4].client, 'b');
    assert_int_equal(queue.clients, 3);
    /* No better for it with one who asks for as much. */
    queue_share(&queue, &questions[5], 'a', wanted.now);
    assert_int_equal(questions[5].client, 'z');
    queue_share(&queue, &questions[4], 'c', wanted.now);
    assert_int_equal(questions[4].client, 'b');
    assert_string_equal(take(&wanted), "z");
    assert_string_equal(take(&wanted), "b");
    assert_ptr_equal(list.first->queue_next, &questions[4]);
}

/* More clients than standings: some share one, and all comes out once. */
static void test_crowd(void **state)
{
    unsigned seen[MANY] = {0};
    struct dice dice = dice_start(0);
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        (void)add(dice_below(&dice, 1000000));
    while (queue.n > 0) {
        struct queue_wanted wanted = wanting(1 + dice_below(&dice, 7));
        queue_take(&queue, &wanted, &list);
        assert_true(list.n > 0 && list.n <= wanted.n);
        if (dice_below(&dice, 3) == 0) {
            queue_put_back(&queue, &list);
            continue;
        }
        for (struct question *question = list.first; question; question = question->queue_next)
            seen[question - questions]++;
        over(wanted.now);
    }
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(seen[i], 1);
    for (size_t i = 0; i <= QUEUE_CLIENTS; i++)
        assert_int_equal(queue.standing[i].asked + queue.standing[i].waiting, 0);
    assert_int_equal(queue.clients, 0);
}

static void test_drain(void **state)
{
    (void)state;
    add_all("abca");
    queue_drain(&queue, &list);
    assert_int_equal(list.n, 4);
    assert_ptr_equal(list.first, &questions[0]);
    assert_int_equal(queue.n + queue.clients, 0);
    assert_null(queue.first);
    assert_null(queue.last);
    queue_over(&queue, list.first, 0); /* it was not taken: nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_client, begin),
        cmocka_unit_test_setup(test_newcomers, begin),
        cmocka_unit_test_setup(test_in_order, begin),
        cmocka_unit_test_setup(test_hands, begin),
        cmocka_unit_test_setup(test_took_long, begin),
        cmocka_unit_test_setup(test_put_back, begin),
        cmocka_unit_test_setup(test_fitness, begin),
        cmocka_unit_test_setup(test_share, begin),
        cmocka_unit_test_setup(test_crowd, begin),
        cmocka_unit_test_setup(test_drain, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
