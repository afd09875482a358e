/*
 * callahead_queue.h - the recipients that wait for one server, and whose turn
 * it is.
 *
 * Some servers keep a client waiting before they say no. Whoever tries many
 * names would then hold all connections, and those who write to people that
 * exist would wait behind him. So the turn is a client's, not a recipient's:
 * that of whoever has the least in the hands of connections and did not keep
 * them for long lately. Where refusals may be slow, of equal ones the newcomer
 * goes first: a crowd that came before, each of whom may be of the same kind,
 * does not hold him up. Every QUEUE_OLDEST-th turn is that of the one who waits
 * longest, so that nobody waits for ever. And as long as others wait, nobody has
 * the last connection as well. What one client asks is asked in order.
 *
 * Clients are numbers, keyed hashes of what tells them apart. Of too many at once
 * some share their standing; nothing else comes of it.
 *
 * Plain values, no clock, no memory of its own; the lock is the caller's.
 */
#ifndef LIB_NET_CALLAHEAD_QUEUE_H
#define LIB_NET_CALLAHEAD_QUEUE_H

#include "lib/base/mono.h"

#define QUEUE_CLIENTS 128 /* whose standing is known */
#define QUEUE_OLDEST 5
#define QUEUE_HALF_LIFE MONO_SECONDS(10) /* of the time a client took */
#define QUEUE_LONG MONO_MS(250)          /* that is long */

struct question; /* of callahead_pool.h */

struct question_list {
    struct question *first, **last;
    size_t n;
};

void question_list_init(struct question_list *list);
void question_list_add(struct question_list *list, struct question *question);
struct question *question_list_take(struct question_list *list); /* the first; NULL: empty */

struct queue_standing {
    uint64_t client;
    unsigned waiting, asked;
    mono_us took, took_at; /* in the hands of connections, at that time */
    unsigned seen;         /* in which search for the next one */
};

struct queue {
    struct question *first, *last; /* as they came */
    size_t n;
    unsigned clients; /* that wait */
    unsigned turn, search;
    struct queue_standing standing[QUEUE_CLIENTS + 1]; /* the last one is shared */
};

void queue_init(struct queue *queue);
void queue_add(struct queue *queue, struct question *question, mono_us now);
/* They were taken and are not answered: to the front, in order. Empties the list. */
void queue_put_back(struct queue *queue, struct question_list *list);
/* Another client waits for the question too: it goes by the better turn of both. */
void queue_share(struct queue *queue, struct question *question, uint64_t client, mono_us now);

struct queue_wanted {
    size_t n;
    unsigned connections; /* there may be */
    bool newest_first;    /* refusals may be slow */
    /* What the connection is fit for. */
    bool fresh;    /* nobody was asked for on it */
    mono_us since; /* when it was opened */
    mono_us now;
};

/* At most that many go to the end of list. Those of one client first, then of the next.
 * The first whose turn it is and that the connection is not fit for ends it. */
void queue_take(struct queue *queue, const struct queue_wanted *wanted, struct question_list *list);
/* One is answered, or goes to another server. Nothing where it was not taken. */
void queue_over(struct queue *queue, struct question *question, mono_us now);
/* All that wait, to the end of list, as if they had never been here. */
void queue_drain(struct queue *queue, struct question_list *list);

#endif
