/*
 * stage_test.c - runs all of t/stage/NAME.case, conversations through the stages
 * of lib/gate; their format: stage_case.h. Arguments: case files instead of all.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "t/unit/gate/stage_run.h"

#define FILES_MAX 40
#define TESTS_MAX 400

static struct case_file files[FILES_MAX];
static struct world worlds[FILES_MAX];
static struct stage_test tests[TESTS_MAX];
static size_t nfiles, ntests;

static void add_file(const char *path)
{
    CHECK(nfiles < FILES_MAX);
    struct case_file *file = &files[nfiles];
    struct world *world = &worlds[nfiles++];
    case_file_read(file, path);
    world_build(world, file);
    for (size_t i = 0; i < file->n; i++) {
        if (file->blocks[i].kind != BLOCK_CASE)
            continue;
        CHECK(ntests < TESTS_MAX);
        struct stage_test *test = &tests[ntests++];
        *test = (struct stage_test){.file = file, .world = world, .block = &file->blocks[i]};
        snprintf(test->name, sizeof test->name, "%s: %s", file->name, file->blocks[i].name);
    }
}

static void add_all(void)
{
    char pattern[1000];
    glob_t found;
    const char *srcdir = getenv("srcdir");
    snprintf(pattern, sizeof pattern, "%s/t/stage/*.case", srcdir != NULL ? srcdir : ".");
    CHECK(glob(pattern, 0, NULL, &found) == 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        add_file(found.gl_pathv[i]);
    globfree(&found);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest run[TESTS_MAX];
    for (int i = 1; i < argc; i++)
        add_file(argv[i]);
    if (argc < 2)
        add_all();
    for (size_t i = 0; i < ntests; i++)
        run[i] =
            (struct CMUnitTest){tests[i].name, stage_run_case, NULL, stage_run_after, &tests[i]};
    int failed = _cmocka_run_group_tests("stage", run, ntests, NULL, NULL);
    for (size_t i = 0; i < nfiles; i++) {
        world_done(&worlds[i]);
        case_file_done(&files[i]);
    }
    return failed;
}
