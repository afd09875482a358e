/* run_test.c - a tool's output, its complaints, its end, and what it inherits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "lib/mta/run.h"

static struct strbuf output;
static struct err err;

static bool shell(const char *script, size_t output_max, mono_us deadline)
{
    const char *argv[] = {"/bin/sh", "-c", script, "sh", NULL};
    struct run run = {argv, "/etc/some where", deadline, output_max, NULL, false};
    strbuf_reset(&output);
    err = (struct err){0};
    return run_tool(&run, &output, &err);
}

static bool soon(const char *script)
{
    return shell(script, 1000, mono_now() + MONO_SECONDS(60));
}

static void test_output(void **state)
{
    (void)state;
    assert_true(soon("echo out; echo err >&2"));
    assert_string_equal(strbuf_text(&output), "out\n");
    assert_true(soon(":"));
    assert_int_equal(output.n, 0);
}

static void test_environment(void **state)
{
    (void)state;
    setenv("HOUSE_TEST_SECRET", "x", 1);
    assert_true(soon("/usr/bin/env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort"));
    assert_string_equal(strbuf_text(&output), "LC_ALL=C\nMAIL_CONFIG=/etc/some where\n"
                                              "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n");
    const char *argv[] = {"/usr/bin/env", NULL};
    struct run run = {argv, NULL, MONO_NEVER, 1000, NULL, false};
    strbuf_reset(&output);
    assert_true(run_tool(&run, &output, &err));
    assert_null(strstr(strbuf_text(&output), "MAIL_CONFIG"));
}

static void test_nothing_else_is_inherited(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(soon("cat; for f in 3 4 5 6 7 8 9; do [ ! -e /proc/self/fd/$f ] || echo $f; done"));
    assert_string_equal(strbuf_text(&output), "");
    close(fd);
}

static void test_failures(void **state)
{
    (void)state;
    assert_false(soon("echo 'no \033[1mway' >&2; exit 3"));
    assert_int_equal(err.kind, ERR_PEER);
    assert_string_equal(err.text, "/bin/sh ended with 3: no ?[1mway");
    assert_false(soon("exit 1"));
    assert_string_equal(err.text, "/bin/sh ended with 1: (it gave no reason)");
    assert_false(soon("kill -9 $$"));
    assert_string_equal(err.text, "/bin/sh died of signal 9: ");
    /* A long complaint is cut, and does not block the tool. */
    assert_false(
        soon("i=0; while [ $i -lt 20000 ]; do echo 0123456789 >&2; i=$((i+1)); done; false"));
    assert_int_equal(err.kind, ERR_PEER);
}

static void test_no_such_tool(void **state)
{
    (void)state;
    const char *argv[] = {"/nonexistent/postmap", NULL};
    struct run run = {argv, NULL, MONO_NEVER, 1000, NULL, false};
    assert_false(run_tool(&run, NULL, &err));
    assert_non_null(strstr(err.text, "No such file"));
}

static void test_limits(void **state)
{
    (void)state;
    assert_true(shell("printf 1234567890", 10, MONO_NEVER));
    assert_false(shell("printf 12345678901", 10, MONO_NEVER));
    assert_int_equal(err.kind, ERR_RANGE);
    mono_us before = mono_now();
    assert_false(shell("echo x; exec sleep 60", 100, before + MONO_MS(200)));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_true(mono_now() - before < MONO_SECONDS(20));
    /* One that never falls silent ends at the deadline, too. */
    assert_false(shell("exec yes", SIZE_MAX, mono_now() + MONO_MS(100)));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    /* Nor does one help that says goodbye and stays. */
    before = mono_now();
    assert_false(shell("exec >&- 2>&-; exec sleep 60", 100, before + MONO_MS(200)));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_true(mono_now() - before < MONO_SECONDS(20));
    assert_true(soon("echo x; exec >&- 2>&-; sleep 0.1"));
    assert_string_equal(strbuf_text(&output), "x\n");
    assert_false(soon("exec >&- 2>&-; sleep 0.1; exit 3"));
    assert_int_equal(err.kind, ERR_PEER);
}

/* Whoever started us may have had no interest in the ends of its children. */
static void test_ignored_children(void **state)
{
    (void)state;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, usual;
    assert_int_equal(sigaction(SIGCHLD, &ignore, &usual), 0);
    assert_true(soon("echo x"));
    assert_false(soon("exit 3"));
    assert_int_equal(err.kind, ERR_PEER);
    assert_int_equal(sigaction(SIGCHLD, &usual, &ignore), 0);
    assert_ptr_equal(ignore.sa_handler, SIG_IGN);
}

static int set_up(void **state)
{
    (void)state;
    strbuf_init(&output);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    strbuf_done(&output);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_nothing_else_is_inherited),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_no_such_tool),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ignored_children),
    };
    return cmocka_run_group_tests_name("run", tests, set_up, tear_down);
}
