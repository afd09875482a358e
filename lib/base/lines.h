/*
 * lines.h - read a text file line by line, of any length, trusting nothing.
 *
 * Shared by the ini reader and all tables (SPEC 2 and 3): tolerates a UTF-8
 * byte order mark and CR LF, counts lines, reports NUL and other control
 * bytes (tab excepted) as problems with line and column and skips that line.
 * Bytes above 127 pass (tables may be UTF-8 or Latin-1). The last line need
 * not end in a newline. One thread; blocks on the file.
 */
#ifndef LIB_BASE_LINES_H
#define LIB_BASE_LINES_H

#include "lib/base/base.h"
#include "lib/base/problem.h"
#include "lib/base/str.h"

struct lines;

/* Opens a regular file or /dev/null, and waits for nobody (regular.h).
 * Failure is one problem at `at` (where the path was written) and NULL.
 * path is borrowed until lines_close(). */
struct lines *lines_open(const char *path, struct place at, struct problems *problems);
/* The same of a file named on the command line, which may be a pipe or a device: waits
 * for one who writes to it. */
struct lines *lines_open_any(const char *path, struct place at, struct problems *problems);
/* The same from a descriptor, from where it stands. fd is closed by lines_close(),
 * and on failure. name: borrowed, as path. */
struct lines *lines_open_fd(int fd, const char *name, struct problems *problems);
void lines_close(struct lines *lines);

/* Next line without its end; valid until the next call. false at the end of
 * the file or on a read error, which becomes a problem. */
NODISCARD bool lines_next(struct lines *lines, struct slice *line_out);

/* As lines_next(), but gives lines with control bytes too, for readers that can
 * say better where in their format they are. */
NODISCARD bool lines_next_any(struct lines *lines, struct slice *line_out);
/* Offset of the first control byte (tab excepted); line.n when there is none. */
size_t lines_control_byte(struct slice line);

/* From now on every reading ends with a problem, also those under way in other threads:
 * the program is ending. Any thread; signal handlers, too. */
void lines_end_all(void);
/* Whether that was called: for those who read files without lines. Any thread. */
NODISCARD bool lines_ended(void);

/* The line last given; column as passed. */
struct place lines_place(const struct lines *lines, unsigned column);

/* The part of a table line before its comment: '#' at the start or after a
 * blank, outside double quotes (SPEC 3). Inside quotes a backslash makes the
 * next character an ordinary one. */
struct slice lines_strip_comment(struct slice line);

#endif
