/*
 * blocks_file.h - entries made at run time, on disk; for blocks.c only.
 *
 * A line an entry, oldest first: "ADDED EXPIRES POLICY ENTRY", times in
 * wall-clock seconds. Main thread; blocks on the disk.
 */
#ifndef MILTER_BLOCKS_FILE_H
#define MILTER_BLOCKS_FILE_H

#include "milter/blocks.h"

#define BLOCKS_FILE "blocks"

NODISCARD bool blocks_file_write(const char *folder, const struct block *list, size_t n,
                                 struct err *err);

/* take gets one after the other; its texts live for the call. No file: none.
 * false: err says why; a file that is damaged gives nothing, and is set aside
 * where it is `ours`. */
NODISCARD bool blocks_file_read(const char *folder, bool ours,
                                void (*take)(const struct block *block, void *arg), void *arg,
                                struct err *err);

/* The content, in place, line by line; false: it is none of ours. For
 * blocks_file_read() and the fuzzer. */
NODISCARD bool blocks_file_parse(char *text, void (*take)(const struct block *block, void *arg),
                                 void *arg);

#endif
