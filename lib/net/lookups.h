/*
 * lookups.h - what sender entries may ask about a client: score, network owner,
 * country, DNS lists, all asked together.
 *
 * Files and databases answer at once; DNS questions go out in parallel and are
 * waited for until one common deadline, the callback's or [reputation] timeout
 * from now, whichever comes first. A failure is an answer of its own
 * (LOOKUP_FAILED; a list that fails lists nobody). Addresses that are nobody's
 * on the Internet (ip_is_local) have no score or owner in DNS and stand in no
 * list. Where a source gives several scores or owners, the lowest is taken: their order
 * is chance. Any thread.
 */
#ifndef LIB_NET_LOOKUPS_H
#define LIB_NET_LOOKUPS_H

#include "lib/base/answer.h"
#include "lib/base/arena.h"
#include "lib/net/dnslist.h"
#include "lib/net/reputation.h"

/* All borrowed for the call. */
struct lookups {
    struct dns *dns;
    struct dnslists *lists;
    const struct reputation *reputation;
    void (*about_to_wait)(void *arg); /* once before the first wait; NULL: none */
    void *arg;
};

struct lookups_wanted {
    bool score, owner, country;
    const char *const *zones; /* canonical */
    size_t nzones;            /* at most LOOKUP_ZONES_MAX */
};

/* Answers of DNS lists go into arena (NULL where no zone is wanted); a listing for which
 * there is no memory is none: better than refusing the client for that. */
void lookups_ask(const struct lookups *lookups, const struct ip *ip,
                 const struct lookups_wanted *wanted, struct arena *arena, mono_us deadline,
                 struct lookup_answer *answer_out);

#endif
