/*
 * lists.h - address lists: [addresslist NAME] (SPEC 2), envelope senders that
 * policies refer to by the name of a list.
 *
 * All lists of a configuration are one struct lists. Each is compiled to a
 * string map, so a match is a handful of hash probes whatever the size.
 * Building: one thread, blocks on files; matching: any thread, no allocation.
 */
#ifndef LIB_TABLES_LISTS_H
#define LIB_TABLES_LISTS_H

#include "lib/base/key.h"
#include "lib/base/mailaddr.h"
#include "lib/base/problem.h"

struct lists_keys {
#include "lib/base/key_members.h"
#include "lib/tables/lists.def"
#include "lib/base/key_end.h"
};

extern const struct key_row lists_rows[];
extern const size_t lists_nrows;

enum lists_kind { LISTS_MIXED, LISTS_FULL, LISTS_DOMAIN, LISTS_IP };

struct lists;

/* One section as written, borrowed for the call. */
struct lists_written {
    const char *name;
    const struct lists_keys *keys;
    struct place file_at; /* of addresses_file */
};

struct lists *lists_new(void); /* NULL: out of memory */
void lists_free(struct lists *lists);

/* Every wrong entry becomes a problem at its place, and so does a lack of
 * memory; what is right is in the list all the same. */
void lists_add(struct lists *lists, const struct lists_written *written, struct problems *problems);

/* Is addr in the list of that name? lists may be NULL: there is none. at_out (may be NULL): where
 * the first entry that matches stands, in the configuration or in a file of lists. name "" and one
 * that does not exist match nothing, and nothing matches the null sender. */
NODISCARD bool lists_match(const struct lists *lists, const char *name, const struct mailaddr *addr,
                           struct place *at_out);

/* The same; the first entry that matches, as written, or NULL. */
const char *lists_lookup(const struct lists *lists, const char *name, const struct mailaddr *addr);

size_t lists_entries(const struct lists *lists, const char *name); /* 0: empty, or no such list */

#endif
