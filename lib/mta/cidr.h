/*
 * cidr.h - a HAT as two tables of networks for MTAs that know nothing but
 * first match over CIDR blocks (SPEC 10: relay_clients, refused_clients).
 *
 * The lines stand in HAT order: `hit` where the group's target is `target`,
 * `miss` where it is another one and a later `hit` line overlaps. Groups with
 * the target `continue` are passed over. So a client whose group is decided by
 * address gets `hit` exactly if hat_decide() gives it that target; a client
 * no line matches has another target.
 *
 * Entries that are no addresses cannot be written. ALL ends the table. Behind
 * a name or look-up entry of another target a block is not certain any more:
 * `certain` says whether such blocks are left out (harmless to leave to the
 * milter: a refusal) or written (not harmless: without its OK a relay client
 * could not send at all).
 */
#ifndef LIB_MTA_CIDR_H
#define LIB_MTA_CIDR_H

#include "lib/base/base.h"
#include "lib/base/str.h"
#include "lib/tables/hat.h"

struct cidr_table {
    enum policy_access target;
    const char *hit;  /* "OK" */
    const char *miss; /* "DUNNO" */
    bool certain;
};

/* Appends the lines to out, each group headed by a comment. false: out of
 * memory. n log n for n entries; a range in one IPv6 group may take 65,536
 * lines. */
NODISCARD bool cidr_write(const struct hat *hat, const struct cidr_table *table,
                          struct strbuf *out);

/* The same result for tables where the longest prefix wins: the addresses that
 * come out as `hit`, as ranges in ascending order, none touching another, IPv6
 * before IPv4. The list is the caller's; false: out of memory, and there is none. */
struct cidr_range {
    struct ip first, last;
};
NODISCARD bool cidr_ranges(const struct hat *hat, const struct cidr_table *table,
                           struct cidr_range **list_out, size_t *n_out);

/* One block of a range: the largest network that begins at first and does not
 * reach beyond last. Returns its prefix length (IPv4: 0...32) and moves first
 * behind it; *more_out false when that was the last one. */
unsigned cidr_next(struct ip *first, const struct ip *last, bool *more_out);

/* The same with prefixes of whole parts as they are written: 8, 16, 24, 32 for
 * IPv4, 0, 16, ... 128 for IPv6. */
unsigned cidr_next_parts(struct ip *first, const struct ip *last, bool *more_out);

#endif
