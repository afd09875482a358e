/*
 * dns_message.h - what a DNS reply says about one question (RFC 1035 4.1,
 * negative answers RFC 2308), trusting no byte of it. Internal to the DNS
 * modules.
 *
 * Own reader, because the parsers of c-ares 1.18 drop the time to live of MX,
 * PTR and TXT records. Follows up to DNS_CNAMES_MAX aliases inside the answer
 * section, reads DNS_WALK_MAX records of it (a reply with more is no answer: which
 * of them counted would depend on their order), takes the first DNS_RECORDS_MAX of
 * the wanted ones, sorted (dns.h); compression pointers only lead backwards. Names
 * must be host names (domain.h) in ASCII; records with any other are left out, and
 * when none remains the answer is DNS_NODATA. Plain functions, any thread.
 */
#ifndef LIB_NET_DNS_MESSAGE_H
#define LIB_NET_DNS_MESSAGE_H

#include "lib/base/str.h"
#include "lib/net/dns.h"

#define DNS_CNAMES_MAX 16
#define DNS_WALK_MAX 300

/* Type number on the wire. */
int dns_message_rrtype(enum dns_type type);

/* May the name be asked for: labels of 1...63 bytes without backslash, blank
 * or control bytes, 253 in all? */
bool dns_message_askable(const char *name);

struct dns_verdict {
    enum dns_outcome outcome; /* never DNS_TIMEOUT */
    bool has_ttl;             /* false: nothing in the reply says how long it holds */
    uint32_t ttl;             /* seconds */
};

/* Read the reply to the question (type, name) and pack it into packed_out
 * (dns_answer.h). Malformed, two aliases of one name, a referral, or a code other
 * than NOERROR and NXDOMAIN is DNS_SERVFAIL. On lack of memory packed_out->failed is set. */
struct dns_verdict dns_message_read(const uint8_t *message, size_t n, enum dns_type type,
                                    const char *name, struct strbuf *packed_out);

#endif
