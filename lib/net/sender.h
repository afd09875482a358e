/*
 * sender.h - does the domain of an envelope sender take mail? MX, then the
 * addresses of what MX names (SPEC 6, verification).
 *
 * NXDOMAIN, a null MX (RFC 7505) and hosts that all lack addresses, or have only
 * loopback and unspecified ones, are "no"; SERVFAIL and time-out anywhere on the way
 * are "cannot tell", unless some host has an address. A domain with an address but
 * without MX is told apart. All hosts are asked at once, for A and AAAA; more than
 * SENDER_HOSTS_MAX of them are not asked, which leaves doubt where the others
 * have no address. Blocks up to the deadline (then SENDER_UNRESOLVABLE). Any
 * thread.
 */
#ifndef LIB_NET_SENDER_H
#define LIB_NET_SENDER_H

#include "lib/net/dns.h"

#define SENDER_HOSTS_MAX 16

struct sender_question {
    const char *domain; /* canonical */
    bool accept_a;      /* without MX records an address of its own is enough */
    mono_us deadline;
    /* Called once before the first wait that would block; may be NULL. */
    void (*about_to_wait)(void *arg);
    void *arg;
};

enum sender_class sender_lookup(struct dns *dns, const struct sender_question *question);

#endif
