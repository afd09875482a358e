/*
 * mapfile.h - files of the output folder: compare, write beside, rename.
 *
 * Everything is relative to an open folder, so that nobody can swap a path
 * under us half-way. A target changes only by mapfile_commit(), which is one
 * rename(2) and a sync of the folder; what a crash leaves behind is a file
 * whose name begins with a dot, and the next mapfile_stage() replaces it.
 * One thread; blocks on the disk.
 */
#ifndef LIB_MTA_MAPFILE_H
#define LIB_MTA_MAPFILE_H

#include "lib/base/base.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

struct mapfile_folder {
    const char *path; /* borrowed, for messages and for the compiler */
    int fd;
};

/* Opens the folder and locks it: shared (nothing will be written), or
 * exclusive, and then it is made where it is missing. Fails where it can be written by everybody,
 * and where another run holds the lock. */
NODISCARD bool mapfile_open(const char *path, bool exclusive, struct mapfile_folder *folder_out,
                            struct err *err);
void mapfile_close(struct mapfile_folder *folder); /* fd -1: nothing to do */

enum mapfile_state { MAPFILE_SAME, MAPFILE_OTHER, MAPFILE_ABSENT, MAPFILE_FAILED };

/* Is the file a plain one of this mode that holds content? FAILED: err. */
enum mapfile_state mapfile_compare(const struct mapfile_folder *folder, const char *name,
                                   unsigned mode, const struct strbuf *content, struct err *err);

/* The name a file has before it is committed: ".NAME.new". */
#define MAPFILE_NAME_MAX 200
NODISCARD bool mapfile_staged_name(const char *name, char staged_out[MAPFILE_NAME_MAX],
                                   struct err *err);

/* Write content under the staged name of name, and sync it. */
NODISCARD bool mapfile_stage(const struct mapfile_folder *folder, const char *name, unsigned mode,
                             const struct strbuf *content, struct err *err);

/* Rename from to to, and sync the folder. */
NODISCARD bool mapfile_commit(const struct mapfile_folder *folder, const char *from, const char *to,
                              struct err *err);

/* Sync a file somebody else wrote, and give it the permissions mode. */
NODISCARD bool mapfile_settle(const struct mapfile_folder *folder, const char *name, unsigned mode,
                              struct err *err);

/* Give name, which is ours, the owner, group and permissions of like; where
 * like does not exist, nothing is done. */
NODISCARD bool mapfile_take_after(const struct mapfile_folder *folder, const char *name,
                                  const char *like, struct err *err);

/* Is name a plain file with something in it that does not begin with heading? No file is
 * foreign to an empty one. */
bool mapfile_is_foreign(const struct mapfile_folder *folder, const char *name,
                        struct slice heading);

/* Give name a second name, "NAME.saved"; *kept_out false: there is such a file already. */
NODISCARD bool mapfile_keep(const struct mapfile_folder *folder, const char *name, bool *kept_out,
                            struct err *err);
#define MAPFILE_SAVED ".saved"

/* Give name, or a link of that name, the second name copy, which must be free; *had_out false:
 * there is nothing called name. */
NODISCARD bool mapfile_copy(const struct mapfile_folder *folder, const char *name, const char *copy,
                            bool *had_out, struct err *err);

bool mapfile_exists(const struct mapfile_folder *folder, const char *name);

/* Remove a leftover; its absence is fine. */
void mapfile_discard(const struct mapfile_folder *folder, const char *name);

#endif
