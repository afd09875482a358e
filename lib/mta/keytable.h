/*
 * keytable.h - collects "key<TAB>value" lines for the MTA's compiler.
 *
 * Lines come out sorted by bytes and without a second line of any key: the
 * same table has the same text whatever the order it was written in, so an
 * unchanged file stays untouched, and sorted input compiles in half the time.
 * One thread. A million lines take well under a second to sort.
 */
#ifndef LIB_MTA_KEYTABLE_H
#define LIB_MTA_KEYTABLE_H

#include "lib/base/base.h"
#include "lib/base/str.h"

struct keytable {
    struct strbuf text; /* lines as added, each ended by NUL */
    size_t *line;       /* owned: offsets into text */
    size_t n, room;
    bool failed; /* out of memory: nothing comes out */
};

void keytable_init(struct keytable *table);
void keytable_done(struct keytable *table);

/* Neither key nor value may hold a control byte; key no blank and not '#' in
 * front. The first value of a key counts. */
void keytable_add(struct keytable *table, const char *key, const char *value);

/* The same for a canonical domain, with or without a dot in front: under its
 * U-label form too, where that is safe (idnkey.h). */
void keytable_add_domain(struct keytable *table, const char *domain, const char *value);

/* Appends all lines to out. false: out of memory. */
NODISCARD bool keytable_write(struct keytable *table, struct strbuf *out);

#endif
