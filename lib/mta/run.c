#include "lib/mta/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "lib/base/escape.h"

#define COMPLAINT_MAX 160 /* bytes of standard error that go into a message */
#define LOOK_AGAIN_MS 10  /* between two looks whether a silent tool has ended */

struct pipes {
    int out[2], err[2];
};

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_pipes(struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        close_one(&pipes->out[i]);
        close_one(&pipes->err[i]);
    }
}

/* In the child. Its parent may have ended since fork(). */
static void die_with(pid_t parent)
{
#ifdef __linux__
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(127);
#else
    (void)parent;
#endif
}

/* In the child, between fork and execve: only calls that are safe there. */
static _Noreturn void become(const struct run *run, pid_t parent, char *const *environment,
                             const struct pipes *pipes)
{
    if (run->dies_with_us)
        die_with(parent);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigaction(SIGPIPE, &usual, NULL);

    const char *input = run->input != NULL ? run->input : "/dev/null";
    int in = open(input, O_RDONLY | O_CLOEXEC);
    if (in >= 0 && dup2(in, 0) == 0 && dup2(pipes->out[1], 1) == 1 && dup2(pipes->err[1], 2) == 2) {
        union {
            const char *const *as_given;
            char *const *as_wanted; /* execve changes nothing, but does not say so */
        } argv = {.as_given = run->argv};
        execve(run->argv[0], argv.as_wanted, environment);
    }
    const char *why = strerror(errno);
    ssize_t ignored = write(2, why, strlen(why));
    (void)ignored;
    _exit(127);
}

/* NULL: err is filled. Freed by the caller, in one piece. */
static char *mail_config_variable(const char *mail_config, struct err *err)
{
    struct strbuf variable;
    strbuf_init(&variable);
    strbuf_printf(&variable, "MAIL_CONFIG=%s", mail_config == NULL ? "" : mail_config);
    if (variable.failed) {
        strbuf_done(&variable);
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    return variable.p;
}

static bool start(const struct run *run, struct pipes *pipes, pid_t *pid_out, struct err *err)
{
    char *mail_config = mail_config_variable(run->mail_config, err);
    if (mail_config == NULL)
        return false;
    char locale[] = "LC_ALL=C", path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char *environment[] = {locale, path, run->mail_config != NULL ? mail_config : NULL, NULL};
    bool ok = false;
    if (pipe2(pipes->out, O_CLOEXEC) != 0 || pipe2(pipes->err, O_CLOEXEC) != 0) {
        err_system(err, errno, "cannot make a pipe to %s", run->argv[0]);
        goto out;
    }
    pid_t parent = getpid();
    *pid_out = fork();
    if (*pid_out == 0)
        become(run, parent, environment, pipes);
    if (*pid_out < 0) {
        err_system(err, errno, "cannot start %s", run->argv[0]);
        goto out;
    }
    close_one(&pipes->out[1]);
    close_one(&pipes->err[1]);
    ok = true;
out:
    free(mail_config);
    return ok;
}

struct listener {
    struct strbuf *output; /* NULL: thrown away */
    size_t seen;           /* bytes of output */
    char complaint[COMPLAINT_MAX];
    size_t ncomplaint;
};

/* One read from a readable pipe; closes it at its end. */
static void take(int *fd, bool complaint, struct listener *listener)
{
    char buf[65536];
    ssize_t n = read(*fd, buf, sizeof buf);
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        close_one(fd);
        return;
    }
    size_t got = (size_t)n;
    if (complaint) {
        size_t room = sizeof listener->complaint - listener->ncomplaint;
        size_t kept = got < room ? got : room;
        memcpy(listener->complaint + listener->ncomplaint, buf, kept);
        listener->ncomplaint += kept;
        return;
    }
    listener->seen += got;
    if (listener->output != NULL)
        strbuf_add(listener->output, buf, got);
}

/* Reads until both pipes are at their end. */
static bool listen_to(const struct run *run, struct pipes *pipes, struct listener *listener,
                      struct err *err)
{
    while (pipes->out[0] >= 0 || pipes->err[0] >= 0) {
        struct pollfd fds[2] = {{.fd = pipes->out[0], .events = POLLIN},
                                {.fd = pipes->err[0], .events = POLLIN}};
        int ms = mono_poll_ms(run->deadline);
        if (ms == 0)
            return err_set(err, ERR_TIMEOUT, "%s did not end in time", run->argv[0]);
        int n = poll(fds, 2, ms);
        if (n < 0 && errno != EINTR)
            return err_system(err, errno, "cannot wait for %s", run->argv[0]);
        if (n <= 0)
            continue;
        if (fds[0].revents != 0)
            take(&pipes->out[0], false, listener);
        if (fds[1].revents != 0)
            take(&pipes->err[0], true, listener);
        if (listener->seen > run->output_max)
            return err_set(err, ERR_RANGE, "%s printed more than %zu bytes", run->argv[0],
                           run->output_max);
    }
    return true;
}

static bool judge(const struct run *run, int status, const struct listener *listener,
                  struct err *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    char text[COMPLAINT_MAX * ESCAPE_WORST + 1];
    struct slice complaint = {listener->complaint, listener->ncomplaint};
    while (complaint.n > 0 && complaint.p[complaint.n - 1] == '\n')
        complaint.n--;
    escape_reply(complaint, text, sizeof text);
    if (WIFSIGNALED(status))
        return err_set(err, ERR_PEER, "%s died of signal %d: %s", run->argv[0], WTERMSIG(status),
                       text);
    return err_set(err, ERR_PEER, "%s ended with %d: %s", run->argv[0], WEXITSTATUS(status),
                   text[0] != '\0' ? text : "(it gave no reason)");
}

/* Waits for its end; one that closed its output and stays is killed like any
 * other that takes too long. */
static bool reap(const struct run *run, pid_t pid, bool wanted, int *status_out, struct err *err)
{
    bool in_time = true;
    for (;;) {
        pid_t ended = waitpid(pid, status_out, wanted && in_time ? WNOHANG : 0);
        if (ended == pid)
            return in_time || err_set(err, ERR_TIMEOUT, "%s did not end in time", run->argv[0]);
        if (ended < 0 && errno != EINTR)
            return err_system(err, errno, "cannot wait for %s", run->argv[0]);
        if (ended < 0)
            continue;
        int ms = mono_poll_ms(run->deadline);
        in_time = ms != 0;
        if (in_time)
            poll(NULL, 0, ms > 0 && ms < LOOK_AGAIN_MS ? ms : LOOK_AGAIN_MS);
        else
            kill(pid, SIGKILL);
    }
}

static bool run_child(const struct run *run, struct strbuf *output, struct err *err)
{
    struct pipes pipes = {{-1, -1}, {-1, -1}};
    struct listener listener = {.output = output};
    pid_t pid = -1;
    int status = 0;
    bool ok = start(run, &pipes, &pid, err);
    if (!ok)
        goto out;
    ok = listen_to(run, &pipes, &listener, err);
    if (!ok)
        kill(pid, SIGKILL);
    struct err trouble = {0};
    if (!reap(run, pid, ok, &status, &trouble) && ok) {
        *err = trouble;
        ok = false;
    }
    if (ok)
        ok = judge(run, status, &listener, err);
    if (ok && output != NULL && output->failed)
        ok = err_set(err, ERR_MEMORY, "out of memory for what %s printed", run->argv[0]);
out:
    close_pipes(&pipes);
    return ok;
}

/* SIGCHLD ignored, which is inherited, would hide how the tool ended. */
bool run_tool(const struct run *run, struct strbuf *output, struct err *err)
{
    struct sigaction usual = {.sa_handler = SIG_DFL}, before;
    if (sigaction(SIGCHLD, &usual, &before) != 0)
        return err_system(err, errno, "cannot set SIGCHLD");
    bool ok = run_child(run, output, err);
    sigaction(SIGCHLD, &before, NULL);
    return ok;
}
