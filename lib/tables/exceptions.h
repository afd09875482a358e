/*
 * exceptions.h - the sender verification exception table (SPEC 2 [exceptions],
 * 6): envelope senders that are let through or refused before their domain is
 * asked for; first match wins, in written order.
 *
 * Compiled to a string map whose numbers are line order, so a look-up is a
 * handful of hash probes whatever the size. Immutable once loaded. Loading:
 * one thread, blocks on the file; looking up: any thread, no allocation.
 */
#ifndef LIB_TABLES_EXCEPTIONS_H
#define LIB_TABLES_EXCEPTIONS_H

#include "lib/base/key.h"
#include "lib/base/problem.h"
#include "lib/tables/addrkey.h"

struct exceptions_keys {
#include "lib/base/key_members.h"
#include "lib/tables/exceptions.def"
#include "lib/base/key_end.h"
};

extern const struct key_row exceptions_rows[];
extern const size_t exceptions_nrows;

struct exceptions_entry {
    enum addrkey_form form;
    const char *address; /* as written */
    bool allow;
    int code;         /* 0: none written */
    const char *text; /* NULL: none written; enhanced status still in front */
    struct place at;
};

struct exceptions;

/* Every wrong line is a problem; NULL when there was an error. `at`: where
 * path was written. */
struct exceptions *exceptions_load(const char *path, struct place at, struct problems *problems);
void exceptions_free(struct exceptions *exceptions);

/* The first entry that matches, or NULL. An address without a domain meets
 * user@ only; the null sender nothing. */
const struct exceptions_entry *exceptions_lookup(const struct exceptions *exceptions,
                                                 const struct mailaddr *addr);

size_t exceptions_count(const struct exceptions *exceptions);
const struct exceptions_entry *exceptions_get(const struct exceptions *exceptions, size_t index);
/* As a file that reads as the same table. */
void exceptions_export(const struct exceptions *exceptions, struct strbuf *out);

#endif
