/*
 * callahead.h - SMTP call-ahead: does the mailbox host want this recipient?
 * (SPEC 8)
 *
 * callahead_ask() answers from the verdict cache, or joins a question already
 * under way for the same recipient (single flight), or finds the servers, puts
 * a new question into the queue of the first one and waits for it up to the
 * deadline. A connection to a server is a thread (callahead_conn.c): it takes
 * its part of the recipients that wait for its server, asks them in one
 * pipelined batch, hands out the answers, goes on while there is work and ends
 * when idle. A question is heap-allocated and counted: when its session gives
 * up, the connection still finishes it and fills the cache, so the retry is
 * answered at once. After a connection error, a refusing greeting or a
 * time-out a question moves on to its next server; each has an equal part of
 * the time that is left.
 *
 * Connections are shared by all sessions of the daemon; at most
 * max_connections_per_server to one server, as the server counts them; new
 * connections are opened before pipelines grow. Those who wait are served fairly
 * by client (callahead_queue.h). A server that fails pauses (1 s, doubling to 60 s);
 * while all servers pause, the answer is server_ill at once. What this host is
 * short of (err_is_shortage()) makes no server pause: the answer is server_ill, and
 * the next one may ask again.
 *
 * Only valid and user_unknown are cached, by profile name, sender, recipient (case
 * ignored) and the hosts that were named for it, and the latter only when it
 * can be believed: see callahead_trust.h. An answer in use is asked for again
 * before it expires, by a thread for that (callahead_keeper.c). Connections are told apart by
 * address and by all of a profile that shapes them, so a reload that changes nothing of it keeps
 * them warm. All functions: any thread. Locks are leaves; none is held over I/O.
 */
#ifndef LIB_NET_CALLAHEAD_H
#define LIB_NET_CALLAHEAD_H

#include "lib/base/answer.h"
#include "lib/base/key.h"
#include "lib/base/mailaddr.h"
#include "lib/base/nexthop.h"
#include "lib/net/backoff.h"

enum callahead_type { CALLAHEAD_DELIVERY_HOST, CALLAHEAD_STATIC };
enum callahead_tls { CALLAHEAD_TLS_OFF, CALLAHEAD_TLS_MAY, CALLAHEAD_TLS_REQUIRE };
enum callahead_action { CALLAHEAD_ACCEPT, CALLAHEAD_REJECT };
enum callahead_reply_text { CALLAHEAD_TEXT_OWN, CALLAHEAD_TEXT_SERVER };

struct callahead_keys {
#include "lib/base/key_members.h"
#include "lib/net/callahead.def"
#include "lib/base/key_end.h"
};
extern const struct key_row callahead_rows[];
extern const size_t callahead_nrows;

struct callahead; /* the pool: one for the daemon, survives reloads */
struct dns;
struct tls_client;

/* dns: for MX and addresses of servers; must outlive the pool. hostname: our
 * name in EHLO. Names of servers are looked for in the thread that asks. */
struct callahead *callahead_new(struct dns *dns, const char *hostname, struct err *err);
/* From now on nobody waits: who does, or asks later for what is not remembered, is
 * answered with server_ill; threads of connections begin to end. A caller still in DNS
 * leaves when that is over (dns_stop()). Any thread; does not block. */
void callahead_stop(struct callahead *pool);
/* Stops it, and waits until all threads and callers have left; what is remembered is
 * written down. No callahead_ask() may begin any more. */
void callahead_free(struct callahead *pool);

/* One [callahead] section of one configuration, as the pool needs it. keys,
 * servers and name are borrowed and must live as long as the profile; counted,
 * because questions outlive a reload. release(arg) is called when the last
 * reference is gone. */
struct callahead_profile {
    const char *name;
    const struct callahead_keys *keys;
    const struct nexthop *servers; /* type static: parsed `servers` */
    size_t nservers;
    struct tls_client *tls;  /* NULL when tls = off */
    void (*take)(void *arg); /* one more question refers to this profile */
    void (*release)(void *arg);
    void *arg;
};

/* Where to ask for one recipient, found by the caller from literal, LDAP and
 * SMTP routes (SPEC 8 "Where to ask"). hosts are trusted (may be loopback);
 * mx_domain is not: what its MX names must not be special (ip_is_special) nor
 * ourselves. */
struct callahead_where {
    const struct nexthop *hosts; /* in order; borrowed during the call */
    size_t nhosts;
    const char *mx_domain; /* used when nhosts is 0; NULL with hosts */
    bool untrusted;        /* hosts came from the client's own address literal */
    /* Whom a yes is remembered for: "user@" for "user+tag@" (SPEC 2, recipient_delimiter).
     * A no is the recipient's own. NULL: so is a yes. */
    const struct mailaddr *known_as;
    /* On whose behalf: any bytes that are the same for the same client, and turns are his.
     * Borrowed during the call. n 0: nobody in particular. */
    struct slice client;
};

/* Blocks up to deadline (and keys->timeout). where may be NULL for type
 * static. about_to_wait: see host.h. The answer's class CALLAHEAD_SERVER_ILL
 * with a text says what went wrong. */
void callahead_ask(struct callahead *pool, const struct callahead_profile *profile,
                   const struct callahead_where *where, const struct mailaddr *recipient,
                   mono_us deadline, void (*about_to_wait)(void *arg), void *arg,
                   struct callahead_answer *answer_out);

/* --- watching ------------------------------------------------------------- */
enum callahead_event {
    CALLAHEAD_EVENT_SENT,     /* bytes */
    CALLAHEAD_EVENT_RECEIVED, /* bytes */
    CALLAHEAD_EVENT_NOTE      /* our words: "connecting", "TLS", "closed by the server" */
};
/* Tell of every dialogue, byte by byte; for gatehousectl. Before the first
 * question. watch is called in the threads of connections, and holds them up. */
void callahead_watch(struct callahead *pool,
                     void (*watch)(enum callahead_event event, const char *server,
                                   struct slice bytes, void *arg),
                     void *arg);

/* Milliseconds for which such an answer is remembered; 0: it is not. */
int64_t callahead_life(const struct callahead_keys *keys, enum callahead_class class);

/* --- what is remembered --------------------------------------------------- */
enum callahead_flush {
    CALLAHEAD_FLUSH_ADDRESS, /* text: a recipient, canonical and in lower case (mailaddr.h: key) */
    CALLAHEAD_FLUSH_DOMAIN,  /* text: a canonical domain */
    CALLAHEAD_FLUSH_NEGATIVE,
    CALLAHEAD_FLUSH_ALL
};
/* Forget answers, of all profiles; returns how many. */
size_t callahead_flush(struct callahead *pool, enum callahead_flush what, const char *text);

struct callahead_entry {
    const char *profile;
    struct slice recipient;     /* "*@domain": read from disk, and not asked for since */
    enum callahead_class class; /* VALID or USER_UNKNOWN */
    const char *server;         /* who said so */
    int64_t left;               /* seconds until it is asked again */
};
/* Visit every answer. A lock of the cache is held meanwhile: visit must be
 * quick and call nothing of this header. */
void callahead_list(struct callahead *pool,
                    void (*visit)(const struct callahead_entry *entry, void *arg), void *arg);

/* What is known of a domain that is out of the ordinary. */
struct callahead_domain {
    const char *profile, *domain;
    bool ill;       /* its server refuses everybody: its refusals do not count */
    bool catch_all; /* its server takes every address */
};
void callahead_list_domains(struct callahead *pool,
                            void (*visit)(const struct callahead_domain *domain, void *arg),
                            void *arg);

/* Take up what was written in folder (statefile.h), and write it there again
 * that often and at the end. Before the first question. false: nothing will be
 * kept. */
NODISCARD bool callahead_keep(struct callahead *pool, const char *folder, mono_us every,
                              struct err *err);

/* Counts for status lines. */
struct callahead_stats {
    uint64_t asked, cached, joined, valid, unknown, failed;
    uint64_t stale;     /* answered with a yes whose life was over */
    uint64_t suspended; /* refusals that were not believed */
    uint64_t refreshed; /* asked again before the answer expired */
    unsigned connections, servers_paused;
};
void callahead_get_stats(struct callahead *pool, struct callahead_stats *stats_out);

/* The servers in a pause into pauses_out[0..room); how many there are in all. One address
 * may be there several times, by what else tells servers apart. */
size_t callahead_pauses(struct callahead *pool, struct backoff_pause *pauses_out, size_t room);

#endif
