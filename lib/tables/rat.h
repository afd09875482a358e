/*
 * rat.h - the Recipient Access Table (SPEC 3.3): first match wins, in written
 * order; `ALL REJECT` is implied at the end.
 *
 * Compiled to string maps whose numbers are line order, so a look-up is a
 * handful of hash probes whatever the size. Immutable once loaded. Loading:
 * one thread, blocks on the file; looking up: any thread, no allocation.
 */
#ifndef LIB_TABLES_RAT_H
#define LIB_TABLES_RAT_H

#include "lib/base/problem.h"
#include "lib/tables/addrkey.h"

enum rat_flags { RAT_BYPASS_RATE_LIMIT = 1, RAT_BYPASS_LDAP = 2, RAT_BYPASS_CALLAHEAD = 4 };

extern const char *const rat_flag_words[]; /* by bit; ended by NULL */

enum rat_form {
    RAT_DOMAIN = ADDRKEY_DOMAIN,   /* example.com */
    RAT_BELOW = ADDRKEY_BELOW,     /* .example.com */
    RAT_ADDRESS = ADDRKEY_ADDRESS, /* user@example.com, user@[192.0.2.1] */
    RAT_USER = ADDRKEY_USER,       /* user@ */
    RAT_LITERAL = ADDRKEY_LITERAL, /* [192.0.2.1], [IPv6:...] */
    RAT_ALL
};

struct rat_entry {
    enum rat_form form;
    const char *address; /* as written; "ALL" when implied */
    const char *key;     /* canonical, for map writers: "example.com", ".example.com" ... */
    bool accept;
    unsigned flags;   /* enum rat_flags */
    int code;         /* 0: none written */
    const char *text; /* NULL: none written; enhanced status still in front */
    struct place at;  /* file NULL when implied */
};

struct rat;

/* Every wrong line is a problem; NULL when there was an error. `at`: where
 * path was written. */
struct rat *rat_load(const char *path, struct place at, struct problems *problems);
void rat_free(struct rat *rat);

/* The entry that decides, never NULL (the implied ALL at the end). addr->kind
 * LOCAL matches user@ entries and ALL only. */
const struct rat_entry *rat_lookup(const struct rat *rat, const struct mailaddr *addr);
/* The same for an address that has another name too, "user" of "user+tag"
 * ([listener] recipient_delimiter): the first entry that either of them meets. */
const struct rat_entry *rat_lookup_either(const struct rat *rat, const struct mailaddr *addr,
                                          const struct mailaddr *base);

size_t rat_entries(const struct rat *rat); /* without the implied one */
const struct rat_entry *rat_entry_get(const struct rat *rat, size_t index);
/* Is there an entry ALL ACCEPT (open relay)? NULL or the entry. */
const struct rat_entry *rat_accepts_all(const struct rat *rat);
void rat_export(const struct rat *rat, struct strbuf *out); /* as a RAT file */

#endif
