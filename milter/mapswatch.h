/*
 * mapswatch.h - do the MTA's maps say what the configuration in force says?
 *
 * The daemon keeps the sums of the maps that belong to its configuration (mapsum.h), and looks at
 * the files when somebody asks. Where it may not look it says so: "cannot tell" is not "the same".
 *
 * Any thread; a leaf lock is held for a copy. mapswatch_look() blocks on files, reading only those
 * that have changed since.
 */
#ifndef MILTER_MAPSWATCH_H
#define MILTER_MAPSWATCH_H

#include <pthread.h>
#include "lib/mta/mapsum.h"

enum mapswatch_state {
    MAPSWATCH_NONE, /* there is no [maps] */
    MAPSWATCH_SAME,
    MAPSWATCH_UNKNOWN,
    MAPSWATCH_DIFFER
};

struct mapswatch {
    pthread_mutex_t lock;
    unsigned turn; /* counts what was set */
    char *folder;  /* owned; NULL: there is no [maps] */
    bool summed;   /* sums are there */
    struct mapsums sums;
};

void mapswatch_init(struct mapswatch *watch);
void mapswatch_done(struct mapswatch *watch);

/* Another configuration is in force. folder NULL: it has no [maps]; sums NULL: its maps are not
 * known yet, or cannot be made. Takes over what is in sums. */
void mapswatch_set(struct mapswatch *watch, const char *folder, struct mapsums *sums);

/* lines: a line for each map that is not known to be the same, "NAME: why". */
enum mapswatch_state mapswatch_look(struct mapswatch *watch, struct strbuf *lines);

/* "same", "cannot tell", "differ"; NULL: there is no [maps]. */
const char *mapswatch_word(enum mapswatch_state state);

#endif
