/*
 * callahead_trust_test.c - what a "no" is worth: by hand, and by many random
 * histories held against the rules, written down a second time as a plain
 * record of each recipient.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/net/callahead_trust.h"
#include "t/unit/dice.h"

#define VALID_LIFE MONO_SECONDS(900)
#define NO_LIFE MONO_SECONDS(300)
#define KNOWN MONO_SECONDS(86400)

static const struct trust_seeds seeds = {{1, 2}, {3, 4}};

static struct trust_settings settings(bool probe)
{
    return (struct trust_settings){
        .valid = VALID_LIFE, .unknown = NO_LIFE, .known = KNOWN, .probe = probe};
}

static struct slice key_of(const char *recipient, char room[100])
{
    room[0] = '\0'; /* the null sender */
    snprintf(room + 1, 99, "%s", recipient);
    return (struct slice){room, strlen(recipient) + 1};
}

static struct callahead_answer answer_of(enum callahead_class class)
{
    struct callahead_answer answer = {.class = class, .code = 550, .status = "5.1.1"};
    snprintf(answer.server, sizeof answer.server, "10.0.0.5:25");
    snprintf(answer.text, sizeof answer.text, "said so");
    return answer;
}

static enum trust_change learn(struct trust *trust, const char *recipient,
                               enum callahead_class class, bool fresh, mono_us now)
{
    char room[100];
    struct callahead_answer answer = answer_of(class);
    struct trust_settings set = settings(false);
    struct trust_heard heard = {
        .key = key_of(recipient, room), .recipient = recipient, .fresh = fresh, .answer = &answer};
    return trust_learn(trust, &heard, &set, now);
}

static enum trust_next judge_with(struct trust *trust, const char *recipient, bool probe,
                                  mono_us now, char witness[DOMAINS_WITNESS_MAX],
                                  enum trust_change *change)
{
    char room[100];
    struct callahead_answer answer = answer_of(CALLAHEAD_USER_UNKNOWN);
    struct trust_settings set = settings(probe);
    struct trust_heard heard = {
        .key = key_of(recipient, room), .recipient = recipient, .answer = &answer};
    return trust_judge(trust, &heard, &set, now, witness, change);
}

static enum trust_next judge(struct trust *trust, const char *recipient, mono_us now)
{
    char witness[DOMAINS_WITNESS_MAX];
    enum trust_change change;
    return judge_with(trust, recipient, false, now, witness, &change);
}

enum heard { NOTHING, YES, NO };

static enum heard recall(struct trust *trust, const char *recipient, mono_us now)
{
    char room[100];
    struct callahead_answer answer;
    if (trust_recall(trust, key_of(recipient, room), now, &answer) == TRUST_UNHEARD)
        return NOTHING;
    assert_true(answer.cached);
    assert_string_equal(answer.server, "10.0.0.5:25");
    assert_string_equal(answer.text, "said so");
    assert_true(answer.class == CALLAHEAD_VALID || answer.class == CALLAHEAD_USER_UNKNOWN);
    return answer.class == CALLAHEAD_VALID ? YES : NO;
}

static bool stale(struct trust *trust, const char *recipient, mono_us longest, mono_us now)
{
    char room[100];
    struct callahead_answer answer;
    return trust_recall_stale(trust, key_of(recipient, room), longest, now, &answer);
}

/* --- by hand ------------------------------------------------------------------------- */

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

/* --- random histories --------------------------------------------------------------- */

#define USERS 4 /* of a domain: no more than there are witnesses */
#define DOMAINS 2

/* What has truly been heard of one recipient. */
struct record {
    char name[40];
    bool exists;           /* the world's truth, now */
    mono_us yes_at;        /* 0: none since the last flush or believed no */
    mono_us first_no;      /* since that yes; 0: none */
    bool fresh_no;         /* a later one, on a fresh connection */
    mono_us no_at;         /* believed; 0: not */
    mono_us last_yes_ever; /* flushes do not change it */
};

struct world {
    struct dice dice;
    struct trust *trust;
    mono_us now;
    bool broken[DOMAINS]; /* refuses everybody */
    bool down[DOMAINS];   /* no answer that tells anything */
    struct record users[DOMAINS][USERS];
};

static enum callahead_class world_says(struct world *world, size_t d, const struct record *user)
{
    static const enum callahead_class odd[] = {CALLAHEAD_MAILBOX_FULL, CALLAHEAD_POLICY,
                                               CALLAHEAD_GREYLISTED, CALLAHEAD_TEMPORARY,
                                               CALLAHEAD_SERVER_ILL};
    if (world->down[d] || dice_below(&world->dice, 20) == 0)
        return odd[dice_below(&world->dice, ARRAY_LEN(odd))];
    return user->exists && !world->broken[d] ? CALLAHEAD_VALID : CALLAHEAD_USER_UNKNOWN;
}

static bool is_known(const struct world *world, const struct record *user)
{
    return user->yes_at != 0 && world->now < user->yes_at + VALID_LIFE + KNOWN;
}

static void forget_noes(struct world *world, size_t d)
{
    for (size_t i = 0; i < USERS; i++)
        world->users[d][i].no_at = 0;
}

/* The server is asked, and what it says is noted twice. */
static enum callahead_class ask(struct world *world, size_t d, struct record *user, bool fresh,
                                bool ill)
{
    enum callahead_class class = world_says(world, d, user);
    world->now++;
    (void)learn(world->trust, user->name, class, fresh, world->now);
    if (class == CALLAHEAD_VALID) {
        user->yes_at = user->last_yes_ever = world->now;
        user->first_no = user->no_at = 0;
        user->fresh_no = false;
    } else if (class == CALLAHEAD_USER_UNKNOWN && is_known(world, user)) {
        user->fresh_no = user->fresh_no || (user->first_no != 0 && fresh);
        user->first_no = user->first_no ? user->first_no : world->now;
    } else if (class == CALLAHEAD_USER_UNKNOWN && !ill) {
        user->yes_at = 0;
        user->no_at = world->now;
    }
    return class;
}

static struct record *user_named(struct world *world, size_t d, const char *name)
{
    for (size_t i = 0; i < USERS; i++) {
        if (strcmp(world->users[d][i].name, name) == 0)
            return &world->users[d][i];
    }
    fail_msg("nobody has ever heard of %s", name);
    return NULL;
}

static bool is_ill(struct world *world, size_t d)
{
    return domains_is_ill(trust_domains(world->trust),
                          slice_of(strchr(world->users[d][0].name, '@') + 1), world->now);
}

/* One who was known to be good is refused for good: was that fair? */
static void check_fair(struct world *world, size_t d, const struct record *user)
{
    size_t others = 0, since = 0;
    assert_true(user->first_no != 0);
    assert_true(user->fresh_no);
    for (size_t i = 0; i < USERS; i++) {
        const struct record *other = &world->users[d][i];
        if (other == user || other->yes_at == 0 || world->now >= other->yes_at + DOMAINS_RECENT)
            continue;
        others++;
        since += other->yes_at >= user->first_no;
    }
    assert_true(others == 0 || since > 0);
}

/* As callahead_inquire.c does it. */
static enum callahead_class inquire(struct world *world, size_t d, struct record *user)
{
    char witness[DOMAINS_WITNESS_MAX];
    enum trust_change change;
    enum callahead_class class = ask(world, d, user, false, is_ill(world, d));
    for (int steps = 0; class == CALLAHEAD_USER_UNKNOWN; steps++) {
        assert_true(steps < 12);
        bool known = is_known(world, user);
        enum trust_next next =
            judge_with(world->trust, user->name, false, world->now, witness, &change);
        if (change == TRUST_FELL_ILL)
            forget_noes(world, d);
        switch (next) {
        case TRUST_IT:
            if (known)
                check_fair(world, d, user);
            user->yes_at = user->first_no = 0;
            user->fresh_no = false;
            user->no_at = world->now;
            return class;
        case TRUST_ASK_AGAIN:
            assert_true(known);
            class = ask(world, d, user, true, is_ill(world, d));
            break;
        case TRUST_ASK_OTHER: {
            struct record *other = user_named(world, d, witness);
            assert_true(other->last_yes_ever != 0);
            enum callahead_class said = ask(world, d, other, false, is_ill(world, d));
            if (said != CALLAHEAD_VALID && said != CALLAHEAD_USER_UNKNOWN)
                return CALLAHEAD_SERVER_ILL;
            break;
        }
        case TRUST_ASK_RANDOM:
            fail_msg("a random address, though it may not be asked for");
            break;
        case TRUST_NOBODY:
            return CALLAHEAD_SERVER_ILL;
        }
    }
    return class;
}

static enum heard expected(const struct world *world, const struct record *user)
{
    if (user->yes_at != 0 && world->now < user->yes_at + VALID_LIFE)
        return YES;
    return user->no_at != 0 && world->now < user->no_at + NO_LIFE ? NO : NOTHING;
}

static bool drop(const struct trust_entry *entry, void *all)
{
    return *(bool *)all || entry->class != CALLAHEAD_VALID;
}

static void flush(struct world *world)
{
    bool all = dice_below(&world->dice, 2) == 0;
    trust_each(world->trust, world->now, drop, &all);
    if (all)
        domains_forget(trust_domains(world->trust), NULL);
    for (size_t d = 0; d < DOMAINS; d++) {
        forget_noes(world, d);
        for (size_t i = 0; all && i < USERS; i++) {
            struct record *user = &world->users[d][i];
            user->yes_at = user->first_no = user->last_yes_ever = 0;
            user->fresh_no = false;
        }
    }
}

static void time_goes_by(struct world *world)
{
    static const mono_us steps[] = {MONO_MS(1),        MONO_SECONDS(5),    MONO_SECONDS(70),
                                    MONO_SECONDS(400), MONO_SECONDS(1000), MONO_SECONDS(40000),
                                    DOMAINS_RECENT / 2};
    world->now += steps[dice_below(&world->dice, ARRAY_LEN(steps))];
}

static void things_change(struct world *world)
{
    size_t d = dice_below(&world->dice, DOMAINS);
    switch (dice_below(&world->dice, 4)) {
    case 0:
        world->broken[d] = !world->broken[d];
        break;
    case 1:
        world->down[d] = !world->down[d];
        break;
    default: {
        struct record *user = &world->users[d][dice_below(&world->dice, USERS)];
        user->exists = !user->exists;
    }
    }
}

static void live(struct world *world)
{
    size_t d = dice_below(&world->dice, DOMAINS);
    struct record *user = &world->users[d][dice_below(&world->dice, USERS)];
    unsigned what = dice_below(&world->dice, 20);
    if (what < 5)
        time_goes_by(world);
    else if (what < 8)
        things_change(world);
    else if (what == 8)
        flush(world);
    else if (recall(world->trust, user->name, world->now) == NOTHING || what < 12)
        (void)inquire(world, d, user);
    for (d = 0; d < DOMAINS; d++) {
        for (size_t i = 0; i < USERS; i++) {
            user = &world->users[d][i];
            assert_int_equal(recall(world->trust, user->name, world->now), expected(world, user));
        }
    }
}

static void test_random_histories(void **state)
{
    struct world world = {.dice = dice_start(0)};
    (void)state;
    for (int life = 0; life < 200; life++) {
        world.trust = trust_new(1000, &seeds);
        assert_non_null(world.trust);
        world.now = MONO_SECONDS(1000);
        memset(world.users, 0, sizeof world.users);
        memset(world.broken, 0, sizeof world.broken);
        memset(world.down, 0, sizeof world.down);
        for (size_t d = 0; d < DOMAINS; d++) {
            for (size_t i = 0; i < USERS; i++) {
                struct record *user = &world.users[d][i];
                snprintf(user->name, sizeof user->name, "u%zu@d%zu.test", i, d);
                user->exists = dice_below(&world.dice, 2) == 0;
            }
        }
        for (int step = 0; step < 300; step++)
            live(&world);
        trust_free(world.trust);
    }
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
        cmocka_unit_test(test_random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
