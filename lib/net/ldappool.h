/*
 * ldappool.h - questions to directories (SPEC 9): is there an entry for this
 * recipient, and which hosts and addresses does it name?
 *
 * ldappool_ask() answers from the cache, or joins the same question already under
 * way, or puts a new one into the queue of its directory, and waits for it up to
 * the deadline. A connection is a thread with several searches outstanding; it is
 * opened when the others have enough, to the first server of `uri` that is not in a
 * pause, and ends when idle. A server that fails, or can do nothing while there are
 * others, pauses (1 s, doubling to 60 s); a question left unanswered goes to the next
 * server while it has time. Where this host is short of descriptors, memory, threads or
 * local ports no server pauses: the question is an error at once, the next one tries
 * again, and the log has it once a minute. Questions are counted: when its session gives up, the
 * connection still finishes it and fills the cache.
 *
 * Only match and no match are cached. "No match" is said only when the server
 * went through the whole search: a refusal, a referral elsewhere or a broken
 * answer is DIRECTORY_ERROR. Connections and answers are told apart by all that
 * shapes them, so that a reload that changes nothing of it keeps both.
 *
 * All functions: any thread. The pool's lock is a leaf, not held over I/O.
 */
#ifndef LIB_NET_LDAPPOOL_H
#define LIB_NET_LDAPPOOL_H

#include "lib/base/answer.h"
#include "lib/base/mailaddr.h"
#include "lib/net/callahead.h"
#include "lib/net/dial.h"
#include "lib/net/ldap.h"
#include "lib/net/tls.h"

#define LDAPPOOL_SERVERS_MAX 16
#define LDAPPOOL_VALUES_MAX 2048

/* One [ldap] section of one configuration. Borrowed by ldappool_ask() for the
 * call only. */
struct ldap_profile {
    const char *name;
    const struct ldap_keys *keys;
    const struct tls_keys *tls;
    const char *password; /* "" none */
    const char *identity; /* all that connections are made of, as one text */
};

/* keys and tls are borrowed, the rest lives in arena. false: out of memory. */
NODISCARD bool ldap_profile_init(struct ldap_profile *profile, const char *name,
                                 const struct ldap_keys *keys, const struct tls_keys *tls,
                                 const char *password, struct arena *arena);

/* Is `uri` one of a server that can be asked by this profile? tls_out: whether TLS will
 * be spoken; left alone where it is not. */
NODISCARD bool ldap_profile_check(const struct ldap_profile *profile, const char *uri,
                                  bool *tls_out, struct err *err);
/* Can TLS be spoken by its tls_priority? */
NODISCARD bool ldap_profile_check_priority(const struct ldap_profile *profile, struct err *err);
NODISCARD bool ldap_base_is_dn(const char *base_dn);

enum ldap_query { LDAP_ACCEPT_QUERY, LDAP_ROUTING_QUERY };

/* hosts and addresses: of a routing query that matched, as the entry has them, a
 * line a value with newlines between; "" none. Addresses of other networks than mail
 * (ldapvalue.h) are left out; of many perhaps not all are there, but two at least. */
struct ldap_answer {
    struct directory_answer said;
    char hosts[LDAPPOOL_VALUES_MAX];
    char addresses[LDAPPOOL_VALUES_MAX];
};

/* Once, before there are threads: an environment variable is set, and the system's
 * resolver taken out of the process. */
void ldappool_setup(void);

struct ldappool;
/* dialer: finds the servers, whose names are looked for as dial.h has it; what it points
 * to outlives the pool. */
struct ldappool *ldappool_new(const struct dialer *dialer, struct err *err);
/* From now on nobody waits: who does, or asks later for what is not remembered, is
 * answered with DIRECTORY_ERROR. Any thread; does not block. */
void ldappool_stop(struct ldappool *pool);
/* Stops it and ends all threads, waking them, and answers those who wait. No
 * ldappool_ask() may begin any more. Takes NULL. */
void ldappool_free(struct ldappool *pool);

/* sender NULL: none. Blocks up to deadline; about_to_wait(arg) is called before
 * that (NULL: none). */
void ldappool_ask(struct ldappool *pool, const struct ldap_profile *profile, enum ldap_query query,
                  const struct mailaddr *recipient, const struct mailaddr *sender, mono_us deadline,
                  void (*about_to_wait)(void *arg), void *arg, struct ldap_answer *answer_out);

/* Forget answers, of all directories; returns how many. An answer for a whole
 * domain goes with each of its addresses, one for everybody with everything. */
size_t ldappool_flush(struct ldappool *pool, enum callahead_flush what, const char *text);

/* Visit the servers of directories that have a connection, and those in a pause,
 * without any lock. paused: seconds until it is asked again; 0: nothing is wrong
 * with it. */
void ldappool_each(struct ldappool *pool,
                   void (*visit)(const char *profile, const char *uri, int64_t paused, void *arg),
                   void *arg);
/* The servers in a pause into pauses_out[0..room); how many there are in all. */
size_t ldappool_pauses(struct ldappool *pool, struct backoff_pause *pauses_out, size_t room);

#endif
