#include "milter/plan.h"

#include <string.h>

#include "lib/base/escape.h"

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

/* --- hosts from a directory -------------------------------------------------------- */

struct hops {
    struct nexthop *v;
    size_t n;
};

static bool parse_hosts(const char *text, struct arena *arena, struct hops *out, struct err *err)
{
    out->v = arena_alloc(arena, ROUTES_HOSTS_MAX * sizeof *out->v);
    while (out->v != NULL && *text != '\0') {
        size_t n = strcspn(text, ",\n");
        struct slice one = slice_trim((struct slice){text, n});
        if (one.n > 0 && out->n == ROUTES_HOSTS_MAX)
            return err_set(err, ERR_RANGE, "the directory names more than %d hosts",
                           ROUTES_HOSTS_MAX);
        if (one.n > 0 && !nexthop_parse(one, SMTP_PORT, arena, &out->v[out->n++], err))
            return false;
        text += n + (text[n] != '\0');
    }
    return out->v != NULL || err_set(err, ERR_MEMORY, "out of memory");
}

static void add_hop(struct hops *to, struct nexthop hop)
{
    if (to->n < ROUTES_HOSTS_MAX)
        to->v[to->n++] = hop;
}

/* One host that a directory named, through the routes. */
static void add_routed(const struct callahead_plan *plan, const struct nexthop *hop, bool single,
                       struct hops *to)
{
    const struct route *route = hop->is_ip ? NULL : routes_lookup(plan->routes, hop->host);

    if (route != NULL && route->kind == ROUTE_DISCARD)
        return;
    if (route == NULL || route->kind != ROUTE_HOSTS) {
        add_hop(to, *hop);
        return;
    }
    for (size_t i = 0; i < route->nhosts; i++) {
        struct nexthop routed = route->hosts[i];
        if (!single || hop->port_given)
            routed.port = hop->port;
        routed.port_given = routed.port_given || hop->port_given;
        add_hop(to, routed);
    }
}

enum plan_kind plan_hosts(const struct callahead_plan *plan, const char *hosts, struct arena *arena,
                          struct callahead_where *where_out, struct err *err)
{
    struct hops named = {0}, routed = {0};

    if (!parse_hosts(hosts, arena, &named, err))
        return PLAN_NOWHERE;
    if ((routed.v = arena_alloc(arena, ROUTES_HOSTS_MAX * sizeof *routed.v)) == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return PLAN_NOWHERE;
    }
    if (named.n == 0) {
        err_set(err, ERR_SYNTAX, "the directory names no host");
        return PLAN_NOWHERE;
    }
    for (size_t i = 0; i < named.n; i++)
        add_routed(plan, &named.v[i], named.n == 1, &routed);
    *where_out = (struct callahead_where){.hosts = routed.v, .nhosts = routed.n};
    return routed.n > 0 ? PLAN_ASK : PLAN_DISCARD;
}

/* --- addresses from a directory ---------------------------------------------------- */

/* Up to the comma or newline behind it. */
static size_t address_length(const char *text)
{
    bool quoted = false;
    size_t n = 0;

    for (; text[n] != '\0' && text[n] != '\n' && (quoted || text[n] != ','); n++) {
        if (text[n] == '"')
            quoted = !quoted;
        else if (quoted && text[n] == '\\' && text[n + 1] != '\0' && text[n + 1] != '\n')
            n++;
    }
    return n;
}

static bool parse_address(struct slice text, struct arena *arena, struct mailaddr *out,
                          struct err *err)
{
    char shown[100];
    struct err why = {0};

    if (mailaddr_parse(text, MAILADDR_STRICT, false, arena, out, &why) &&
        out->kind != MAILADDR_LOCAL)
        return true;
    if (why.kind == ERR_MEMORY)
        return err_set(err, ERR_MEMORY, "out of memory");
    escape_reply(text, shown, sizeof shown);
    return err_set(err, ERR_SYNTAX, "\"%s\" is no address: %s", shown,
                   why.kind != ERR_NONE ? why.text : "it has no domain");
}

bool plan_addresses(const char *addresses, struct arena *arena, struct mailaddr *first_out,
                    size_t *n_out, struct err *err)
{
    bool none = addresses[0] == '\0';
    struct mailaddr addr;

    *n_out = 0;
    while (*addresses != '\0') {
        size_t n = address_length(addresses);
        struct slice one = slice_trim((struct slice){addresses, n});
        addresses += n + (addresses[n] != '\0');
        if (one.n == 0)
            continue;
        if (!parse_address(one, arena, &addr, err))
            return false;
        if (*n_out == 0)
            *first_out = addr;
        else if (strcmp(addr.key, first_out->key) == 0)
            continue;
        ++*n_out;
    }
    return none || *n_out > 0 || err_set(err, ERR_SYNTAX, "the value is empty");
}
