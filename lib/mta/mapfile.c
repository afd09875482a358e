#include "lib/mta/mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(const struct mapfile_folder *folder, const char *name, const char *what,
                 struct err *err)
{
    return err_system(err, errno, "cannot %s %s/%s", what, folder->path, name);
}

static bool check_folder(const struct mapfile_folder *folder, bool exclusive, struct err *err)
{
    struct stat st;
    if (fstat(folder->fd, &st) != 0)
        return err_system(err, errno, "cannot look at the folder %s", folder->path);
    if ((st.st_mode & S_IWOTH) != 0)
        return err_set(err, ERR_RANGE,
                       "the folder %s is writable by everybody; tables and maps must be in "
                       "a folder that is not",
                       folder->path);
    if (flock(folder->fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return err_set(err, ERR_SYSTEM, "another run is writing to %s", folder->path);
    return err_system(err, errno, "cannot lock the folder %s", folder->path);
}

bool mapfile_open(const char *path, bool exclusive, struct mapfile_folder *folder_out,
                  struct err *err)
{
    struct mapfile_folder folder = {.path = path, .fd = -1};
    if (exclusive && mkdir(path, 0755) != 0 && errno != EEXIST)
        return err_system(err, errno, "cannot make the folder %s", path);
    folder.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder.fd < 0)
        return err_system(err, errno, "cannot open the folder %s", path);
    if (!check_folder(&folder, exclusive, err)) {
        mapfile_close(&folder);
        return false;
    }
    *folder_out = folder;
    return true;
}

void mapfile_close(struct mapfile_folder *folder)
{
    if (folder->fd >= 0)
        close(folder->fd);
    folder->fd = -1;
}

/* 1: the same, 0: not, -1: errno. */
static int same_bytes(int fd, const struct strbuf *content)
{
    char buf[65536];
    size_t at = 0;
    for (;;) {
        ssize_t n = read(fd, buf, sizeof buf);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            return at == content->n;
        if ((size_t)n > content->n - at || memcmp(buf, content->p + at, (size_t)n) != 0)
            return 0;
        at += (size_t)n;
    }
}

enum mapfile_state mapfile_compare(const struct mapfile_folder *folder, const char *name,
                                   unsigned mode, const struct strbuf *content, struct err *err)
{
    enum mapfile_state state = MAPFILE_FAILED;
    struct stat st;
    int fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return MAPFILE_ABSENT;
    if (fd < 0 && errno == ELOOP) /* a symbolic link: replaced by a file */
        return MAPFILE_OTHER;
    if (fd < 0 || fstat(fd, &st) != 0) {
        fail(folder, name, "read", err);
        goto out;
    }
    state = MAPFILE_OTHER;
    if (!S_ISREG(st.st_mode) || (st.st_mode & 07777) != mode || (size_t)st.st_size != content->n)
        goto out;
    int same = same_bytes(fd, content);
    if (same < 0)
        fail(folder, name, "read", err);
    state = same < 0 ? MAPFILE_FAILED : same > 0 ? MAPFILE_SAME : MAPFILE_OTHER;
out:
    if (fd >= 0)
        close(fd);
    return state;
}

bool mapfile_staged_name(const char *name, char staged_out[MAPFILE_NAME_MAX], struct err *err)
{
    int n = snprintf(staged_out, MAPFILE_NAME_MAX, ".%s.new", name);
    if (n > 0 && n < MAPFILE_NAME_MAX)
        return true;
    return err_set(err, ERR_RANGE, "the file name %s is too long", name);
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

bool mapfile_stage(const struct mapfile_folder *folder, const char *name, unsigned mode,
                   const struct strbuf *content, struct err *err)
{
    char staged[MAPFILE_NAME_MAX];
    if (!mapfile_staged_name(name, staged, err))
        return false;
    mapfile_discard(folder, staged);
    int fd = openat(folder->fd, staged, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(folder, staged, "create", err);
    bool ok = write_all(fd, content->p, content->n) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    if (!ok)
        fail(folder, staged, "write", err);
    if (close(fd) != 0 && ok)
        ok = fail(folder, staged, "write", err);
    if (!ok)
        mapfile_discard(folder, staged);
    return ok;
}

bool mapfile_commit(const struct mapfile_folder *folder, const char *from, const char *to,
                    struct err *err)
{
    if (renameat(folder->fd, from, folder->fd, to) != 0)
        return fail(folder, to, "replace", err);
    if (fsync(folder->fd) != 0)
        return err_system(err, errno, "cannot sync the folder %s", folder->path);
    return true;
}

bool mapfile_settle(const struct mapfile_folder *folder, const char *name, unsigned mode,
                    struct err *err)
{
    struct stat st;
    bool ok = false;
    int fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        goto out;
    if ((st.st_mode & 07777) != mode && fchmod(fd, mode) != 0)
        goto out;
    ok = fsync(fd) == 0;
out:
    if (!ok)
        fail(folder, name, "sync", err);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool mapfile_take_after(const struct mapfile_folder *folder, const char *name, const char *like,
                        struct err *err)
{
    struct stat st;
    bool ok = false;
    int fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fstatat(folder->fd, like, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        ok = errno == ENOENT || fail(folder, like, "look at", err);
        goto out;
    }
    if (fd < 0 || fchmod(fd, st.st_mode & 07777) != 0) {
        fail(folder, name, "set the permissions of", err);
        goto out;
    }
    /* Whoever may not give files away still may where nobody is locked out. */
    ok = fchown(fd, st.st_uid, st.st_gid) == 0 || (errno == EPERM && (st.st_mode & S_IROTH) != 0) ||
         fail(folder, name, "set the owner of", err);
out:
    if (fd >= 0)
        close(fd);
    return ok;
}

bool mapfile_is_foreign(const struct mapfile_folder *folder, const char *name, struct slice heading)
{
    char start[MAPFILE_NAME_MAX];
    struct stat st;
    bool foreign = false;
    int fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && heading.n <= sizeof start) {
        ssize_t n = pread(fd, start, heading.n, 0);
        foreign = n > 0 && ((size_t)n < heading.n || memcmp(start, heading.p, heading.n) != 0);
    }
    close(fd);
    return foreign;
}

bool mapfile_keep(const struct mapfile_folder *folder, const char *name, bool *kept_out,
                  struct err *err)
{
    char saved[MAPFILE_NAME_MAX];
    int n = snprintf(saved, sizeof saved, "%s" MAPFILE_SAVED, name);
    if (n < 0 || (size_t)n >= sizeof saved)
        return err_set(err, ERR_RANGE, "the file name %s is too long", name);
    *kept_out = linkat(folder->fd, name, folder->fd, saved, 0) == 0;
    return *kept_out || errno == EEXIST || fail(folder, saved, "create", err);
}

bool mapfile_copy(const struct mapfile_folder *folder, const char *name, const char *copy,
                  bool *had_out, struct err *err)
{
    *had_out = linkat(folder->fd, name, folder->fd, copy, 0) == 0;
    return *had_out || errno == ENOENT || fail(folder, copy, "create", err);
}

bool mapfile_exists(const struct mapfile_folder *folder, const char *name)
{
    return faccessat(folder->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void mapfile_discard(const struct mapfile_folder *folder, const char *name)
{
    unlinkat(folder->fd, name, 0);
}
