/*
 * dial.h - a TCP connection to a host that the configuration names, be it by an
 * address or a name.
 *
 * A name is looked for in the hosts file (hostsfile.h); where it is not there, its A
 * and AAAA records are asked for at once. The system's own resolver, whose time-outs
 * are not ours, has no part in it. "localhost" and names below it never go to DNS (RFC
 * 6761 section 6.3). A name without a dot is tried with each domain of the system's
 * search list behind it, then as it is.
 *
 * Addresses are tried in the order of the file, those of DNS with IPv4 first; each has
 * an equal part of the time that is left. Blocks up to the deadline, and a moment
 * (DIAL_LOOK) longer than until stop_fd is readable. Any thread.
 */
#ifndef LIB_NET_DIAL_H
#define LIB_NET_DIAL_H

#include "lib/net/dns.h"

#define DIAL_ADDRESSES_MAX 16
#define DIAL_LOOK MONO_MS(50)   /* how often a look-up looks at stop_fd */
#define DIAL_GRACE MONO_MS(500) /* for AAAA, once A has an answer, and the other way round */

/* Once, before there are threads: from then on the system's resolver, where a library
 * calls it (libldap does at its start), knows the hosts file only and waits for no name
 * server. */
void dial_setup(void);

struct dialer {
    struct dns *dns;        /* borrowed */
    const char *hosts_file; /* borrowed */
};

/* Is host something to connect to: an address, or a host name? */
NODISCARD bool dial_check_host(const char *host, struct err *err);

/* The descriptor, non-blocking and CLOEXEC, is the caller's. -1: err; ECANCELED where
 * stop_fd was readable; err_is_shortage() where it was not the host's fault. */
NODISCARD int dial_host(const struct dialer *dialer, const char *host, uint16_t port, int stop_fd,
                        mono_us deadline, struct err *err);

/* The first half of it: addresses of host. n_out is not 0 where it returns true. */
NODISCARD bool dial_addresses(const struct dialer *dialer, const char *host, int stop_fd,
                              mono_us deadline, struct ip ips_out[DIAL_ADDRESSES_MAX],
                              size_t *n_out, struct err *err);

#endif
