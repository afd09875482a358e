#include "milter/socketfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *folder_of(const char *path, char room[PATH_MAX])
{
    snprintf(room, PATH_MAX, "%s", path);
    return dirname(room);
}

static bool check_folder(const char *folder, struct stat *status_out, struct err *err)
{
    if (stat(folder, status_out) != 0)
        return err_system(err, errno, "socket folder %s", folder);
    if (!S_ISDIR(status_out->st_mode))
        return err_set(err, ERR_RANGE, "socket folder %s is not a folder", folder);
    if ((status_out->st_mode & S_IWOTH) != 0)
        return err_set(err, ERR_RANGE, "socket folder %s is writable by others", folder);
    return true;
}

bool socketfile_check_folder(const char *path, struct err *err)
{
    char room[PATH_MAX];
    struct stat status;

    return path == NULL || check_folder(folder_of(path, room), &status, err);
}

static bool cannot_give(const char *path, int sys, struct err *err)
{
    return err_system(err, sys,
                      "cannot give %s to its user and group (a user other than root must be in "
                      "that group, or the folder must have it and the setgid bit)",
                      path);
}

static bool is_group_of_ours(gid_t group)
{
    gid_t *list = NULL;
    int n = getgroups(0, NULL);
    bool ours = group == getegid();

    if (n > 0 && (list = calloc((size_t)n, sizeof *list)) != NULL)
        n = getgroups(n, list);
    for (int i = 0; list != NULL && !ours && i < n; i++)
        ours = list[i] == group;
    free(list);
    return ours;
}

/* What mkdir(2) and chown(2) would say to us. */
static bool check_rights(const struct socketfile_wish *wish, const char *folder,
                         const struct stat *status, struct err *err)
{
    bool inherited = (status->st_mode & S_ISGID) != 0 && status->st_gid == wish->group;

    if (!wish->able)
        return true;
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0)
        return err_system(err, errno, "cannot make a socket in the folder %s", folder);
    return geteuid() == 0 || inherited || is_group_of_ours(wish->group) ||
           cannot_give(wish->path, EPERM, err);
}

bool socketfile_check(const struct socketfile_wish *wish, struct err *err)
{
    char room[PATH_MAX];
    const char *folder = folder_of(wish->path, room);
    struct stat status;

    if (!check_folder(folder, &status, err))
        return !wish->able && err->sys == EACCES;
    if (!check_rights(wish, folder, &status, err))
        return false;
    if (lstat(wish->path, &status) != 0)
        return errno == ENOENT || (!wish->able && errno == EACCES) ||
               err_system(err, errno, "%s", wish->path);
    return S_ISSOCK(status.st_mode) ||
           err_set(err, ERR_RANGE, "%s exists and is not a socket", wish->path);
}

bool socketfile_own(struct socketfile *file, const char *path, uid_t uid, gid_t gid,
                    struct err *err)
{
    struct stat status;

    if (path == NULL)
        return true;
    if (lstat(path, &status) != 0)
        return err_system(err, errno, "%s", path);
    *file = (struct socketfile){.path = path, .device = status.st_dev, .inode = status.st_ino};
    /* The folder may belong to a user whom we, still root, must not follow
     * through a link to a file of somebody else. */
    if (lchown(path, uid, gid) != 0)
        return cannot_give(path, errno, err);
    return true;
}

void socketfile_remove(struct socketfile *file)
{
    struct stat status;

    if (file->path != NULL && lstat(file->path, &status) == 0 && S_ISSOCK(status.st_mode) &&
        status.st_dev == file->device && status.st_ino == file->inode)
        (void)unlink(file->path);
    file->path = NULL;
}
