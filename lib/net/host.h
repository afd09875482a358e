/*
 * host.h - the client's host name by double look-up: PTR, then the addresses
 * of each name; verified only if the client's is among them (SPEC 4, step 3).
 *
 * At most HOST_NAMES_MAX names of a PTR answer are followed, all at once. A
 * failed forward look-up makes the class tempfail only when no name verified
 * and at least one could not be asked. Blocks up to the deadline (then
 * HOST_PTR_TEMPFAIL). Any thread.
 */
#ifndef LIB_NET_HOST_H
#define LIB_NET_HOST_H

#include "lib/net/dns.h"

#define HOST_NAMES_MAX 10

/* about_to_wait (may be NULL) is called once before the first wait that would
 * block; not at all when the cache knows everything. */
void host_lookup(struct dns *dns, const struct ip *ip, mono_us deadline,
                 void (*about_to_wait)(void *arg), void *arg, struct host_answer *answer_out);

#endif
