/*
 * dns.h - the DNS engine: one thread that owns a c-ares channel.
 *
 * Ask, go on asking, wait. dns_ask() never blocks: it answers from the TTL
 * cache or hands the question to the engine (an eventfd wakes it). The same
 * question asked twice at once goes out once (single flight). Each asker has a
 * deadline of its own, after which its answer is DNS_TIMEOUT; the question
 * itself goes on until the name servers answered or all tries are used up, and
 * what comes late still fills the cache.
 *
 * NXDOMAIN, no data, SERVFAIL and time-out are different answers (answer.h);
 * SERVFAIL and DNS_TIMEOUT are kept for 5 s, negative answers for what their
 * SOA record says (RFC 2308; without one 5 s) and at most negative_ttl. Records
 * live as long as the shortest-lived of them and of the aliases on the way to
 * them. Want of descriptors, ports or memory on this side is no failure of a name
 * server: such a question is held and sent again while it lasts, and nothing is kept
 * of it. Aliases (CNAME) are followed. Names in records are canonical (domain.h),
 * records whose name is none are left out; an answer with no record left is
 * DNS_NODATA. Records are sorted (MX by preference, then all by name or text) and
 * each is there once, so that nothing can hang on the order in which a server gave
 * them; only addresses stay in that order, by which servers spread load. An answer
 * is cut at DNS_RECORDS_MAX records, an address answer sorted first. A truncated
 * answer is asked for again by TCP.
 *
 * Blocked waits: a question under way has a mutex and a condition of its own;
 * dns_wait() sleeps on it and holds nothing else, and the engine sets the
 * answer, signals, and never touches the question again. An answer that is set
 * does not change. The table of questions under way and the engine's queue
 * have one mutex each. All are leaves, held for a few instructions, never
 * around c-ares, never while another is held.
 *
 * All functions but dns_new() and dns_free(): any thread.
 */
#ifndef LIB_NET_DNS_H
#define LIB_NET_DNS_H

#include "lib/base/answer.h"
#include "lib/base/domain.h"
#include "lib/base/err.h"
#include "lib/base/ip.h"
#include "lib/base/key.h"
#include "lib/base/problem.h"

struct dns_keys {
#include "lib/base/key_members.h"
#include "lib/net/dns.def"
#include "lib/base/key_end.h"
};
extern const struct key_row dns_rows[];
extern const size_t dns_nrows;

enum dns_host_lookup { DNS_HOST_OWN, DNS_HOST_MTA, DNS_HOST_OFF }; /* [dns] host_lookup */

enum dns_type { DNS_A, DNS_AAAA, DNS_MX, DNS_PTR, DNS_TXT };

#define DNS_SERVERS_MAX 8
#define DNS_RECORDS_MAX 100
#define DNS_SEARCH_MAX 6        /* domains of the search list */
#define DNS_TEXT_MAX 1024       /* with its NUL; the rest is cut off */
#define DNS_UNDER_WAY_MAX 20000 /* questions; dns_ask() gives NULL beyond */

struct dns_record {
    struct ip ip;        /* A, AAAA */
    const char *name;    /* MX exchange ("" is the null MX, RFC 7505), PTR target; else "" */
    const char *text;    /* TXT: strings joined, other bytes than printable ASCII as '?'; else "" */
    uint16_t preference; /* MX */
};

struct dns_answer {
    enum dns_outcome outcome;
    size_t n;
    const struct dns_record *records;
    bool cut; /* there are more than these */
    bool cached;
    bool ours; /* a failure for want of something on this side: it says nothing about others */
};

struct dns;
struct dns_query; /* one asker's reference to a question */

/* One item of `servers`: "address", "address:port", "[v6]:port". */
NODISCARD bool dns_parse_server(const char *text, struct ip *ip_out, uint16_t *port_out,
                                struct err *err);
/* What the rows cannot say: is every server an address, are there too many? The
 * items' places name the key. */
void dns_check(const struct dns_keys *keys, struct problems *problems);

/* servers come from keys->servers; empty: the system's. Starts the thread.
 * keys is not needed afterwards. */
struct dns *dns_new(const struct dns_keys *keys, struct err *err);
/* From now on nobody waits: every query not yet answered, or begun later, ends with
 * DNS_TIMEOUT unless the cache has its answer. Any thread; does not block. */
void dns_stop(struct dns *dns);
/* Ends the thread; queries under way end with DNS_TIMEOUT. No dns_ask() may
 * run or follow; dns_wait()/dns_drop() on old queries still work. Takes NULL. */
void dns_free(struct dns *dns);
/* New servers, times and cache rules for later questions; the cache is kept.
 * With keys->servers empty the system's list is read again. */
NODISCARD bool dns_reconfigure(struct dns *dns, const struct dns_keys *keys, struct err *err);

/* name: canonical, or any other for DNS_TXT and DNS list zones (labels of 1...63
 * bytes, no blank, backslash or control byte; what is none is SERVFAIL). NULL:
 * out of memory, to be treated like SERVFAIL, as dns_wait() does. */
struct dns_query *dns_ask(struct dns *dns, enum dns_type type, const char *name, mono_us deadline);
/* Is the answer there already (then dns_wait() does not block)? Callers that
 * must do something before they block (DESIGN 4, self-connect) look first. */
bool dns_ready(struct dns_query *query);
/* Blocks until the answer or deadline; DNS_TIMEOUT in the latter case. The
 * answer is valid until dns_drop(). NULL query: SERVFAIL. */
const struct dns_answer *dns_wait(struct dns_query *query, mono_us deadline);
void dns_drop(struct dns_query *query); /* takes NULL */

/* PTR of an address. */
struct dns_query *dns_ask_ptr(struct dns *dns, const struct ip *ip, mono_us deadline);

/* The domains that the system's resolver would put behind a name without a dot, with
 * any servers: how many. They are read again by dns_reconfigure(). */
size_t dns_search_list(struct dns *dns, char domains_out[DNS_SEARCH_MAX][DOMAIN_MAX]);

void dns_cache_clear(struct dns *dns);
/* Forget one answer, so that the next question goes out. */
void dns_forget(struct dns *dns, enum dns_type type, const char *name);
/* Forget all answers about zone and names below it; goes through the cache. */
void dns_forget_below(struct dns *dns, const char *zone);

#endif
