/* statefile_test.c - what a state file survives, and what it does not trust. */
#include "lib/state/statefile.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define KIND "things-1"

static char folder[] = "/tmp/statefile-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"f", "f.new", "f.damaged", "dir", "sub/f", "sub"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)remove(path_of(names[i]));
    return rmdir(folder);
}

static void write_raw(const char *text, size_t n)
{
    FILE *file = fopen(path_of("f"), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static enum statefile_answer read_it(struct strbuf *content, struct err *err)
{
    strbuf_init(content);
    return statefile_read(folder, "f", KIND, content, err);
}

static void assert_content(const char *text, size_t n)
{
    struct strbuf content;
    struct err err = {0};

    assert_int_equal(read_it(&content, &err), STATEFILE_READ);
    assert_int_equal(content.n, n);
    assert_memory_equal(strbuf_text(&content), text, n);
    strbuf_done(&content);
}

static void assert_damaged(void)
{
    struct strbuf content;
    struct err err = {0};

    strbuf_init(&content);
    assert_int_equal(statefile_peek(folder, "f", KIND, &content, &err), STATEFILE_DAMAGED);
    strbuf_done(&content);
    assert_non_null(strstr(err.text, "is damaged ("));
    assert_int_equal(access(path_of("f"), F_OK), 0); /* it is not ours */
    assert_int_equal(read_it(&content, &err), STATEFILE_DAMAGED);
    strbuf_done(&content);
    assert_non_null(strstr(err.text, "is damaged ("));
    assert_int_equal(access(path_of("f"), F_OK), -1);
    assert_int_equal(access(path_of("f.damaged"), F_OK), 0);
}

static void gives_back_what_was_written(void **state)
{
    (void)state;
    static const struct slice contents[] = {
        {"", 0}, {"a\n", 2}, {"two\nlines\n", 10}, {"\0\n\xff\n", 4}, {"end 2 00000000\n", 15},
    };
    struct err err = {0};
    struct stat status;

    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        assert_true(statefile_write(folder, "f", KIND, contents[i], &err));
        assert_content(contents[i].p, contents[i].n);
    }
    assert_int_equal(stat(path_of("f"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(access(path_of("f.new"), F_OK), -1);
}

static void a_large_one_too(void **state)
{
    (void)state;
    size_t n = 300 * 1000;
    char *text = malloc(n);
    struct err err = {0};

    memset(text, 'x', n);
    text[n - 1] = '\n';
    assert_true(statefile_write(folder, "f", KIND, (struct slice){text, n}, &err));
    assert_content(text, n);
    free(text);
}

static void none_is_no_error(void **state)
{
    (void)state;
    struct strbuf content;
    struct err err = {0};

    (void)unlink(path_of("f"));
    assert_int_equal(read_it(&content, &err), STATEFILE_NONE);
    strbuf_done(&content);
}

/* Every byte changed, every shorter length, every byte twice. */
static void finds_every_damage(void **state)
{
    (void)state;
    static const char whole[] = "gatehouse things-1\n10.0.0.1\nend 28 ac178717\n";
    char copy[sizeof whole + 1];
    struct err err = {0};
    size_t n = 0;

    assert_true(statefile_write(folder, "f", KIND, slice_of("10.0.0.1\n"), &err));
    int fd = open(path_of("f"), O_RDONLY);
    char made[100];
    n = (size_t)read(fd, made, sizeof made);
    close(fd);
    assert_int_equal(n, sizeof whole - 1);
    assert_memory_equal(made, whole, n);
    for (size_t i = 0; i < n; i++) {
        memcpy(copy, whole, n);
        copy[i] ^= 1;
        write_raw(copy, n);
        assert_damaged();
        write_raw(whole, i);
        assert_damaged();
        memcpy(copy, whole, i + 1);
        memcpy(copy + i + 1, whole + i, n - i);
        write_raw(copy, n + 1);
        assert_damaged();
    }
    write_raw("gatehouse things-2\nend 19 00000000\n", 35);
    assert_damaged();
}

static void what_is_no_file_is_not_read(void **state)
{
    (void)state;
    struct strbuf content;
    struct err err = {0};

    (void)unlink(path_of("f"));
    assert_int_equal(symlink("f.damaged", path_of("f")), 0);
    assert_int_equal(read_it(&content, &err), STATEFILE_FAILED);
    strbuf_done(&content);
    assert_int_equal(unlink(path_of("f")), 0);
    assert_int_equal(mkdir(path_of("f"), 0700), 0);
    assert_int_equal(read_it(&content, &err), STATEFILE_FAILED);
    strbuf_done(&content);
    assert_false(statefile_write(folder, "f", KIND, slice_of("a\n"), &err));
    assert_int_equal(access(path_of("f.new"), F_OK), -1);
    assert_int_equal(rmdir(path_of("f")), 0);
}

static void failing_to_write_keeps_the_old_one(void **state)
{
    (void)state;
    struct err err = {0};

    assert_true(statefile_write(folder, "f", KIND, slice_of("old\n"), &err));
    assert_int_equal(mkdir(path_of("f.new"), 0700), 0);
    assert_false(statefile_write(folder, "f", KIND, slice_of("new\n"), &err));
    assert_non_null(strstr(err.text, "cannot write"));
    assert_int_equal(rmdir(path_of("f.new")), 0);
    assert_content("old\n", 4);
}

static void the_folder_is_for_one_user_alone(void **state)
{
    (void)state;
    struct err err = {0};
    struct stat status;
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s", path_of("sub"));
    assert_true(statefile_folder(path, geteuid(), getegid(), &err));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_true(statefile_folder(path, geteuid(), getegid(), &err));
    assert_false(statefile_folder(path, geteuid() + 1, getegid(), &err));
    assert_int_equal(chmod(path, 0750), 0);
    assert_false(statefile_folder(path, geteuid(), getegid(), &err));
    assert_non_null(strstr(err.text, "has mode 0750"));
    assert_int_equal(chmod(path, 0701), 0);
    assert_false(statefile_folder(path, geteuid(), getegid(), &err));
    assert_false(statefile_folder("/dev/null", geteuid(), getegid(), &err));
    assert_non_null(strstr(err.text, "is not a folder"));
    assert_false(statefile_folder("/nowhere/at/all", geteuid(), getegid(), &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_what_was_written),
        cmocka_unit_test(a_large_one_too),
        cmocka_unit_test(none_is_no_error),
        cmocka_unit_test(finds_every_damage),
        cmocka_unit_test(what_is_no_file_is_not_read),
        cmocka_unit_test(failing_to_write_keeps_the_old_one),
        cmocka_unit_test(the_folder_is_for_one_user_alone),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
