#include "milter/mapsnames.h"

#include "lib/base/strmap.h"
#include "lib/mta/lint.h"
#include "lib/net/dns.h"

/* Names under way together. The questions for more would not fit into the
 * buffers of a usual socket, and a lost one costs seconds. */
#define AT_ONCE 64

static const enum dns_type asked[] = {DNS_A, DNS_AAAA, DNS_MX}; /* MX: only where it counts */

struct name {
    const struct route *route;
    const struct nexthop *hop;
    bool last; /* of several hosts */
    struct dns_query *queries[ARRAY_LEN(asked)];
};

struct names {
    struct name list[MAPSNAMES_MAX];
    size_t n;
};

/* The first route that names a host stands for it. */
static void collect(const struct routes *routes, bool last_only, struct strmap *seen,
                    struct names *names)
{
    for (size_t i = 0; i < routes_count(routes); i++) {
        const struct route *route = routes_get(routes, i);
        for (size_t j = 0; j < route->nhosts; j++) {
            bool there = true, last = route->nhosts > 1 && j + 1 == route->nhosts;
            if (names->n == MAPSNAMES_MAX)
                return;
            if (!route->hosts[j].is_ip && (last || !last_only) &&
                strmap_add(seen, slice_of(route->hosts[j].host), 1, &there) && !there)
                names->list[names->n++] =
                    (struct name){.route = route, .hop = &route->hosts[j], .last = last};
        }
    }
}

static void ask(struct dns *dns, struct name *name, mono_us deadline)
{
    for (size_t i = 0; i < ARRAY_LEN(asked); i++)
        if (asked[i] != DNS_MX || name->hop->mx)
            name->queries[i] = dns_ask(dns, asked[i], name->hop->host, deadline);
}

struct findings {
    bool missing; /* every question had an answer, and each the same: nothing there */
    const struct maps_listener *own; /* the service of ours it leads to; NULL: none */
};

static void look(const struct maps_input *input, struct name *name, mono_us deadline,
                 struct findings *found_out)
{
    bool by_mx = false;

    *found_out = (struct findings){.missing = true};
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        if (asked[i] == DNS_MX && !name->hop->mx)
            continue;
        const struct dns_answer *answer = dns_wait(name->queries[i], deadline);
        bool nothing = answer->outcome == DNS_NXDOMAIN || answer->outcome == DNS_NODATA;
        found_out->missing = found_out->missing && nothing;
        by_mx = by_mx || (asked[i] == DNS_MX && !nothing);
        for (size_t j = 0; asked[i] != DNS_MX && j < answer->n && found_out->own == NULL; j++)
            found_out->own = lint_own_service(input, name->hop, &answer->records[j].ip);
        dns_drop(name->queries[i]);
    }
    if (by_mx)
        found_out->own = NULL;
}

static void tell(const struct name *name, enum maps_mta mta, struct problems *problems)
{
    problem_warning(problems, name->route->at, "%s: %s is not in DNS%s", name->route->key,
                    name->hop->host,
                    name->last && mta == MAPS_POSTFIX
                        ? "; Postfix bounces mail when the last of several hosts does not exist"
                        : "");
}

static void judge(const struct maps_input *input, struct name *name, enum maps_mta mta,
                  mono_us deadline, struct problems *problems)
{
    struct findings found;

    look(input, name, deadline, &found);
    if (found.missing)
        tell(name, mta, problems);
    if (found.own != NULL)
        lint_tell_loop(name->route, name->hop, found.own, problems);
}

void mapsnames_check(const struct snapshot *snapshot, const struct maps_input *input,
                     enum maps_mta mta, bool last_only, struct problems *problems)
{
    struct err err = {0};
    mono_us deadline = mono_now() + MONO_SECONDS(MAPSNAMES_SECONDS);
    struct names *names = calloc(1, sizeof *names);
    struct strmap *seen = strmap_new();
    struct dns *dns = NULL;

    if (names == NULL || seen == NULL)
        goto out;
    collect(input->routes, last_only, seen, names);
    if (names->n > 0)
        dns = dns_new(snapshot->dns, &err);
    if (dns == NULL)
        goto out;
    for (size_t i = 0; i < names->n + AT_ONCE; i++) {
        if (i >= AT_ONCE)
            judge(input, &names->list[i - AT_ONCE], mta, deadline, problems);
        if (i < names->n)
            ask(dns, &names->list[i], deadline);
    }
out:
    if (err.kind != ERR_NONE)
        problem_warning(problems, (struct place){0}, "hosts of routes are not looked up: %s",
                        err.text);
    dns_free(dns);
    strmap_free(seen);
    free(names);
}
