#include "milter/plan.h"

#define SMTP_PORT 25

/* The literal itself is the host (RFC 5321 4.1.3). */
static enum plan_kind ask_literal(const struct mailaddr *recipient, bool named, struct nexthop *hop,
                                  struct callahead_where *where_out)
{
    *hop = (struct nexthop){
        .host = recipient->domain, .is_ip = true, .ip = recipient->literal, .port = SMTP_PORT};
    *where_out = (struct callahead_where){.hosts = hop, .nhosts = 1, .untrusted = !named};
    return PLAN_ASK;
}

static enum plan_kind ask_domain(const struct callahead_plan *plan, const char *domain,
                                 struct callahead_where *where_out)
{
    const struct route *route = routes_lookup(plan->routes, domain);
    enum route_kind kind = route != NULL ? route->kind : ROUTE_NONE;

    *where_out = (struct callahead_where){.mx_domain = domain};
    switch (kind) {
    case ROUTE_HOSTS:
        *where_out = (struct callahead_where){.hosts = route->hosts, .nhosts = route->nhosts};
        return PLAN_ASK;
    case ROUTE_USEDNS:
    case ROUTE_NONE:
        return PLAN_ASK;
    case ROUTE_DISCARD:
        return PLAN_DISCARD;
    }
    return PLAN_NOWHERE;
}

enum plan_kind plan_where(const struct callahead_plan *plan, const struct mailaddr *recipient,
                          bool literal_named, struct nexthop *literal_hop,
                          struct callahead_where *where_out)
{
    if (plan->profile.keys->type == CALLAHEAD_STATIC) {
        *where_out = (struct callahead_where){.hosts = plan->profile.servers,
                                              .nhosts = plan->profile.nservers};
        return PLAN_ASK;
    }
    switch (recipient->kind) {
    case MAILADDR_LITERAL:
        return ask_literal(recipient, literal_named, literal_hop, where_out);
    case MAILADDR_DOMAIN:
        return ask_domain(plan, recipient->domain, where_out);
    case MAILADDR_NULL:
    case MAILADDR_LOCAL:
        return PLAN_NOWHERE;
    }
    return PLAN_NOWHERE;
}
