/*
 * publish_test.c - what stands in the folder after each way a run can go, with
 * a compiler that is a few lines of shell and can be told to misbehave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/mta/publish.h"
#include "t/unit/mta/folder.h"

/* TYPE:FILE makes FILE.lmdb (or .db), -s TYPE:FILE prints it. A file `evil`
 * beside it says what to do wrong. */
static const char compiler_script[] =
    "#!/bin/sh\n"
    "list=no; if [ \"$1\" = -s ]; then list=yes; shift; fi\n"
    "file=${1#*:}; map=$file.${1%%:*}; [ \"${1%%:*}\" = hash ] && map=$file.db\n"
    "evil=$(cat ${0%/*}/evil 2>/dev/null)\n"
    "if [ $list = yes ]; then [ \"$1\" ] && exec sort -r \"$map\"; fi\n"
    "echo \"$MAIL_CONFIG $*\" >> ${0%/*}/calls\n"
    "case $evil in\n"
    "fail) echo 'fatal: no' >&2; exit 1;;\n"
    "drop) grep -v '^#' \"$file\" | sed 1d > \"$map\";;\n"
    "more) (grep -v '^#' \"$file\"; echo 'x\ty') > \"$map\";;\n"
    "*) grep -v '^#' \"$file\" > \"$map.tmp\"; mv \"$map.tmp\" \"$map\";;\n"
    "esac\n"
    "exit 0\n";

#define TRANSPORT "# head\na.example\trelay:[192.0.2.1]:25\nb.example\tdiscard:\n"

struct scene {
    struct folder tools, out;
    struct maps maps;
    struct publish_options options;
    struct publish_result result;
    struct err err;
    struct strbuf steps;
    int die_after; /* steps; 0: live */
};

static void on_step(void *arg, const char *file, enum publish_step step)
{
    static const char *const names[] = {"same",     "differs",  "map_differs", "written", "renamed",
                                        "compiled", "verified", "left_over",   "kept"};
    struct scene *scene = arg;
    strbuf_printf(&scene->steps, "%s:%s ", file, names[step]);
    if (scene->die_after > 0 && --scene->die_after == 0)
        _exit(99);
}

static void add_file(struct scene *scene, const char *name, const char *suffix, unsigned mode,
                     bool compile, const char *content)
{
    struct maps_file *file = maps_add(&scene->maps, name, suffix, mode);
    assert_non_null(file);
    file->compile = compile;
    file->reload = !compile;
    strbuf_puts(&file->content, content);
}

static void set_content(struct scene *scene, size_t i, const char *content)
{
    strbuf_reset(&scene->maps.list[i].content);
    strbuf_puts(&scene->maps.list[i].content, content);
}

static int set_up(void **state)
{
    static struct scene scene;
    static char compiler[200];
    scene = (struct scene){0};
    *state = &scene;
    folder_new(&scene.tools);
    folder_new(&scene.out);
    strbuf_init(&scene.steps);
    maps_init(&scene.maps);
    folder_write(&scene.tools, "postmap", 0755, compiler_script);
    snprintf(compiler, sizeof compiler, "%s/postmap", scene.tools.path);
    scene.options = (struct publish_options){.folder = scene.out.path,
                                             .compiler = compiler,
                                             .type = "lmdb",
                                             .mail_config = "/etc/private",
                                             .on_step = on_step,
                                             .arg = &scene};
    add_file(&scene, "transport", NULL, 0644, true, TRANSPORT);
    add_file(&scene, "relay_clients", "in", 0644, false, "# head\n192.0.2.7\tOK\n");
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    folder_done(&scene->tools);
    folder_done(&scene->out);
    strbuf_done(&scene->steps);
    maps_done(&scene->maps);
    return 0;
}

static const char *publish(struct scene *scene)
{
    strbuf_reset(&scene->steps);
    scene->err = (struct err){0};
    if (!publish_maps(&scene->maps, &scene->options, &scene->result, &scene->err))
        strbuf_printf(&scene->steps, "FAILED");
    return strbuf_text(&scene->steps);
}

static void evil(struct scene *scene, const char *how)
{
    folder_write(&scene->tools, "evil", 0644, how);
}

#define ALL_NEW                                                                                    \
    "transport:written transport:renamed transport:compiled transport:verified "                   \
    "relay_clients.in:written relay_clients.in:renamed "
#define ALL_SAME "transport:same relay_clients.in:same "

static void test_first_and_second_run(void **state)
{
    struct scene *scene = *state;
    assert_string_equal(publish(scene), ALL_NEW);
    assert_int_equal(scene->result.changed, 2);
    assert_true(scene->result.reload);
    assert_string_equal(folder_read(&scene->out, "transport"), TRANSPORT);
    assert_string_equal(folder_read(&scene->out, "transport.lmdb"), strchr(TRANSPORT, '\n') + 1);
    assert_string_equal(folder_list(&scene->out), "relay_clients.in transport transport.lmdb ");

    struct stat before, after;
    assert_int_equal(stat(folder_path(&scene->out, "transport.lmdb"), &before), 0);
    assert_string_equal(publish(scene), ALL_SAME);
    assert_int_equal(scene->result.changed, 0);
    assert_false(scene->result.reload);
    assert_int_equal(stat(folder_path(&scene->out, "transport.lmdb"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void test_arguments_of_the_compiler(void **state)
{
    struct scene *scene = *state;
    char expected[200];
    publish(scene);
    snprintf(expected, sizeof expected, "/etc/private lmdb:%s/transport\n", scene->out.path);
    assert_string_equal(folder_read(&scene->tools, "calls"), expected);
}

static void test_one_table_changes(void **state)
{
    struct scene *scene = *state;
    publish(scene);
    set_content(scene, 0, "c.example\trelay:\n");
    assert_string_equal(publish(scene), "transport:written transport:renamed transport:compiled "
                                        "transport:verified relay_clients.in:same ");
    assert_int_equal(scene->result.changed, 1);
    assert_false(scene->result.reload);
    assert_string_equal(folder_read(&scene->out, "transport.lmdb"), "c.example\trelay:\n");
}

static void test_other_types_are_renamed(void **state)
{
    struct scene *scene = *state;
    scene->options.type = "hash";
    assert_string_equal(publish(scene),
                        "transport:written transport:compiled transport:verified transport:renamed "
                        "relay_clients.in:written relay_clients.in:renamed ");
    assert_string_equal(folder_list(&scene->out), "relay_clients.in transport transport.db ");
    assert_string_equal(publish(scene), ALL_SAME);
    assert_int_equal(access(folder_path(&scene->out, ".transport.new"), F_OK), -1);
}

static void test_check_writes_nothing(void **state)
{
    struct scene *scene = *state;
    scene->options.check = true;
    assert_string_equal(publish(scene), "transport:differs transport:map_differs "
                                        "relay_clients.in:differs ");
    assert_int_equal(scene->result.changed, 2);
    assert_string_equal(folder_list(&scene->out), "");
    scene->options.check = false;
    publish(scene);
    scene->options.check = true;
    assert_string_equal(publish(scene), ALL_SAME);
    assert_int_equal(scene->result.changed, 0);
}

static void test_check_sees_every_drift(void **state)
{
    struct scene *scene = *state;
    publish(scene);
    scene->options.check = true;
    folder_write(&scene->out, "transport.lmdb", 0644, "a.example\trelay:[192.0.2.1]:25\n");
    assert_string_equal(publish(scene), "transport:map_differs relay_clients.in:same ");
    folder_write(&scene->out, "transport.lmdb", 0644,
                 "b.example\tdiscard:\na.example\trelay:[192.0.2.2]:25\n");
    assert_string_equal(publish(scene), "transport:map_differs relay_clients.in:same ");
    folder_write(&scene->out, "transport.lmdb", 0644, TRANSPORT TRANSPORT);
    assert_string_equal(publish(scene), "transport:map_differs relay_clients.in:same ");
    unlink(folder_path(&scene->out, "transport.lmdb"));
    folder_write(&scene->out, "transport", 0644, TRANSPORT "#");
    folder_write(&scene->out, "relay_clients.in", 0640, "# head\n192.0.2.7\tOK\n");
    assert_string_equal(publish(scene), "transport:differs transport:map_differs "
                                        "relay_clients.in:differs ");
    assert_string_equal(folder_list(&scene->out), "relay_clients.in transport ");
    scene->options.check = false;
    assert_string_equal(publish(scene), ALL_NEW);
}

static void test_only_the_map_is_wrong(void **state)
{
    struct scene *scene = *state;
    publish(scene);
    folder_write(&scene->out, "transport.lmdb", 0644, "a.example\tdiscard:\n");
    assert_string_equal(publish(scene),
                        "transport:compiled transport:verified relay_clients.in:same ");
    scene->options.type = "hash"; /* no transport.db yet */
    assert_string_equal(publish(scene),
                        "transport:written transport:compiled transport:verified transport:renamed "
                        "relay_clients.in:same ");
}

static void test_compiler_fails(void **state)
{
    struct scene *scene = *state;
    publish(scene);
    set_content(scene, 0, "c.example\trelay:\n");
    evil(scene, "fail");
    scene->options.type = "hash";
    assert_string_equal(publish(scene), "transport:written FAILED");
    assert_non_null(strstr(scene->err.text, "ended with 1: fatal: no"));
    assert_string_equal(folder_read(&scene->out, "transport"), TRANSPORT);
    scene->options.type = "lmdb";
    assert_string_equal(publish(scene), "transport:written transport:renamed FAILED");
    evil(scene, "");
    assert_string_equal(publish(scene),
                        "transport:compiled transport:verified relay_clients.in:same ");
}

static void test_compiler_lies(void **state)
{
    static const char *const lies[] = {"drop", "more"};
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        evil(scene, lies[i]);
        scene->options.type = "hash";
        assert_string_equal(publish(scene), "transport:written transport:compiled FAILED");
        assert_non_null(strstr(scene->err.text, "something else"));
        assert_int_equal(access(folder_path(&scene->out, ".transport.new"), F_OK), -1);
        assert_int_equal(access(folder_path(&scene->out, ".transport.new.db"), F_OK), -1);
        assert_string_equal(folder_list(&scene->out), "");
    }
}

static void test_no_compiler(void **state)
{
    struct scene *scene = *state;
    scene->options.compiler = "/nonexistent/postmap";
    assert_string_equal(publish(scene), "FAILED");
    assert_non_null(strstr(scene->err.text, "/nonexistent/postmap"));
    scene->options.compiler = "/tmp";
    assert_string_equal(publish(scene), "FAILED");
    assert_non_null(strstr(scene->err.text, "/tmp"));
    scene->options.compiler = "postmap";
    assert_string_equal(publish(scene), "FAILED");
    scene->options.compiler = NULL;
    assert_string_equal(publish(scene), "transport:written transport:renamed "
                                        "relay_clients.in:written relay_clients.in:renamed ");
    assert_string_equal(publish(scene), ALL_SAME);
}

static void test_folders(void **state)
{
    struct scene *scene = *state;
    static char path[200];
    snprintf(path, sizeof path, "%s/maps", scene->out.path);
    scene->options.folder = path;
    scene->options.check = true;
    assert_string_equal(publish(scene), "FAILED");
    scene->options.check = false;
    assert_string_equal(publish(scene), ALL_NEW);
    assert_int_equal(chmod(path, 0777), 0);
    assert_string_equal(publish(scene), "FAILED");
    assert_non_null(strstr(scene->err.text, "everybody"));
    snprintf(path, sizeof path, "%s/a/b", scene->out.path);
    assert_string_equal(publish(scene), "FAILED");
}

static void test_two_runs_exclude_each_other(void **state)
{
    struct scene *scene = *state;
    int fd = open(scene->out.path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_string_equal(publish(scene), "FAILED");
    assert_non_null(strstr(scene->err.text, "another run"));
    close(fd);
    assert_string_equal(publish(scene), ALL_NEW);
}

static void test_secrets_are_private(void **state)
{
    struct scene *scene = *state;
    struct stat st;
    add_file(scene, "sasl_passwd", NULL, 0600, true, "[h]:25\tuser:pass\n");
    publish(scene);
    assert_int_equal(stat(folder_path(&scene->out, "sasl_passwd"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(folder_path(&scene->out, "sasl_passwd.lmdb"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* A symbolic link in the place of a file is replaced, not followed. */
static void test_links_are_not_followed(void **state)
{
    struct scene *scene = *state;
    struct stat st;
    folder_write(&scene->tools, "victim", 0644, "precious");
    char victim[200];
    snprintf(victim, sizeof victim, "%s/victim", scene->tools.path);
    assert_int_equal(symlink(victim, folder_path(&scene->out, ".transport.new")), 0);
    assert_int_equal(symlink(victim, folder_path(&scene->out, "transport")), 0);
    assert_string_equal(publish(scene), ALL_NEW);
    assert_string_equal(folder_read(&scene->tools, "victim"), "precious");
    assert_int_equal(lstat(folder_path(&scene->out, "transport"), &st), 0);
    assert_true(S_ISREG(st.st_mode));
}

/* A file of the administrator's own is not lost. */
static void test_foreign_files_are_kept(void **state)
{
    struct scene *scene = *state;
    static const char own[] = "own.example smtp:[h.test]\n", later[] = "later\n";
    folder_write(&scene->out, "transport", 0644, own);
    folder_write(&scene->out, "relay_clients.in", 0644, "");
    scene->options.check = true;
    assert_string_equal(publish(scene), "transport:differs transport:map_differs "
                                        "relay_clients.in:differs ");
    scene->options.check = false;
    assert_string_equal(publish(scene), "transport:kept " ALL_NEW);
    assert_string_equal(folder_read(&scene->out, "transport.saved"), own);
    assert_string_equal(folder_read(&scene->out, "transport"), TRANSPORT);
    assert_string_equal(publish(scene), ALL_SAME);
    /* The first one counts; and what has our first line is ours. */
    folder_write(&scene->out, "transport", 0644, later);
    folder_write(&scene->out, "relay_clients.in", 0644, "# head\nx\n");
    folder_write(&scene->out, "relay_clients.x.saved", 0644, later);
    assert_string_equal(publish(scene), "transport:written transport:renamed transport:compiled "
                                        "transport:verified relay_clients.in:written "
                                        "relay_clients.in:renamed ");
    assert_string_equal(folder_read(&scene->out, "transport.saved"), own);
}

static void test_only_where_there_is_one(void **state)
{
    struct scene *scene = *state;
    static const char old[] = "# head\nx\ty\n", none[] = "# head\n";
    add_file(scene, "tls_policy", NULL, 0644, true, none);
    scene->maps.list[2].if_there = true;
    assert_string_equal(publish(scene), ALL_NEW);
    assert_string_equal(publish(scene), ALL_SAME);
    folder_write(&scene->out, "tls_policy", 0644, old);
    folder_write(&scene->out, "tls_policy.lmdb", 0644, "x\ty\n");
    scene->options.check = true;
    assert_string_equal(publish(scene), ALL_SAME "tls_policy:differs tls_policy:map_differs ");
    scene->options.check = false;
    assert_string_equal(publish(scene), ALL_SAME "tls_policy:written tls_policy:renamed "
                                                 "tls_policy:compiled tls_policy:verified ");
    assert_string_equal(folder_read(&scene->out, "tls_policy"), none);
    assert_string_equal(folder_read(&scene->out, "tls_policy.lmdb"), "");
    folder_write(&scene->out, "tls_policy", 0644, "somebody's own\n");
    assert_string_equal(publish(scene), ALL_SAME);
}

static void test_left_over(void **state)
{
    struct scene *scene = *state;
    publish(scene);
    folder_write(&scene->out, "relay_clients.gone", 0644, "");
    folder_write(&scene->out, "other.gone", 0644, "");
    assert_string_equal(publish(scene), ALL_SAME "relay_clients.gone:left_over ");
    assert_int_equal(scene->result.changed, 0);
}

/* Is a file as it was, or as it is to be? */
static void assert_whole(struct folder *folder, const char *name, const char *old,
                         const char *fresh)
{
    const char *now = folder_read(folder, name);
    assert_non_null(now);
    if (strcmp(now, old) != 0 && strcmp(now, fresh) != 0)
        fail_msg("%s is neither old nor new: %s", name, now);
}

static void die_at_each_step(struct scene *scene, const char *type, const char *map)
{
    static const char fresh[] = "c.example\trelay:\n";
    int step = 0, status = 0;
    scene->options.type = type;
    do {
        set_content(scene, 0, TRANSPORT);
        publish(scene);
        set_content(scene, 0, fresh);
        pid_t pid = fork();
        if (pid == 0) {
            scene->die_after = step + 1;
            publish(scene);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_whole(&scene->out, "transport", TRANSPORT, fresh);
        assert_whole(&scene->out, map, strchr(TRANSPORT, '\n') + 1, fresh);
        assert_null(strstr(publish(scene), "FAILED"));
        assert_string_equal(folder_read(&scene->out, "transport"), fresh);
        assert_string_equal(folder_read(&scene->out, map), fresh);
        step++;
    } while (WEXITSTATUS(status) == 99);
    assert_int_equal(step, 6); /* 4 of the table, 1 of the clients, and none */
}

static void test_a_crash_leaves_whole_maps(void **state)
{
    die_at_each_step(*state, "lmdb", "transport.lmdb");
    die_at_each_step(*state, "hash", "transport.db");
}

static void test_types(void **state)
{
    (void)state;
    static const char *const both[] = {"hash", "btree"}, *const postmap[] = {"lmdb", "cdb"},
                             *const none[] = {"", "texthash", "LMDB"};
    for (size_t i = 0; i < ARRAY_LEN(both); i++)
        assert_true(publish_type_ok(COMPILE_POSTMAP, both[i]) &&
                    publish_type_ok(COMPILE_MAKEMAP, both[i]));
    for (size_t i = 0; i < ARRAY_LEN(postmap); i++)
        assert_true(publish_type_ok(COMPILE_POSTMAP, postmap[i]) &&
                    !publish_type_ok(COMPILE_MAKEMAP, postmap[i]));
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_false(publish_type_ok(COMPILE_POSTMAP, none[i]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_and_second_run),
        TEST(test_arguments_of_the_compiler),
        TEST(test_one_table_changes),
        TEST(test_other_types_are_renamed),
        TEST(test_check_writes_nothing),
        TEST(test_check_sees_every_drift),
        TEST(test_only_the_map_is_wrong),
        TEST(test_compiler_fails),
        TEST(test_compiler_lies),
        TEST(test_no_compiler),
        TEST(test_folders),
        TEST(test_two_runs_exclude_each_other),
        TEST(test_secrets_are_private),
        TEST(test_links_are_not_followed),
        TEST(test_foreign_files_are_kept),
        TEST(test_only_where_there_is_one),
        TEST(test_left_over),
        TEST(test_a_crash_leaves_whole_maps),
        TEST(test_types),
    };
    return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
