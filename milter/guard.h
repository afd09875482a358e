/*
 * guard.h - does a new configuration turn away those it should serve?
 *
 * One slip in a table (a generator that failed, "0.0.0.0/0" in the wrong group)
 * refuses all mail, for good: 5xx is not tried again. Before a reload the new
 * tables are compared with the running ones, and with a sample of clients that
 * were accepted lately. Three findings speak against it, listener by listener:
 * a table that had entries has none; everybody, or all of IPv4 or IPv6, is
 * refused by entries or by the fallback and was not before; more than a share of
 * the sample that the running table accepts would be refused.
 *
 * The sample is bounded, forgets after a day and outlives a restart
 * (guard_sample.h). What was known of its clients by DNS is taken as it was; score
 * files and databases are asked again, each with its own configuration. DNS lists
 * do not count.
 *
 * guard_saw(): any thread, a leaf lock held for a hash probe. All others: one
 * thread; guard_new(), guard_tick() and guard_free() block on the disk.
 */
#ifndef MILTER_GUARD_H
#define MILTER_GUARD_H

#include "lib/gate/facts.h"
#include "milter/snapshot.h"

#define GUARD_SAMPLE 10000 /* clients of all listeners */
#define GUARD_LEAST 5      /* clients of a listener: a share of fewer says nothing */

struct guard;

/* folder: for the file, NULL: none. Logs what is wrong with it. NULL: out of
 * memory. */
struct guard *guard_new(const char *folder);
void guard_tick(struct guard *guard); /* writes the file from time to time */
void guard_free(struct guard *guard); /* writes it; takes NULL */

/* A client that gate_connect() let in, with an address. */
void guard_saw(struct guard *guard, const struct conn_facts *conn);

/* The first two findings, about one listener's table: each an error at `at`.
 * false: there was one. */
NODISCARD bool guard_tables(const char *listener, struct place at, const struct hat *running,
                            const struct hat *next, struct problems *problems);

/* All findings, by [gatehouse] reload_guard of next; guard may be NULL. */
NODISCARD bool guard_snapshots(struct guard *guard, const struct snapshot *running,
                               const struct snapshot *next, struct problems *problems);

/* Is everybody meant by the entry, or all of IPv4 or IPv6? */
bool guard_covers_all(const struct hat_entry *entry);

#endif
