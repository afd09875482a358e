#include "lib/mta/lint.h"

#include <string.h>

#include "lib/base/strmap.h"
#include "lib/mta/idnkey.h"
#include "lib/mta/ldap_maps.h"
#include "lib/mta/lint_inner.h"
#include "lib/mta/sendmail_ldap.h"
#include "lib/mta/sendmail_maps.h"

static const char *const kind_names[LINT_KINDS] = {
    "routes with hosts of equal priority",
    "hosts with two auth= profiles",
    "hosts with auth= that MX records name",
    "addresses with tls=verify",
    "hosts with two tls= levels",
    "routes whose tls= cannot be written",
    "names that cannot be written as U-labels",
    "RAT entries without a domain",
    "hosts of routes that are this host",
    "domains without a route",
    "routes that no RAT leads to",
};

static const char *mta_name(const struct lint *lint)
{
    return lint->mta == MAPS_SENDMAIL ? "Sendmail" : "Postfix";
}

bool lint_say(struct lint *lint, enum lint_kind kind)
{
    return ++lint->said[kind] <= LINT_SAME_MAX;
}

static void say_the_rest(struct lint *lint)
{
    for (size_t i = 0; i < LINT_KINDS; i++)
        if (lint->said[i] > LINT_SAME_MAX)
            problem_warning(lint->problems, (struct place){0}, "%zu more %s",
                            lint->said[i] - LINT_SAME_MAX, kind_names[i]);
}

static void lint_key(struct lint *lint, const char *key, struct place at)
{
    char unicode[IDNKEY_MAX];
    if (idnkey_form(key, unicode) == IDNKEY_UNSAFE && lint_say(lint, UNSAFE_KEY))
        problem_warning(lint->problems, at,
                        "%s is written as an A-label only: the MTA would take %s for another name",
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
    uint32_t tls = maps_tls_of(route);
    for (size_t i = 0; i < route->nhosts; i++) {
        char host[400];
        struct slice key = slice_of(nexthop_text(&route->hosts[i], host, sizeof host));
        uint32_t before = strmap_get(levels, key);
        if (before == STRMAP_NONE) {
            if (!strmap_add(levels, key, tls, NULL))
                problem_error(lint->problems, route->at, "out of memory");
        } else if (before != tls && lint_say(lint, TLS_TWICE)) {
            problem_warning(lint->problems, route->at,
                            "%s: another route has another tls= for %s; %s knows one a host, "
                            "and gets the strictest",
                            route->key, host, mta_name(lint));
        }
    }
    if (route->kind == ROUTE_USEDNS && strcmp(route->key, "ALL") == 0 &&
        lint_say(lint, TLS_DEFAULT))
        problem_warning(lint->problems, route->at,
                        "ALL: tls= of a default by MX is not a map entry; set "
                        "smtp_tls_security_level in main.cf");
}

/* A password that holds ':' is no trouble, a user's name that does is one: Postfix
 * takes what stands before the first. */
static bool auth_can_be_written(const struct lint *lint, const struct maps_auth *auth)
{
    return lint->mta == MAPS_SENDMAIL || strchr(auth->user, ':') == NULL;
}

/* Below a suffix, and by default, there is no name to look for. */
static void lint_auth_by_domain(struct lint *lint, const struct route *route)
{
    bool below = route->key[0] == '.';
    if (lint->mta == MAPS_POSTFIX && route->kind == ROUTE_USEDNS &&
        (below || strcmp(route->key, "ALL") == 0))
        problem_error(lint->problems, route->at,
                      "%s: auth=%s: Postfix looks credentials up by the host or the very domain; "
                      "%s%s mail would go without; name hosts, or each domain",
                      route->key, route->auth, below ? "below " : "by default",
                      below ? route->key : "");
}

static void lint_verify(struct lint *lint, const struct route *route)
{
    for (size_t i = 0; maps_tls_of(route) == ROUTE_TLS_VERIFY && i < route->nhosts; i++)
        if (route->hosts[i].is_ip && lint_say(lint, VERIFY_ADDRESS))
            problem_warning(lint->problems, route->at,
                            "%s: tls=verify compares the name in the certificate with %s, which is "
                            "none: write the host's name",
                            route->key, route->hosts[i].host);
}

/* The hosts of a route that MX records name are not known here. */
static bool has_mx(const struct route *route)
{
    for (size_t i = 0; i < route->nhosts; i++)
        if (route->hosts[i].mx && !route->hosts[i].is_ip)
            return true;
    return route->kind == ROUTE_USEDNS;
}

static void lint_auth(struct lint *lint, const struct route *route, struct strmap *users)
{
    const struct maps_auth *auth = maps_auth_of(lint->input, route);
    if (auth == NULL) {
        problem_error(lint->problems, route->at, "%s: auth=%s: there is no [auth %s]", route->key,
                      route->auth, route->auth);
        return;
    }
    lint_auth_by_domain(lint, route);
    if (!auth_can_be_written(lint, auth))
        problem_error(lint->problems, route->at,
                      "%s: auth=%s: user \"%s\" cannot be written for Postfix; no ':' is allowed",
                      route->key, route->auth, auth->user);
    if (lint->mta == MAPS_SENDMAIL &&
        (strlen(auth->user) > SENDMAIL_SECRET_MAX ||
         (auth->password != NULL && strlen(auth->password) > SENDMAIL_SECRET_MAX)))
        problem_error(lint->problems, route->at,
                      "%s: auth=%s: Sendmail takes a user and a password of at most %d bytes",
                      route->key, route->auth, SENDMAIL_SECRET_MAX);
    if (lint->mta == MAPS_SENDMAIL && has_mx(route) && lint_say(lint, AUTH_BY_MX))
        problem_warning(lint->problems, route->at,
                        "%s: auth=%s: Sendmail looks credentials up by the host it reached; write "
                        "[HOST] in place of names with MX records",
                        route->key, route->auth);
    uint32_t number = (uint32_t)(auth - lint->input->auths);
    for (size_t i = 0; i < route->nhosts; i++) {
        char host[400];
        struct slice key = slice_of(nexthop_text(&route->hosts[i], host, sizeof host));
        uint32_t before = strmap_get(users, key);
        if (before == STRMAP_NONE) {
            if (!strmap_add(users, key, number, NULL))
                problem_error(lint->problems, route->at, "out of memory");
        } else if (before != number && lint_say(lint, AUTH_TWICE)) {
            problem_warning(lint->problems, route->at,
                            "%s: another route has another auth= for %s; %s knows one a host, and "
                            "gets the first",
                            route->key, host, mta_name(lint));
        }
    }
}

static void lint_ports(struct lint *lint, const struct route *route)
{
    unsigned port = sendmail_port(route);
    if (route->nhosts > 0 && port == 0)
        problem_error(lint->problems, route->at,
                      "%s: hosts with different ports; Sendmail can only try hosts with the same "
                      "port one after the other",
                      route->key);
    if (port == 0 || port == ROUTES_PORT)
        return;
    size_t i = 0;
    while (i < lint->nports && lint->ports[i] != port)
        i++;
    if (i < lint->nports)
        return;
    if (lint->nports == SENDMAIL_PORTS_MAX)
        problem_error(lint->problems, route->at,
                      "%s: port %u is one more than the %d different ports Sendmail has mailers "
                      "for",
                      route->key, port, SENDMAIL_PORTS_MAX);
    else
        lint->ports[lint->nports++] = port;
}

/* What is cut off may leave a name that is somebody else's. */
static void lint_length(struct lint *lint, const struct route *route)
{
    struct strbuf hosts;
    strbuf_init(&hosts);
    sendmail_put_hosts(route, &hosts);
    if (hosts.failed)
        problem_error(lint->problems, route->at, "out of memory");
    if (hosts.n > SENDMAIL_HOSTS_MAX)
        problem_error(lint->problems, route->at,
                      "%s: its hosts are %zu bytes in Sendmail's writing, which takes %d and cuts "
                      "off the rest: name fewer hosts",
                      route->key, hosts.n, SENDMAIL_HOSTS_MAX);
    strbuf_done(&hosts);
}

static void lint_route(struct lint *lint, const struct route *route, struct strmap *levels,
                       struct strmap *users)
{
    if (shares_load(route) && lint_say(lint, EQUAL_PRIORITY))
        problem_warning(lint->problems, route->at,
                        "%s: hosts of equal priority; %s does not share the load, but tries "
                        "them in the order written",
                        route->key, mta_name(lint));
    if (route->auth != NULL)
        lint_auth(lint, route, users);
    if (lint->mta == MAPS_POSTFIX && maps_tls_of(route) != ROUTE_TLS_UNSET)
        lint_tls(lint, route, levels);
    if (lint->mta == MAPS_POSTFIX)
        lint_verify(lint, route);
    if (lint->mta == MAPS_SENDMAIL) {
        lint_ports(lint, route);
        lint_length(lint, route);
    }
    lint_key(lint, route->key, route->at);
}

static void lint_routes(struct lint *lint, const struct routes *routes)
{
    struct strmap *levels = strmap_new(), *users = strmap_new();
    if (levels == NULL || users == NULL)
        problem_error(lint->problems, (struct place){0}, "out of memory");
    else
        for (size_t i = 0; i < routes_count(routes); i++)
            lint_route(lint, routes_get(routes, i), levels, users);
    strmap_free(levels);
    strmap_free(users);
}

/* The name becomes a word of the transport map. */
static void lint_transport(struct lint *lint, const char *transport)
{
    if (lint->mta == MAPS_SENDMAIL && strchr(transport, '.') != NULL)
        problem_error(lint->problems, (struct place){0},
                      "[routes] transport: \"%s\" is not the name of a mailer of Sendmail; relay "
                      "and esmtp are there always",
                      transport);
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
        if (entry->accept && entry->form == RAT_USER && lint_say(lint, RAT_USERS))
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
    const char *huge;  /* the first one of more than a network of one's own; NULL: none */
    bool everybody;    /* huge is all of IPv4, or of IPv6 */
    bool addresses;
    bool all; /* nothing behind this group can match */
};

/* More than a /8, or an IPv6 /16. */
static bool is_huge(const struct hat_entry *entry)
{
    if (entry->kind != HAT_ENTRY_RANGE)
        return false;
    if (ip_is_v4(&entry->first) && ip_is_v4(&entry->last))
        return ip_v4(&entry->last) - ip_v4(&entry->first) >= 1U << 24;
    return entry->first.b[0] != entry->last.b[0] || entry->first.b[1] != entry->last.b[1];
}

static bool is_everybody(const struct hat_entry *entry)
{
    static const struct ip none = {.b = {0}};
    struct ip last;
    memset(&last, 0xff, sizeof last);
    if (ip_is_v4(&entry->first) && ip_is_v4(&entry->last))
        return ip_v4(&entry->first) == 0 && ip_v4(&entry->last) == UINT32_MAX;
    return ip_equal(&entry->first, &none) && ip_equal(&entry->last, &last);
}

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
        if (is_huge(&found) && !sight_out->everybody) {
            sight_out->huge = found.text;
            sight_out->everybody = is_everybody(&found);
        }
    }
    if (sight_out->match.policy->keys.access == POLICY_CONTINUE)
        sight_out->all = false;
}

static bool leads_to(const struct sight *sight, enum policy_access access)
{
    return (enum policy_access)sight->match.policy->keys.access == access;
}

/* One more than the last group that may match, leads there, and holds addresses. */
static size_t find_last(const struct hat *hat, enum policy_access access)
{
    size_t found = 0, entry = 0;
    struct sight sight = {.all = false};
    for (size_t group = 0; !sight.all && group < hat_groups(hat); group++) {
        look_at_group(hat, group, &entry, &sight);
        if (leads_to(&sight, access) && sight.addresses)
            found = group + 1;
    }
    return found;
}

#define HUGE "[listener %s] %s%s%s leads to relay: "

static void lint_huge(struct problems *problems, const struct maps_listener *listener,
                      const struct sight *sight, bool strict)
{
    const struct hat_match *match = &sight->match;
    struct place at = match->at.file != NULL ? match->at : listener->at;
    const char *colon = match->group != NULL ? ": " : "";
    const char *group = match->group != NULL ? match->group : "";
    if (sight->huge == NULL || !leads_to(sight, POLICY_RELAY))
        return;
    if (!sight->everybody)
        problem_warning(problems, at, HUGE "it is very large", listener->name, group, colon,
                        sight->huge);
    else if (!strict || listener->private)
        problem_warning(problems, at, HUGE "an open relay", listener->name, group, colon,
                        sight->huge);
    else
        problem_error(problems, at, HUGE "an open relay; maps are written only with --force",
                      listener->name, group, colon, sight->huge);
}

/* What comes behind a group, by address. */
struct follows {
    bool relay, refuse;
};

static void lint_group(struct problems *problems, const char *mta,
                       const struct maps_listener *listener, const struct sight *sight,
                       struct follows follows)
{
    const struct hat_match *match = &sight->match;
    struct place at = match->at.file != NULL ? match->at : listener->at;
    const char *colon = match->group != NULL ? ": " : "";
    const char *group = match->group != NULL ? match->group : "";
    if (sight->doubt == NULL || match->policy->keys.access == POLICY_CONTINUE)
        return;
    if (leads_to(sight, POLICY_RELAY))
        problem_warning(problems, at,
                        "[listener %s] %s%s%s leads to relay, but only addresses can be written to "
                        "the maps: %s refuses to relay for such a client",
                        listener->name, group, colon, sight->doubt, mta);
    else if (follows.relay)
        problem_warning(problems, at,
                        "[listener %s] %s%s%s stands ahead of addresses that may relay; %s "
                        "cannot see it, and lets such a client reach the milter",
                        listener->name, group, colon, sight->doubt, mta);
    if (follows.refuse && !leads_to(sight, POLICY_TCPREFUSE))
        problem_warning(problems, at,
                        "[listener %s] %s%s%s stands ahead of addresses to refuse (tcprefuse); %s "
                        "cannot see it, so that they are not written to the maps: refusing them is "
                        "left to Gatehouse",
                        listener->name, group, colon, sight->doubt, mta);
}

/* strict: all the world at a public listener is an error. */
static void lint_hat(const struct maps_input *input, struct problems *problems, const char *mta,
                     const struct maps_listener *listener, bool strict)
{
    size_t entry = 0, last_relay = find_last(listener->hat, POLICY_RELAY);
    size_t last_refuse = input->monitor ? 0 : find_last(listener->hat, POLICY_TCPREFUSE);
    struct sight sight = {.all = false};
    for (size_t group = 0; !sight.all && group < hat_groups(listener->hat); group++) {
        struct follows follows = {group + 1 < last_relay, group + 1 < last_refuse};
        look_at_group(listener->hat, group, &entry, &sight);
        lint_group(problems, mta, listener, &sight, follows);
        lint_huge(problems, listener, &sight, strict);
    }
}

void lint_clients(const struct maps_input *input, struct problems *problems)
{
    for (size_t i = 0; i < input->nlisteners; i++)
        lint_hat(input, problems, "the mail server", &input->listeners[i], false);
}

/* Sendmail tells services apart by their names, which are parts of keys. */
static void lint_service(struct lint *lint, size_t number)
{
    const struct maps_listener *listener = &lint->input->listeners[number];
    const char *name = sendmail_service(listener);
    if (!maps_name_ok(name))
        problem_error(lint->problems, listener->at,
                      "[listener %s] daemon_name: \"%s\" cannot be written for Sendmail; letters, "
                      "digits, '-', '_' and '.' are allowed, at most 64",
                      listener->name, name);
    for (size_t i = 0; i < number; i++)
        if (ascii_casecmp(sendmail_service(&lint->input->listeners[i]), name) == 0)
            problem_error(lint->problems, listener->at,
                          "[listener %s] daemon_name: [listener %s] is called \"%s\" too; Sendmail "
                          "distinguishes services by their names",
                          listener->name, lint->input->listeners[i].name, name);
}

static void lint_listener_name(struct lint *lint, const struct maps_listener *listener)
{
    if (!maps_name_ok(listener->name))
        problem_error(lint->problems, listener->at,
                      "[listener %s]: the name becomes part of file names; letters, digits, '-', "
                      "'_' and '.' are allowed, at most 64, not beginning with '-' or '.'",
                      listener->name);
}

static void lint_listener(struct lint *lint, const struct maps_listener *listener, bool force)
{
    lint_listener_name(lint, listener);
    lint_hat(lint->input, lint->problems, mta_name(lint), listener, !force);
    if (listener->rat != NULL)
        lint_rat(lint, listener->rat, force);
}

/* --- [routes] ldap ------------------------------------------------------------ */

/* Each asked about in its own pattern. */
static size_t subdomain_routes(const struct routes *routes)
{
    size_t n = 0;
    for (size_t i = 0; i < routes_count(routes); i++)
        n += routes_get(routes, i)->key[0] == '.';
    return n;
}

static void lint_directory(struct lint *lint, const struct maps_directory *directory)
{
    struct err err = {0};
    size_t n = subdomain_routes(lint->input->routes);
    if (lint->mta == MAPS_POSTFIX ? !ldap_maps_check(directory, &err)
                                  : !sendmail_ldap_check(directory, &err))
        problem_error(lint->problems, (struct place){0}, "[ldap %s] %s", directory->name, err.text);
    if (lint->mta == MAPS_POSTFIX && n > LDAP_SUBDOMAINS_MAX)
        problem_warning(lint->problems, (struct place){0},
                        "[routes] ldap: Postfix compares the mail host of each recipient with all "
                        "%zu routes for subdomains, one after the other",
                        n);
}

void lint_names(const struct maps_input *input, enum maps_mta mta, struct problems *problems)
{
    struct lint lint = {.problems = problems, .input = input, .mta = mta};
    lint_transport(&lint, input->transport);
    for (size_t i = 0; i < input->nlisteners; i++) {
        lint_listener_name(&lint, &input->listeners[i]);
        if (mta == MAPS_SENDMAIL)
            lint_service(&lint, i);
    }
    if (input->directory != NULL)
        lint_directory(&lint, input->directory);
}

void lint_maps(const struct maps_input *input, enum maps_mta mta, bool force,
               struct problems *problems)
{
    struct lint lint = {.problems = problems, .input = input, .mta = mta};
    lint_transport(&lint, input->transport);
    lint_routes(&lint, input->routes);
    for (size_t i = 0; i < input->nlisteners; i++) {
        lint_listener(&lint, &input->listeners[i], force);
        if (mta == MAPS_SENDMAIL)
            lint_service(&lint, i);
    }
    if (input->directory != NULL)
        lint_directory(&lint, input->directory);
    lint_reach(&lint);
    say_the_rest(&lint);
}
