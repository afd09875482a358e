#include "lib/state/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_LINE "gatehouse "
#define LAST_LINE_MAX 64 /* "end LENGTH CRC" */
#define CHUNK 65536

/* --- folder --------------------------------------------------------------------- */

/* Through a descriptor: whoever owns the folder around it could put a link to
 * somebody else's file in its place. */
static bool give_away(const char *folder, uid_t uid, gid_t gid)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool given = fd >= 0 && fchown(fd, uid, gid) == 0;
    int sys = errno;

    if (fd >= 0)
        close(fd);
    errno = sys;
    return given;
}

static bool is_private(const char *folder, uid_t uid, struct err *err)
{
    struct stat status;

    if (stat(folder, &status) != 0)
        return err_system(err, errno, "%s", folder);
    if (!S_ISDIR(status.st_mode))
        return err_set(err, ERR_RANGE, "%s is not a folder", folder);
    if (status.st_uid != uid || (status.st_mode & 0077) != 0)
        return err_set(err, ERR_RANGE,
                       "%s has mode %04o and belongs to user %lu; allowed: mode 0700, of user %lu",
                       folder, (unsigned)status.st_mode & 07777, (unsigned long)status.st_uid,
                       (unsigned long)uid);
    return true;
}

/* The folder around one that is to be made. Whoever may write there could put a folder of
 * his own in its place, unless the sticky bit forbids it. */
static bool check_parent(const char *folder, bool able, struct err *err)
{
    char copy[PATH_MAX];
    struct stat status;

    snprintf(copy, sizeof copy, "%s", folder);
    const char *parent = dirname(copy);
    if (stat(parent, &status) != 0)
        return (!able && errno == EACCES) ||
               err_system(err, errno, "cannot make the folder %s", folder);
    if (!S_ISDIR(status.st_mode))
        return err_system(err, ENOTDIR, "cannot make the folder %s", folder);
    if ((status.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH)
        return err_set(err, ERR_RANGE, "the folder %s around it is writable by others", parent);
    return !able || faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) == 0 ||
           err_system(err, errno, "cannot make the folder %s", folder);
}

bool statefile_check_folder(const char *folder, uid_t uid, bool able, struct err *err)
{
    struct stat status;

    if (lstat(folder, &status) == 0)
        return is_private(folder, uid, err);
    return (!able && errno == EACCES) || check_parent(folder, able, err);
}

bool statefile_folder(const char *folder, uid_t uid, gid_t gid, struct err *err)
{
    if (mkdir(folder, 0700) == 0) {
        if (geteuid() == 0 && !give_away(folder, uid, gid))
            return err_system(err, errno, "cannot give %s to its user", folder);
        return true;
    }
    if (errno != EEXIST)
        return err_system(err, errno, "cannot make the folder %s", folder);
    return is_private(folder, uid, err);
}

/* --- checksum ------------------------------------------------------------------- */

/* CRC-32 as in Ethernet and gzip: finds every damage of up to 32 bits in a row. */
static uint32_t checksum(struct slice text)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < text.n; i++) {
        crc ^= (unsigned char)text.p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
    }
    return ~crc;
}

static void put_last_line(struct slice text, char line[LAST_LINE_MAX])
{
    snprintf(line, LAST_LINE_MAX, "end %zu %08x\n", text.n, (unsigned)checksum(text));
}

/* --- writing -------------------------------------------------------------------- */

static bool path_of(const char *folder, const char *name, const char *ending, char path[PATH_MAX],
                    struct err *err)
{
    int n = snprintf(path, PATH_MAX, "%s/%s%s", folder, name, ending);
    return (n > 0 && n < PATH_MAX) || err_set(err, ERR_RANGE, "the path of %s is too long", name);
}

static bool write_all(int fd, struct slice text)
{
    while (text.n > 0) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text = (struct slice){text.p + n, text.n - (size_t)n};
    }
    return true;
}

/* A rename is safe only once the folder is on the disk as well. */
static bool sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool put_in_place(const char *folder, const char *beside, const char *path,
                         struct slice text)
{
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_all(fd, text) && fsync(fd) == 0;
    int sys = errno;

    if (fd >= 0)
        close(fd);
    if (good && rename(beside, path) == 0)
        return sync_folder(folder);
    sys = good ? errno : sys;
    if (fd >= 0)
        (void)unlink(beside);
    errno = sys;
    return false;
}

bool statefile_write(const char *folder, const char *name, const char *kind, struct slice content,
                     struct err *err)
{
    char path[PATH_MAX], beside[PATH_MAX], last[LAST_LINE_MAX];
    struct strbuf text;
    bool good = false;

    if (!path_of(folder, name, "", path, err) || !path_of(folder, name, ".new", beside, err))
        return false;
    strbuf_init(&text);
    strbuf_printf(&text, FIRST_LINE "%s\n", kind);
    strbuf_add(&text, content.p, content.n);
    put_last_line((struct slice){text.p, text.n}, last);
    strbuf_puts(&text, last);
    if (text.failed)
        err_set(err, ERR_MEMORY, "out of memory");
    else if (put_in_place(folder, beside, path, (struct slice){text.p, text.n}))
        good = true;
    else
        err_system(err, errno, "cannot write %s", path);
    strbuf_done(&text);
    return good;
}

/* --- reading -------------------------------------------------------------------- */

static bool read_all(int fd, struct strbuf *text)
{
    char chunk[CHUNK];
    ssize_t n = 0;

    while (text->n <= STATEFILE_MAX && !text->failed && (n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            strbuf_add(text, chunk, (size_t)n);
    }
    if (text->failed)
        errno = ENOMEM;
    return !text->failed;
}

/* Begin of the last line; text.n when there is none. */
static size_t last_line_at(struct slice text)
{
    size_t at = text.n;

    if (at == 0 || text.p[at - 1] != '\n')
        return text.n;
    for (at--; at > 0 && text.p[at - 1] != '\n'; at--)
        ;
    return at;
}

/* NULL when the text is whole, else what is wrong with it. */
static const char *damage(struct slice text, const char *first)
{
    char last[LAST_LINE_MAX];
    size_t at = last_line_at(text), first_n = strlen(first);

    if (text.n > STATEFILE_MAX)
        return "it is far too long";
    if (at < first_n || memcmp(text.p, first, first_n) != 0)
        return "it does not begin and end as it should";
    put_last_line((struct slice){text.p, at}, last);
    if (!slice_is((struct slice){text.p + at, text.n - at}, last))
        return "length or checksum is wrong";
    return NULL;
}

const char *statefile_unwrap(const char *kind, struct strbuf *text)
{
    char first[LAST_LINE_MAX];
    int first_n = snprintf(first, sizeof first, FIRST_LINE "%s\n", kind);
    struct slice all = {strbuf_text(text), text->n};
    const char *how = damage(all, first);

    if (how != NULL)
        return how;
    size_t n = last_line_at(all) - (size_t)first_n;
    memmove(text->p, text->p + first_n, n);
    text->p[n] = '\0';
    text->n = n;
    return NULL;
}

enum statefile_answer statefile_peek(const char *folder, const char *name, const char *kind,
                                     struct strbuf *content_out, struct err *err)
{
    char path[PATH_MAX];

    if (!path_of(folder, name, "", path, err))
        return STATEFILE_FAILED;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return STATEFILE_NONE;
    bool good = fd >= 0 && read_all(fd, content_out);
    int sys = errno;
    if (fd >= 0)
        close(fd);
    if (!good) {
        err_system(err, sys, "cannot read %s", path);
        return STATEFILE_FAILED;
    }
    const char *how = statefile_unwrap(kind, content_out);
    if (how == NULL)
        return STATEFILE_READ;
    err_set(err, ERR_SYNTAX, "%s is damaged (%s)", path, how);
    return STATEFILE_DAMAGED;
}

enum statefile_answer statefile_read(const char *folder, const char *name, const char *kind,
                                     struct strbuf *content_out, struct err *err)
{
    char path[PATH_MAX], aside[PATH_MAX];
    struct err long_name, damaged;
    enum statefile_answer answer = statefile_peek(folder, name, kind, content_out, err);

    if (answer != STATEFILE_DAMAGED)
        return answer;
    damaged = *err;
    if (path_of(folder, name, "", path, &long_name) &&
        path_of(folder, name, ".damaged", aside, &long_name) && rename(path, aside) == 0)
        err_set(err, ERR_SYNTAX, "%s; it is %s.damaged now", damaged.text, name);
    return answer;
}
