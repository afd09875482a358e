/*
 * table_file.h - a table file for one test, and what reading it complained of.
 *
 * Texts of problems are compared with the path of the file left out, so that
 * "F:2:5: ..." is the file's line 2, column 5. One test at a time.
 */
#ifndef T_UNIT_TABLES_TABLE_FILE_H
#define T_UNIT_TABLES_TABLE_FILE_H

#include "lib/base/mailaddr.h"
#include "lib/base/problem.h"
#include "lib/base/str.h"

struct table_file {
    char path[64];
    struct problems problems;
    struct strbuf text;
};

/* Write content to a new file in the folder for temporary files. */
void table_file_new(struct table_file *file, struct slice content);
void table_file_done(struct table_file *file); /* removes it */

/* All problems so far, one a line, each ended by a newline. */
const char *table_file_problems(struct table_file *file);

/* The lines of a file, and what comes of them. */
struct table_line {
    const char *text, *expected;
};
/* All n load without a problem, and are exported as expected. read: loads and
 * exports; whether it loaded. */
void table_lines_good(const struct table_line *lines, size_t n,
                      bool (*read)(struct table_file *file, struct strbuf *out));
/* None of them loads; expected are the problems. */
void table_lines_bad(const struct table_line *lines, size_t n,
                     bool (*read)(struct table_file *file, struct strbuf *out));

/* An address that can be parsed. */
struct mailaddr table_address(const char *text, struct arena *arena);

/* Where a configuration would have named the file. */
struct place table_file_named(void);

#endif
