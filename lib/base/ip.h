/*
 * ip.h - IPv4 and IPv6 addresses and networks.
 *
 * An address is 16 bytes; IPv4 is kept in its mapped form (::ffff:a.b.c.d),
 * so that a client seen as 192.0.2.7 and as ::ffff:192.0.2.7 is the same one
 * (SPEC 3.1). Plain values, no allocation, any thread.
 */
#ifndef LIB_BASE_IP_H
#define LIB_BASE_IP_H

#include <sys/socket.h>
#include "lib/base/base.h"
#include "lib/base/str.h"

struct ip {
    uint8_t b[16];
};

#define IP_TEXT_MAX 46

NODISCARD bool ip_parse(struct slice text, struct ip *ip_out); /* strict v4 or v6, nothing around */
NODISCARD bool ip_from_sockaddr(const struct sockaddr *sa, struct ip *ip_out);
/* Fills ss and returns its length; IPv4 becomes AF_INET. */
socklen_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ss_out);
const char *ip_text(const struct ip *ip, char text[IP_TEXT_MAX]); /* RFC 5952; IPv4 dotted */
bool ip_is_v4(const struct ip *ip);
uint32_t ip_v4(const struct ip *ip); /* host order; only if ip_is_v4() */
struct ip ip_from_v4(uint32_t address);
int ip_compare(const struct ip *a, const struct ip *b); /* numeric order of the 16 bytes */
bool ip_equal(const struct ip *a, const struct ip *b);

/* Clear all but the first `bits` bits (0...32 for IPv4, 0...128 for IPv6). */
struct ip ip_masked(const struct ip *ip, unsigned bits);
/* Last address of that network. */
struct ip ip_last(const struct ip *ip, unsigned bits);

/* The IPv4 address that packets to this one come to: its own, or the one inside of the
 * IPv4-mapped and -compatible forms, NAT64 (64:ff9b::/96), 6to4 and Teredo. false: none. */
NODISCARD bool ip_embedded_v4(const struct ip *ip, struct ip *v4_out);

/* Must a host that only DNS named never be contacted: loopback, unspecified, link-local,
 * multicast, broadcast, and all forms of these that ip_embedded_v4() knows? */
bool ip_is_special(const struct ip *ip);

/* Does the address belong to no network of the Internet at large, so that no
 * public list can know it: loopback, unspecified, private and shared use
 * (RFC 1918, 6598, 4193), link-local, multicast? */
bool ip_is_local(const struct ip *ip);

/* "7.2.0.192.in-addr.arpa" / nibbles + "ip6.arpa", or with another zone for
 * DNS lists. Returns length or 0 when it does not fit. */
size_t ip_reverse_name(const struct ip *ip, const char *zone4, const char *zone6, char *out,
                       size_t room);

#endif
