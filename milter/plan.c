#include "milter/plan.h"

#include <string.h>

#include "lib/base/escape.h"
#include "lib/net/ldapvalue.h"

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
    return err_set(err, ERR_SYNTAX, "\"%s\" is not an address: %s", shown,
                   why.kind != ERR_NONE ? why.text : "it has no domain");
}

/* What was found so far. */
struct found {
    struct mailaddr first, primary;
    size_t n;         /* different from the first, which is counted */
    size_t primaries; /* the same of SMTP: in capitals */
    bool plain;       /* one has no word in front */
    bool passed_over;
    bool wrong; /* one is no address */
};

static void count(const struct mailaddr *addr, struct mailaddr *first, size_t *n)
{
    if (*n == 0)
        *first = *addr;
    if (*n == 0 || strcmp(addr->key, first->key) != 0)
        ++*n;
}

/* One value, or part of one. after_foreign: of which a part before it belongs to another
 * network, so that it may be more of that. false: no memory. */
static bool add_address(struct slice text, bool *after_foreign, struct arena *arena,
                        struct found *found, struct err *err)
{
    struct mailaddr addr;
    struct slice rest;
    struct err why = {0};
    enum ldapvalue_kind kind = ldapvalue_kind(text, &rest);

    if (kind == LDAPVALUE_FOREIGN) {
        found->passed_over = *after_foreign = true;
        return true;
    }
    bool good = parse_address(rest, arena, &addr, &why);
    if (!good && kind == LDAPVALUE_PLAIN && *after_foreign)
        return why.kind != ERR_MEMORY || err_set(err, ERR_MEMORY, "%s", why.text);
    found->plain = found->plain || kind == LDAPVALUE_PLAIN;
    if (!good) {
        *err = why;
        found->wrong = true;
        return why.kind != ERR_MEMORY;
    }
    count(&addr, &found->first, &found->n);
    if (kind == LDAPVALUE_PRIMARY)
        count(&addr, &found->primary, &found->primaries);
    return true;
}

bool plan_addresses(const char *addresses, struct arena *arena, struct mailaddr *first_out,
                    size_t *n_out, struct err *err)
{
    bool none = addresses[0] == '\0', after_foreign = false;
    struct found found = {0};
    struct err why = {0};

    *n_out = 0;
    while (*addresses != '\0') {
        size_t n = address_length(addresses);
        struct slice one = slice_trim((struct slice){addresses, n});
        if (one.n > 0 && !add_address(one, &after_foreign, arena, &found, &why))
            return err_set(err, why.kind, "%s", why.text);
        after_foreign = after_foreign && addresses[n] == ',';
        addresses += n + (addresses[n] != '\0');
    }
    bool one_counts = found.primaries == 1 && !found.plain;
    if (found.wrong && !one_counts)
        return err_set(err, why.kind, "%s", why.text);
    if (found.n > 0)
        *first_out = one_counts ? found.primary : found.first;
    *n_out = one_counts ? 1 : found.n;
    return none || found.n > 0 || found.passed_over ||
           err_set(err, ERR_SYNTAX, "the value is empty");
}
