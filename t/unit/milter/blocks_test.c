/* blocks_test.c - entries made at run time: order, limits, file, configurations. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/state/statefile.h"
#include "t/unit/milter/blocks_world.h"

static void the_newest_comes_first(void **state)
{
    struct world *world = *state;

    assert_free(world, "192.0.2.7");
    add(world, "192.0.2.0/24", "BLOCKED", 0);
    add(world, "192.0.2.7", "ACCEPTED", 0);
    assert_policy(world, "192.0.2.7", "ACCEPTED");
    assert_policy(world, "192.0.2.8", "BLOCKED");
    assert_free(world, "192.0.3.8");
    add(world, "192.0.2.0/24", "SLOW", 0);
    assert_int_equal(world->blocks.n, 2);
    assert_policy(world, "192.0.2.7", "SLOW");
    assert_string_equal(policy_of(world, "192.0.2.7", LISTENER_PRIVATE), "SLOW");
    add(world, "192.0.2.9", "TCPREFUSE", 0); /* an action word has no name */
    assert_policy(world, "192.0.2.9", "");
}

/* By the file alone: who has ended or has no policy is not in it. */
static void others_look_at_the_file(void **state)
{
    struct world *world = *state;
    struct blocks_table *table = NULL;
    struct err err = {0};
    const struct {
        const char *ip;
        bool fallback;
    } cases[] = {{"192.0.2.7", false}, {"192.0.2.8", true}, {"192.0.2.9", true}};

    assert_true(blocks_look(world->folder, world->snapshot, &table, &err));
    assert_null(table);
    assert_true(blocks_look("/nowhere", world->snapshot, &table, &err));
    assert_null(table);
    add(world, "192.0.2.9", "BLOCKED", 1);
    let_pass(1);
    assert_true(blocks_look(world->folder, world->snapshot, &table, &err));
    assert_null(table);
    add(world, "192.0.2.7", "BLOCKED", 60);
    set_clock(-3600);
    let_pass(59);
    assert_true(blocks_look(world->folder, world->snapshot, &table, &err));
    assert_non_null(table);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct hat_client client = {.host = NULL};
        struct hat_match match;
        assert_true(ip_parse(slice_of(cases[i].ip), &client.ip));
        for (size_t type = 0; type < ARRAY_LEN(table->by_type); type++) {
            hat_decide(table->by_type[type], &client, &match);
            assert_int_equal(match.fallback, cases[i].fallback);
        }
    }
    blocks_drop(table);
}

static void unblocking_needs_the_same_text(void **state)
{
    struct world *world = *state;

    add(world, "Mail.Example.com", "BLOCKED", 0);
    add(world, "192.0.2.7", "BLOCKED", 0);
    assert_false(blocks_remove(&world->blocks, "192.0.2.7/32", &world->note));
    assert_true(blocks_remove(&world->blocks, "192.0.2.7", &world->note));
    assert_false(blocks_remove(&world->blocks, "192.0.2.7", &world->note));
    assert_free(world, "192.0.2.7");
    assert_true(blocks_remove(&world->blocks, "mail.example.COM", &world->note));
    assert_null(blocks_take(&world->blocks));
}

static void refuses(void **state)
{
    static const struct {
        const char *entry, *policy, *want;
    } cases[] = {
        {"SBRS[none]", "BLOCKED", "needs a look-up"},
        {"SBO:64500", "BLOCKED", "needs a look-up"},
        {"country:JP", "BLOCKED", "needs a look-up"},
        {"dnslist[bl.example.org]", "BLOCKED", "needs a look-up"},
        {"nx.domain", "BLOCKED", "needs a look-up"},
        {"192.0.2.300", "BLOCKED", "192.0.2.300"},
        {"", "BLOCKED", "is no sender"},
        {"a b", "BLOCKED", "is no sender"},
        {"192.0.2.7,192.0.2.8", "BLOCKED", "is no"},
        {"192.0.2.7\n0 0 X 192.0.2.8", "BLOCKED", "is no"},
        {"192.0.2.7", "NONE", "no policy \"NONE\""},
        {"192.0.2.7", "", "no policy \"\""},
        {"192.0.2.7", "continue", "continue is not possible"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct blocks_order order = {cases[i].entry, cases[i].policy, "", 0};
        assert_false(blocks_add(&world->blocks, &order, &world->note, &world->err));
        if (strstr(world->err.text, cases[i].want) == NULL)
            fail_msg("%s: %s", cases[i].entry, world->err.text);
        assert_int_equal(world->blocks.n, 0);
    }
}

static void a_slip_is_told(void **state)
{
    struct world *world = *state;

    add(world, "192.0.2.7/24", "BLOCKED", 0);
    assert_non_null(strstr(strbuf_text(&world->note), "192.0.2.0/24 is used"));
    assert_null(strstr(strbuf_text(&world->note), "every"));
    add(world, "ALL", "BLOCKED", 0);
    assert_non_null(strstr(strbuf_text(&world->note), "ALL means everybody\n"));
    add(world, "0.0.0.0/0", "BLOCKED", 0);
    assert_non_null(strstr(strbuf_text(&world->note), "0.0.0.0/0 means every IPv4 address\n"));
    add(world, "::/0", "BLOCKED", 0);
    assert_non_null(strstr(strbuf_text(&world->note), "::/0 means every IPv6 address\n"));
}

static void there_is_a_limit(void **state)
{
    struct world *world = *state;
    char entry[40];

    world->blocks.folder = NULL; /* the disk is not what this is about */
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        snprintf(entry, sizeof entry, "10.%zu.%zu.0/24", i / 256, i % 256);
        if (i + 2 >= BLOCKS_MAX || i < 2) {
            add(world, entry, "BLOCKED", 0);
            continue;
        }
        /* Without the table in between: that would be 10,000 tables. */
        size_t n = world->blocks.n++;
        if (n == world->blocks.room) {
            world->blocks.room = BLOCKS_MAX;
            world->blocks.list =
                realloc(world->blocks.list, BLOCKS_MAX * sizeof *world->blocks.list);
            assert_non_null(world->blocks.list);
        }
        world->blocks.list[n] =
            (struct block){.entry = strdup(entry), .policy = strdup("BLOCKED"), .in_force = true};
    }
    assert_int_equal(world->blocks.n, BLOCKS_MAX);
    assert_policy(world, "10.0.0.1", "BLOCKED");
    assert_policy(world, "10.20.0.1", "BLOCKED");
    struct blocks_order order = {"192.0.2.7", "BLOCKED", "", 0};
    assert_false(blocks_add(&world->blocks, &order, &world->note, &world->err));
    assert_non_null(strstr(world->err.text, "there are 10000 entries already"));
    add(world, "10.0.0.0/24", "SLOW", 0); /* one that is there */
    assert_policy(world, "10.0.0.1", "SLOW");
}

static void outlive_a_restart(void **state)
{
    struct world *world = *state;
    int64_t later = mono_wall_seconds() + 1000;

    add(world, "192.0.2.0/24", "BLOCKED", 0);
    add(world, ".m\xc3\xbcnchen.example", "SLOW", 1000);
    add(world, "192.0.2.7", "ACCEPTED", 1000);
    assert_int_equal(world->note.n, 0);
    restart(world);
    assert_int_equal(world->blocks.n, 3);
    assert_string_equal(world->blocks.list[0].entry, "192.0.2.7");
    assert_int_equal(world->blocks.list[0].expires, later);
    assert_string_equal(world->blocks.list[1].entry, ".m\xc3\xbcnchen.example");
    assert_string_equal(world->blocks.list[1].policy, "SLOW");
    assert_int_equal(world->blocks.list[2].expires, 0);
    assert_policy(world, "192.0.2.7", "ACCEPTED");
    assert_policy(world, "192.0.2.8", "BLOCKED");
}

static void wait_for_their_policy(void **state)
{
    struct world *world = *state;
    struct snapshot *without = configure(world, BARE), *again = configure(world, WITH_SLOW);

    add(world, "192.0.2.7", "SLOW", 0);
    add(world, "192.0.2.8", "BLOCKED", 0);
    struct blocks_table *old = blocks_take(&world->blocks);
    blocks_use(&world->blocks, without);
    assert_free(world, "192.0.2.7");
    assert_false(world->blocks.list[1].in_force);
    assert_policy(world, "192.0.2.8", "BLOCKED");
    assert_true(blocks_remove(&world->blocks, "192.0.2.8", &world->note));
    assert_null(blocks_take(&world->blocks)); /* nothing in force is no table */
    blocks_use(&world->blocks, again);
    assert_policy(world, "192.0.2.7", "SLOW");
    snapshot_drop(without);
    snapshot_drop(again);
    /* Whoever has the first table still may use it. */
    struct hat_client client = {.ip = ip_from_v4(0xC0000207)};
    struct hat_match match;
    hat_decide(old->by_type[LISTENER_PUBLIC], &client, &match);
    assert_string_equal(match.policy->name, "SLOW");
    blocks_drop(old);
}

static void what_cannot_be_kept_is_said(void **state)
{
    struct world *world = *state;
    char path[100];

    snprintf(path, sizeof path, "%s/blocks.new", world->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    add(world, "192.0.2.7", "BLOCKED", 0);
    assert_non_null(strstr(strbuf_text(&world->note), "would be lost at a restart"));
    assert_policy(world, "192.0.2.7", "BLOCKED");
    assert_true(world->blocks.unsaved);
    assert_int_equal(rmdir(path), 0);
    world->blocks.save_again = 0;
    blocks_tick(&world->blocks);
    assert_false(world->blocks.unsaved);
    restart(world);
    assert_policy(world, "192.0.2.7", "BLOCKED");
    strbuf_reset(&world->note);
    world->blocks.folder = NULL;
    add(world, "192.0.2.8", "BLOCKED", 0);
    assert_non_null(strstr(strbuf_text(&world->note), "without state_dir"));
}

static void a_damaged_file_is_not_believed(void **state)
{
    struct world *world = *state;
    char path[100], aside[100];

    add(world, "192.0.2.7", "BLOCKED", 0);
    snprintf(path, sizeof path, "%s/blocks", world->folder);
    snprintf(aside, sizeof aside, "%s/blocks.damaged", world->folder);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, -30, SEEK_END), 0);
    assert_int_equal(fputc('9', file), '9');
    assert_int_equal(fclose(file), 0);
    restart(world);
    assert_int_equal(world->blocks.n, 0);
    assert_int_equal(access(aside, F_OK), 0);
    assert_int_equal(access(path, F_OK), -1);
    add(world, "192.0.2.9", "BLOCKED", 0);
    restart(world);
    assert_policy(world, "192.0.2.9", "BLOCKED");
}

/* Whole, but not what this version would write. */
static void foreign_lines_are_passed_over(void **state)
{
    struct world *world = *state;

    assert_true(statefile_write(world->folder, "blocks", "blocks-1",
                                slice_of("5 0 BLOCKED 192.0.2.7\n5 0 BLOCKED SBO:1\n"
                                         "5 0 BLOCKED not//one\n5 0 BLOCKED 192.0.2.8\n"),
                                &world->err));
    restart(world);
    assert_int_equal(world->blocks.n, 2);
    assert_policy(world, "192.0.2.8", "BLOCKED");
    static const char *const wrong[] = {
        "5 x BLOCKED a\n",
        "clock 5\n5 0 BLOCKED 192.0.2.7\n",
        "clock 5 6 \n",
        "clock -5 6\n5 0 BLOCKED 192.0.2.7\n",
        "clock 5 6",
        "5 0 BLOCKED 192.0.2.7\nclock 5 6\n",
        "clock 5 6\nclock 5 6\n",
        "100000000001 0 BLOCKED 192.0.2.7\n",
        "clock 99999999999999999999 6\n5 0 BLOCKED 192.0.2.7\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_true(
            statefile_write(world->folder, "blocks", "blocks-1", slice_of(wrong[i]), &world->err));
        crash(world);
        assert_int_equal(world->blocks.n, i == 5 ? 1 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_comes_first),
        TEST(others_look_at_the_file),
        TEST(unblocking_needs_the_same_text),
        TEST(refuses),
        TEST(a_slip_is_told),
        TEST(there_is_a_limit),
        TEST(outlive_a_restart),
        TEST(wait_for_their_policy),
        TEST(what_cannot_be_kept_is_said),
        TEST(a_damaged_file_is_not_believed),
        TEST(foreign_lines_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
