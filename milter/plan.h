/*
 * plan.h - where and how to ask about recipients of one listener: the
 * call-ahead profile with the SMTP routes of the same snapshot (SPEC 8 "Where
 * to ask"). Immutable; lives in its snapshot.
 */
#ifndef MILTER_PLAN_H
#define MILTER_PLAN_H

#include "lib/net/callahead.h"
#include "lib/net/ldappool.h"
#include "lib/tables/routes.h"

struct directory_plan {
    struct ldap_profile profile;
};

struct callahead_plan {
    struct callahead_profile profile;
    const struct routes *routes;
    const struct directory_plan *routing; /* asked first; NULL: none */
};

enum plan_kind {
    PLAN_ASK,     /* where_out says whom */
    PLAN_DISCARD, /* the route is /dev/null: nobody needs to be asked */
    PLAN_LIST,    /* the directory has several addresses: it exists, nobody can answer for all */
    PLAN_NOWHERE  /* no domain to look for, or another reason why nobody can tell */
};

/* literal_hop: storage for the one host of an address literal, borrowed by
 * where_out. literal_named: see services.h. */
enum plan_kind plan_where(const struct callahead_plan *plan, const struct mailaddr *recipient,
                          bool literal_named, struct nexthop *literal_hop,
                          struct callahead_where *where_out);

/* The same for hosts that a directory named, separated by commas or newlines (SPEC 8:
 * looked up in the routes; their ports win, but for a single host without one).
 * What where_out borrows lives in arena. PLAN_NOWHERE: a host is wrong, see err. */
enum plan_kind plan_hosts(const struct callahead_plan *plan, const char *hosts, struct arena *arena,
                          struct callahead_where *where_out, struct err *err);

/* The addresses that a directory named, separated as hosts are, a comma in quotes
 * aside. "smtp:" in front of one is taken off, in any case; those of other networks
 * (ldapvalue.h) are passed over. n_out: none, one, or more when they are not all the
 * same; the first is first_out, and lives in arena. Where all have "smtp:" in front and
 * one alone has it in capitals, as proxyAddresses of Active Directory, that is the
 * address, and the others are aliases of it, right or wrong. false: one is no address
 * with a domain, or there is no memory; see err. */
NODISCARD bool plan_addresses(const char *addresses, struct arena *arena,
                              struct mailaddr *first_out, size_t *n_out, struct err *err);

#endif
