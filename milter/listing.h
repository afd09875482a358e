/*
 * listing.h - what the daemon answers in JSON, for people: an object as lines, its lists
 * of objects and rows as tables. A key that is not known here is shown as it came.
 *
 * One thread; blocks as ask.h.
 */
#ifndef MILTER_LISTING_H
#define MILTER_LISTING_H

#include "milter/command.h"
#include "milter/form.h"
#include "milter/jsonread.h"

/* Asks the daemon and reads its answer, one JSON value or one a line, as a list. NULL: an
 * exit status in *status_out, and it is told. jsonread_drop() it. */
struct json_t *listing_ask(const struct command *command, const char *conf,
                           const char *const *words, size_t n, int *status_out);

/* Objects of the same keys, each a row; none: out is left as it is. */
void listing_table(const struct json_t *rows, struct strbuf *out);

/* For a command that prints one answer of the daemon. Returns an exit status. */
struct listing {
    const char *const *words; /* the last one is "json" */
    size_t n;
    bool json;           /* as it comes */
    bool object;         /* the answer is one object, else rows, or a list of them */
    const char *nothing; /* what there is to say where there are no rows */
};
int listing_run(const struct listing *listing, const struct command *command, const char *conf);

#endif
