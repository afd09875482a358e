/*
 * problem.h - all errors and warnings of one reading, in the order found.
 *
 * An administrator wants every mistake of a configuration at once, each with
 * its place. Line shapes (SPEC 2): "file:line: text" for an error,
 * "file:line: warning: text" for a warning; tables add a column:
 * "file:line:column: text". The caller writes "[section] key: ..." into the
 * text itself. What is found twice, as in a table that two listeners use, is
 * counted twice and told once. Owned by one thread at a time. A problem that
 * finds no memory counts as an error, so that problems_errors() is not 0 then.
 */
#ifndef LIB_BASE_PROBLEM_H
#define LIB_BASE_PROBLEM_H

#include "lib/base/base.h"

struct strmap;

/* Where something was written. file is borrowed and must outlive its users
 * (configuration file names live in the configuration's arena). */
struct place {
    const char *file; /* NULL: no file (built-in, command line) */
    unsigned line;    /* 1...; 0: the whole file */
    unsigned column;  /* 1...; 0: not known */
    const char *key;  /* "[listener in] rat": whose value it is; NULL: the text says it */
};

#define PROBLEM_TEXT_MAX 2048 /* bytes of one text; longer ones end in "..." */

enum problem_severity { PROBLEM_ERROR, PROBLEM_WARNING };

struct problem {
    enum problem_severity severity;
    char *line; /* owned: the whole printable line, foreign bytes escaped */
};

struct problems {
    struct problem *list; /* owned */
    size_t count, room;
    size_t errors, warnings;
    bool lost;           /* out of memory: some are counted, but not in list */
    struct strmap *told; /* owned: the lines of list; NULL before the first */
};

void problems_init(struct problems *problems);
void problems_done(struct problems *problems);

/* How many errors; 0 means the reading may be used. */
size_t problems_errors(const struct problems *problems);

void problem_error(struct problems *problems, struct place at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void problem_warning(struct problems *problems, struct place at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Write every line, errors and warnings, to out. */
void problems_print(const struct problems *problems, FILE *out);

#endif
