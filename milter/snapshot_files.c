/* Files that keys name and no other step of building reads for certain: mistakes in them
 * shall not wait for the day they come into use. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/secret.h"
#include "lib/tables/auth.h"
#include "milter/snapshot_parts.h"

static bool check_readable(const struct conf_section *section, const char *key, const char *path,
                           bool folder, struct problems *problems)
{
    struct stat st;

    if (path[0] == '\0')
        return true;
    errno = 0;
    if (access(path, R_OK) != 0 || stat(path, &st) != 0)
        conf_error(problems, section, key, "cannot read %s: %s", path, strerror(errno));
    else if (S_ISDIR(st.st_mode) != folder)
        conf_error(problems, section, key, "%s is %s", path,
                   folder ? "no folder" : "a folder, not a file");
    else
        return true;
    return false;
}

bool snapshot_check_tls_files(const struct conf_section *section, struct problems *problems)
{
    const struct tls_keys *keys = section->values;
    bool good = check_readable(section, "ca_file", keys->ca_file, false, problems);

    good = check_readable(section, "ca_dir", keys->ca_dir, true, problems) && good;
    good = check_readable(section, "certificate", keys->certificate, false, problems) && good;
    return check_readable(section, "key", keys->key, false, problems) && good;
}

/* Passwords of routes are for gatehousectl maps, which root runs: the daemon's user need
 * not be able to read them. */
static void check_auth(struct snapshot *snapshot, const struct conf_section *section,
                       struct problems *problems)
{
    const struct auth_keys *keys = section->values;
    struct err err = {0};

    if (keys->password_file[0] == '\0')
        return; /* which is told already */
    errno = 0;
    if (geteuid() != 0 && access(keys->password_file, R_OK) != 0 && errno == EACCES)
        return;
    if (secret_read(keys->password_file, SECRET_MAX, conf_arena(snapshot->conf), &err) == NULL)
        conf_error(problems, section, "password_file", "%s", err.text);
}

void snapshot_check_files(struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL;

    if (conf_find(snapshot->conf, "tls", "")->at.line > 0)
        (void)snapshot_tls(snapshot, problems);
    while ((section = conf_next(snapshot->conf, "auth", section)) != NULL)
        check_auth(snapshot, section, problems);
}
