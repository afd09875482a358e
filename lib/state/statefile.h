/*
 * statefile.h - a small file that outlives the process, and is trusted only
 * when it is whole.
 *
 * Text of ours between a first line that says what it is and a last line with
 * length and checksum (CRC-32). Written beside its place, synced, renamed: a
 * crash at any moment leaves the old file or the new one. A file that is cut,
 * changed or of another kind is damaged: it is renamed to NAME.damaged, out of
 * the way, and nothing of it is used. One thread a file; blocks on the disk.
 */
#ifndef LIB_STATE_STATEFILE_H
#define LIB_STATE_STATEFILE_H

#include <sys/types.h>
#include "lib/base/err.h"
#include "lib/base/str.h"

#define STATEFILE_MAX (64U * 1024U * 1024U) /* bytes of content; what is longer is damaged */

enum statefile_answer {
    STATEFILE_READ,
    STATEFILE_NONE,    /* there is no such file */
    STATEFILE_DAMAGED, /* err says how; it was set aside */
    STATEFILE_FAILED   /* err: it could not be read at all */
};

/* The folder for such files: made if it is missing (mode 0700, given to uid and
 * gid when we are root), else it must be a folder of uid's that nobody else may
 * enter. */
NODISCARD bool statefile_folder(const char *folder, uid_t uid, gid_t gid, struct err *err);

/* Would that be well? Makes and changes nothing. able: our own right to make it counts. */
NODISCARD bool statefile_check_folder(const char *folder, uid_t uid, bool able, struct err *err);

/* kind: one word, with a version, such as "blocks-1". content: whole lines. */
NODISCARD bool statefile_write(const char *folder, const char *name, const char *kind,
                               struct slice content, struct err *err);

/* content_out, empty before, gets the lines between the first and the last. */
NODISCARD enum statefile_answer statefile_read(const char *folder, const char *name,
                                               const char *kind, struct strbuf *content_out,
                                               struct err *err);
/* Cuts text, all bytes of such a file, down to its content. NULL, or how it is damaged; then
 * text is as it was. */
NODISCARD const char *statefile_unwrap(const char *kind, struct strbuf *text);
/* For others than its owner: one that is damaged stays where it is. */
NODISCARD enum statefile_answer statefile_peek(const char *folder, const char *name,
                                               const char *kind, struct strbuf *content_out,
                                               struct err *err);

#endif
