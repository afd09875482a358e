/* regular.c - see regular.h. */
#include "lib/base/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_null(const struct stat *st)
{
    struct stat null;
    return S_ISCHR(st->st_mode) && stat("/dev/null", &null) == 0 && S_ISCHR(null.st_mode) &&
           st->st_rdev == null.st_rdev;
}

static bool judge(const char *path, const struct stat *st, struct err *err)
{
    if (S_ISREG(st->st_mode) || is_null(st))
        return true;
    if (S_ISDIR(st->st_mode))
        return err_set(err, ERR_SYSTEM, "cannot read %s: it is a folder, not a file", path);
    return err_set(err, ERR_SYSTEM,
                   "%s is not a regular file; allowed: a regular file, or /dev/null", path);
}

/* Looked at before it is opened, since opening alone makes some devices act, and after
 * it, since it may be another one by then. */
int regular_open(const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) == 0 && !judge(path, &st, err))
        return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        err_system(err, errno, "cannot open %s", path);
    else if (judge(path, &st, err))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

bool regular_check(const char *path, struct err *err)
{
    int fd = regular_open(path, err);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}
