/*
 * host.h - the client's host name by double look-up: PTR, then the addresses
 * of each name; verified only if the client's is among them (SPEC 4, step 3).
 *
 * A client may have several names; all that lead back are its names, in whatever order
 * the DNS gives them. The first HOST_NAMES_MAX in the alphabet are followed, all at
 * once: whoever answers for the address could otherwise make us send any number of
 * questions to whom he likes (RFC 7208 section 4.6.4 allows 10 for such reasons; hosts
 * with a few more names than that exist). All of them are waited for, since any may be
 * the one that matches. A name that could not be asked, or was not, for the limit,
 * makes the class tempfail where no other verified. Blocks up to the deadline (what has
 * no answer then could not be asked). Any thread.
 */
#ifndef LIB_NET_HOST_H
#define LIB_NET_HOST_H

#include "lib/base/arena.h"
#include "lib/net/dns.h"

#define HOST_NAMES_MAX 20

/* about_to_wait (may be NULL) is called once before the first wait that would
 * block; not at all when the cache knows everything. Several names go into arena;
 * without memory for them nobody can tell: tempfail. */
void host_lookup(struct dns *dns, const struct ip *ip, struct arena *arena, mono_us deadline,
                 void (*about_to_wait)(void *arg), void *arg, struct host_answer *answer_out);

/* The client is verified by these n canonical names (1...HOST_NAMES_MAX), in any order,
 * some perhaps twice; copied into arena where they are several. false: out of memory. */
NODISCARD bool host_verified(const char *const *names, size_t n, struct arena *arena,
                             struct host_answer *answer_out);

#endif
