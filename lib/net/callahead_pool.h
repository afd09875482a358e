/*
 * callahead_pool.h - the inside of call-ahead, for callahead*.c and nobody
 * else.
 *
 *   callahead.c         asking: single flight, where to ask, waiting
 *   callahead_memory.c  what is remembered, and what a "no" is worth
 *   callahead_inquire.c asking on until a "no" can be believed
 *   callahead_keeper.c  one thread for what nobody waits for
 *   callahead_state.c   what is remembered, on disk
 *   callahead_table.c   the servers there are
 *   callahead_server.c  one server: number of connections, pauses
 *   callahead_queue.c   whose turn it is there
 *   callahead_place.c   the bound on connections
 *   callahead_pace.c    how large batches should be
 *   callahead_conn.c    one connection: a thread that opens it, asks, and closes it
 *   callahead_drive.c   moving its bytes
 *
 * Threads and locks. pool->lock guards the tables of servers and of questions
 * under way, and in them everything marked [pool]. question->lock guards what
 * is marked [question]. Neither is held while the other is taken, nor over
 * I/O, logging or a call-out. What is unmarked is set once, before other
 * threads see it.
 *
 * Life. A question is counted: one reference for each asker, one for the pool
 * until it is finished. A question under way is in the flight table, and
 * either in the queue of one server or in the hands of one connection.
 * Servers stay in their table while somebody refers to them or they remember
 * something worth it.
 */
#ifndef LIB_NET_CALLAHEAD_POOL_H
#define LIB_NET_CALLAHEAD_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include "lib/base/hash.h"
#include "lib/net/backoff.h"
#include "lib/net/callahead.h"
#include "lib/net/callahead_pace.h"
#include "lib/net/callahead_queue.h"
#include "lib/net/callahead_state.h"
#include "lib/net/servers.h"
#include "lib/net/smtp_dialog.h"

#define POOL_THREADS_MAX 512
#define POOL_SERVERS_KEPT 1024 /* beyond: those nobody needs are forgotten */
#define POOL_BUCKETS 1024
#define SERVER_TEXT_MAX (IP_TEXT_MAX + 10)

#define SERVER_LEARNED MONO_SECONDS(600) /* how long a server's weaknesses are remembered */
#define SERVER_UNWELL 5                  /* so often in a row it spoke of its own trouble */

/* The answers of one profile name. Made once, freed with the pool. */
struct callahead_memory {
    struct callahead_memory *next;
    char *name; /* owned */
    size_t entries;
    uint64_t mark;         /* of where the profile asks */
    _Atomic mono_us known; /* trust_settings.known */
    struct trust *trust;
    atomic_uint turn; /* round robin over equal servers */
};

/* One recipient somebody wants to know about. */
struct asking {
    struct callahead *pool;
    const struct callahead_profile *profile;
    const char *recipient; /* as it goes into RCPT TO */
    struct callahead_memory *memory;
    struct slice key; /* what it is remembered as, see callahead_trust.h */
    /* The same without the recipient's extension, which a yes is remembered as, and that
     * recipient; NULL, it has none. */
    struct slice base;
    const char *base_recipient;
    uint64_t client; /* who asks; 0: nobody in particular */
    mono_us started;
    bool anew;                        /* whatever is remembered */
    bool fresh;                       /* from a connection that nobody else was asked for on */
    bool random;                      /* nobody's address */
    void (*about_to_wait)(void *arg); /* NULL once called */
    void *arg;
    struct callahead_answer *answer;
};

struct question {
    atomic_uint refs;
    struct callahead_profile profile;
    struct callahead_memory *memory;
    char *key; /* owned */
    size_t key_n;
    char *base; /* owned; NULL: none */
    size_t base_n;
    char *recipient; /* owned: as it goes into RCPT TO */
    bool utf8, fresh, random;
    struct server_address *addresses; /* owned: where to ask, in order */
    size_t naddresses;
    bool partial;                 /* and others, nobody knows where */
    mono_us deadline;             /* its own end, whoever still waits */
    struct question *flight_next; /* [pool] */
    struct server *server;        /* [pool]: NULL before and after */
    uint64_t client;              /* [pool] */
    /* [pool]: of callahead_queue.c; queue_next also of a list in one thread's hands. */
    struct question *queue_next, *queue_previous;
    size_t standing;
    mono_us taken_at;
    bool queued, taken;
    /* Only who holds the question: */
    size_t at;             /* present address */
    mono_us until;         /* how long the connection that holds it may take */
    bool retried;          /* was left unanswered once, ... */
    mono_us not_before;    /* ... and waits for a connection opened since; 0: any */
    bool fresh_connection; /* the one that holds it was opened for this batch */
    size_t without_utf8;   /* so many servers do not offer the SMTPUTF8 it needs */
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool done;                      /* [question] */
    struct callahead_answer answer; /* [question] */
    /* [question]: a server spoke of its own trouble, which is the answer where none knows
     * better. */
    bool has_excuse;
    struct callahead_answer excuse;
};

/* All that shapes a connection: servers are told apart by it, by value, so
 * that connections survive a reload that changes nothing of it. */
struct link_settings {
    struct ip ip;
    uint16_t port;
    bool lmtp;
    enum callahead_tls tls;
    bool verify;
    const char *name; /* for SNI and certificate; "" without TLS */
    const char *mail_from, *interface;
    struct tls_client *tls_client;
};

/* When a connection is worn out. */
struct server_limits {
    unsigned max_recipients, max_rejects;
};

struct server {
    struct callahead *pool;
    struct link_settings link;  /* strings owned, tls_client counted */
    char text[SERVER_TEXT_MAX]; /* "10.0.0.5:25" */
    uint64_t hash;

    /* All [pool]. */
    struct server *next;
    unsigned refs; /* questions and connections */
    struct queue queue;
    struct server *wanting_next;
    bool wanting;         /* in the pool's list of those */
    pthread_cond_t work;  /* the queue has something, or the pool ends */
    unsigned connections; /* threads with one to come, or open */
    unsigned closing;     /* threads with one that the server may not have closed yet */
    unsigned ready;       /* connections past EHLO */
    unsigned idle;        /* of these, waiting for work */
    unsigned busy;        /* of all, with a batch under way; the others look at the queue soon */
    unsigned max_connections;
    struct server_limits limits;
    mono_us idle_timeout;
    unsigned limit; /* connections the server was seen to bear, ... */
    mono_us limit_until;
    struct backoff backoff;
    struct backoff shun;         /* it answers, but of its own trouble only: others come first */
    unsigned unwell;             /* such answers in a row */
    bool trial;                  /* after a pause, one connection finds out */
    mono_us small_batches_until; /* it cuts us off after too many refusals */
    mono_us plain_until;         /* it offers STARTTLS, but cannot do it */
    mono_us one_by_one_until;    /* it offers PIPELINING, but loses commands */
    struct pace pace;
};

struct callahead {
    struct dns *dns;
    char *hostname; /* owned */
    int stop_fd;    /* an eventfd; readable: everything ends */
    struct hash_seed seed;
    /* Who watches the dialogues; NULL: nobody. Set before the first question. */
    void (*watch)(enum callahead_event event, const char *server, struct slice bytes, void *arg);
    void *watch_arg;
    _Atomic(struct callahead_memory *) memories; /* grows only */
    atomic_uint_fast64_t asked, cached, joined, valid, unknown, failed;
    atomic_uint_fast64_t stale, suspended, refreshed;
    struct trust_seeds trust_seeds; /* before the first memory is made */
    char *folder;                   /* owned; NULL: nothing is written down */
    atomic_uint changes;            /* of what is remembered */
    pthread_t keeper;
    bool keeper_runs;

    pthread_mutex_t lock;
    pthread_cond_t keeper_work; /* jobs, write_at, stopping */
    struct job *jobs, **last_job;
    size_t njobs;
    mono_us write_at, write_every; /* MONO_NEVER, 0: not */
    pthread_cond_t ended;          /* the last thread or asker left */
    bool stopping;
    unsigned threads, askers;
    mono_us tell_shortage_at;               /* when one is worth a line again */
    unsigned threads_max;                   /* POOL_THREADS_MAX, but for tests */
    struct server *wanting, **last_wanting; /* each counted; they wait for a thread */
    unsigned nwanting, giving;              /* of these; threads on their way to them */
    size_t nservers;
    struct server *servers[POOL_BUCKETS];
    struct question *flights[POOL_BUCKETS];
};

/* --- callahead.c ------------------------------------------------------------------ */

struct slice question_key(const struct question *question);
struct slice question_base(const struct question *question);

/* Tells all who wait, fills the cache, drops the pool's reference. */
void question_finish(struct callahead *pool, struct question *question,
                     const struct callahead_answer *answer);
/* The same where no server is left: with what is known for sure, or what one said of
 * itself, before this failure. */
void question_fail(struct callahead *pool, struct question *question,
                   const struct callahead_answer *failure);

/* Asks, or joins who does, and waits until the deadline. */
void question_ask(struct asking *asking, const struct callahead_where *where, mono_us deadline);

/* --- callahead_memory.c ----------------------------------------------------------- */

struct callahead_memory *memory_first(struct callahead *pool);
struct callahead_memory *memory_get(struct callahead *pool, /* NULL: out of memory */
                                    const struct callahead_profile *profile);
/* made_out: it did not exist before. */
struct callahead_memory *memory_named(struct callahead *pool, const struct memory_name *name,
                                      bool *made_out);
void memory_free_all(struct callahead *pool);
void memory_learn(struct callahead *pool, const struct question *question,
                  const struct callahead_answer *answer);
enum trust_next memory_judge(const struct asking *asking, char witness_out[DOMAINS_WITNESS_MAX]);

/* --- callahead_inquire.c ---------------------------------------------------------- */

/* As question_ask(), but a no is one that can be believed. */
void inquire(struct asking *asking, const struct callahead_where *where, mono_us deadline);
/* Asks for a random address of the same domain. false: that told nothing. */
bool inquire_random(const struct asking *asking, const struct callahead_where *where,
                    mono_us deadline);

/* --- callahead_keeper.c ----------------------------------------------------------- */

NODISCARD bool keeper_start(struct callahead *pool, struct err *err);
void keeper_stop(struct callahead *pool); /* after pool->stopping was set */
/* The same again in the background, or for a random address in its place. */
void keeper_ask(const struct asking *asking, const struct callahead_where *where, bool random);
void keeper_write(struct callahead *pool, mono_us every);

/* --- callahead_state.c ------------------------------------------------------------ */

void state_write(struct callahead *pool);

/* --- callahead_server.c ----------------------------------------------------------- */

/* Put the question into the queue of the first of its addresses, from
 * question->at on, that is not in a pause, and see to it that a connection
 * works on it. When there is none it is finished with failure, or where that
 * is NULL with "server paused" and its cause. */
void server_ask(struct callahead *pool, struct question *question,
                const struct callahead_answer *failure);

/* The rest belongs to the threads of connections. */

/* How many recipients a connection may still be asked. */
struct server_room {
    unsigned all;   /* 0: it is worn out */
    unsigned small; /* while the server is known to cut us off after too many refusals */
    bool fresh;     /* nobody was asked for on it; else no question that needs such a one */
    mono_us since;  /* when it was opened */
    bool gives;     /* out: it ends for a server that wants a thread */
};

/* When the connection now to be opened must be ready; 0: nobody waits for it. */
mono_us server_open_deadline(struct server *server);
/* trip: a round trip in it, see callahead_pace.h. */
void server_opened(struct server *server, mono_us trip);
/* The connection is ours no more, but keeps its place until server_leave(): the server
 * may not have closed it yet. ready: server_opened() was called. */
void server_parted(struct server *server, bool ready);
/* Opens another one for those who wait, where there is a place. */
void server_refill(struct server *server);
/* As many questions as there is room for, waiting for some up to the server's idle
 * time-out. Empty: end the connection. Else server_batch_over() must follow, before
 * the answers are handed out: who asks the next thing then need not open another
 * connection. */
void server_take(struct server *server, struct server_room *room, struct question_list *batch_out);
void server_batch_over(struct server *server);
/* Back to the front of the queue, in order. */
void server_put_back(struct server *server, struct question_list *list);
struct server_limits server_limits_of(struct server *server);
/* A batch of n took so long; used to size the next ones. */
void server_batch_took(struct server *server, size_t n, mono_us took);
/* So many replies, among them refusals, came in that time. */
void server_refused(struct server *server, unsigned replies, mono_us took);
/* It gave answers. of_itself: so many said nothing but that it is in trouble, and went to
 * another server. */
void server_works(struct server *server, size_t answers, size_t of_itself);
/* A connection could not be opened or broke without a reason of its own: pause
 * (or, while others work, do with fewer), and send those in the queue
 * elsewhere. */
void server_failed(struct server *server, const struct callahead_answer *failure);
/* A connection could not be opened for want of something here, which says nothing about
 * the server: where there is no other one, those in the queue are finished with failure. */
void server_short(struct server *server, const struct callahead_answer *failure);
/* The server has closed the connection, too: whom its thread serves next. The same server
 * when there is work for it again, another one that found no thread, or NULL: the
 * thread ends. */
struct server *server_leave(struct server *server, bool gives);
void server_remember(struct server *server, mono_us *until); /* sets it to SERVER_LEARNED */
bool server_remembers(struct server *server, const mono_us *until);
/* It is no longer this server's. */
void server_release(struct question *question);
/* This host is short of something, which text tells; logged once a minute. */
void pool_tell_shortage(struct callahead *pool, const char *server, const char *text);
/* Each goes on with its next address, or is finished with failure. */
void server_elsewhere(struct callahead *pool, struct question_list *list,
                      const struct callahead_answer *failure);

/* Everybody in a queue is answered with failure; threads wake. */
void server_stop_all(struct callahead *pool, const struct callahead_answer *failure);

/* --- callahead_place.c ------------------------------------------------------------ */

/* All with the pool's lock. */

/* Connections that the server may have for itself. */
unsigned place_allowed(const struct server *server, mono_us now);
/* Does that, or what is allowed at the place, leave room for none more? */
bool place_is_full(const struct server *server, mono_us now);
/* Has it too many, since that was lowered? */
bool place_is_overfull(const struct server *server, mono_us now);
/* Another server at the place that has none while all are taken, and questions that wait:
 * that with the oldest one. NULL: there is none. */
struct server *place_starving(const struct server *server, mono_us now);
/* Another one with a connection that lies idle. NULL: there is none. */
struct server *place_idle(const struct server *server);

/* --- callahead_table.c ------------------------------------------------------------ */

/* The question's present server, with a reference; NULL: out of memory. */
struct server *server_of_question(struct callahead *pool, const struct question *question);
void server_free_all(struct callahead *pool);

/* --- callahead_conn.c ------------------------------------------------------------- */

/* Starts the thread of one connection. */
NODISCARD bool conn_start(struct server *server);

/* --- callahead_drive.c ------------------------------------------------------------ */

#define CONN_READ_BYTES 16384
#define CONN_CLOSE_PATIENCE MONO_SECONDS(2)

struct conn {
    struct callahead *pool;
    struct server *server;
    struct sock *sock;
    struct smtp_dialog *dialog;
    mono_us ready_at;
    bool closed, timed_out, tls_failed, stopped; /* how the connection ended */
    bool shortage;                               /* and that was our own fault */
    bool gives;                                  /* see struct server_room */
    mono_us trip;      /* the shortest wait for a reply while it was opened; 0: none yet */
    mono_us heard_at;  /* the last reply came, or what it answers was sent */
    bool spoke;        /* something was sent since */
    unsigned refusing; /* replies among which some were refusals, ... */
    mono_us refused;   /* ... and how long they took */
    size_t n;
    struct question *batch[DIALOG_BATCH_MAX];
    const char *recipients[DIALOG_BATCH_MAX];
    bool utf8[DIALOG_BATCH_MAX];
    char bytes[CONN_READ_BYTES];
};

/* Until the dialogue wants something of us or is over. */
enum dialog_want conn_drive(struct conn *conn, mono_us deadline);
/* To whoever watches the dialogues. */
void conn_tell(const struct conn *conn, enum callahead_event event, struct slice bytes);

#endif
