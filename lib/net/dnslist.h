/*
 * dnslist.h - the DNS lists in use: asked for clients, watched by their test
 * points, left out while they are not fit to be believed (SPEC 3.1, RFC 5782).
 *
 * A list is believed only while its last check was good. Checks: when it is
 * first asked, every 10 minutes, and after DNSLIST_RUN_MAX clients in a row were
 * listed: the question about the next client brings its own check along and
 * counts only if that is good. So a list that begins to list everybody turns
 * away DNSLIST_RUN_MAX clients, and those asked about at the same moment. A list that fails its
 * check or does not answer DNSLIST_FAILURES_MAX questions in a row is suspended: it lists nobody,
 * is not asked, and is checked every 30 s until it is good again. Its cached answers are forgotten
 * then. Suspending and resuming are logged once each; answers that are neither yes nor no at most
 * once a minute for each list.
 *
 * Answers are kept by the DNS cache; dnslists_forget() empties it of a list's.
 *
 * One mutex, a leaf, held for a few reads and writes of counters; never around
 * a question, the log or a wait. Lists stay known until dnslists_free().
 */
#ifndef LIB_NET_DNSLIST_H
#define LIB_NET_DNSLIST_H

#include "lib/net/backoff.h"
#include "lib/net/dnslist_read.h"

#define DNSLIST_CHECK_EVERY MONO_SECONDS(600)
#define DNSLIST_RECHECK_EVERY MONO_SECONDS(30) /* while suspended */
#define DNSLIST_FAILURES_MAX 5
#define DNSLIST_RUN_MAX 10

struct dnslists;

struct dnslists *dnslists_new(struct dns *dns); /* dns borrowed; NULL: out of memory */
/* No dnslist_ask() may run or follow, queries must be dropped. Takes NULL. */
void dnslists_free(struct dnslists *lists);

/* --- one thread (the daemon's main), never blocks ------------------------------- */

/* These lists and no others are checked from now on. false: out of memory, some
 * are not; they are still checked when they are asked. */
NODISCARD bool dnslists_watch(struct dnslists *lists, const char *const *zones, size_t n);
/* Begin checks that are due, end those whose answers are there. Several times a
 * second. */
void dnslists_tick(struct dnslists *lists);

/* --- any thread ------------------------------------------------------------------ */

/* One question; the caller's storage. */
struct dnslist_query {
    struct dnslists *lists;
    struct dnslist *list; /* NULL: not asked */
    struct dns_query *client;
    struct dns_query *points[DNSLIST_POINTS];
    bool checks;  /* the answer counts only if the points are good */
    bool patient; /* a time-out is the list's fault */
};

/* Never blocks. zone: canonical. A local address (ip_is_local) and one whose name
 * would be too long are not asked about, nor is a suspended list, nor one about
 * IPv6 that fails over its test point there. patient: the
 * deadline leaves the list all the time it may have. */
void dnslist_ask(struct dnslists *lists, const char *zone, const struct ip *ip, mono_us deadline,
                 bool patient, struct dnslist_query *query_out);
bool dnslist_ready(const struct dnslist_query *query); /* dnslist_wait() does not block */
/* Blocks until the answer or the deadline given at dnslist_ask(). */
enum dnslist_class dnslist_wait(struct dnslist_query *query);
/* After DNSLIST_LISTED: the answer, until dnslist_drop(). */
const struct dns_answer *dnslist_answer(const struct dnslist_query *query);
void dnslist_drop(struct dnslist_query *query);

/* Check a list now, and wait for the result. Any thread. */
enum dnslist_health dnslists_check(struct dnslists *lists, const char *zone, mono_us deadline);

/* What is known of a list now. */
enum dnslist_health dnslists_health(struct dnslists *lists, const char *zone);

/* All lists that are watched; visit is called without any lock. */
void dnslists_each(struct dnslists *lists,
                   void (*visit)(const char *zone, enum dnslist_health health, void *arg),
                   void *arg);

/* The watched lists that are suspended, until their next check, into pauses_out[0..room);
 * how many there are in all. */
size_t dnslists_pauses(struct dnslists *lists, struct backoff_pause *pauses_out, size_t room);

/* Forget what a list has answered; NULL: all lists. How many lists that were. */
size_t dnslists_forget(struct dnslists *lists, const char *zone);

#endif
