/*
 * blocks_file.h - entries made at run time, on disk; for blocks.c only.
 *
 * First what the clocks showed, in microseconds: "clock WALL SINCE_BOOT"; earlier
 * versions wrote no such line. Then a line an entry, oldest first: "ADDED EXPIRES
 * POLICY ENTRY", in seconds of that wall clock. A comment stands before its entry, as
 * "0 0 # #COMMENT": to earlier versions that is an entry which they cannot read and pass
 * over, with a warning. Main thread; blocks on the disk.
 */
#ifndef MILTER_BLOCKS_FILE_H
#define MILTER_BLOCKS_FILE_H

#include "milter/blocks.h"

#define BLOCKS_FILE "blocks"

/* When a file was written. */
struct blocks_clock {
    int64_t wall, since_boot;
};

NODISCARD bool blocks_file_write(const char *folder, const struct blocks_clock *clock,
                                 const struct block *list, size_t n, struct err *err);

/* take gets one after the other; its texts live for the call. No file: none. Without
 * a time the clock is all zero. false: err says why; a file that is damaged gives
 * nothing, and is set aside where it is `ours`. */
NODISCARD bool blocks_file_read(const char *folder, bool ours, struct blocks_clock *clock_out,
                                void (*take)(const struct block *block, void *arg), void *arg,
                                struct err *err);

/* The content, in place, line by line; false: it is none of ours. For
 * blocks_file_read() and the fuzzer. */
NODISCARD bool blocks_file_parse(char *text, struct blocks_clock *clock_out,
                                 void (*take)(const struct block *block, void *arg), void *arg);

#endif
