#include <string.h>

#include "lib/base/strmap.h"
#include "lib/mta/lint_inner.h"
#include "lib/mta/rat_domains.h"

/* --- routes that lead back here ----------------------------------------------- */

static bool is_this_host(const struct maps_input *input, const struct ip *ip)
{
    static const struct ip none = {.b = {0}};
    bool any = ip_is_v4(ip) ? ip_v4(ip) == 0 : ip_equal(ip, &none);
    return any || (input->is_own != NULL && input->is_own(ip));
}

/* A listener without an address has all of this host. */
static bool is_service(const struct maps_input *input, const struct maps_listener *listener,
                       const struct nexthop *hop, const struct ip *ip)
{
    int64_t port = listener->local_port != 0 ? listener->local_port : ROUTES_PORT;
    bool everywhere = listener->local_address[0] == '\0';
    if (hop->port != port)
        return false;
    if (ip == NULL)
        return (input->hostname != NULL && strcmp(hop->host, input->hostname) == 0) ||
               (everywhere && strcmp(hop->host, "localhost") == 0);
    struct ip own;
    if (ip_parse(slice_of(listener->local_address), &own))
        return ip_equal(&own, ip);
    return everywhere && is_this_host(input, ip);
}

const struct maps_listener *lint_own_service(const struct maps_input *input,
                                             const struct nexthop *hop, const struct ip *ip)
{
    for (size_t i = 0; i < input->nlisteners; i++)
        if (is_service(input, &input->listeners[i], hop, ip))
            return &input->listeners[i];
    return NULL;
}

void lint_tell_loop(const struct route *route, const struct nexthop *hop,
                    const struct maps_listener *listener, struct problems *problems)
{
    char host[400];
    problem_warning(problems, route->at,
                    "%s: %s is [listener %s] itself: the mail would come back here", route->key,
                    nexthop_text(hop, host, sizeof host), listener->name);
}

static void check_hop(struct lint *lint, const struct route *route, const struct nexthop *hop)
{
    const struct maps_listener *own =
        lint_own_service(lint->input, hop, hop->is_ip ? &hop->ip : NULL);
    if (own != NULL && lint_say(lint, OWN_HOST))
        lint_tell_loop(route, hop, own, lint->problems);
}

/* --- RATs and routes against each other ------------------------------------------ */

/* What some RAT accepts. */
struct accepted {
    struct lint *lint;
    struct strmap *keys;  /* "example.com", ".example.com" */
    struct strmap *above; /* ".com", ".example.com": something below it is accepted */
    bool failed;
};

static void add_above(struct accepted *accepted, const char *domain)
{
    const char *dot = domain[0] == '.' ? domain : strchr(domain, '.');
    for (; dot != NULL; dot = strchr(dot + 1, '.'))
        if (!strmap_add(accepted->above, slice_of(dot), 1, NULL))
            accepted->failed = true;
}

/* A domain without a route goes by MX, and these often name us. */
static void take_domain(void *arg, const char *domain, struct place at)
{
    struct accepted *accepted = arg;
    bool there = false;
    if (!strmap_add(accepted->keys, slice_of(domain), 1, &there))
        accepted->failed = true;
    if (there || domain[0] == '[')
        return;
    add_above(accepted, domain);
    char below[300];
    snprintf(below, sizeof below, domain[0] == '.' ? "*%s" : "%s", domain);
    const struct route *route = routes_lookup(accepted->lint->input->routes, below);
    if ((route == NULL || route->kind == ROUTE_NONE) && lint_say(accepted->lint, NO_ROUTE))
        problem_warning(accepted->lint->problems, at,
                        "%s has no SMTP route: its mail goes where its MX records point, and this "
                        "host must not be the best of them",
                        domain);
}

static bool is_reached(const struct accepted *accepted, const char *key)
{
    return strcmp(key, "ALL") == 0 || strmap_get(accepted->keys, slice_of(key)) != STRMAP_NONE ||
           strmap_longest_suffix(accepted->keys, key) != STRMAP_NONE ||
           (key[0] == '.' && strmap_get(accepted->above, slice_of(key)) != STRMAP_NONE);
}

static void check_reach(const struct accepted *accepted, const struct route *route)
{
    if (!is_reached(accepted, route->key) && lint_say(accepted->lint, NOT_REACHED))
        problem_warning(accepted->lint->problems, route->at,
                        "%s: no RAT accepts recipients there, and no sender group may relay: only "
                        "clients that authenticate would use this route",
                        route->key);
}

/* Does every route have its use: no RAT at all, an entry that names no domain, a group
 * that relays, or a directory, whose hosts are looked up in the routes? */
static bool anything_goes(const struct maps_input *input)
{
    bool judged = false;
    for (size_t i = 0; i < input->nlisteners; i++) {
        const struct maps_listener *listener = &input->listeners[i];
        judged = judged || listener->rat != NULL;
        for (size_t j = 0; j < hat_groups(listener->hat); j++) {
            struct hat_match match;
            hat_group_get(listener->hat, j, &match);
            if (match.policy->keys.access == POLICY_RELAY)
                return true;
        }
        for (size_t j = 0; listener->rat != NULL && j < rat_entries(listener->rat); j++) {
            const struct rat_entry *entry = rat_entry_get(listener->rat, j);
            if (entry->accept && (entry->form == RAT_USER || entry->form == RAT_ALL))
                return true;
        }
    }
    return !judged || input->directory != NULL;
}

void lint_reach(struct lint *lint)
{
    const struct maps_input *input = lint->input;
    struct accepted accepted = {lint, strmap_new(), strmap_new(), false};
    bool ok = accepted.keys != NULL && accepted.above != NULL;
    for (size_t i = 0; ok && i < input->nlisteners; i++)
        if (input->listeners[i].rat != NULL)
            ok = rat_domains_each(input->listeners[i].rat, take_domain, &accepted) &&
                 !accepted.failed;
    bool any = !ok || anything_goes(input);
    for (size_t i = 0; ok && i < routes_count(input->routes); i++) {
        const struct route *route = routes_get(input->routes, i);
        for (size_t j = 0; j < route->nhosts; j++)
            check_hop(lint, route, &route->hosts[j]);
        if (!any)
            check_reach(&accepted, route);
    }
    if (!ok)
        problem_error(lint->problems, (struct place){0}, "out of memory");
    strmap_free(accepted.keys);
    strmap_free(accepted.above);
}
