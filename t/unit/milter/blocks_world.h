/*
 * blocks_world.h - a folder, a configuration and the entries made at run time in it,
 * on clocks that stand still until a test moves them. Tests only; one at a time.
 */
#ifndef T_UNIT_MILTER_BLOCKS_WORLD_H
#define T_UNIT_MILTER_BLOCKS_WORLD_H

#include "milter/blocks.h"

#define BARE                                                                                       \
    "[dns]\nhost_lookup = off\n[listener in]\n[listener out]\ndaemon_name = out\n"                 \
    "type = private\n"
#define WITH_SLOW BARE "[policy SLOW]\nmax_recipients_per_message = 1\n"

struct world {
    char folder[64];
    struct snapshot *snapshot;
    struct blocks blocks;
    struct strbuf note;
    struct err err;
};

extern mono_us since_boot;
extern int64_t wall; /* microseconds */

void let_pass(int64_t seconds); /* both clocks go on */
void set_clock(int64_t by);     /* the wall clock alone, by seconds */

/* For cmocka: *state is a struct world. */
int set_up(void **state);
int tear_down(void **state);
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

struct snapshot *configure(const struct world *world, const char *text);
void restart(struct world *world);
void crash(struct world *world); /* without a word to say goodbye */
void add(struct world *world, const char *entry, const char *policy, int64_t seconds);

/* Which policy a client gets; NULL: no entry matches. */
const char *policy_of(struct world *world, const char *ip, enum listener_type type);
#define assert_policy(world, ip, name)                                                             \
    do {                                                                                           \
        const char *got_ = policy_of(world, ip, LISTENER_PUBLIC);                                  \
        assert_non_null(got_);                                                                     \
        assert_string_equal(got_, name);                                                           \
    } while (0)
#define assert_free(world, ip) assert_null(policy_of(world, ip, LISTENER_PUBLIC))

#endif
