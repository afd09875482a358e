#include "lib/mta/lint.h"

#include <string.h>

#include "lib/base/strmap.h"
#include "lib/mta/idnkey.h"
#include "lib/mta/postfix_maps.h"

/* What may be said many times, and is cut after LINT_SAME_MAX. */
enum kind { EQUAL_PRIORITY, AUTH_LATER, TLS_TWICE, TLS_DEFAULT, UNSAFE_KEY, RAT_USERS, KINDS };

static const char *const kind_names[KINDS] = {
    "routes with hosts of equal priority",
    "routes with auth=",
    "hosts with two tls= levels",
    "routes whose tls= cannot be written",
    "names that cannot be written as U-labels",
    "RAT entries without a domain",
};

struct lint {
    struct problems *problems;
    size_t said[KINDS];
};

/* Has this kind been said so often that this one is only counted? */
static bool say(struct lint *lint, enum kind kind)
{
    return ++lint->said[kind] <= LINT_SAME_MAX;
}

static void say_the_rest(struct lint *lint)
{
    for (size_t i = 0; i < KINDS; i++)
        if (lint->said[i] > LINT_SAME_MAX)
            problem_warning(lint->problems, (struct place){0}, "%zu more %s",
                            lint->said[i] - LINT_SAME_MAX, kind_names[i]);
}

static void lint_key(struct lint *lint, const char *key, struct place at)
{
    char unicode[IDNKEY_MAX];
    if (idnkey_form(key, unicode) == IDNKEY_UNSAFE && say(lint, UNSAFE_KEY))
        problem_warning(lint->problems, at,
                        "%s is written as an A-label only: Postfix would take %s for another name",
                        key, unicode);
}

/* --- routes ------------------------------------------------------------------ */

static bool shares_load(const struct route *route)
{
    for (size_t i = 1; i < route->nhosts; i++)
        if (route->hosts[i].priority == route->hosts[i - 1].priority)
            return true;
    return false;
}

/* Remembers the level of each host; the route has one. */
static void lint_tls(struct lint *lint, const struct route *route, struct strmap *levels)
{
    uint32_t tls = postfix_maps_tls(route);
    for (size_t i = 0; i < route->nhosts; i++) {
        char host[400];
        struct slice key = slice_of(nexthop_text(&route->hosts[i], host, sizeof host));
        uint32_t before = strmap_get(levels, key);
        if (before == STRMAP_NONE) {
            if (!strmap_add(levels, key, tls, NULL))
                problem_error(lint->problems, route->at, "out of memory");
        } else if (before != tls && say(lint, TLS_TWICE)) {
            problem_warning(lint->problems, route->at,
                            "%s: another route has another tls= for %s; Postfix knows one a host, "
                            "and gets the strictest",
                            route->key, host);
        }
    }
    if (route->kind == ROUTE_USEDNS && strcmp(route->key, "ALL") == 0 && say(lint, TLS_DEFAULT))
        problem_warning(lint->problems, route->at,
                        "ALL: tls= of a default by MX is not a map entry; set "
                        "smtp_tls_security_level in main.cf");
}

static void lint_route(struct lint *lint, const struct route *route, struct strmap *levels)
{
    if (shares_load(route) && say(lint, EQUAL_PRIORITY))
        problem_warning(lint->problems, route->at,
                        "%s: hosts of equal priority; Postfix does not share the load, but tries "
                        "them in the order written",
                        route->key);
    if (route->auth != NULL && say(lint, AUTH_LATER))
        problem_warning(lint->problems, route->at, "%s: auth=%s is not yet written to the maps",
                        route->key, route->auth);
    if (postfix_maps_tls(route) != ROUTE_TLS_UNSET)
        lint_tls(lint, route, levels);
    lint_key(lint, route->key, route->at);
}

static void lint_routes(struct lint *lint, const struct routes *routes)
{
    struct strmap *levels = strmap_new();
    if (levels == NULL) {
        problem_error(lint->problems, (struct place){0}, "out of memory");
        return;
    }
    for (size_t i = 0; i < routes_count(routes); i++)
        lint_route(lint, routes_get(routes, i), levels);
    strmap_free(levels);
}

/* The name becomes a word of the transport map. */
static void lint_transport(struct lint *lint, const char *transport)
{
    if (!maps_name_ok(transport))
        problem_error(lint->problems, (struct place){0},
                      "[routes] transport: \"%s\" is not the name of a service in master.cf; "
                      "letters, digits, '-', '_' and '.' are allowed",
                      transport);
}

/* --- RAT ---------------------------------------------------------------------- */

static void lint_rat(struct lint *lint, const struct rat *rat, bool force)
{
    const struct rat_entry *all = rat_accepts_all(rat);
    if (all != NULL && force)
        problem_warning(lint->problems, all->at,
                        "ALL ACCEPT: an open relay, any client may send to any domain");
    else if (all != NULL)
        problem_error(lint->problems, all->at,
                      "ALL ACCEPT: an open relay, any client may send to any domain; maps are "
                      "written only with --force");
    for (size_t i = 0; i < rat_entries(rat); i++) {
        const struct rat_entry *entry = rat_entry_get(rat, i);
        if (entry->accept && entry->form == RAT_USER && say(lint, RAT_USERS))
            problem_warning(lint->problems, entry->at,
                            "%s is accepted only at domains that other entries accept: it names "
                            "none for relay_domains",
                            entry->address);
        if (entry->accept && (entry->form == RAT_DOMAIN || entry->form == RAT_BELOW))
            lint_key(lint, entry->key, entry->at);
    }
}

/* --- HAT ---------------------------------------------------------------------- */

/* What one group holds. */
struct sight {
    struct hat_match match;
    const char *doubt; /* the first entry that is no address; NULL: none */
    bool addresses;
    bool all; /* nothing behind this group can match */
};

/* *entry: the first entry of the group, moved to the first of the next one. */
static void look_at_group(const struct hat *hat, size_t group, size_t *entry,
                          struct sight *sight_out)
{
    *sight_out = (struct sight){.doubt = hat_group_classes(hat, group) != 0 ? "unverified" : NULL,
                                .all = group + 1 == hat_groups(hat)};
    hat_group_get(hat, group, &sight_out->match);
    if (sight_out->all)
        sight_out->doubt = "ALL";
    for (; *entry < hat_entries(hat); ++*entry) {
        struct hat_entry found;
        hat_entry_get(hat, *entry, &found);
        if (found.group != group)
            break;
        bool address = found.kind == HAT_ENTRY_RANGE || found.kind == HAT_ENTRY_GROUP_RANGE;
        sight_out->addresses = sight_out->addresses || address;
        sight_out->all = sight_out->all || found.kind == HAT_ENTRY_ALL;
        if (!address && sight_out->doubt == NULL)
            sight_out->doubt = found.text;
    }
    if (sight_out->match.policy->keys.access == POLICY_CONTINUE)
        sight_out->all = false;
}

static bool relays(const struct sight *sight)
{
    return sight->match.policy->keys.access == POLICY_RELAY;
}

/* One more than the last group that may match, relays, and holds addresses. */
static size_t find_last_relay(const struct hat *hat)
{
    size_t found = 0, entry = 0;
    struct sight sight = {.all = false};
    for (size_t group = 0; !sight.all && group < hat_groups(hat); group++) {
        look_at_group(hat, group, &entry, &sight);
        if (relays(&sight) && sight.addresses)
            found = group + 1;
    }
    return found;
}

static void lint_group(struct lint *lint, const struct maps_listener *listener,
                       const struct sight *sight, bool relay_follows)
{
    const struct hat_match *match = &sight->match;
    struct place at = match->at.file != NULL ? match->at : listener->at;
    const char *colon = match->group != NULL ? ": " : "";
    const char *group = match->group != NULL ? match->group : "";
    if (sight->doubt == NULL || match->policy->keys.access == POLICY_CONTINUE)
        return;
    if (relays(sight))
        problem_warning(lint->problems, at,
                        "[listener %s] %s%s%s leads to relay, but only addresses can be written to "
                        "relay_clients: Postfix refuses to relay for such a client",
                        listener->name, group, colon, sight->doubt);
    else if (relay_follows)
        problem_warning(lint->problems, at,
                        "[listener %s] %s%s%s stands ahead of addresses that may relay; Postfix "
                        "cannot see it, and lets such a client as far as the milter",
                        listener->name, group, colon, sight->doubt);
}

static void lint_hat(struct lint *lint, const struct maps_listener *listener)
{
    size_t last_relay = find_last_relay(listener->hat), entry = 0;
    struct sight sight = {.all = false};
    for (size_t group = 0; !sight.all && group < hat_groups(listener->hat); group++) {
        look_at_group(listener->hat, group, &entry, &sight);
        lint_group(lint, listener, &sight, group + 1 < last_relay);
    }
}

static void lint_listener(struct lint *lint, const struct maps_listener *listener, bool force)
{
    if (!maps_name_ok(listener->name))
        problem_error(lint->problems, listener->at,
                      "[listener %s]: the name becomes part of file names; letters, digits, '-', "
                      "'_' and '.' are allowed, at most 64, not beginning with '-' or '.'",
                      listener->name);
    lint_hat(lint, listener);
    if (listener->rat != NULL)
        lint_rat(lint, listener->rat, force);
}

void lint_maps(const struct maps_input *input, bool force, struct problems *problems)
{
    struct lint lint = {.problems = problems};
    lint_transport(&lint, input->transport);
    lint_routes(&lint, input->routes);
    for (size_t i = 0; i < input->nlisteners; i++)
        lint_listener(&lint, &input->listeners[i], force);
    say_the_rest(&lint);
}
