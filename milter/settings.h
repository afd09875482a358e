/*
 * settings.h - [gatehouse]: what concerns the program as a whole (SPEC 2).
 *
 * struct settings is the section with its texts understood: immutable, borrows
 * from the configuration it was built from. Any thread may read.
 */
#ifndef MILTER_SETTINGS_H
#define MILTER_SETTINGS_H

#include <sys/types.h>
#include "lib/base/log.h"
#include "lib/conf/conf.h"

struct settings_keys {
#include "lib/base/key_members.h"
#include "milter/gatehouse.def"
#include "lib/base/key_end.h"
};
extern const struct key_row settings_rows[];
extern const size_t settings_nrows;

enum settings_mode { SETTINGS_ENFORCE, SETTINGS_MONITOR };

struct settings {
    const struct settings_keys *keys;
    const char *socket;      /* as smfi_setconn() takes it; a unix path is absolute. NULL: wrong */
    const char *socket_path; /* of a unix socket; NULL: inet, inet6 */
    mode_t socket_mode;
    enum log_target log_target;
    const char *log_path; /* absolute; NULL unless LOG_TO_FILE */
    int log_facility;     /* as openlog() takes it */
    enum log_level log_level;
};

/* Every wrong value becomes a problem at its key; false when there was one. */
NODISCARD bool settings_build(const struct conf *conf, struct settings *settings_out,
                              struct problems *problems);

/* [gatehouse] hostname, else the system's full name, as far as it has one. May
 * block on the system's resolver when its name has no dot. */
void settings_hostname(const struct settings *settings, char *name_out, size_t room);

#endif
