/* blocks_log_test.c - comments of entries made at run time, and what the log tells of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/state/statefile.h"
#include "t/unit/milter/blocks_world.h"
#include "t/unit/no_memory.h"

static char told[4096];

static void keep_line(const char *line, void *arg)
{
    size_t n = strlen(told);
    (void)arg;
    snprintf(told + n, sizeof told - n, "%s\n", line);
}

/* The lines since the last time, if any holds the words. */
#define assert_told(words)                                                                         \
    do {                                                                                           \
        if (strstr(told, words) == NULL)                                                           \
            fail_msg("\"%s\" is not in: %s", words, told);                                         \
        told[0] = '\0';                                                                            \
    } while (0)

static int listen_in(void **state)
{
    int set = set_up(state);
    told[0] = '\0';
    log_set_level(LOG_AT_INFO);
    log_capture(keep_line, NULL);
    return set;
}

static bool put(struct world *world, const char *entry, const char *comment)
{
    struct blocks_order order = {entry, "BLOCKED", comment, 0};
    return blocks_add(&world->blocks, &order, &world->note, &world->err);
}

static const char *comment_of(struct world *world, const char *ip)
{
    static char comment[BLOCKS_COMMENT_MAX + 1];
    struct blocks_table *table = blocks_take(&world->blocks);
    struct hat_client client = {.host = NULL};
    struct hat_match match;

    assert_non_null(table);
    assert_true(ip_parse(slice_of(ip), &client.ip));
    hat_decide(table->by_type[LISTENER_PUBLIC], &client, &match);
    snprintf(comment, sizeof comment, "%s", match.comment != NULL ? match.comment : "none");
    blocks_drop(table);
    return comment;
}

/* --- comments ---------------------------------------------------------------------------- */

static void comments_outlive_a_restart(void **state)
{
    static const char *const comments[] = {"ticket 7", "# ALL \\ \"quoted\"", "M\xc3\xbcnchen  ",
                                           " 0 0 # #x", "#"};
    struct world *world = *state;
    char most[BLOCKS_COMMENT_MAX + 1] = "", entry[20];

    memset(most, 'x', BLOCKS_COMMENT_MAX);
    assert_true(put(world, "198.51.100.0/24", most));
    assert_true(put(world, "198.51.100.7", ""));
    for (size_t i = 0; i < ARRAY_LEN(comments); i++) {
        snprintf(entry, sizeof entry, "192.0.2.%zu", i);
        assert_true(put(world, entry, comments[i]));
    }
    for (int times = 0; times < 2; times++) {
        for (size_t i = 0; i < ARRAY_LEN(comments); i++) {
            snprintf(entry, sizeof entry, "192.0.2.%zu", i);
            assert_string_equal(comment_of(world, entry), comments[i]);
        }
        assert_string_equal(comment_of(world, "198.51.100.8"), most);
        assert_string_equal(comment_of(world, "198.51.100.7"), "none");
        restart(world);
    }
    assert_true(put(world, "192.0.2.0", "another"));
    assert_string_equal(comment_of(world, "192.0.2.0"), "another");
    assert_true(put(world, "192.0.2.0", ""));
    assert_string_equal(comment_of(world, "192.0.2.0"), "none");
    assert_string_equal(told, "");
}

static void comments_that_are_refused(void **state)
{
    static const char *const wrong[] = {"a\nb", "\x1b]0;x", "\x7f", "\xff", "\xc2\x9b[m", "\t"};
    struct world *world = *state;
    char long_one[BLOCKS_COMMENT_MAX + 2] = "";

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_false(put(world, "192.0.2.7", wrong[i]));
        assert_non_null(strstr(world->err.text, "comment"));
    }
    memset(long_one, 'x', BLOCKS_COMMENT_MAX + 1);
    assert_false(put(world, "192.0.2.7", long_one));
    assert_non_null(strstr(world->err.text, "201 bytes; allowed: up to 200"));
    assert_int_equal(world->blocks.n, 0);
}

/* Files of a version that knew no comments, and what that version makes of ours: an entry
 * "#..." is none that it can read, and it passes over such a line. */
static void files_of_other_versions(void **state)
{
    struct world *world = *state;
    struct hat_entry entry;

    assert_true(statefile_write(world->folder, "blocks", "blocks-1",
                                slice_of("clock 5 6\n5 0 BLOCKED 192.0.2.7\n"
                                         "0 0 # #why\n5 0 BLOCKED 192.0.2.8\n"
                                         "0 0 # #b\x01"
                                         "d\n5 0 BLOCKED 192.0.2.9\n"),
                                &world->err));
    crash(world);
    assert_int_equal(world->blocks.n, 3);
    assert_string_equal(comment_of(world, "192.0.2.7"), "none");
    assert_string_equal(comment_of(world, "192.0.2.8"), "why");
    assert_string_equal(comment_of(world, "192.0.2.9"), "none");
    assert_told("192.0.2.9: its comment is lost");
    assert_false(blocks_check_entry("#ALL", &entry, &world->note, &world->err));
    static const char *const wrong[] = {
        "0 0 # why\n5 0 BLOCKED 192.0.2.7\n",
        "0 0 # #why\n0 0 # #why\n5 0 BLOCKED 192.0.2.7\n",
        "5 0 BLOCKED 192.0.2.7\n0 0 # #why\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_true(
            statefile_write(world->folder, "blocks", "blocks-1", slice_of(wrong[i]), &world->err));
        crash(world);
        assert_told("lines that gatehoused did not write");
    }
}

/* --- what the log tells ------------------------------------------------------------------- */

static void it_is_told_once_it_is_so(void **state)
{
    struct world *world = *state;
    struct snapshot *without = configure(world, BARE), *again = configure(world, WITH_SLOW);

    add(world, "192.0.2.7", "SLOW", 0);
    add(world, "192.0.2.8", "BLOCKED", 0); /* without any there is nothing to build */
    memory_allow(0);
    blocks_use(&world->blocks, without);
    blocks_tick(&world->blocks);
    memory_allow(-1);
    assert_policy(world, "192.0.2.7", "SLOW");
    assert_string_equal(told,
                        "event=block detail=\"out of memory; the entries stay as they were\"\n");
    told[0] = '\0';
    blocks_tick(&world->blocks);
    assert_free(world, "192.0.2.7");
    assert_string_equal(told, "event=block detail=\"192.0.2.7: there is no policy \\\"SLOW\\\"; "
                              "it has no effect\"\n");
    blocks_tick(&world->blocks);
    restart(world); /* with SLOW again */
    told[0] = '\0';
    blocks_use(&world->blocks, without);
    blocks_use(&world->blocks, without);
    assert_string_equal(told, "event=block detail=\"192.0.2.7: there is no policy \\\"SLOW\\\"; "
                              "it has no effect\"\n");
    told[0] = '\0';
    memory_allow(0);
    blocks_use(&world->blocks, again);
    memory_allow(-1);
    assert_free(world, "192.0.2.7");
    assert_told("out of memory");
    blocks_tick(&world->blocks);
    assert_policy(world, "192.0.2.7", "SLOW");
    assert_told("192.0.2.7: in effect again, with policy \\\"SLOW\\\"");
    snapshot_drop(without);
    snapshot_drop(again);
}

static void an_end_is_told_once_it_is_so(void **state)
{
    struct world *world = *state;

    add(world, "192.0.2.7", "BLOCKED", 5);
    add(world, "192.0.2.8", "BLOCKED", 0);
    let_pass(5);
    memory_allow(0);
    blocks_tick(&world->blocks);
    memory_allow(-1);
    assert_policy(world, "192.0.2.7", "BLOCKED");
    assert_null(strstr(told, "it has expired"));
    blocks_tick(&world->blocks);
    assert_free(world, "192.0.2.7");
    assert_told("192.0.2.7: it has expired");
    assert_int_equal(world->blocks.n, 1);
}

/* Whichever allocation fails: all of it, or nothing. */
static void without_memory_all_is_as_it_was(void **state)
{
    struct world *world = *state;
    int n = 0;
    bool added = false;

    assert_true(put(world, "192.0.2.7", "before"));
    while (!added) {
        struct blocks_order order = {"192.0.2.7", "ACCEPTED", "behind", 0};
        memory_fail_once(++n);
        added = blocks_add(&world->blocks, &order, &world->note, &world->err);
        memory_allow(-1);
        assert_policy(world, "192.0.2.7", added ? "ACCEPTED" : "BLOCKED");
        assert_string_equal(comment_of(world, "192.0.2.7"), added ? "behind" : "before");
        assert_int_equal(world->blocks.n, 1);
    }
    assert_true(n > 10);
    world->blocks.folder = NULL; /* one more allocation fails than those of the file */
    memory_allow(0);
    assert_true(blocks_remove(&world->blocks, "192.0.2.7", &world->note));
    memory_allow(-1);
    assert_null(blocks_take(&world->blocks)); /* no entry needs no memory */
    assert_true(put(world, "192.0.2.7", ""));
    assert_true(put(world, "192.0.2.8", ""));
    memory_allow(0);
    assert_true(blocks_remove(&world->blocks, "192.0.2.7", &world->note));
    memory_allow(-1);
    assert_policy(world, "192.0.2.7", "BLOCKED");
    assert_told("out of memory");
    blocks_tick(&world->blocks);
    assert_free(world, "192.0.2.7");
    assert_policy(world, "192.0.2.8", "BLOCKED");
}

#define HEARD(function) cmocka_unit_test_setup_teardown(function, listen_in, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEARD(comments_outlive_a_restart),   HEARD(comments_that_are_refused),
        HEARD(files_of_other_versions),      HEARD(it_is_told_once_it_is_so),
        HEARD(an_end_is_told_once_it_is_so), HEARD(without_memory_all_is_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
