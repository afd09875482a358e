/* blocks_clock_test.c - how long entries made at run time last, and clocks that are set. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/state/statefile.h"
#include "t/unit/milter/blocks_world.h"

static void last_as_long_as_they_were_given(void **state)
{
    struct world *world = *state;

    add(world, "192.0.2.7", "BLOCKED", 1000);
    add(world, "192.0.2.8", "BLOCKED", 10);
    add(world, "192.0.2.9", "BLOCKED", 0);
    assert_int_equal(world->blocks.list[1].expires - world->blocks.list[1].added, 10);
    let_pass(9);
    blocks_tick(&world->blocks);
    assert_policy(world, "192.0.2.8", "BLOCKED");
    let_pass(1);
    blocks_tick(&world->blocks);
    assert_free(world, "192.0.2.8");
    assert_policy(world, "192.0.2.7", "BLOCKED");
    let_pass(989);
    restart(world);
    assert_policy(world, "192.0.2.7", "BLOCKED");
    let_pass(1); /* while the daemon does not run, too */
    restart(world);
    assert_free(world, "192.0.2.7");
    let_pass(BLOCKS_LONGEST_S);
    restart(world);
    assert_policy(world, "192.0.2.9", "BLOCKED");
    assert_int_equal(world->blocks.n, 1);
}

static const int64_t jumps[] = {-1800000000, -3600, -3, -1, 1, 500, 1000000000};

/* Whatever the wall clock says, and however often it is set. */
static void no_jump_matters_while_the_daemon_runs(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
        add(world, "192.0.2.7", "BLOCKED", 1000);
        for (int step = 0; step < 9; step++) {
            let_pass(100);
            set_clock(step % 2 == 0 ? jumps[i] : -jumps[i]);
            blocks_tick(&world->blocks);
            assert_policy(world, "192.0.2.7", "BLOCKED");
        }
        let_pass(99);
        blocks_tick(&world->blocks);
        assert_policy(world, "192.0.2.7", "BLOCKED");
        let_pass(1);
        blocks_tick(&world->blocks);
        assert_free(world, "192.0.2.7");
        set_clock(-jumps[i]);
    }
}

/* What is shown is right by the clock as it is now. */
static void what_is_shown_follows_the_clock(void **state)
{
    struct world *world = *state;

    add(world, "192.0.2.8", "BLOCKED", 0);
    add(world, "192.0.2.7", "BLOCKED", 1000);
    int64_t added = world->blocks.list[0].added;
    set_clock(3600);
    blocks_tick(&world->blocks);
    assert_int_equal(world->blocks.list[0].added, added + 3600);
    assert_int_equal(world->blocks.list[0].expires, added + 3600 + 1000);
    assert_int_equal(world->blocks.list[1].expires, 0);
    set_clock(-7200);
    restart(world);
    blocks_tick(&world->blocks);
    assert_int_equal(world->blocks.list[0].expires, added - 3600 + 1000);
    set_clock(1); /* trimmed */
    blocks_tick(&world->blocks);
    assert_int_equal(world->blocks.list[0].expires, added - 3600 + 1000);
    add(world, "192.0.2.9", "BLOCKED", 10);
    assert_int_equal(world->blocks.list[0].expires - world->blocks.list[0].added, 10);
}

enum stop { STOPPED, CRASHED, HOST_RESTARTED };

/* Seconds until an entry of 1000 s ends, of which 100 pass before the clock is set,
 * perhaps noticed, 100 more until the daemon is gone, and `off` until it is back. */
static int64_t lasted(struct world *world, int64_t jump, bool noticed, enum stop stop, int64_t off,
                      int64_t jump_while_off)
{
    int64_t seconds = 100 + 100 + off;

    add(world, "192.0.2.7", "BLOCKED", 1000);
    let_pass(100);
    blocks_tick(&world->blocks);
    set_clock(jump);
    if (noticed)
        blocks_tick(&world->blocks);
    let_pass(100);
    if (noticed)
        blocks_tick(&world->blocks);
    set_clock(jump_while_off);
    let_pass(off);
    if (stop == HOST_RESTARTED)
        since_boot = MONO_SECONDS(30);
    if (stop == STOPPED)
        restart(world);
    else
        crash(world);
    blocks_tick(&world->blocks);
    while (policy_of(world, "192.0.2.7", LISTENER_PUBLIC) != NULL) {
        let_pass(1);
        seconds++;
        blocks_tick(&world->blocks);
    }
    set_clock(-jump - jump_while_off);
    return seconds;
}

static int64_t forward(int64_t jump)
{
    return jump > 0 ? jump : 0;
}

/* Never longer than given; shorter by no more than the clock was set forward. The
 * second that is cut off is that of rounding. */
static void no_jump_matters_much_over_a_restart(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < ARRAY_LEN(jumps) * 2; i++) {
        int64_t jump = jumps[i / 2];
        bool noticed = i % 2 == 0;
        for (enum stop stop = STOPPED; stop <= CRASHED; stop++) {
            for (int64_t off = 0; off <= 400; off += 400) {
                int64_t got = lasted(world, jump, noticed, stop, off, 0);
                assert_in_range(got, 1000 - 1 - (noticed ? 0 : forward(jump < 800 ? jump : 800)),
                                1000);
                got = lasted(world, 0, noticed, stop, off, jump);
                assert_in_range(got, 1000 - 1 - forward(jump < 800 ? jump : 800), 1000);
            }
        }
    }
}

/* The clock that nobody sets has begun anew; there is the wall clock alone. */
static void the_host_may_start_again(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
        int64_t trimmed = jumps[i] == -1, got;
        got = lasted(world, jumps[i], true, HOST_RESTARTED, 200, 0);
        assert_in_range(got, 999, 1000 + trimmed); /* less than 2 s is no jump */
        got = lasted(world, 0, true, HOST_RESTARTED, 200, forward(jumps[i]));
        assert_in_range(got, 1000 - 1 - forward(jumps[i] < 600 ? jumps[i] : 600), 1000);
        /* set back while it was off: that cannot be seen, but lengthens by no more */
        got = lasted(world, 0, true, HOST_RESTARTED, 200, -forward(jumps[i]));
        assert_in_range(got, 999, 1000 + 400);
    }
}

/* The time is written down now and then, for a host whose clock does not outlive it. */
static void the_file_knows_what_time_it_is(void **state)
{
    struct world *world = *state;
    int64_t began = wall, seconds = 0;

    add(world, "192.0.2.7", "BLOCKED", 86400);
    for (; seconds < 40000; seconds++) {
        let_pass(1);
        blocks_tick(&world->blocks);
    }
    wall = began; /* after a crash of the host */
    since_boot = MONO_SECONDS(30);
    crash(world);
    while (policy_of(world, "192.0.2.7", LISTENER_PUBLIC) != NULL) {
        let_pass(1);
        seconds++;
        blocks_tick(&world->blocks);
    }
    assert_in_range(seconds, 86399 - 30, 86400 + 600);
}

static void a_file_of_an_earlier_version_is_read(void **state)
{
    struct world *world = *state;
    const char *lines = "1800000000 1800000100 BLOCKED 192.0.2.7\n1799999000 0 BLOCKED 192.0.2.8\n";

    assert_true(statefile_write(world->folder, "blocks", "blocks-1", slice_of(lines), &world->err));
    let_pass(99);
    restart(world);
    assert_policy(world, "192.0.2.7", "BLOCKED");
    let_pass(1);
    blocks_tick(&world->blocks);
    assert_free(world, "192.0.2.7");
    assert_policy(world, "192.0.2.8", "BLOCKED");
    /* the clock was set back since: no more than it was given */
    assert_true(statefile_write(world->folder, "blocks", "blocks-1", slice_of(lines), &world->err));
    set_clock(-86400);
    restart(world);
    assert_policy(world, "192.0.2.7", "BLOCKED");
    let_pass(100);
    blocks_tick(&world->blocks);
    assert_free(world, "192.0.2.7");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(last_as_long_as_they_were_given),
        TEST(no_jump_matters_while_the_daemon_runs),
        TEST(what_is_shown_follows_the_clock),
        TEST(no_jump_matters_much_over_a_restart),
        TEST(the_host_may_start_again),
        TEST(the_file_knows_what_time_it_is),
        TEST(a_file_of_an_earlier_version_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
