/*
 * plan.h - where and how to ask about recipients of one listener: the
 * call-ahead profile with the SMTP routes of the same snapshot (SPEC 8 "Where
 * to ask"). Immutable; lives in its snapshot.
 */
#ifndef MILTER_PLAN_H
#define MILTER_PLAN_H

#include "lib/net/callahead.h"
#include "lib/tables/routes.h"

struct callahead_plan {
    struct callahead_profile profile;
    const struct routes *routes;
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

#endif
