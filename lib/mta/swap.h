/*
 * swap.h - put a whole set of maps into the MTA's folder, or none of it.
 *
 * publish.h takes one file after the other, and what goes wrong at the third leaves the first
 * two new. Here all are written, compiled and read back beside their targets first
 * (swap_stage()), where the MTA does not look. Then they take their places (swap_place()), each
 * by rename(2), an lmdb by one transaction of its compiler, after a copy of what stood there has
 * been kept beside it. Until swap_end() all can be put back (swap_undo()).
 *
 * Copies: .NAME.old is the text, .NAME.old.SUFFIX the compiled map, .NAME.list.new what an lmdb
 * held. swap_end() removes them; after a crash they stay until the next run, so that nothing is
 * lost. The folder is locked from stage to end: two runs exclude each other.
 *
 * One thread; blocks on disk and compiler, up to options->until and, for what is put back,
 * SWAP_UNDO_SECONDS more.
 */
#ifndef LIB_MTA_SWAP_H
#define LIB_MTA_SWAP_H

#include "lib/mta/publish.h"

#define SWAP_UNDO_SECONDS 60

struct swap;

/* NULL: err names the file and what failed; nothing has changed, nothing is left behind. maps and
 * options must live until swap_end(); options->check is not for here. */
struct swap *swap_stage(const struct maps *maps, const struct publish_options *options,
                        struct err *err);

/* false: err says why, and what was in place already has been put back, see swap_undo(). */
NODISCARD bool swap_place(struct swap *swap, struct err *err);

/* Put back all that was placed. false: err names the first file that could not be; its copy stays.
 */
NODISCARD bool swap_undo(struct swap *swap, struct err *err);

size_t swap_changed(const struct swap *swap); /* files */

/* Has the MTA to be told, because one of them is read only at start or reload? That is remembered
 * in the folder, so that a run after one that was killed, or failed to tell it, does. */
bool swap_reload(const struct swap *swap);
void swap_told(struct swap *swap);

/* Remove copies and what is staged, unlock, free; takes NULL. */
void swap_end(struct swap *swap);

#endif
