/*
 * nameserver.h - a scripted name server (t/lib/dnsserver.py) as a child of a
 * unit test. One thread. Any failure fails the test.
 */
#ifndef T_UNIT_NET_NAMESERVER_H
#define T_UNIT_NET_NAMESERVER_H

#include "lib/net/dns.h"
#include "t/unit/net/script.h"

struct nameserver {
    struct script script;
    unsigned port;
    char log[64]; /* file with a line for each question */
};

void nameserver_start(struct nameserver *server);
void nameserver_script(struct nameserver *server, const char *script); /* replaces the old one */
/* How many questions came: how is "udp" or "tcp"; name "" means all. */
unsigned nameserver_count(struct nameserver *server, const char *how, const char *name,
                          const char *type);
void nameserver_stop(struct nameserver *server);

/* [dns] as with no key given, but for this server and the times below: one try
 * of a second. The keys live until the next call. */
struct dns_keys nameserver_keys(const struct nameserver *server);

#endif
