/*
 * lease.h - how many are at a place at the same time, as leases that cannot
 * drift: who is in holds one, and giving it back is all there is to leaving.
 *
 * Taking one holds a leaf lock for a hash probe and may allocate. Giving one
 * back is one atomic subtraction, so it may be done under anybody's lock; the
 * place itself is freed later by those who come after. A place exists for as
 * long as somebody is there: the bound is the caller's limits. Exact under
 * concurrency. Any thread.
 */
#ifndef LIB_STATE_LEASE_H
#define LIB_STATE_LEASE_H

#include "lib/base/answer.h"
#include "lib/base/str.h"

struct lease_table;
struct lease;

struct lease_table *lease_new(void);        /* NULL: out of memory */
void lease_free(struct lease_table *table); /* takes NULL; its leases end with it */

/* One more at the place called key, unless limit are there already. lease_out
 * is NULL unless it was given. */
enum lease_answer lease_take(struct lease_table *table, struct slice key, uint64_t limit,
                             struct lease **lease_out);
void lease_give_back(struct lease *lease); /* once; takes NULL */

uint64_t lease_count(struct lease_table *table, struct slice key);
size_t lease_places(struct lease_table *table); /* those left and not yet freed included */

#endif
