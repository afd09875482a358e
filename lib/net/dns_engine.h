/*
 * dns_engine.h - the thread that owns the c-ares channel. Internal to dns.c.
 *
 * A job is one question on its way to the name servers. c-ares 1.18 is neither
 * thread-safe nor has a thread of its own, and its callbacks may run inside
 * ares_query(): so the engine's thread alone touches a channel, jobs reach it
 * by a queue (one mutex, a leaf, and an eventfd that ends its poll), and no
 * lock is held around c-ares. New settings are a new channel; questions of the
 * old one end on it by themselves.
 *
 * A question that could not be sent for want of a socket or of memory is held, and
 * tried again every DNS_ENGINE_RETRY for DNS_ENGINE_HOLD; the first that fails again
 * ends such a round, so that a shortage costs next to nothing while it lasts.
 *
 * The one module that includes <ares.h>.
 */
#ifndef LIB_NET_DNS_ENGINE_H
#define LIB_NET_DNS_ENGINE_H

#include "lib/net/dns.h"

#define DNS_ENGINE_RETRY MONO_MS(100)
#define DNS_ENGINE_HOLD MONO_SECONDS(20)

struct dns_channel;
struct dns_engine;

struct dns_job {
    const char *name; /* dns_message_askable(); the asker's, until done */
    int rrtype;
    struct dns_job *next;        /* the engine's */
    struct dns_channel *channel; /* the engine's */
    unsigned tries;              /* the engine's: used up */
    unsigned shortages;          /* the engine's: those of the channel before it was sent */
    mono_us due, give_up;        /* the engine's: when to try again, to hold it no longer */
    bool held;                   /* atomic: waits for what this host is short of */
};

/* How a job ended. */
struct dns_result {
    bool replied;           /* a name server answered: message[0...n) */
    const uint8_t *message; /* valid during the call */
    size_t n;
    enum dns_outcome without; /* what it comes to when nobody replied */
    bool ours;                /* for want of something here; not replied */
    bool outdated;            /* asked with settings replaced meanwhile, or cut off at the end */
};

/* Called once for each job, on the engine's thread, or after dns_engine_stop() in that
 * of dns_engine_submit(); must not block. */
typedef void dns_done(struct dns_job *job, const struct dns_result *result, void *arg);

struct dns_engine *dns_engine_new(const struct dns_keys *keys, dns_done *done, void *arg,
                                  struct err *err);
/* From now on all jobs end as DNS_TIMEOUT, those under way as well. Any thread; does
 * not block. */
void dns_engine_stop(struct dns_engine *engine);
/* Stops it and ends the thread; nobody may submit any more. Takes NULL. */
void dns_engine_free(struct dns_engine *engine);
NODISCARD bool dns_engine_reconfigure(struct dns_engine *engine, const struct dns_keys *keys,
                                      struct err *err);
/* See dns_search_list(). */
size_t dns_engine_search_list(struct dns_engine *engine,
                              char domains_out[DNS_SEARCH_MAX][DOMAIN_MAX]);
void dns_engine_submit(struct dns_engine *engine, struct dns_job *job);

#endif
