/* Directories of a snapshot. */
#include <string.h>

#include "lib/net/ldapfilter.h"
#include "lib/tables/routes_keys.h"
#include "milter/plan.h"
#include "milter/snapshot_parts.h"

static void check_servers(struct snapshot *snapshot, const struct conf_section *section,
                          const struct ldap_profile *profile, struct problems *problems)
{
    const struct key_list *uri = &profile->keys->uri;
    bool any_tls = false;

    if (uri->n > LDAPPOOL_SERVERS_MAX)
        conf_error(problems, section, "uri", "more than %d servers", LDAPPOOL_SERVERS_MAX);
    for (size_t i = 0; i < uri->n; i++) {
        struct err err = {0};
        bool tls = false;
        if (!ldap_profile_check(profile, uri->v[i].text, &tls, &err))
            problem_error(problems, uri->v[i].at, "[ldap %s] %s: %s", section->name,
                          err.kind == ERR_TLS ? "tls_priority" : "uri", err.text);
        any_tls = any_tls || tls;
    }
    if (any_tls)
        (void)snapshot_tls(snapshot, problems); /* tells what is wrong with its files */
}

static void check_query(const struct conf_section *section, const char *key, const char *filter,
                        struct problems *problems)
{
    struct err err = {0};
    if (filter[0] != '\0' && !ldapfilter_check(filter, &err))
        conf_error(problems, section, key, "%s", err.text);
    else if (filter[0] != '\0' && strchr(filter, '{') == NULL)
        conf_warning(problems, section, key,
                     "without a token it finds the same for every recipient");
}

static void check_profile(const struct conf_section *section, const struct ldap_keys *keys,
                          struct problems *problems)
{
    check_query(section, "accept_query", keys->accept_query, problems);
    check_query(section, "routing_query", keys->routing_query, problems);
    if (strstr(keys->routing_query, "{f}") != NULL)
        conf_warning(problems, section, "routing_query",
                     "{f} is always empty: call-ahead asks for all senders alike");
    if (keys->routing_address_attr[0] != '\0' && keys->routing_query[0] == '\0')
        conf_warning(problems, section, "routing_address_attr", "not used without routing_query");
    if (keys->bind_password[0] != '\0' && keys->bind_password_file[0] != '\0')
        conf_error(problems, section, "bind_password", "give it or bind_password_file, not both");
    else if (keys->bind_dn[0] != '\0' && keys->bind_password[0] == '\0' &&
             keys->bind_password_file[0] == '\0')
        conf_error(problems, section, "bind_dn",
                   "needs a password; give bind_password_file or bind_password");
    else if (keys->bind_dn[0] == '\0' &&
             (keys->bind_password[0] != '\0' || keys->bind_password_file[0] != '\0'))
        conf_error(problems, section, "bind_dn", "is missing: a password is given");
    if (!ldap_base_is_dn(keys->base_dn))
        conf_error(problems, section, "base_dn", "\"%.100s\" is no distinguished name (RFC 4514)",
                   keys->base_dn);
}

static const struct directory_plan *
build_plan(struct snapshot *snapshot, const struct conf_section *section, struct problems *problems)
{
    const struct ldap_keys *keys = section->values;
    struct arena *arena = conf_arena(snapshot->conf);
    struct directory_plan *plan = arena_alloc(arena, sizeof *plan);
    struct err err = {0};

    const char *password = ldap_password(keys, arena, &err);
    if (password == NULL) {
        conf_error(problems, section, "bind_password_file", "%s", err.text);
        return NULL;
    }
    if (plan != NULL &&
        ldap_profile_init(&plan->profile, section->name, keys,
                          conf_find(snapshot->conf, "tls", "")->values, password, arena))
        return plan;
    conf_error(problems, section, NULL, "out of memory");
    return NULL;
}

const struct directory_plan *snapshot_directory(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->ndirectories; i++) {
        if (strcmp(snapshot->directories[i]->profile.name, name) == 0)
            return snapshot->directories[i];
    }
    return NULL;
}

/* The profile a key names; NULL: none, or already reported. query: the key it
 * must have for that. */
static const struct directory_plan *referred(const struct snapshot *snapshot,
                                             const struct conf_section *section, const char *key,
                                             const char *name, enum ldap_query query,
                                             struct problems *problems)
{
    const struct directory_plan *plan = snapshot_directory(snapshot, name);
    bool accept = query == LDAP_ACCEPT_QUERY;

    if (name[0] == '\0' || plan == NULL)
        return NULL;
    const struct ldap_keys *keys = plan->profile.keys;
    if ((accept ? keys->accept_query : keys->routing_query)[0] == '\0')
        conf_error(problems, section, key, "[ldap %s] has no %s", name,
                   accept ? "accept_query" : "routing_query");
    return plan;
}

static void build_routes_directory(struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = conf_find(snapshot->conf, "routes", "");
    const struct routes_keys *keys = section->values;

    snapshot->routes_directory =
        referred(snapshot, section, "ldap", keys->ldap, LDAP_ROUTING_QUERY, problems);
}

void snapshot_build_ldap(struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL;
    size_t n = 0;

    while ((section = conf_next(snapshot->conf, "ldap", section)) != NULL)
        n++;
    snapshot->directories =
        arena_alloc(conf_arena(snapshot->conf), (n + 1) * sizeof *snapshot->directories);
    while (snapshot->directories != NULL &&
           (section = conf_next(snapshot->conf, "ldap", section)) != NULL) {
        check_profile(section, section->values, problems);
        const struct directory_plan *plan = build_plan(snapshot, section, problems);
        if (plan == NULL)
            continue;
        check_servers(snapshot, section, &plan->profile, problems);
        snapshot->directories[snapshot->ndirectories++] = plan;
    }
    build_routes_directory(snapshot, problems);
}

const struct directory_rules *snapshot_ldap_accept(struct snapshot *snapshot,
                                                   const struct conf_section *listener,
                                                   struct problems *problems)
{
    const struct listener_keys *keys = listener->values;
    const struct directory_plan *plan =
        referred(snapshot, listener, "ldap_accept", keys->ldap_accept, LDAP_ACCEPT_QUERY, problems);

    if (plan == NULL)
        return NULL;
    struct directory_rules *rules = arena_alloc(conf_arena(snapshot->conf), sizeof *rules);
    if (rules == NULL) {
        conf_error(problems, listener, NULL, "out of memory");
        return NULL;
    }
    *rules = (struct directory_rules){
        .plan = plan, .error_accepts = plan->profile.keys->ldap_error == LDAP_ERROR_ACCEPT};
    return rules;
}

const struct directory_plan *snapshot_ldap_routing(const struct snapshot *snapshot,
                                                   const struct conf_section *section,
                                                   struct problems *problems)
{
    const struct callahead_keys *keys = section->values;

    if (keys->type != CALLAHEAD_DELIVERY_HOST && keys->ldap_routing[0] != '\0')
        conf_warning(problems, section, "ldap_routing", "not used with type = static");
    if (keys->type == CALLAHEAD_DELIVERY_HOST && keys->ldap_routing[0] == '\0')
        return snapshot->routes_directory;
    const struct directory_plan *plan = referred(snapshot, section, "ldap_routing",
                                                 keys->ldap_routing, LDAP_ROUTING_QUERY, problems);
    if (keys->type == CALLAHEAD_DELIVERY_HOST && plan != NULL && plan != snapshot->routes_directory)
        conf_warning(problems, section, "ldap_routing",
                     "only call-ahead asks the hosts it names; mail is delivered there with "
                     "[routes] ldap = %s",
                     keys->ldap_routing);
    return plan;
}
