/*
 * swap_test.c - all maps or none: what stands in the folder after each way it can go, with a
 * compiler that is a few lines of shell and can be told to misbehave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/mta/mapsum.h"
#include "lib/mta/swap.h"
#include "t/unit/mta/folder.h"

/* As in publish_test.c; a file `evil` says what it does wrong, with `stage` for what is made beside
 * the old maps, or `place`. An lmdb is changed where it is, as Postfix does it. */
static const char compiler_script[] =
    "#!/bin/sh\n"
    "list=no; if [ \"$1\" = -s ]; then list=yes; shift; fi\n"
    "file=${1#*:}; map=$file.${1%%:*}; [ \"${1%%:*}\" = hash ] && map=$file.db\n"
    "case ${file##*/} in .*) when=stage;; *) when=place;; esac\n"
    "evil=$(cat ${0%/*}/evil-$when 2>/dev/null)\n"
    "if [ $list = yes ]; then [ \"$evil\" = mute ] && exit 1; exec cat \"$map\"; fi\n"
    "case $evil in\n"
    "fail) echo 'fatal: no' >&2; exit 1;;\n"
    "hang) sleep 60;;\n"
    "second) case $file in *relay_domains*) echo 'fatal: no' >&2; exit 1;; esac;;\n"
    "drop) grep -v '^#' \"$file\" | sed 1d > \"$map\"; exit 0;;\n"
    "esac\n"
    "new=$(grep -v '^#' \"$file\"); [ \"$new\" ] && new=\"$new\n\"\n"
    "printf %s \"$new\" > \"$map\"\n";

#define OLD_TRANSPORT "# head\na.example\trelay:[192.0.2.1]:25\n"
#define NEW_TRANSPORT "# head\nb.example\trelay:[192.0.2.2]:25\n"
#define OLD_DOMAINS "# head\na.example\tOK\n"
#define NEW_DOMAINS "# head\nb.example\tOK\n"
#define OLD_CLIENTS "# head\n192.0.2.7\tOK\n"
#define NEW_CLIENTS "# head\n192.0.2.8\tOK\n"

struct scene {
    struct folder tools, out;
    struct maps maps;
    struct publish_options options;
    struct err err;
    char *before;
};

static void set(struct scene *scene, size_t i, const char *content)
{
    strbuf_reset(&scene->maps.list[i].content);
    strbuf_puts(&scene->maps.list[i].content, content);
}

static void set_all(struct scene *scene, bool fresh)
{
    set(scene, 0, fresh ? NEW_TRANSPORT : OLD_TRANSPORT);
    set(scene, 1, fresh ? NEW_DOMAINS : OLD_DOMAINS);
    set(scene, 2, fresh ? NEW_CLIENTS : OLD_CLIENTS);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All files with a line "NAME MODE\n" before what is in them, hidden ones, too; to be freed. */
static char *look(struct scene *scene)
{
    char *names[64];
    size_t n = 0;
    struct strbuf all;
    DIR *dir = opendir(scene->out.path);

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            assert_true(n < ARRAY_LEN(names));
            names[n++] = strdup(entry->d_name);
        }
    closedir(dir);
    qsort(names, n, sizeof names[0], by_name);
    strbuf_init(&all);
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        assert_int_equal(stat(folder_path(&scene->out, names[i]), &st), 0);
        strbuf_printf(&all, "%s %o\n%s", names[i], st.st_mode & 07777,
                      folder_read(&scene->out, names[i]));
        free(names[i]);
    }
    strbuf_putc(&all, '=');
    return all.p;
}

static void assert_as_before(struct scene *scene)
{
    char *now = look(scene);
    assert_string_equal(now, scene->before);
    free(now);
}

static void remember(struct scene *scene)
{
    free(scene->before);
    scene->before = look(scene);
}

static void evil(struct scene *scene, const char *when, const char *how)
{
    char name[32];
    snprintf(name, sizeof name, "evil-%s", when);
    folder_write(&scene->tools, name, 0644, how);
}

static bool run(struct scene *scene)
{
    scene->err = (struct err){0};
    struct swap *swap = swap_stage(&scene->maps, &scene->options, &scene->err);
    bool ok = swap != NULL && swap_place(swap, &scene->err);
    if (ok)
        swap_told(swap);
    swap_end(swap);
    return ok;
}

static int set_up(void **state)
{
    static const char *const names[] = {"transport", "relay_domains", "relay_clients.in"};
    static struct scene scene;
    static char compiler[200];

    scene = (struct scene){0};
    *state = &scene;
    folder_new(&scene.tools);
    folder_new(&scene.out);
    maps_init(&scene.maps);
    folder_write(&scene.tools, "postmap", 0755, compiler_script);
    snprintf(compiler, sizeof compiler, "%s/postmap", scene.tools.path);
    scene.options =
        (struct publish_options){.folder = scene.out.path, .compiler = compiler, .type = "lmdb"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct maps_file *file = maps_add(&scene.maps, names[i], NULL, 0644);
        assert_non_null(file);
        file->compile = i < 2;
        file->reload = i == 2;
    }
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    folder_done(&scene->tools);
    folder_done(&scene->out);
    maps_done(&scene->maps);
    free(scene->before);
    return 0;
}

/* Old maps are in place, new ones are to come. */
static void have_old(struct scene *scene, const char *type)
{
    scene->options.type = type;
    set_all(scene, false);
    assert_true(run(scene));
    remember(scene);
    set_all(scene, true);
}

static const char *const types[] = {"lmdb", "hash"};

static void assert_new(struct scene *scene, const char *type)
{
    char name[64];
    assert_string_equal(folder_read(&scene->out, "transport"), NEW_TRANSPORT);
    assert_string_equal(folder_read(&scene->out, "relay_domains"), NEW_DOMAINS);
    assert_string_equal(folder_read(&scene->out, "relay_clients.in"), NEW_CLIENTS);
    snprintf(name, sizeof name, "transport.%s", compile_suffix(type));
    assert_string_equal(folder_read(&scene->out, name), strchr(NEW_TRANSPORT, '\n') + 1);
    char *all = look(scene);
    assert_null(strstr(all, "\n."));
    assert_int_equal(all[0] == '.', 0);
    free(all);
}

static void test_good(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        have_old(scene, types[i]);
        struct swap *swap = swap_stage(&scene->maps, &scene->options, &scene->err);
        assert_non_null(swap);
        assert_int_equal(swap_changed(swap), 3);
        assert_true(swap_reload(swap));
        assert_true(swap_place(swap, &scene->err));
        swap_told(swap);
        swap_end(swap);
        assert_new(scene, types[i]);
        swap = swap_stage(&scene->maps, &scene->options, &scene->err);
        assert_int_equal(swap_changed(swap), 0);
        assert_false(swap_reload(swap));
        assert_true(swap_place(swap, &scene->err));
        swap_end(swap);
        assert_new(scene, types[i]);
    }
}

static void test_staged_is_not_seen(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        have_old(scene, types[i]);
        struct swap *swap = swap_stage(&scene->maps, &scene->options, &scene->err);
        assert_non_null(swap);
        assert_string_equal(folder_read(&scene->out, "transport"), OLD_TRANSPORT);
        assert_string_equal(folder_read(&scene->out, "relay_clients.in"), OLD_CLIENTS);
        assert_null(swap_stage(&scene->maps, &scene->options, &scene->err)); /* it is locked */
        assert_non_null(strstr(scene->err.text, "another run"));
        swap_end(swap);
        assert_as_before(scene);
    }
}

static void test_put_back(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        have_old(scene, types[i]);
        struct swap *swap = swap_stage(&scene->maps, &scene->options, &scene->err);
        assert_true(swap_place(swap, &scene->err));
        assert_true(swap_undo(swap, &scene->err));
        swap_end(swap);
        assert_as_before(scene);
    }
}

/* Not the same file, but the same file again: who has it open sees what is put back. */
static void test_an_lmdb_stays_the_same_file(void **state)
{
    struct scene *scene = *state;
    struct stat before, after;
    have_old(scene, "lmdb");
    assert_int_equal(stat(folder_path(&scene->out, "transport.lmdb"), &before), 0);
    struct swap *swap = swap_stage(&scene->maps, &scene->options, &scene->err);
    assert_true(swap_place(swap, &scene->err));
    assert_int_equal(stat(folder_path(&scene->out, "transport.lmdb"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_true(swap_undo(swap, &scene->err));
    swap_end(swap);
    assert_int_equal(stat(folder_path(&scene->out, "transport.lmdb"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void test_the_first_maps(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        scene->options.type = types[i];
        set_all(scene, true);
        remember(scene);
        assert_string_equal(scene->before, "=");
        struct swap *swap = swap_stage(&scene->maps, &scene->options, &scene->err);
        assert_true(swap_place(swap, &scene->err));
        assert_true(swap_undo(swap, &scene->err));
        swap_end(swap);
        assert_as_before(scene);
    }
}

/* An lmdb that is not what its text says is put back as it was. */
static void test_a_map_beside_its_text(void **state)
{
    struct scene *scene = *state;
    have_old(scene, "lmdb");
    folder_write(&scene->out, "transport.lmdb", 0644, "other.example\trelay:\n");
    remember(scene);
    struct swap *swap = swap_stage(&scene->maps, &scene->options, &scene->err);
    assert_true(swap_place(swap, &scene->err));
    assert_true(swap_undo(swap, &scene->err));
    swap_end(swap);
    assert_as_before(scene);
    set(scene, 0, OLD_TRANSPORT); /* only the compiled map is wrong */
    assert_true(run(scene));
    assert_string_equal(folder_read(&scene->out, "transport.lmdb"),
                        strchr(OLD_TRANSPORT, '\n') + 1);
}

static void test_a_compiler_that_fails(void **state)
{
    static const struct {
        const char *when, *how, *words;
    } cases[] = {{"stage", "fail", "fatal: no"},      {"stage", "second", "fatal: no"},
                 {"stage", "drop", "something else"}, {"place", "fail", "fatal: no"},
                 {"place", "second", "fatal: no"},    {"stage", "mute", "ended with 1"}};
    struct scene *scene = *state;
    for (size_t t = 0; t < ARRAY_LEN(types); t++)
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            evil(scene, "place", "");
            evil(scene, "stage", "");
            have_old(scene, types[t]);
            evil(scene, cases[i].when, cases[i].how);
            bool ok = run(scene);
            if (strcmp(cases[i].when, "place") == 0 && strcmp(types[t], "hash") == 0) {
                assert_true(ok); /* it is renamed there, not compiled */
                continue;
            }
            assert_false(ok);
            assert_non_null(strstr(scene->err.text, cases[i].words));
            if (strcmp(cases[i].when, "stage") == 0) {
                assert_as_before(scene);
                continue;
            }
            /* What could be put back has been, and the rest is named. */
            assert_non_null(strstr(scene->err.text, "could not be put back"));
            assert_string_equal(folder_read(&scene->out, "transport"), OLD_TRANSPORT);
            assert_string_equal(folder_read(&scene->out, "relay_domains"), OLD_DOMAINS);
            assert_string_equal(folder_read(&scene->out, "relay_clients.in"), OLD_CLIENTS);
            evil(scene, "place", "");
            assert_true(run(scene));
            assert_new(scene, types[t]);
        }
}

/* Its time is over, whoever hangs. */
static void test_a_compiler_that_hangs(void **state)
{
    struct scene *scene = *state;
    have_old(scene, "lmdb");
    evil(scene, "stage", "hang");
    mono_us began = mono_now();
    scene->options.until = began + MONO_MS(300);
    assert_false(run(scene));
    assert_non_null(strstr(scene->err.text, "did not end in time"));
    assert_true(mono_now() - began < MONO_SECONDS(30));
    assert_as_before(scene);
}

static void test_nowhere_to_write(void **state)
{
    struct scene *scene = *state;
    have_old(scene, "lmdb");
    assert_int_equal(mkdir(folder_path(&scene->out, ".relay_clients.in.new"), 0755), 0);
    assert_false(run(scene));
    assert_non_null(strstr(scene->err.text, ".relay_clients.in.new"));
    assert_int_equal(rmdir(folder_path(&scene->out, ".relay_clients.in.new")), 0);
    assert_as_before(scene);
}

static void test_who_was_not_told(void **state)
{
    struct scene *scene = *state;
    have_old(scene, "lmdb");
    struct swap *swap = swap_stage(&scene->maps, &scene->options, &scene->err);
    assert_true(swap_place(swap, &scene->err));
    swap_end(swap); /* killed, or the MTA did not listen */
    for (int i = 0; i < 2; i++) {
        swap = swap_stage(&scene->maps, &scene->options, &scene->err);
        assert_int_equal(swap_changed(swap), 0);
        assert_int_equal(swap_reload(swap), i == 0);
        assert_true(swap_place(swap, &scene->err));
        swap_told(swap);
        swap_end(swap);
    }
    assert_new(scene, "lmdb");
}

/* Somebody's own text is kept, and put back. */
static void test_a_foreign_text(void **state)
{
    static const char own[] = "own.example\trelay:[h.test]\n";
    struct scene *scene = *state;
    have_old(scene, "lmdb");
    folder_write(&scene->out, "transport", 0644, own);
    struct swap *swap = swap_stage(&scene->maps, &scene->options, &scene->err);
    assert_true(swap_place(swap, &scene->err));
    assert_string_equal(folder_read(&scene->out, "transport.saved"), own);
    assert_true(swap_undo(swap, &scene->err));
    swap_end(swap);
    assert_string_equal(folder_read(&scene->out, "transport"), own);
    assert_string_equal(folder_read(&scene->out, "transport.lmdb"),
                        strchr(OLD_TRANSPORT, '\n') + 1);
}

static struct scene *dying;
static int steps_left;

static void die_at_step(void *arg, const char *file, enum publish_step step)
{
    (void)arg, (void)file, (void)step;
    if (--steps_left == 0)
        _exit(99);
}

/* Killed at whatever step, each file is whole, and the next run goes on. */
static void test_a_crash_leaves_whole_maps(void **state)
{
    struct scene *scene = *state;
    dying = scene;
    for (size_t t = 0; t < ARRAY_LEN(types); t++) {
        int status = 0, step = 0;
        do {
            scene->options.on_step = NULL;
            have_old(scene, types[t]);
            pid_t pid = fork();
            if (pid == 0) {
                steps_left = step + 1;
                scene->options.on_step = die_at_step;
                _exit(run(scene) ? 0 : 1);
            }
            assert_int_equal(waitpid(pid, &status, 0), pid);
            const char *text = folder_read(&scene->out, "transport");
            assert_true(strcmp(text, OLD_TRANSPORT) == 0 || strcmp(text, NEW_TRANSPORT) == 0);
            assert_true(run(scene));
            assert_new(scene, types[t]);
            step++;
        } while (WEXITSTATUS(status) == 99);
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_true(step > 6);
    }
}

/* --- sums ---------------------------------------------------------------------------- */

static void sums_of(struct scene *scene, struct mapsums *sums)
{
    assert_true(mapsums_make(&scene->maps, scene->options.type, sums));
}

static void test_sums(void **state)
{
    struct scene *scene = *state;
    struct mapsums sums, copy;
    have_old(scene, "lmdb");
    sums_of(scene, &sums);
    assert_int_equal(mapsums_look(&sums, scene->out.path), MAPSUM_DIFFERS);
    for (size_t i = 0; i < sums.n; i++)
        assert_string_equal(sums.list[i].why, "differs");
    assert_true(run(scene));
    assert_int_equal(mapsums_look(&sums, scene->out.path), MAPSUM_SAME);
    assert_true(mapsums_copy(&sums, &copy));
    mapsums_done(&sums);
    assert_int_equal(mapsums_look(&copy, scene->out.path), MAPSUM_SAME);
    assert_int_equal(unlink(folder_path(&scene->out, "relay_domains.lmdb")), 0);
    assert_int_equal(mapsums_look(&copy, scene->out.path), MAPSUM_DIFFERS);
    assert_string_equal(copy.list[1].why, "the compiled map is missing");
    assert_int_equal(mapsums_look(&copy, "/dev/null"), MAPSUM_UNKNOWN);
    assert_string_equal(copy.list[0].why, "cannot tell: Not a directory");
    mapsums_done(&copy);
}

/* Texts of lengths around the size of a read, and others that differ from them in the last byte. */
static void test_sums_of_long_texts(void **state)
{
    static const size_t lengths[] = {1, 65535, 65536, 65537, 131071, 131072, 131073};
    struct scene *scene = *state;
    struct mapsums sums;
    char *text = calloc(1, 131074);

    scene->options.type = "lmdb";
    set_all(scene, true);
    assert_non_null(text);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        memset(text, 'x', lengths[i]);
        set(scene, 2, text);
        sums_of(scene, &sums);
        folder_write(&scene->out, "relay_clients.in", 0644, text);
        (void)mapsums_look(&sums, scene->out.path);
        assert_int_equal(sums.list[2].state, MAPSUM_SAME);
        text[lengths[i] - 1] = 'y';
        folder_write(&scene->out, "relay_clients.in", 0644, text);
        (void)mapsums_look(&sums, scene->out.path);
        assert_int_equal(sums.list[2].state, MAPSUM_DIFFERS);
        mapsums_done(&sums);
    }
    free(text);
}

static void test_secrets_cannot_be_told(void **state)
{
    struct scene *scene = *state;
    struct mapsums sums;
    have_old(scene, "lmdb");
    scene->maps.list[1].mode = 0600;
    assert_true(run(scene));
    sums_of(scene, &sums);
    assert_int_equal(mapsums_look(&sums, scene->out.path), MAPSUM_UNKNOWN);
    assert_string_equal(sums.list[1].why, "cannot tell: it holds passwords");
    assert_int_equal(unlink(folder_path(&scene->out, "relay_domains")), 0);
    assert_int_equal(mapsums_look(&sums, scene->out.path), MAPSUM_DIFFERS);
    sums.list[1].if_there = true;
    assert_int_equal(mapsums_look(&sums, scene->out.path), MAPSUM_SAME);
    mapsums_done(&sums);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good),
        TEST(test_staged_is_not_seen),
        TEST(test_put_back),
        TEST(test_an_lmdb_stays_the_same_file),
        TEST(test_the_first_maps),
        TEST(test_a_map_beside_its_text),
        TEST(test_a_compiler_that_fails),
        TEST(test_a_compiler_that_hangs),
        TEST(test_nowhere_to_write),
        TEST(test_who_was_not_told),
        TEST(test_a_foreign_text),
        TEST(test_a_crash_leaves_whole_maps),
        TEST(test_sums),
        TEST(test_sums_of_long_texts),
        TEST(test_secrets_cannot_be_told),
    };
    return cmocka_run_group_tests_name("swap", tests, NULL, NULL);
}
