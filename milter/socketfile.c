#include "milter/socketfile.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

bool socketfile_check_folder(const char *path, struct err *err)
{
    char copy[PATH_MAX];
    struct stat status;

    if (path == NULL)
        return true;
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    if (stat(folder, &status) != 0)
        return err_system(err, errno, "socket folder %s", folder);
    if (!S_ISDIR(status.st_mode))
        return err_set(err, ERR_RANGE, "socket folder %s is no folder", folder);
    if ((status.st_mode & S_IWOTH) != 0)
        return err_set(err, ERR_RANGE, "socket folder %s is writable by others", folder);
    return true;
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
        return err_system(err, errno,
                          "cannot give %s to its user and group (others than root need "
                          "it to be a group of theirs, or that of a folder with the setgid bit)",
                          path);
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
