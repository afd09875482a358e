/* script.c - see script.h. */
#include "t/unit/net/script.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/base/base.h"

#define PYTHON "/usr/bin/python3"
#define PATH_BYTES 4096

static void find(const char *name, char path_out[PATH_BYTES])
{
    const char *tops[] = {getenv("GATEHOUSE_TOP"), getenv("srcdir"), ".", ".."};
    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        snprintf(path_out, PATH_BYTES, "%s/t/lib/%s", tops[i] ? tops[i] : "", name);
        if (access(path_out, R_OK) == 0)
            return;
    }
    fail_msg("t/lib/%s not found: set GATEHOUSE_TOP", name);
}

/* in, out: -1: as they are. */
static pid_t begin(const char *name, const char *const *arguments, size_t n, int in, int out)
{
    const char *argv[SCRIPT_ARGUMENTS_MAX + 4] = {"python3", "-B"};
    char path[PATH_BYTES];
    find(name, path);
    assert_true(n <= SCRIPT_ARGUMENTS_MAX);
    argv[2] = path;
    if (n > 0)
        memcpy(argv + 3, arguments, n * sizeof *arguments);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if ((in < 0 || dup2(in, 0) == 0) && (out < 0 || dup2(out, 1) == 1))
            execv(PYTHON, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

void script_start(struct script *script, const char *name, const char *const *arguments, size_t n)
{
    int in[2], out[2];
    /* CLOEXEC: a later script must not hold the earlier one's input open. */
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    script->pid = begin(name, arguments, n, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    script->to = fdopen(in[1], "w");
    script->from = fdopen(out[0], "r");
    assert_non_null(script->to);
    assert_non_null(script->from);
}

void script_stop(struct script *script)
{
    fclose(script->to);
    fclose(script->from);
    assert_int_equal(waitpid(script->pid, NULL, 0), script->pid);
}

void script_run(const char *name, const char *const *arguments, size_t n)
{
    int status = -1;
    pid_t pid = begin(name, arguments, n, -1, -1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}
