/*
 * ipmap.h - address ranges, each with a 32-bit number; built once, then read.
 *
 * The look-up gives the lowest number among all ranges that hold the address:
 * with entries numbered in written order that is "first match wins", whatever
 * the number of entries. Ranges are flattened at build time into disjoint
 * sorted intervals, 8 bytes each for IPv4 and 20 for IPv6, and searched by
 * halving: exact for ranges that are no prefixes, which a trie would have to
 * split, and one contiguous block. Single IPv6 addresses have a list of their
 * own, where none needs a second interval for what comes behind it. Building: one thread. Reading:
 * any.
 */
#ifndef LIB_BASE_IPMAP_H
#define LIB_BASE_IPMAP_H

#include "lib/base/base.h"
#include "lib/base/ip.h"

#define IPMAP_NONE UINT32_MAX

struct ipmap;

struct ipmap *ipmap_new(void); /* NULL: out of memory */
void ipmap_free(struct ipmap *map);

/* first <= last; the range is one of IPv4 when both are, else one of IPv6, and
 * then holds no IPv4 address (SPEC 3.1: "::/0 is IPv6 only"). value is any but
 * IPMAP_NONE. false: out of memory. */
NODISCARD bool ipmap_add(struct ipmap *map, const struct ip *first, const struct ip *last,
                         uint32_t value);

/* The eight groups of `base` must match but for group `group` (0...7), which
 * may be from...to (SPEC 3.1 "a range in one group"). */
NODISCARD bool ipmap_add_group_range(struct ipmap *map, const struct ip *base, unsigned group,
                                     uint16_t from, uint16_t to, uint32_t value);

/* After the last add, before the first look-up; frees what building needed. */
NODISCARD bool ipmap_seal(struct ipmap *map);

uint32_t ipmap_get(const struct ipmap *map, const struct ip *ip); /* or IPMAP_NONE */

/* The values of ranges that others with lower ones do not cover wholly, some more than
 * once; but ranges of IPv6 of more than one address may be covered by ranges in another
 * group, or these by them: ipmap_get() tells. Sealed maps. */
void ipmap_shown(const struct ipmap *map, void (*take)(uint32_t value, void *arg), void *arg);
size_t ipmap_bytes(const struct ipmap *map);

#endif
