/*
 * ldapserver.h - a scripted directory server (t/lib/ldappeer.py) as a child of a
 * unit test, and a pool pointed at such servers. One thread, but for
 * ldapclient_ask(). Any failure fails the test.
 */
#ifndef T_UNIT_NET_LDAPSERVER_H
#define T_UNIT_NET_LDAPSERVER_H

#include "lib/net/ldappool.h"
#include "t/unit/net/script.h"

#define LDAPSERVER_PATIENCE MONO_SECONDS(60)
#define LDAPCLIENT_SERVERS_MAX 3

struct ldapserver {
    struct script script;
    unsigned port;
};

void ldapserver_start(struct ldapserver *server);
void ldapserver_mood(struct ldapserver *server, const char *mood);
void ldapserver_gate(struct ldapserver *server, bool open);
void ldapserver_drop(struct ldapserver *server); /* all connections; waits for that */
unsigned ldapserver_count(struct ldapserver *server, const char *name);
/* Waits until it has that count at least. */
void ldapserver_await(struct ldapserver *server, const char *name, unsigned count);
void ldapserver_stop(struct ldapserver *server);

/* For servers named by addresses. */
#define LDAPCLIENT_DIALER (&(const struct dialer){.dns = NULL, .hosts_file = "/nonexistent"})

struct ldapclient {
    struct ldappool *pool;
    struct arena *arena;
    struct ldap_keys keys; /* as with no key given; change what the test is about */
    struct tls_keys tls;
    struct ldap_profile profile;
    struct key_item uri[LDAPCLIENT_SERVERS_MAX];
    char uris[LDAPCLIENT_SERVERS_MAX][64];
    unsigned waits; /* how often about_to_wait() was called; atomic */
};

/* No pool yet; port 0 ends the servers. */
void ldapclient_init(struct ldapclient *client, const unsigned *ports, size_t n);
/* The profile as the keys are now; what was asked before stays valid. */
void ldapclient_apply(struct ldapclient *client);
void ldapclient_done(struct ldapclient *client);

/* local: of an address at example.com. Any thread. */
void ldapclient_ask(struct ldapclient *client, enum ldap_query query, const char *local,
                    mono_us deadline, struct ldap_answer *answer_out);
/* An accept query that must end so within the patience. */
struct ldap_answer ldapclient_expect(struct ldapclient *client, const char *local,
                                     enum directory_class class);

/* Asks in a thread of its own. */
struct ldapasker {
    pthread_t thread;
    struct ldapclient *client;
    char local[32];
    struct ldap_answer answer;
};
void ldapasker_start(struct ldapasker *asker, struct ldapclient *client, const char *local);
void ldapasker_join(struct ldapasker *asker);

#endif
