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
    PLAN_NOWHERE  /* no domain to look for */
};

/* literal_hop: storage for the one host of an address literal, borrowed by
 * where_out. literal_named: see services.h. */
enum plan_kind plan_where(const struct callahead_plan *plan, const struct mailaddr *recipient,
                          bool literal_named, struct nexthop *literal_hop,
                          struct callahead_where *where_out);

/* The same for hosts that a directory named, comma separated (SPEC 8: looked up in
 * the routes; their ports win, but for a single host without one). What
 * where_out borrows lives in arena. PLAN_NOWHERE: a host is wrong, see err. */
enum plan_kind plan_hosts(const struct callahead_plan *plan, const char *hosts, struct arena *arena,
                          struct callahead_where *where_out, struct err *err);

#endif
