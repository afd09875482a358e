/*
 * dnslist_read.h - DNS lists (RFC 5782): what to ask them and what their
 * answers mean. Plain functions, any thread.
 *
 * Broken lists answer everything, or refuse with an address that careless
 * clients take for a listing: their users then lose all mail. Here only an
 * answer all of whose addresses lie inside 127.0.0.0/8 and outside
 * 127.255.255.0/24 is a listing, and only from a list whose test points are as they
 * must be.
 *
 * Listed means here that the list has an entry for the address, good or bad. Which
 * answers a sender entry means is its own affair (hat.h); whether the list is in order
 * has nothing to do with that: one that calls everybody "known good" is as broken as one
 * that calls everybody bad.
 */
#ifndef LIB_NET_DNSLIST_READ_H
#define LIB_NET_DNSLIST_READ_H

#include "lib/base/domain.h"
#include "lib/net/dns.h"

enum dnslist_class {
    DNSLIST_NOT_LISTED,
    DNSLIST_LISTED,   /* it has an entry, whatever that means */
    DNSLIST_REFUSED,  /* an address in 127.255.255.0/24: it does not answer us */
    DNSLIST_WRONG,    /* an address outside 127.0.0.0/8: no answer of a DNS list */
    DNSLIST_FAILED,   /* SERVFAIL and what counts as such */
    DNSLIST_TIMEOUT,  /* no answer */
    DNSLIST_NOT_ASKED /* suspended, or nothing a list could know */
};

/* "listed", "not_listed", "refused" ...: for the log and JSON. */
const char *dnslist_class_name(enum dnslist_class class);

/* What an answer to an address question says. */
enum dnslist_class dnslist_read(const struct dns_answer *answer);

/* "7.2.0.192.ZONE", or nibbles for IPv6; 0: too long to be a name. */
size_t dnslist_name(const char *zone, const struct ip *ip, char name_out[DOMAIN_MAX]);

/* --- test points (RFC 5782 section 5) ---------------------------------------- */

enum dnslist_point {
    DNSLIST_TEST4,  /* 127.0.0.2 must be listed */
    DNSLIST_CLEAR4, /* 127.0.0.1 must not */
    DNSLIST_TEST6,  /* ::FFFF:7F00:2 must be listed by a list of IPv6 addresses */
    DNSLIST_CLEAR6, /* ::FFFF:7F00:1 must not */
    /* Some other address of 127.0.0.0/8, another one each time, so that no cache
     * on the way has the answer: must not be listed. */
    DNSLIST_CLEAR_ANY,
    DNSLIST_POINTS
};

/* chance: which address DNSLIST_CLEAR_ANY is. */
size_t dnslist_point_name(const char *zone, enum dnslist_point point, uint32_t chance,
                          char name_out[DOMAIN_MAX]);

enum dnslist_health {
    DNSLIST_UNCHECKED,
    DNSLIST_GOOD,
    DNSLIST_LISTS_ALL,     /* lists what must not be listed */
    DNSLIST_NO_TEST_POINT, /* does not list what must be listed */
    DNSLIST_REFUSES,
    DNSLIST_ANSWERS_WRONG,
    DNSLIST_UNANSWERED /* no answer, so nothing is proven */
};

/* "lists_everything" ...; and a sentence for people, which begins with "it". */
const char *dnslist_health_name(enum dnslist_health health);
const char *dnslist_health_text(enum dnslist_health health);

/* A list is good when a test point of either family is listed and nothing is
 * that must not be. */
enum dnslist_health dnslist_judge(const enum dnslist_class points[DNSLIST_POINTS]);
/* Can it be asked about IPv6 addresses? Many a list of IPv4 addresses only knows
 * no answer to such a question instead of saying no. */
bool dnslist_takes_ipv6(const enum dnslist_class points[DNSLIST_POINTS]);

#endif
