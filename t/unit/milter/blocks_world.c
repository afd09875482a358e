/* blocks_world.c - see blocks_world.h. */
#include "t/unit/milter/blocks_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/log.h"

mono_us since_boot;
int64_t wall;

void let_pass(int64_t seconds)
{
    since_boot += MONO_SECONDS(seconds);
    wall += MONO_SECONDS(seconds);
}

void set_clock(int64_t by)
{
    wall += MONO_SECONDS(by);
}

static void ignore_line(const char *line, void *arg)
{
    (void)line;
    (void)arg;
}

struct snapshot *configure(const struct world *world, const char *text)
{
    char path[100];
    struct problems problems;

    snprintf(path, sizeof path, "%s/conf", world->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    problems_init(&problems);
    struct snapshot *snapshot = snapshot_build(path, &problems);
    problems_done(&problems);
    assert_non_null(snapshot);
    return snapshot;
}

int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    log_capture(ignore_line, NULL);
    since_boot = MONO_SECONDS(5000);
    wall = MONO_SECONDS(1800000000) + 123456;
    mono_simulate(&since_boot);
    mono_simulate_wall(&wall);
    snprintf(world->folder, sizeof world->folder, "/tmp/blocks-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    world->snapshot = configure(world, WITH_SLOW);
    blocks_init(&world->blocks, world->folder, world->snapshot);
    strbuf_init(&world->note);
    *state = world;
    return 0;
}

int tear_down(void **state)
{
    static const char *const names[] = {"conf", "blocks", "blocks.new", "blocks.damaged"};
    struct world *world = *state;
    char path[100];

    blocks_done(&world->blocks);
    snapshot_drop(world->snapshot);
    strbuf_done(&world->note);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", world->folder, names[i]);
        (void)remove(path);
    }
    int left = rmdir(world->folder);
    free(world);
    log_capture(NULL, NULL);
    mono_simulate(NULL);
    mono_simulate_wall(NULL);
    return left;
}

void restart(struct world *world)
{
    blocks_done(&world->blocks);
    blocks_init(&world->blocks, world->folder, world->snapshot);
}

void crash(struct world *world)
{
    world->blocks.next_end = MONO_NEVER; /* nothing that would be written */
    restart(world);
}

void add(struct world *world, const char *entry, const char *policy, int64_t seconds)
{
    struct blocks_order order = {entry, policy, "", seconds};

    assert_true(blocks_add(&world->blocks, &order, &world->note, &world->err));
}

const char *policy_of(struct world *world, const char *ip, enum listener_type type)
{
    struct blocks_table *table = blocks_take(&world->blocks);
    struct hat_client client = {.host = NULL};
    struct hat_match match;

    if (table == NULL)
        return NULL;
    assert_true(ip_parse(slice_of(ip), &client.ip));
    hat_decide(table->by_type[type], &client, &match);
    const char *name = match.fallback ? NULL : match.policy->name;
    blocks_drop(table); /* the name is the snapshot's */
    return name;
}
