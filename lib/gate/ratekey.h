/*
 * ratekey.h - under which key a client is counted (SPEC 7): its address cut to
 * significant_bits, or its network owner and the /24 (IPv6: /64) it is in.
 *
 * Bytes to compare and to hash, not to read. The same client under another
 * prefix length is another key. All clients without an address are one, and no
 * other: what they may do together is bounded, and nobody else pays for it.
 * Plain values, any thread.
 */
#ifndef LIB_GATE_RATEKEY_H
#define LIB_GATE_RATEKEY_H

#include "lib/gate/facts.h"

#define RATEKEY_MAX 24

struct ratekey {
    size_t n;
    char bytes[RATEKEY_MAX];
};

/* conn has been classified. */
struct ratekey ratekey_of(const struct conn_facts *conn);
/* The whole address, whatever the policy. */
struct ratekey ratekey_address(const struct conn_facts *conn);

#define RATEKEY_WHOLE 128 /* bits of an address of either kind that is not cut */
struct ratekey ratekey_network(const struct ip *ip, unsigned bits);
/* The address, or for IPv6 the /64. */
struct ratekey ratekey_site(const struct ip *ip);
struct ratekey ratekey_owner(uint32_t owner, const struct ip *ip);
struct ratekey ratekey_no_address(void);
struct slice ratekey_slice(const struct ratekey *key); /* borrows */

#endif
