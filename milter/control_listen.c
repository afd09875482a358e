#include "milter/control_listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static bool set_address(const char *path, struct sockaddr_un *un, struct err *err)
{
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof un->sun_path)
        return err_set(err, ERR_RANGE, "the path has %zu bytes; allowed: at most %zu", strlen(path),
                       sizeof un->sun_path - 1);
    memcpy(un->sun_path, path, strlen(path));
    return true;
}

/* Take away a socket that a daemon without time to tidy up has left behind. */
static bool make_room(const struct sockaddr_un *un, struct err *err)
{
    struct stat status;

    if (lstat(un->sun_path, &status) != 0)
        return errno == ENOENT || err_system(err, errno, "%s", un->sun_path);
    if (!S_ISSOCK(status.st_mode))
        return err_set(err, ERR_RANGE, "%s exists and is not a socket", un->sun_path);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_system(err, errno, "socket");
    bool dead = connect(fd, (const struct sockaddr *)un, sizeof *un) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!dead)
        return err_set(err, ERR_SYSTEM, "another program is listening on %s", un->sun_path);
    return unlink(un->sun_path) == 0 || err_system(err, errno, "cannot remove %s", un->sun_path);
}

static bool bind_to(int fd, const struct sockaddr_un *un, struct err *err)
{
    mode_t before = umask(0117);
    bool bound = bind(fd, (const struct sockaddr *)un, sizeof *un) == 0;
    int sys = errno;

    umask(before);
    return bound || err_system(err, sys, "cannot listen on %s", un->sun_path);
}

int control_listen(const struct control_setup *setup, struct socketfile *file_out, struct err *err)
{
    struct sockaddr_un un;

    if (!set_address(setup->path, &un, err) || !socketfile_check_folder(setup->path, err) ||
        !make_room(&un, err))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_system(err, errno, "socket");
        return -1;
    }
    if (bind_to(fd, &un, err) &&
        socketfile_own(file_out, setup->path, setup->rules.user, setup->group, err) &&
        (listen(fd, BACKLOG) == 0 || err_system(err, errno, "listen")))
        return fd;
    close(fd);
    return -1;
}
