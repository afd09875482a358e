/*
 * peer.h - a scripted SMTP server (t/lib/smtpserver.py) as a child process, and
 * call-ahead pointed at it, for tests.
 *
 * Settings are JSON as the script documents them. Every failure ends the test.
 * One thread, but for client_ask().
 */
#ifndef T_UNIT_NET_PEER_H
#define T_UNIT_NET_PEER_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <cmocka.h>
#include "lib/net/callahead.h"
#include "lib/net/tls.h"
#include "t/unit/net/script.h"

#define PEERS_MAX 100
#define PATIENCE MONO_SECONDS(60) /* for what takes a moment on an idle machine */

struct peer {
    struct script script;
    unsigned number; /* several in one process */
    uint16_t port;
};

void peer_start(struct peer *peer, const char *settings);
void peer_start_all(struct peer *peers, const char *const *settings, size_t n);
void peer_stop(struct peer *peer); /* of those started together: any one, it ends all */
void peer_set(struct peer *peer, const char *settings); /* for connections to come */
void peer_open(struct peer *peer);                      /* the gate */
void peer_forget(struct peer *peer);
unsigned peer_count(struct peer *peer, const char *name); /* "connections", "rcpt", ... */
unsigned peer_asked(struct peer *peer, const char *address);
unsigned peer_said(struct peer *peer, const char *command);
void peer_await(struct peer *peer, const char *name, unsigned count); /* as peer_count() */

/* cert.pem and key.pem in an existing folder, self-signed. */
void peer_certificate(const char *folder, const char *name, const char *address);

#define CLIENT_HOSTS_MAX 4

struct client {
    const char *delimiters; /* of extensions; NULL: none */
    struct callahead *pool;
    struct arena *arena;
    struct callahead_keys keys; /* defaults; change what the test is about */
    struct callahead_profile profile;
    struct nexthop hosts[CLIENT_HOSTS_MAX];
    struct callahead_where where;
    unsigned waits; /* how often about_to_wait() was called */
};

/* A pool, the default profile, and the servers at 127.0.0.1 (port 0: none more). */
void client_init(struct client *client, uint16_t port, uint16_t second_port);
void client_done(struct client *client);

/* Any thread. ms: deadline from now. */
struct callahead_answer client_ask(struct client *client, const char *address, int ms);
/* On behalf of somebody, who may be NULL. */
struct callahead_answer client_ask_for(struct client *client, const char *somebody,
                                       const char *address, int ms);
struct callahead_answer client_asks(struct client *client, const char *address); /* a minute */
/* Asks and requires that class, stage and code. */
void client_expect(struct client *client, const char *address, enum callahead_class class,
                   int code);

/* Asks in a thread of its own. */
struct asker {
    pthread_t thread;
    struct client *client;
    char address[64];
    const char *somebody;
    int ms;
    struct callahead_answer answer;
};
void asker_start(struct asker *asker, struct client *client, const char *address, int ms);
void asker_start_for(struct asker *asker, struct client *client, const char *somebody,
                     const char *address, int ms);
void asker_join(struct asker *asker);

/* NAME0@example.com ... all at once, at most 200; those that begin with "b"
 * must be unknown, the others valid. */
void client_ask_many(struct client *client, size_t n, const char *name);

mono_us elapsed_ms(mono_us since);
void pause_ms(int ms);

#endif
