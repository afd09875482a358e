/*
 * dns.h - the DNS engine: one thread that owns a c-ares channel.
 *
 * Ask, go on asking, wait. dns_ask() never blocks: it answers from the TTL
 * cache or hands the question to the engine (an eventfd wakes it). The same
 * question asked twice at once goes out once. A question has a deadline of
 * its own; the engine finishes it with DNS_TIMEOUT then, and a waiter that
 * gives up earlier just drops it: the answer still fills the cache.
 *
 * NXDOMAIN, no data, SERVFAIL and time-out are different answers (answer.h);
 * SERVFAIL and DNS_TIMEOUT are kept for at most 5 s, negative answers for
 * their SOA minimum and at most negative_ttl. Answers are cut at
 * DNS_RECORDS_MAX records; names in them are canonical (domain.h), records
 * whose name is none are left out.
 *
 * All functions: any thread. Locks are leaves and never held around c-ares.
 * The one module that includes <ares.h>.
 */
#ifndef LIB_NET_DNS_H
#define LIB_NET_DNS_H

#include "lib/base/answer.h"
#include "lib/base/err.h"
#include "lib/base/ip.h"
#include "lib/base/key.h"

struct dns_keys {
#include "lib/base/key_members.h"
#include "lib/net/dns.def"
#include "lib/base/key_end.h"
};
extern const struct key_row dns_rows[];
extern const size_t dns_nrows;

enum dns_host_lookup { DNS_HOST_OWN, DNS_HOST_MTA, DNS_HOST_OFF }; /* [dns] host_lookup */

enum dns_type { DNS_A, DNS_AAAA, DNS_MX, DNS_PTR, DNS_TXT };

#define DNS_RECORDS_MAX 100
#define DNS_TEXT_MAX 1024

struct dns_record {
    struct ip ip;        /* A, AAAA */
    const char *name;    /* MX exchange ("" is the null MX, RFC 7505), PTR target */
    const char *text;    /* TXT: strings joined, other bytes than printable ASCII as '?' */
    uint16_t preference; /* MX; records come sorted by it */
};

struct dns_answer {
    enum dns_outcome outcome;
    size_t n;
    const struct dns_record *records;
    bool cached;
};

struct dns;
struct dns_query; /* counted reference */

/* servers come from keys->servers; empty: the system's. Starts the thread. */
struct dns *dns_new(const struct dns_keys *keys, struct err *err);
/* Ends the thread; queries under way end with DNS_TIMEOUT. No dns_ask() may
 * run or follow; dns_wait()/dns_drop() on old queries still work. */
void dns_free(struct dns *dns);
/* New servers, times and cache rules for later questions; the cache is kept. */
NODISCARD bool dns_reconfigure(struct dns *dns, const struct dns_keys *keys, struct err *err);

/* name: canonical, or any name for DNS_TXT and DNS list zones. NULL: out of
 * memory, to be treated like SERVFAIL. */
struct dns_query *dns_ask(struct dns *dns, enum dns_type type, const char *name,
                          mono_us deadline);
/* Is the answer there already (then dns_wait() does not block)? Callers that
 * must do something before they block (DESIGN 4, self-connect) look first. */
bool dns_ready(struct dns_query *query);
/* Blocks until the answer or deadline; DNS_TIMEOUT in the latter case. The
 * answer is valid until dns_drop(). NULL query: SERVFAIL. */
const struct dns_answer *dns_wait(struct dns_query *query, mono_us deadline);
void dns_drop(struct dns_query *query); /* takes NULL */

/* A, AAAA or PTR of an address as questions of their own. */
struct dns_query *dns_ask_ptr(struct dns *dns, const struct ip *ip, mono_us deadline);

void dns_cache_clear(struct dns *dns);

#endif
