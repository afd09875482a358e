#include "milter/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int ready_fd = -1;

/* The starter's process: its exit status is the child's word. */
static _Noreturn void wait_for_child(int fd)
{
    char byte = 0;
    ssize_t n;

    do {
        n = read(fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    _exit(n == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

bool daemonize_begin(struct err *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_system(err, errno, "pipe");
    pid_t child = fork();
    if (child < 0)
        return err_system(err, errno, "fork");
    if (child > 0) {
        close(ends[1]);
        wait_for_child(ends[0]);
    }
    close(ends[0]);
    ready_fd = ends[1];
    if (setsid() < 0 || chdir("/") != 0)
        return err_system(err, errno, "cannot leave the terminal");
    return true;
}

void daemonize_ready(void)
{
    if (ready_fd < 0)
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        (void)!dup2(null, STDIN_FILENO);
        (void)!dup2(null, STDOUT_FILENO);
        (void)!dup2(null, STDERR_FILENO);
        close(null);
    }
    (void)!write(ready_fd, "", 1);
    close(ready_fd);
    ready_fd = -1;
}
