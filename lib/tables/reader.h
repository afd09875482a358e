/*
 * reader.h - read a table file: its lines without comments and empty ones, and
 * errors that name file, line and column (SPEC 3).
 *
 * Shared by all table files. One thread; blocks on the file.
 */
#ifndef LIB_TABLES_READER_H
#define LIB_TABLES_READER_H

#include "lib/base/arena.h"
#include "lib/base/lines.h"
#include "lib/base/problem.h"
#include "lib/tables/scan.h"

struct reader {
    struct lines *lines;
    const char *path; /* borrowed */
    struct problems *problems;
    struct arena *scratch; /* emptied before every line */
    size_t hidden;         /* rows that reader_warn_hidden() was told of */
};

/* path is borrowed: places in problems carry it until reader_close(). false:
 * the file cannot be read, which is a problem at `at`. */
NODISCARD bool reader_open(struct reader *reader, const char *path, struct place at,
                           struct problems *problems);
void reader_close(struct reader *reader); /* also after a failed reader_open() */

/* The next line that holds anything, the scan at its first word. */
NODISCARD bool reader_next(struct reader *reader, struct scan *scan_out);

unsigned reader_line(const struct reader *reader);

/* An error in the current line; column 0: the whole line. Returns false. */
bool reader_refuse(struct reader *reader, unsigned column, const char *fmt, ...) PRINTF_LIKE(3, 4);
void reader_warn(struct reader *reader, unsigned column, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool reader_no_memory(struct reader *reader); /* the same for this reason */

/* The row of the current line is never reached, because that of another line of the
 * file takes all it could. Told for so many rows one by one; of the rest
 * reader_close() says how many they are. */
#define READER_HIDDEN_MAX 100
void reader_warn_hidden(struct reader *reader, unsigned column, const char *row, const char *by,
                        unsigned by_line);

/* A wrong word as an error shows it: foreign bytes escaped, cut. */
#define READER_SHOWN_MAX 80
const char *reader_shown(struct slice word, char out[READER_SHOWN_MAX]);

#endif
