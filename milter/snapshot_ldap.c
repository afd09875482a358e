/* Directories of a snapshot. */
#include <string.h>
#include <sys/stat.h>

#include "lib/net/ldapfilter.h"
#include "lib/tables/routes_keys.h"
#include "milter/plan.h"
#include "milter/snapshot_parts.h"

static void check_servers(struct snapshot *snapshot, const struct conf_section *section,
                          const struct ldap_profile *profile, struct problems *problems)
{
    const struct key_list *uri = &profile->keys->uri;
    bool any_tls = false, any_wrong = false;
    struct err err = {0};

    if (uri->n > LDAPPOOL_SERVERS_MAX)
        conf_item_error(problems, section, "uri", &uri->v[LDAPPOOL_SERVERS_MAX],
                        "too many servers; allowed: at most %d", LDAPPOOL_SERVERS_MAX);
    for (size_t i = 0; i < uri->n && i < LDAPPOOL_SERVERS_MAX; i++) {
        bool tls = false;
        if (!ldap_profile_check(profile, uri->v[i].text, &tls, &err)) {
            conf_item_error(problems, section, "uri", &uri->v[i], "%s", err.text);
            any_wrong = true;
        }
        any_tls = any_tls || tls;
    }
    /* Not of a key that does not act, which is warned of: libldap 2.5 loses 8 KiB each time. */
    bool acts = any_tls || any_wrong || conf_is_wrong(section, "uri") ||
                conf_is_wrong(section, "start_tls");
    if (acts && profile->keys->tls_priority[0] != '\0' &&
        !ldap_profile_check_priority(profile, &err))
        conf_error(problems, section, "tls_priority", "%s", err.text);
    if (any_tls)
        (void)snapshot_tls(snapshot, problems); /* tells what is wrong with its files */
}

static void check_query(const struct conf_section *section, const char *key, const char *filter,
                        struct problems *problems)
{
    struct err err = {0};
    if (filter[0] != '\0' && !ldapfilter_check(filter, &err))
        conf_error(problems, section, key,
                   "%s; allowed: a filter (RFC 4515) such as (mail={a}), with {a}, {u}, {d}, {f}",
                   err.text);
    else if (filter[0] != '\0' && strchr(filter, '{') == NULL)
        conf_warning(problems, section, key,
                     "without a token it gives the same result for every recipient");
}

/* RFC 4512 section 2.5: a name or numbers with dots, and options behind semicolons. */
static void check_attribute(const struct conf_section *section, const char *key, const char *name,
                            struct problems *problems)
{
    bool good = name[0] == '\0' || ascii_is_alnum(name[0]);

    for (const char *p = name; *p != '\0'; p++)
        good = good && (ascii_is_alnum(*p) || strchr("-.;", *p) != NULL);
    if (!good)
        conf_error(
            problems, section, key,
            "\"%.80s\" is not the name of an attribute; allowed: one name as mail, of letters, "
            "digits and \"-\"",
            name);
}

/* Who binds, and by what. A key that is wrong might as well be there as not. */
static void check_bind(const struct conf_section *section, const struct ldap_keys *keys,
                       struct problems *problems)
{
    bool text = keys->bind_password[0] != '\0', file = keys->bind_password_file[0] != '\0';

    struct stat st;

    if (text && stat(section->at.file, &st) == 0 && (st.st_mode & S_IROTH) != 0)
        conf_warning(
            problems, section, "bind_password",
            "everybody may read it in %s, mode %04o; allowed without a warning: mode 0640, "
            "or bind_password_file",
            section->at.file, (unsigned)st.st_mode & 07777);
    if (conf_is_wrong(section, "bind_dn") || conf_is_wrong(section, "bind_password") ||
        conf_is_wrong(section, "bind_password_file"))
        return;
    if (text && file)
        conf_error(problems, section, "bind_password",
                   "is set together with bind_password_file; allowed: one of the two");
    if (keys->bind_dn[0] != '\0' && !text && !file)
        conf_error(problems, section, "bind_dn",
                   "needs a password; allowed: with bind_password_file or bind_password");
    if (keys->bind_dn[0] == '\0' && (text || file))
        conf_error(problems, section, "bind_dn",
                   "is missing: a password is given; allowed: a distinguished name");
}

static void check_profile(const struct conf_section *section, const struct ldap_keys *keys,
                          struct problems *problems)
{
    check_query(section, "accept_query", keys->accept_query, problems);
    check_query(section, "routing_query", keys->routing_query, problems);
    if (strstr(keys->routing_query, "{f}") != NULL)
        conf_warning(problems, section, "routing_query",
                     "{f} is always empty: call-ahead asks in the same way for all senders");
    check_attribute(section, "routing_address_attr", keys->routing_address_attr, problems);
    check_attribute(section, "routing_host_attr", keys->routing_host_attr, problems);
    check_attribute(section, "callahead_attr", keys->callahead_attr, problems);
    check_bind(section, keys, problems);
    if (!ldap_base_is_dn(keys->base_dn))
        conf_error(problems, section, "base_dn",
                   "\"%.100s\" is not a distinguished name; allowed: one as dc=example,dc=com "
                   "(RFC 4514)",
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
        password = ""; /* the rest is looked at all the same */
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
    const char *needed = accept ? "accept_query" : "routing_query";
    if ((accept ? keys->accept_query : keys->routing_query)[0] == '\0' &&
        !conf_is_wrong(conf_find(snapshot->conf, "ldap", name), needed))
        conf_error(problems, section, key, "[ldap %s] has no %s; allowed: one that has", name,
                   needed);
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
        const struct directory_plan *plan = build_plan(snapshot, section, problems);
        check_profile(section, section->values, problems);
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

    if (keys->type == CALLAHEAD_DELIVERY_HOST && keys->ldap_routing[0] == '\0')
        return snapshot->routes_directory;
    const struct directory_plan *plan = referred(snapshot, section, "ldap_routing",
                                                 keys->ldap_routing, LDAP_ROUTING_QUERY, problems);
    return plan;
}
