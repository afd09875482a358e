/*
 * rulereply.h - the reply behind a rule of a table: [CODE "TEXT"] up to the end
 * of the line (SPEC 2 [exceptions], 3.3).
 *
 * One thread, as the reader it is given.
 */
#ifndef LIB_TABLES_RULEREPLY_H
#define LIB_TABLES_RULEREPLY_H

#include "lib/tables/reader.h"

struct rulereply {
    int code;         /* 0: none written */
    const char *text; /* in the arena; NULL: none written; enhanced status still in front */
};

/* The scan stands behind the action, past blanks. accept: the codes are 2xx, else
 * 4xx and 5xx. An error is reported and gives false. */
NODISCARD bool rulereply_read(struct reader *reader, struct scan *scan, bool accept,
                              struct arena *arena, struct rulereply *reply_out);

/* ' 550 "text"', as it reads again; nothing where none was written. */
void rulereply_export(const struct rulereply *reply, struct strbuf *out);

#endif
