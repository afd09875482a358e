/*
 * ldappool_inner.h - the inside of ldappool*.c, for nobody else.
 *
 *   ldappool.c            asking: single flight, queue, waiting
 *   ldappool_directory.c  directories and what they answered
 *   ldappool_conn.c       one connection: a thread that searches
 *
 * pool->lock guards what is marked [pool]; nothing slow is done under it. What
 * is unmarked is set once, before other threads see it.
 */
#ifndef LIB_NET_LDAPPOOL_INNER_H
#define LIB_NET_LDAPPOOL_INNER_H

#include <pthread.h>
#include "lib/base/hash.h"
#include "lib/net/backoff.h"
#include "lib/net/ldaplink.h"
#include "lib/net/ldappool.h"
#include "lib/state/cache.h"

#define DIRECTORY_SEARCHES_MAX 16 /* outstanding on one connection */
#define DIRECTORY_FLIGHTS 256

/* Of a routing query, by their place among those of a search. */
enum routing_attribute { ROUTING_CALLAHEAD, ROUTING_HOST, ROUTING_ADDRESS };

/* Under way from join() to ldappool_finish(): others who ask the same wait for it.
 * It holds a reference for that, each asker another. */
struct question {
    struct question *next;        /* [pool] in the queue */
    struct question *flight_next; /* [pool] under way */
    unsigned refs;                /* [pool] */
    struct directory *directory;
    struct arena *arena; /* of all texts */
    struct ldaplink_search search;
    enum ldap_query query;
    struct slice key;
    mono_us deadline, life;
    unsigned tries;            /* who holds the question */
    pthread_cond_t finished;   /* with the pool's lock */
    bool done;                 /* [pool] */
    struct ldap_answer answer; /* [pool] once done */
};

struct directory_server {
    const char *uri;
    struct backoff backoff; /* [pool] */
};

struct directory {
    struct ldappool *pool;
    struct directory *next; /* [pool] */
    char *identity;
    const char *name;
    struct arena *arena; /* of all texts */
    struct ldaplink_settings settings;
    mono_us connect_timeout;
    struct directory_server server[LDAPPOOL_SERVERS_MAX];
    size_t nservers;
    struct cache *cache;
    int wake_fd; /* an eventfd counter: one for each question put into the queue */

    /* All [pool]. */
    struct question *first, **last; /* the queue */
    struct question *flights[DIRECTORY_FLIGHTS];
    unsigned queued, under_way; /* questions; queued ones are under way */
    unsigned questions;         /* all that are alive, and others who use the directory */
    unsigned threads, ready, max_connections; /* ready: past binding */
};

struct ldappool {
    struct dialer dialer;
    int stop_fd; /* readable: everything ends */
    struct hash_seed seed;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* the last thread or asker left */
    bool stopping;
    mono_us tell_at; /* a shortage is logged again */
    unsigned threads, askers;
    size_t ndirectories;
    struct directory *directories;
};

/* --- ldappool.c ------------------------------------------------------------------- */

/* Into the cache where it is an answer, to those who wait, and dropped. */
void ldappool_finish(struct question *question, const struct ldap_answer *answer);
void ldappool_fail(struct question *question, const char *server, const char *text);
/* Where there is time for another try, back into the queue; else failed. */
void ldappool_again(struct question *question, const char *server, const char *text);
/* The first of the queue; NULL: it is empty. */
struct question *ldappool_take(struct directory *directory);
/* That every server is in its pause, and what brought the first of them there. */
void ldappool_say_paused(struct directory *directory, struct err *err);
/* What this host is short of is logged, once a minute; nothing else is done about it. */
void ldappool_tell_shortage(struct ldappool *pool, const char *name, const struct err *err);

/* --- ldappool_directory.c --------------------------------------------------------- */

/* The directory of a profile, with one question counted. NULL: err, a shortage. */
struct directory *ldappool_directory(struct ldappool *pool, const struct ldap_profile *profile,
                                     struct err *err);
void ldappool_directory_drop(struct directory *directory); /* a question fewer */
void ldappool_directory_free(struct directory *directory); /* takes NULL */
/* The cache. */
void ldappool_remember(const struct question *question, const struct ldap_answer *answer);
NODISCARD bool ldappool_recall(const struct question *question, struct ldap_answer *answer_out);

/* --- ldappool_conn.c -------------------------------------------------------------- */

/* Starts the thread of one connection; it is counted already. false: a shortage. */
NODISCARD bool ldappool_conn_start(struct directory *directory, struct err *err);

#endif
