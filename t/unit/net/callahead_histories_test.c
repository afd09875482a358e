/*
 * callahead_histories_test.c - what a "no" is worth: many random histories held
 * against the rules, written down a second time as a plain record of each
 * recipient.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "t/unit/dice.h"
#include "t/unit/net/trusting.h"

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
        cmocka_unit_test(test_random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
