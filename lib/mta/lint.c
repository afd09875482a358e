#include "lib/mta/lint.h"

#include <string.h>

#include "lib/base/strmap.h"
#include "lib/mta/idnkey.h"

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

/* Remembers the level of each host; tls is never UNSET here. */
static void lint_tls(struct lint *lint, const struct route *route, struct strmap *levels)
{
    for (size_t i = 0; i < route->nhosts; i++) {
        char host[400];
        struct slice key = slice_of(nexthop_text(&route->hosts[i], host, sizeof host));
        uint32_t before = strmap_get(levels, key);
        if (before == STRMAP_NONE) {
            if (!strmap_add(levels, key, (uint32_t)route->tls, NULL))
                problem_error(lint->problems, route->at, "out of memory");
        } else if (before != (uint32_t)route->tls && say(lint, TLS_TWICE)) {
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
    if (route->tls != ROUTE_TLS_UNSET)
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

static bool is_address(enum hat_entry_kind kind)
{
    return kind == HAT_ENTRY_RANGE || kind == HAT_ENTRY_GROUP_RANGE;
}

/* One more than the index of the last relay entry that is an address; 0: none.
 * *end_out: one more than the last entry that can match at all. */
static size_t find_last_relay(const struct hat *hat, size_t *end_out)
{
    size_t found = 0, i = 0, n = hat_entries(hat);
    for (bool all = false; i < n && !all; i++) {
        struct hat_entry entry;
        struct hat_match group;
        hat_entry_get(hat, i, &entry);
        hat_group_get(hat, entry.group, &group);
        if (group.policy->keys.access == POLICY_CONTINUE)
            continue;
        all = entry.kind == HAT_ENTRY_ALL;
        if (is_address(entry.kind) && group.policy->keys.access == POLICY_RELAY)
            found = i + 1;
    }
    *end_out = i;
    return found;
}

static void lint_hat_entry(struct lint *lint, const struct maps_listener *listener,
                           const struct hat_entry *entry, const struct hat_match *group,
                           bool relay_follows)
{
    const char *name = group->group != NULL ? group->group : entry->text;
    if (group->policy->keys.access == POLICY_RELAY)
        problem_warning(lint->problems, group->at,
                        "[listener %s] %s: %s leads to relay, but only addresses can be written "
                        "to relay_clients: Postfix refuses to relay for such a client",
                        listener->name, name, entry->text);
    else if (relay_follows)
        problem_warning(lint->problems, group->at,
                        "[listener %s] %s: %s stands ahead of addresses that may relay; Postfix "
                        "cannot see it, and lets such a client as far as the milter",
                        listener->name, name, entry->text);
}

/* The first such entry of each group speaks for all. */
static void lint_hat(struct lint *lint, const struct maps_listener *listener)
{
    size_t end, last_relay = find_last_relay(listener->hat, &end), said = SIZE_MAX;
    for (size_t i = 0; i < end; i++) {
        struct hat_entry entry;
        struct hat_match group;
        hat_entry_get(listener->hat, i, &entry);
        hat_group_get(listener->hat, entry.group, &group);
        if (is_address(entry.kind) || entry.group == said ||
            group.policy->keys.access == POLICY_CONTINUE)
            continue;
        lint_hat_entry(lint, listener, &entry, &group, i < last_relay);
        said = entry.group;
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
