/* numbers_test.c - numbers of connections and messages do not come again (milter/numbers.h). */
#include "milter/numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/state/statefile.h"

#define YEARS(n) MONO_SECONDS((n)*31536000LL)

struct world {
    char folder[64];
    struct numbers numbers;
    uint64_t last; /* the highest that was given */
};

static mono_us now;
static int64_t wall;
static char told[2048];

static void keep_line(const char *line, void *arg)
{
    size_t n = strlen(told);
    (void)arg;
    snprintf(told + n, sizeof told - n, "%s\n", line);
}

static void assert_told(const char *words)
{
    if (strstr(told, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, told);
    told[0] = '\0';
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    now = MONO_SECONDS(1000);
    wall = MONO_SECONDS(1800000000) + 500000;
    mono_simulate(&now);
    mono_simulate_wall(&wall);
    told[0] = '\0';
    log_set_level(LOG_AT_INFO);
    log_capture(keep_line, NULL);
    snprintf(world->folder, sizeof world->folder, "/tmp/numbers-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    numbers_init(&world->numbers, world->folder);
    *state = world;
    return 0;
}

static void path_of(const struct world *world, const char *name, char path[100])
{
    snprintf(path, 100, "%s/%s", world->folder, name);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"numbers", "numbers.new", "numbers.damaged"};
    struct world *world = *state;
    char path[100];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        path_of(world, names[i], path);
        (void)remove(path);
    }
    int left = rmdir(world->folder);
    free(world);
    log_capture(NULL, NULL);
    mono_simulate(NULL);
    mono_simulate_wall(NULL);
    return left;
}

/* Each is new, whichever of the two it is. */
static void give(struct world *world, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t number = i % 2 == 0 ? numbers_icid(&world->numbers) : numbers_mid(&world->numbers);
        assert_true(number > world->last || i % 2 == 1);
        if (number > world->last)
            world->last = number;
    }
}

/* As after a crash: nobody says goodbye. */
static void start_again(struct world *world)
{
    world->numbers = (struct numbers){.folder = NULL};
    numbers_init(&world->numbers, world->folder);
}

static void count_one_by_one(void **state)
{
    struct world *world = *state;
    uint64_t icid = numbers_icid(&world->numbers), mid = numbers_mid(&world->numbers);

    assert_int_equal(numbers_icid(&world->numbers), icid + 1);
    assert_int_equal(numbers_mid(&world->numbers), mid + 1);
    assert_true(icid < (uint64_t)1 << 53); /* JSON readers count no further */
    assert_string_equal(told, "");
}

static const int64_t jumps[] = {0, -1, -3600, 3600, -YEARS(30), YEARS(60), -YEARS(57)};

static void do_not_come_again_after_a_crash(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
        give(world, 1000);
        wall += jumps[i];
        start_again(world);
    }
    give(world, 2);
    assert_string_equal(told, "");
}

/* Also where more were given than the first write allowed. */
static void are_written_ahead(void **state)
{
    struct world *world = *state;
    char path[100];
    struct stat before, after;

    path_of(world, "numbers", path);
    assert_int_equal(stat(path, &before), 0);
    for (unsigned given = 0; given < NUMBERS_STEP / 2 - 1; given += NUMBERS_STEP / 16) {
        numbers_tick(&world->numbers);
        atomic_fetch_add(&world->numbers.mid, NUMBERS_STEP / 16);
    }
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* it is a new file with each write */
    for (unsigned times = 0; times < 10; times++) {
        atomic_fetch_add(&world->numbers.icid, NUMBERS_STEP / 2 - 1);
        numbers_tick(&world->numbers);
    }
    give(world, 2);
    wall -= YEARS(10);
    start_again(world);
    give(world, 2);
    assert_string_equal(told, "");
}

static void the_clock_is_enough(void **state)
{
    struct world *world = *state;
    char path[100];

    give(world, 65000);
    path_of(world, "numbers", path);
    assert_int_equal(unlink(path), 0);
    wall += MONO_SECONDS(1);
    start_again(world);
    give(world, 2);
    assert_string_equal(told, "");
    wall += MONO_SECONDS(1);
    numbers_init(&world->numbers, NULL);
    give(world, 2);
    assert_told("without state_dir");
    numbers_tick(&world->numbers);
}

/* A host whose clock does not outlive it. */
static void the_file_is_enough(void **state)
{
    struct world *world = *state;
    char path[100];

    path_of(world, "numbers", path);
    assert_int_equal(unlink(path), 0);
    for (int times = 0; times < 3; times++) {
        wall = MONO_SECONDS(times);
        start_again(world);
        give(world, 2);
        if (times == 0)
            assert_int_equal(world->last, 1);
    }
}

static void a_disk_that_fails_is_told_once(void **state)
{
    struct world *world = *state;
    char path[100];

    path_of(world, "numbers.new", path);
    assert_int_equal(mkdir(path, 0700), 0);
    wall += MONO_SECONDS(1);
    start_again(world);
    give(world, 2);
    assert_told("may be repeated if it is set back");
    for (int i = 0; i < 100; i++) {
        now += MONO_SECONDS(1);
        numbers_tick(&world->numbers);
    }
    assert_string_equal(told, "");
    assert_int_equal(rmdir(path), 0);
    atomic_fetch_add(&world->numbers.icid, 10 * NUMBERS_STEP);
    give(world, 1);
    now += MONO_SECONDS(30);
    numbers_tick(&world->numbers);
    assert_told("are saved again");
    wall -= YEARS(1);
    start_again(world);
    give(world, 1);
}

static void what_the_file_says_is_not_believed(void **state)
{
    static const char *const wrong[] = {
        "",   "next 1", "next \n", "next -1\n", "next 1\nnext 2\n", "next 18446744073709551615\n",
        "1\n"};
    struct world *world = *state;
    struct err err = {0};
    char path[100];

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_true(
            statefile_write(world->folder, "numbers", "numbers-1", slice_of(wrong[i]), &err));
        wall += MONO_SECONDS(1);
        start_again(world);
        give(world, 1);
        assert_told("start from the clock");
    }
    path_of(world, "numbers", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("next 5\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    wall += MONO_SECONDS(1);
    start_again(world);
    give(world, 1);
    assert_told("is damaged");
}

/* The latest that a clock of 64 bits can show. */
static void no_clock_is_too_much(void **state)
{
    struct world *world = *state;

    wall = INT64_MAX;
    start_again(world);
    give(world, 2);
    wall = INT64_MIN;
    start_again(world);
    give(world, 2);
    assert_string_equal(told, "");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(count_one_by_one),
        TEST(do_not_come_again_after_a_crash),
        TEST(are_written_ahead),
        TEST(the_clock_is_enough),
        TEST(the_file_is_enough),
        TEST(a_disk_that_fails_is_told_once),
        TEST(what_the_file_says_is_not_believed),
        TEST(no_clock_is_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
