/* secret.c - see secret.h. */
#include "lib/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/str.h"

/* How much there is, up to room; -1: err. */
static ssize_t read_from(int fd, const char *path, char *out, size_t room, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        err_set(err, ERR_SYSTEM, "%s is not a regular file", path);
        return -1;
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        err_set(err, ERR_RANGE,
                "%s is accessible to others than its owner; allowed: mode 0600 or 0400", path);
        return -1;
    }
    ssize_t n = read(fd, out, room);
    if (n < 0)
        err_system(err, errno, "cannot read %s", path);
    return n;
}

static const char *keep_line(const char *text, size_t n, const char *path, size_t most,
                             struct arena *arena, struct err *err)
{
    bool good = true;

    if (n > 0 && text[n - 1] == '\n')
        n--;
    for (size_t i = 0; i < n; i++)
        good = good && !ascii_is_control(text[i]);
    if (!good || n == 0 || n > most) {
        err_set(err, ERR_RANGE,
                "%s must hold one line of 1 to %zu bytes without control characters", path, most);
        return NULL;
    }
    const char *kept = arena_dup_slice(arena, (struct slice){text, n});
    if (kept == NULL)
        err_set(err, ERR_MEMORY, "out of memory");
    return kept;
}

const char *secret_read(const char *path, size_t most, struct arena *arena, struct err *err)
{
    char text[SECRET_MAX + 2];
    const char *secret = NULL;

    CHECK(most <= SECRET_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        err_system(err, errno, "cannot open %s", path);
        return NULL;
    }
    ssize_t n = read_from(fd, path, text, sizeof text, err);
    if (n >= 0)
        secret = keep_line(text, (size_t)n, path, most, arena, err);
    explicit_bzero(text, sizeof text);
    (void)close(fd);
    return secret;
}
