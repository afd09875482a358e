#include "milter/mxcheck.h"

#include "lib/base/strmap.h"
#include "lib/net/servers.h"
#include "milter/plan.h"

/* Questions under way together: those for more would not fit into the buffers of a
 * usual socket, and a lost one costs seconds. */
#define AT_ONCE 64

struct domain {
    const struct rat_entry *entry; /* the first of a RAT that has it */
    struct dns_query *query;       /* owned; for its MX */
};

struct domains {
    struct strmap *seen;
    size_t n;
    struct domain list[MXCHECK_MAX];
};

/* Is it DNS, and DNS alone, that says where recipients of the domain are? */
static bool by_dns(const struct callahead_plan *plan, const struct rat_entry *entry)
{
    const struct route *route;

    if (plan->profile.keys->type != CALLAHEAD_DELIVERY_HOST || plan->routing != NULL ||
        !entry->accept || entry->form != RAT_DOMAIN || (entry->flags & RAT_BYPASS_CALLAHEAD) != 0)
        return false;
    route = routes_lookup(plan->routes, entry->key);
    return route == NULL || route->kind == ROUTE_NONE || route->kind == ROUTE_USEDNS;
}

static void collect(const struct listener *listener, struct domains *domains)
{
    for (size_t i = 0; listener->rat != NULL && i < rat_entries(listener->rat); i++) {
        const struct rat_entry *entry = rat_entry_get(listener->rat, i);
        bool there = true;
        if (domains->n == MXCHECK_MAX)
            return;
        if (by_dns(listener->callahead->plan, entry) &&
            strmap_add(domains->seen, slice_of(entry->key), 1, &there) && !there)
            domains->list[domains->n++].entry = entry;
    }
}

static void judge(const struct snapshot *snapshot, struct dns *dns, struct domain *domain,
                  mono_us deadline, struct problems *problems)
{
    const struct servers_question question = {.mx_domain = domain->entry->key,
                                              .our_name = snapshot->hostname};
    struct servers servers;

    (void)dns_wait(domain->query, deadline);
    if (servers_resolve(dns, &question, deadline, NULL, NULL, &servers) == SERVERS_OURSELVES)
        problem_warning(problems, domain->entry->at, "%s; without one call-ahead asks nobody",
                        servers.why);
    dns_drop(domain->query);
}

void mxcheck(const struct snapshot *snapshot, struct problems *problems)
{
    struct err err = {0};
    mono_us deadline = mono_now() + MONO_SECONDS(MXCHECK_SECONDS);
    struct domains *domains = calloc(1, sizeof *domains);
    struct dns *dns = NULL;

    if (domains == NULL || (domains->seen = strmap_new()) == NULL)
        goto out;
    for (size_t i = 0; i < snapshot->listeners.n; i++) {
        if (snapshot->listeners.v[i]->callahead != NULL)
            collect(snapshot->listeners.v[i], domains);
    }
    if (domains->n > 0)
        dns = dns_new(snapshot->dns, &err);
    if (dns == NULL)
        goto out;
    for (size_t i = 0; i < domains->n + AT_ONCE; i++) {
        if (i >= AT_ONCE)
            judge(snapshot, dns, &domains->list[i - AT_ONCE], deadline, problems);
        if (i < domains->n)
            domains->list[i].query = dns_ask(dns, DNS_MX, domains->list[i].entry->key, deadline);
    }
out:
    if (err.kind != ERR_NONE)
        problem_warning(problems, (struct place){0}, "domains are not looked up: %s", err.text);
    dns_free(dns);
    if (domains != NULL)
        strmap_free(domains->seen);
    free(domains);
}
