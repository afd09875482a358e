/*
 * ratekey.h - under which key a client is counted (SPEC 7): its address cut to
 * significant_bits, or its network owner and the /24 (IPv6: /64) it is in.
 *
 * Bytes to compare and to hash, not to read. The same client under another
 * prefix length is another key. Plain values, any thread.
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

struct ratekey ratekey_network(const struct ip *ip, unsigned bits);
struct ratekey ratekey_owner(uint32_t owner, const struct ip *ip);
struct slice ratekey_slice(const struct ratekey *key); /* borrows */

#endif
