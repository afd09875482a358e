/*
 * import.h - put a new table file in the place of the one the configuration
 * names (SPEC 14, `hat import` and its like).
 *
 * The new one is written beside the old, checked as part of the whole
 * configuration, compared with the old (guard.h), and only then renamed; it keeps
 * owner and permissions. The daemon sees it at its next reload. One thread; blocks
 * on files.
 */
#ifndef MILTER_IMPORT_H
#define MILTER_IMPORT_H

#include "milter/command.h"

struct import {
    const char *section; /* "listener" */
    const char *name;    /* of the section; "" for an unnamed one */
    const char *key;     /* a KEY_PATH */
    const char *file;    /* the new table; "-": standard input */
    bool force;          /* whatever the guard says */
};

/* Says what happened; returns the exit status. */
int import_table(const struct import *import, const struct command *command, const char *conf);

#endif
