/* regular_test.c - what a key may name as a file, and that nothing is waited for. */
#include "lib/base/regular.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/base.h"

static char folder[64];

static const char *in(const char *name)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/gatehouse-regular-XXXXXX");
    if (mkdtemp(folder) == NULL || mkfifo(in("fifo"), 0600) != 0 ||
        symlink("fifo", in("link")) != 0 || symlink("file", in("good")) != 0)
        return 1;
    close(open(in("file"), O_WRONLY | O_CREAT, 0600));
    make_socket(in("socket"));
    return 0;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"fifo", "link", "good", "file", "socket"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlink(in(names[i]));
    return rmdir(folder);
}

static void files_are_opened(void **state)
{
    const char *const names[] = {"/dev/null", "/proc/self/stat"};
    struct err err;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int fd = regular_open(names[i], &err);
        assert_true(fd >= 0);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        close(fd);
        assert_true(regular_check(names[i], &err));
    }
    assert_true(regular_check(in("file"), &err));
    assert_true(regular_check(in("good"), &err));
}

/* With nobody at the other end of the FIFO: the test would stand still. */
static void others_are_refused(void **state)
{
    static const char *const names[] = {"fifo", "link", "socket"};
    struct err err;
    (void)state;
    alarm(20);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(regular_open(in(names[i]), &err), -1);
        assert_non_null(strstr(err.text, in(names[i])));
        assert_non_null(strstr(err.text, "is not a regular file; allowed: "));
    }
    assert_false(regular_check("/dev/zero", &err));
    assert_string_equal(err.text, "/dev/zero is not a regular file; allowed: a regular file, or "
                                  "/dev/null");
    assert_false(regular_check(folder, &err));
    assert_non_null(strstr(err.text, "it is a folder, not a file"));
    assert_false(regular_check(in("gone"), &err));
    assert_non_null(strstr(err.text, "cannot open "));
    assert_non_null(strstr(err.text, "No such file or directory"));
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_opened),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
