/*
 * nexthop.h - one destination: a host or address, a port, a preference.
 *
 * The same syntax serves SMTP routes (SPEC 3.4), [callahead] servers, [dns]
 * servers and LDAP host attributes: "host", "host:port", "[host]" (no MX
 * look-up), "192.0.2.1", "[2001:db8::1]:25", "2001:db8::1" without a port,
 * each with an optional "/pri=0..65535". Plain values. Any thread (own arena).
 */
#ifndef LIB_BASE_NEXTHOP_H
#define LIB_BASE_NEXTHOP_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/ip.h"

struct nexthop {
    const char *host; /* canonical name (domain.h), or address text without brackets */
    bool is_ip;
    struct ip ip; /* if is_ip */
    bool mx;      /* a name without brackets: MX first, then A/AAAA */
    bool lmtp;    /* to be spoken to in LMTP; nexthop_parse() leaves it false */
    bool port_given;
    uint16_t port;     /* 1...65535; default_port where not given */
    uint16_t priority; /* 0 where not given; lower first, equal ones share the load */
};

/* strings go into arena. */
NODISCARD bool nexthop_parse(struct slice text, uint16_t default_port, struct arena *arena,
                             struct nexthop *hop_out, struct err *err);

/* "host:25", "[2001:db8::1]:25": for logs. */
const char *nexthop_text(const struct nexthop *hop, char *out, size_t room);

#endif
