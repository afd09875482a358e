/*
 * folder.h - a temporary folder for one test, and plain ways to look into it.
 *
 * Every failure of the test's own house-keeping is a CHECK. One test at a
 * time; folder_done() removes the files in it, which must be no folders but
 * one level of them.
 */
#ifndef T_UNIT_MTA_FOLDER_H
#define T_UNIT_MTA_FOLDER_H

#include "lib/base/str.h"

struct folder {
    char path[64];
    char name[192]; /* what folder_path() gave last */
    struct strbuf text;
};

void folder_new(struct folder *folder);
void folder_done(struct folder *folder);

/* "PATH/NAME", until the next call. */
const char *folder_path(struct folder *folder, const char *name);
void folder_write(struct folder *folder, const char *name, unsigned mode, const char *text);
/* All of a file, until the next call; NULL: there is none. */
const char *folder_read(struct folder *folder, const char *name);
/* Names in the folder but those with a dot in front, sorted, each followed by a blank. */
const char *folder_list(struct folder *folder);

#endif
