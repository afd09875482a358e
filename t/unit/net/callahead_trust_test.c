/*
 * callahead_trust_test.c - what a "no" is worth, by hand;
 * callahead_histories_test.c has random histories.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "t/unit/net/trusting.h"

static void test_lives(void **state)
{
    struct trust *trust = trust_new(1000, &seeds);
    mono_us now = MONO_SECONDS(100);
    (void)state;
    assert_non_null(trust);
    (void)learn(trust, "yes@a.test", CALLAHEAD_VALID, false, now);
    (void)learn(trust, "no@a.test", CALLAHEAD_USER_UNKNOWN, false, now);
    assert_int_equal(judge(trust, "no@a.test", now), TRUST_IT);
    for (int class = CALLAHEAD_MAILBOX_FULL; class <= CALLAHEAD_SERVER_ILL; class ++) {
        (void)learn(trust, "odd@a.test", (enum callahead_class) class, false, now);
        assert_int_equal(recall(trust, "odd@a.test", now), NOTHING);
        (void)learn(trust, "yes@a.test", (enum callahead_class) class, false, now);
        (void)learn(trust, "no@a.test", (enum callahead_class) class, false, now);
    }
    assert_int_equal(recall(trust, "no@a.test", now + NO_LIFE - 1), NO);
    assert_int_equal(recall(trust, "no@a.test", now + NO_LIFE), NOTHING);
    assert_int_equal(recall(trust, "yes@a.test", now + VALID_LIFE - 1), YES);
    assert_int_equal(recall(trust, "yes@a.test", now + VALID_LIFE), NOTHING);
    assert_true(stale(trust, "yes@a.test", 10, now + VALID_LIFE + 9));
    assert_false(stale(trust, "yes@a.test", 10, now + VALID_LIFE + 10));
    assert_false(stale(trust, "no@a.test", KNOWN, now + VALID_LIFE));
    assert_true(stale(trust, "yes@a.test", KNOWN * 2, now + VALID_LIFE + KNOWN - 1));
    assert_false(stale(trust, "yes@a.test", KNOWN * 2, now + VALID_LIFE + KNOWN));
    trust_free(trust);
}

static void test_due(void **state)
{
    struct trust *trust = trust_new(1000, &seeds);
    mono_us now = MONO_SECONDS(100), due = now + VALID_LIFE - VALID_LIFE / 4;
    struct callahead_answer answer;
    char room[100];
    struct slice key = key_of("u@a.test", room);
    (void)state;
    (void)learn(trust, "u@a.test", CALLAHEAD_VALID, false, now);
    assert_int_equal(trust_recall(trust, key, due - 1, &answer), TRUST_FRESH);
    assert_int_equal(trust_recall(trust, key, due, &answer), TRUST_DUE);
    assert_int_equal(trust_recall(trust, key, due, &answer), TRUST_FRESH); /* said */
    assert_int_equal(trust_recall(trust, key, due + VALID_LIFE / 16 - 1, &answer), TRUST_FRESH);
    assert_int_equal(trust_recall(trust, key, due + VALID_LIFE / 16, &answer), TRUST_DUE);
    (void)learn(trust, "u@a.test", CALLAHEAD_VALID, false, due);
    assert_int_equal(trust_recall(trust, key, due + VALID_LIFE / 16, &answer), TRUST_FRESH);
    trust_free(trust);
}

static void test_second_opinion(void **state)
{
    struct trust *trust = trust_new(1000, &seeds);
    mono_us now = MONO_SECONDS(100);
    (void)state;
    (void)learn(trust, "u@a.test", CALLAHEAD_VALID, false, now);
    (void)learn(trust, "u@a.test", CALLAHEAD_USER_UNKNOWN, true, now + 1);
    assert_int_equal(judge(trust, "u@a.test", now + 1), TRUST_ASK_AGAIN);
    assert_int_equal(recall(trust, "u@a.test", now + 1), YES); /* until it is believed */
    (void)learn(trust, "u@a.test", CALLAHEAD_USER_UNKNOWN, false, now + 2);
    assert_int_equal(judge(trust, "u@a.test", now + 2), TRUST_ASK_AGAIN); /* an old connection */
    (void)learn(trust, "u@a.test", CALLAHEAD_SERVER_ILL, true, now + 3);
    assert_int_equal(judge(trust, "u@a.test", now + 3), TRUST_ASK_AGAIN);
    (void)learn(trust, "u@a.test", CALLAHEAD_USER_UNKNOWN, true, now + 4);
    assert_int_equal(judge(trust, "u@a.test", now + 4), TRUST_IT); /* nobody else was good */
    assert_int_equal(recall(trust, "u@a.test", now + 4), NO);
    /* A yes makes it good again, and a later no is doubted again. */
    (void)learn(trust, "u@a.test", CALLAHEAD_VALID, false, now + 5);
    assert_int_equal(recall(trust, "u@a.test", now + 5), YES);
    mono_us late = now + 5 + VALID_LIFE + KNOWN - 1; /* still known to have been good */
    (void)learn(trust, "u@a.test", CALLAHEAD_USER_UNKNOWN, true, late);
    assert_int_equal(judge(trust, "u@a.test", late), TRUST_ASK_AGAIN);
    assert_false(stale(trust, "u@a.test", KNOWN, late));
    (void)learn(trust, "u@a.test", CALLAHEAD_USER_UNKNOWN, true, late + 1); /* no more */
    assert_int_equal(judge(trust, "u@a.test", late + 1), TRUST_IT);
    trust_free(trust);
}

static void refuse_twice(struct trust *trust, const char *recipient, mono_us now)
{
    (void)learn(trust, recipient, CALLAHEAD_USER_UNKNOWN, false, now);
    (void)learn(trust, recipient, CALLAHEAD_USER_UNKNOWN, true, now + 1);
}

static void test_ill_and_well(void **state)
{
    struct trust *trust = trust_new(1000, &seeds);
    char witness[DOMAINS_WITNESS_MAX];
    enum trust_change change;
    mono_us now = MONO_SECONDS(100);
    (void)state;
    (void)learn(trust, "u@a.test", CALLAHEAD_VALID, false, now);
    (void)learn(trust, "w@a.test", CALLAHEAD_VALID, false, now);
    (void)learn(trust, "x@b.test", CALLAHEAD_VALID, false, now);
    (void)learn(trust, "never@a.test", CALLAHEAD_USER_UNKNOWN, false, now);
    now += 10;
    refuse_twice(trust, "u@a.test", now);
    assert_int_equal(judge_with(trust, "u@a.test", false, now, witness, &change), TRUST_ASK_OTHER);
    assert_string_equal(witness, "w@a.test");
    (void)learn(trust, "w@a.test", CALLAHEAD_USER_UNKNOWN, false, now + 2);
    assert_int_equal(judge_with(trust, "u@a.test", true, now + 2, witness, &change),
                     TRUST_ASK_RANDOM);
    assert_int_equal(judge_with(trust, "u@a.test", true, now + 2, witness, &change), TRUST_NOBODY);
    assert_int_equal(change, TRUST_FELL_ILL);
    assert_int_equal(recall(trust, "never@a.test", now + 2), NOTHING); /* who knows? */
    assert_int_equal(recall(trust, "u@a.test", now + 2), YES);
    assert_true(stale(trust, "u@a.test", KNOWN, now + VALID_LIFE));
    /* No refusal counts; another look once in a while. */
    (void)learn(trust, "never@a.test", CALLAHEAD_USER_UNKNOWN, true, now + 3);
    assert_int_equal(judge(trust, "never@a.test", now + 3), TRUST_NOBODY);
    assert_int_equal(recall(trust, "never@a.test", now + 3), NOTHING);
    now += DOMAINS_ANOTHER_LOOK + 2;
    assert_int_equal(judge(trust, "never@a.test", now), TRUST_ASK_OTHER);
    assert_int_equal(judge(trust, "never@a.test", now), TRUST_NOBODY);
    assert_int_equal(learn(trust, "w@a.test", CALLAHEAD_VALID, true, now + 1), TRUST_GOT_WELL);
    assert_int_equal(judge(trust, "u@a.test", now + 1), TRUST_IT);
    assert_int_equal(recall(trust, "u@a.test", now + 1), NO);
    (void)learn(trust, "never@a.test", CALLAHEAD_USER_UNKNOWN, true, now + 2);
    assert_int_equal(recall(trust, "never@a.test", now + 2), NO);
    trust_free(trust);
}

static void test_ill_ends_without_witnesses(void **state)
{
    struct trust *trust = trust_new(1000, &seeds);
    char witness[DOMAINS_WITNESS_MAX];
    enum trust_change change;
    mono_us now = MONO_SECONDS(100);
    (void)state;
    (void)learn(trust, "u@a.test", CALLAHEAD_VALID, false, now);
    (void)learn(trust, "w@a.test", CALLAHEAD_VALID, false, now);
    refuse_twice(trust, "u@a.test", now + 1);
    (void)learn(trust, "w@a.test", CALLAHEAD_USER_UNKNOWN, false, now + 2);
    assert_int_equal(judge(trust, "u@a.test", now + 2), TRUST_NOBODY);
    now += DOMAINS_RECENT;
    assert_int_equal(judge_with(trust, "z@a.test", false, now - 1, witness, &change),
                     TRUST_ASK_OTHER);
    (void)learn(trust, "z@a.test", CALLAHEAD_USER_UNKNOWN, false, now);
    assert_int_equal(recall(trust, "z@a.test", now), NOTHING);
    assert_int_equal(judge_with(trust, "z@a.test", false, now, witness, &change), TRUST_IT);
    assert_int_equal(change, TRUST_GOT_WELL);
    assert_int_equal(recall(trust, "z@a.test", now), NO);
    trust_free(trust);
}

struct states {
    size_t n, ill, catch_all;
};

static void count_state(const struct domains_state *state, void *arg)
{
    struct states *states = arg;
    states->n++;
    states->ill += state->ill;
    states->catch_all += state->catch_all;
}

static void test_catch_all(void **state)
{
    struct trust *trust = trust_new(1000, &seeds);
    struct states states = {0};
    mono_us now = MONO_SECONDS(100);
    char room[100];
    struct slice key = key_of("u@a.test", room);
    (void)state;
    assert_true(trust_probe_due(trust, key, now));
    assert_false(trust_probe_due(trust, key, now));
    trust_learn_random(trust, key, CALLAHEAD_TEMPORARY, now); /* tells nothing */
    assert_false(trust_probe_due(trust, key, now + DOMAINS_PROBE_LIFE - 1));
    now += DOMAINS_PROBE_LIFE;
    assert_true(trust_probe_due(trust, key, now));
    trust_learn_random(trust, key, CALLAHEAD_VALID, now);
    domains_each(trust_domains(trust), now, count_state, &states);
    assert_int_equal(states.catch_all, 1);
    /* Valid all the same, and a refusal needs no second opinion. */
    (void)learn(trust, "u@a.test", CALLAHEAD_VALID, false, now);
    assert_int_equal(recall(trust, "u@a.test", now), YES);
    (void)learn(trust, "u@a.test", CALLAHEAD_USER_UNKNOWN, false, now + 1);
    assert_int_equal(judge(trust, "u@a.test", now + 1), TRUST_IT);
    assert_int_equal(recall(trust, "u@a.test", now + 1), NO);
    states = (struct states){0};
    domains_each(trust_domains(trust), now + DOMAINS_PROBE_LIFE, count_state, &states);
    assert_int_equal(states.n, 1);
    assert_int_equal(states.catch_all, 0); /* it expires */
    trust_free(trust);
}

/* One client, or many, try a million names: who is good stays. */
static void test_dictionary(void **state)
{
    struct trust *trust = trust_new(400, &seeds);
    mono_us now = MONO_SECONDS(100);
    char name[100], room[100];
    (void)state;
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "good%d@a.test", i);
        (void)learn(trust, name, CALLAHEAD_VALID, false, now);
    }
    trust_learn_random(trust, key_of("x@b.test", room), CALLAHEAD_VALID, now);
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "guess%d@a.test", i);
        (void)learn(trust, name, CALLAHEAD_USER_UNKNOWN, false, now);
        snprintf(name, sizeof name, "guess%d@b.test", i);
        (void)learn(trust, name, CALLAHEAD_VALID, false, now); /* a catch-all domain */
    }
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "good%d@a.test", i);
        assert_int_equal(recall(trust, name, now), YES);
    }
    assert_int_equal(recall(trust, "guess19999@a.test", now), NO);
    assert_int_equal(recall(trust, "guess0@a.test", now), NOTHING);
    trust_free(trust);
}

static void test_many_domains(void **state)
{
    struct trust *trust = trust_new(1000, &seeds);
    struct states states = {0};
    char name[40], room[100];
    (void)state;
    for (int i = 0; i < 3 * DOMAINS_MAX; i++) {
        snprintf(name, sizeof name, "u@d%d.test", i);
        trust_learn_random(trust, key_of(name, room), CALLAHEAD_VALID, MONO_SECONDS(100 + i));
    }
    domains_each(trust_domains(trust), MONO_SECONDS(100), count_state, &states);
    assert_int_equal(states.n, DOMAINS_MAX);
    (void)learn(trust, "no-domain", CALLAHEAD_VALID, false, MONO_SECONDS(100));
    assert_int_equal(recall(trust, "no-domain", MONO_SECONDS(100)), YES);
    assert_false(trust_probe_due(trust, key_of("no-domain", room), MONO_SECONDS(100)));
    trust_free(trust);
}

/* Noes may be told to live longer than a yes. */
static void test_long_noes(void **state)
{
    struct trust *trust = trust_new(1000, &seeds);
    struct trust_settings set = settings(false);
    struct callahead_answer answer = answer_of(CALLAHEAD_USER_UNKNOWN);
    mono_us now = MONO_SECONDS(100);
    char room[100];
    struct trust_heard heard = {
        .key = key_of("u@a.test", room), .recipient = "u@a.test", .answer = &answer};
    (void)state;
    set.unknown = VALID_LIFE * 3;
    (void)trust_learn(trust, &heard, &set, now);
    (void)learn(trust, "u@a.test", CALLAHEAD_VALID, false, now + 1);
    assert_int_equal(recall(trust, "u@a.test", now + VALID_LIFE), YES);
    assert_int_equal(recall(trust, "u@a.test", now + 1 + VALID_LIFE), NOTHING); /* not no */
    trust_free(trust);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives),
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_second_opinion),
        cmocka_unit_test(test_ill_and_well),
        cmocka_unit_test(test_ill_ends_without_witnesses),
        cmocka_unit_test(test_catch_all),
        cmocka_unit_test(test_dictionary),
        cmocka_unit_test(test_many_domains),
        cmocka_unit_test(test_long_noes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
