/* Files that keys name and no other step of building reads for certain: mistakes in them
 * shall not wait for the day they come into use. */
#include <errno.h>
#include <unistd.h>

#include "lib/base/secret.h"
#include "lib/tables/auth.h"
#include "milter/snapshot_parts.h"

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
