/*
 * publish_inner.h - the pieces that publish.c, which takes one file after the other, and
 * swap.c, which changes all or none, have in common.
 */
#ifndef LIB_MTA_PUBLISH_INNER_H
#define LIB_MTA_PUBLISH_INNER_H

#include "lib/mta/mapfile.h"
#include "lib/mta/publish.h"

struct publish {
    const struct publish_options *options;
    struct publish_result *result;
    struct mapfile_folder folder; /* fd -1: not open */
    struct compile compile;
};

/* Looks whether the compiler can be run, opens and locks the folder. The caller closes it,
 * after a failure, too. */
NODISCARD bool publish_open(const struct publish_options *options, struct publish_result *result,
                            struct publish *publish, struct err *err);

void publish_tell(const struct publish *publish, const char *file, enum publish_step step);

/* Is the file to be there? */
bool publish_wanted(const struct publish *publish, const struct maps_file *file);
/* Is it compiled? */
bool publish_compiles(const struct publish *publish, const struct maps_file *file);
/* "transport.lmdb" */
NODISCARD bool publish_map_name(const struct publish *publish, const char *name,
                                char out[MAPFILE_NAME_MAX], struct err *err);

/* The compiled map of file. MAPFILE_OTHER stands also for one that cannot be read: only the
 * compiler can tell what to do with it. */
enum mapfile_state publish_look_at_map(const struct publish *publish, const struct maps_file *file,
                                       struct err *err);
/* Does the compiled map of the text called name hold the table of file? */
NODISCARD bool publish_prove(const struct publish *publish, const char *name,
                             const struct maps_file *file, struct err *err);

/* Keep an administrator's own file, who named the wrong folder. */
NODISCARD bool publish_keep_foreign(const struct publish *publish, const struct maps_file *file,
                                    struct err *err);
/* Tell of client files whose listeners are gone. */
void publish_name_leftovers(const struct publish *publish, const struct maps *maps);

#endif
