/*
 * servers.h - from the name of a destination to addresses to connect to, in
 * the order in which to try them (SPEC 8 "Where to ask").
 *
 * Either hosts that a route, a static list, LDAP or an address literal named,
 * or the recipient's own domain, of which only DNS knows the servers:
 *
 *   hosts      by priority, equal ones as given (the caller rotates them, so
 *              that they share the load). A name without brackets (mx) is
 *              looked up as MX first, and as A and AAAA where it has none; a
 *              name with brackets as A and AAAA only.
 *   mx_domain  MX, then A and AAAA of what it names, of the domain itself
 *              where it has no MX (RFC 5321 5.1); port 25; equal preferences
 *              in random order. Where we are among the MX hosts ourselves, all
 *              of equal or worse preference are left out, and so are special
 *              addresses (ip_is_special). A null MX (RFC 7505): no mail.
 *
 * "Ourselves" is our_name, or an address of one of our interfaces at port 25.
 * Addresses of one name: IPv4 first (it is the one that works everywhere),
 * SERVERS_PER_NAME of each name at most. An address that turns up twice is
 * given once.
 *
 * All questions that can be asked at once are; as soon as one usable address
 * is known the others get SERVERS_GRACE more, so that one dead zone among
 * several does not eat the deadline. Any thread; blocks up to the deadline;
 * needs about 8 KiB of stack.
 */
#ifndef LIB_NET_SERVERS_H
#define LIB_NET_SERVERS_H

#include "lib/base/domain.h"
#include "lib/base/nexthop.h"
#include "lib/net/dns.h"

#define SERVERS_MAX 20
#define SERVERS_PER_NAME 8
#define SERVERS_GRACE MONO_MS(500)
#define SERVERS_WHY_MAX 400

struct server_address {
    struct ip ip;
    bool lmtp; /* of the host it belongs to */
    uint16_t port;
    uint16_t preference;   /* priority of the host, or MX preference for mx_domain; lower first */
    char name[DOMAIN_MAX]; /* host the address belongs to (SNI, certificate, logs); the
                              address as text where an address was given */
};

enum servers_outcome {
    SERVERS_FOUND,     /* n > 0 */
    SERVERS_NONE,      /* DNS is sure: no such domain, no address, only special ones */
    SERVERS_NO_MAIL,   /* mx_domain has a null MX */
    SERVERS_OURSELVES, /* we are the best MX: the domain needs an SMTP route */
    SERVERS_UNKNOWN    /* DNS failed or was too slow */
};

struct servers {
    enum servers_outcome outcome;
    size_t n;
    bool partial; /* there are others, of which the address is not known or of no use */
    struct server_address address[SERVERS_MAX];
    char why[SERVERS_WHY_MAX]; /* one sentence for the log unless FOUND, else "" */
};

struct servers_question { /* all borrowed during the call */
    const struct nexthop *hosts;
    size_t nhosts;         /* 0: mx_domain is asked */
    const char *mx_domain; /* canonical; used only when nhosts is 0 */
    bool untrusted;        /* hosts came from the client's own address literal: special
                              addresses and ourselves are left out */
    const char *our_name;  /* canonical host name of this machine; "" or NULL: not known */
};

/* One of the hosts of a static list: as nexthop.h has it, or "lmtp:" and that.
 * LMTP has port 24 unless another is given, never 25 (RFC 2033 5), and no MX.
 * Strings go into arena. */
NODISCARD bool servers_parse(struct slice text, struct arena *arena, struct nexthop *hop_out,
                             struct err *err);

/* about_to_wait(arg) (may be NULL) is called once before the first wait that
 * would block; not at all when the cache knows everything. */
enum servers_outcome servers_resolve(struct dns *dns, const struct servers_question *question,
                                     mono_us deadline, void (*about_to_wait)(void *arg), void *arg,
                                     struct servers *servers_out);

#endif
