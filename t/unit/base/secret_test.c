/* secret_test.c - passwords in files (lib/base/secret.h). */
#include "lib/base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST 8

static char path[64];

static void write_file(const char *content, size_t n, mode_t mode)
{
    snprintf(path, sizeof path, "/tmp/gatehouse-secret-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void check(const char *what, const char *secret, const struct err *err, const char *expected,
                  bool good)
{
    if (good ? secret == NULL || strcmp(secret, expected) != 0
             : secret != NULL || strstr(err->text, expected) == NULL)
        fail_msg("%s: %s", what, secret != NULL ? secret : err->text);
}

static const struct {
    const char *content, *expected;
    size_t n; /* 0: up to the NUL */
    mode_t mode;
    bool good;
} files[] = {
    {"secret\n", "secret", 0, 0600, true},
    {"secret", "secret", 0, 0400, true},
    {" a b\xc3\xbc ", " a b\xc3\xbc ", 0, 0600, true},
    {"12345678\n", "12345678", 0, 0600, true},
    {"1234567", "1234567", 0, 0600, true},
    {"123456789", "must hold one line of 1 to 8 bytes", 0, 0600, false},
    {"", "must hold one line", 0, 0600, false},
    {"\n", "must hold one line", 0, 0600, false},
    {"one\ntwo\n", "without control characters", 0, 0600, false},
    {"one\r\n", "without control characters", 0, 0600, false},
    {"a\0b", "without control characters", 3, 0600, false},
    {"a\tb", "without control characters", 0, 0600, false},
    {"secret\n", "is accessible to others than its owner; allowed: mode 0600 or 0400", 0, 0640,
     false},
    {"secret\n", "is accessible to others", 0, 0604, false},
};

static void test_files(void **state)
{
    struct arena *arena = arena_new(0);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct err err = {0};
        size_t n = files[i].n > 0 ? files[i].n : strlen(files[i].content);
        write_file(files[i].content, n, files[i].mode);
        check(files[i].content, secret_read(path, MOST, arena, &err), &err, files[i].expected,
              files[i].good);
        assert_true(files[i].good || strstr(err.text, path) != NULL);
        unlink(path);
    }
    arena_free(arena);
}

static void test_no_file(void **state)
{
    struct arena *arena = arena_new(0);
    struct err err = {0};
    (void)state;
    check("none", secret_read("/nowhere", MOST, arena, &err), &err, "cannot open /nowhere", false);
    check("folder", secret_read("/", MOST, arena, &err), &err, "/ is not a regular file", false);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
