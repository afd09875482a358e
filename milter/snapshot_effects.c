/* Keys of sections other than policies that cannot have an effect as things stand. */
#include <string.h>

#include "lib/net/ldap.h"
#include "lib/tables/group.h"
#include "lib/tables/routes_keys.h"
#include "milter/snapshot_parts.h"

/* A key that was written, and does not act. One that is wrong has its line. */
static void idle(struct problems *problems, const struct conf_section *section, const char *key,
                 const char *why)
{
    if (conf_is_set(section, key) && !conf_is_wrong(section, key))
        conf_warning(problems, section, key, "%s", why);
}

/* --- [gatehouse] ------------------------------------------------------------------- */

static void look_at_gatehouse(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = conf_find(snapshot->conf, "gatehouse", "");
    const struct settings *settings = &snapshot->settings;

    if (settings->socket != NULL && settings->socket_path == NULL) {
        idle(problems, section, "socket_mode", "has an effect with a unix socket only");
        idle(problems, section, "socket_group", "has an effect with a unix socket only");
    }
    if (settings->log_target != LOG_TO_SYSLOG)
        idle(problems, section, "log_facility", "has an effect with log = syslog only");
}

/* --- [listener] -------------------------------------------------------------------- */

/* Is the sender of each client that may send verified, whatever its group? */
static bool verifies_all(const struct listener *listener)
{
    size_t n = listener->hat != NULL ? hat_groups(listener->hat) : 0;
    bool all = n > 0;

    for (size_t i = 0; i < n; i++) {
        struct hat_match group;
        hat_group_get(listener->hat, i, &group);
        enum policy_access access = (enum policy_access)group.policy->keys.access;
        bool sends = access == POLICY_ACCEPT || access == POLICY_RELAY ||
                     (access == POLICY_REJECT && listener->keys->reject_at != REJECT_AT_CONNECT);
        all = all && (!sends || group.policy->keys.verify_sender);
    }
    return all;
}

static void look_at_listener(const struct conf_section *section, const struct listener *listener,
                             struct problems *problems)
{
    const struct listener_keys *keys = listener->keys;

    if (keys->default_domain[0] != '\0' && !keys->allow_partial_domain)
        idle(problems, section, "default_domain", "not used with allow_partial_domain = no");
    else if (keys->default_domain[0] != '\0' && verifies_all(listener))
        idle(problems, section, "default_domain",
             "not used where senders are verified (verify_sender), as all policies here do");
    if (keys->allow_partial_domain && verifies_all(listener))
        idle(problems, section, "allow_partial_domain",
             "has no effect where senders are verified (verify_sender), as all policies here do");
    if (keys->type == LISTENER_PRIVATE && keys->recipient_delimiter[0] != '\0')
        idle(problems, section, "recipient_delimiter",
             "has no effect on a private listener, which verifies no recipients");
    if (keys->type != LISTENER_PUBLIC || keys->rat[0] != '\0')
        return;
    if (keys->callahead[0] != '\0')
        idle(problems, section, "callahead", "has no effect without rat");
    if (keys->ldap_accept[0] != '\0')
        idle(problems, section, "ldap_accept", "has no effect without rat");
}

static void look_at_listeners(const struct snapshot *snapshot, struct problems *problems)
{
    for (size_t i = 0; i < snapshot->listeners.n; i++) {
        const struct listener *listener = snapshot->listeners.v[i];
        const struct conf_section *section = NULL;
        while ((section = conf_next(snapshot->conf, "listener", section)) != NULL) {
            if (section->values == (const void *)listener->keys)
                look_at_listener(section, listener, problems);
        }
    }
}

/* --- look-ups ------------------------------------------------------------------------ */

/* One that is wrong may have been meant to be. */
static bool may_be_dns(const struct reputation_source *source, const char *written)
{
    return source->kind == REPUTATION_FROM_DNS ||
           (source->kind == REPUTATION_NOWHERE && strcmp(written, "none") != 0);
}

static void look_at_reputation(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = conf_find(snapshot->conf, "reputation", "");
    const struct reputation_keys *keys = section->values;
    bool score = may_be_dns(&snapshot->reputation.score, keys->source);
    bool owner = may_be_dns(&snapshot->reputation.owner, keys->owner_source);

    if (!score)
        idle(problems, section, "map", "has an effect with source = dns:ZONE only");
    if (!score && !owner)
        idle(problems, section, "timeout",
             "has an effect where source or owner_source is dns:ZONE");
}

static void look_at_groups(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL;

    if (snapshot->dns->host_lookup != DNS_HOST_OFF)
        return;
    while ((section = conf_next(snapshot->conf, "group", section)) != NULL) {
        const struct group_keys *keys = section->values;
        if (keys->unverified != 0)
            idle(problems, section, "unverified",
                 "matches nobody with [dns] host_lookup = off, which looks up no names");
    }
}

/* --- servers that are asked ------------------------------------------------------------- */

static bool uses_tls(const struct ldap_keys *keys)
{
    bool any = keys->start_tls;

    for (size_t i = 0; i < keys->uri.n; i++)
        any = any || strncmp(keys->uri.v[i].text, "ldaps:", 6) == 0;
    return any;
}

static void look_at_callahead(const struct snapshot *snapshot, const struct conf_section *section,
                              struct problems *problems)
{
    const struct callahead_keys *keys = section->values;
    const struct routes_keys *routes = conf_find(snapshot->conf, "routes", "")->values;

    if (keys->type != CALLAHEAD_DELIVERY_HOST)
        idle(problems, section, "ldap_routing", "not used with type = static");
    else if (keys->servers.n > 0)
        idle(problems, section, "servers", "not used with type = delivery_host");
    if (keys->type == CALLAHEAD_DELIVERY_HOST && keys->ldap_routing[0] != '\0' &&
        strcmp(keys->ldap_routing, routes->ldap) != 0)
        conf_warning(problems, section, "ldap_routing",
                     "only call-ahead asks the hosts it names; mail is delivered there with "
                     "[routes] ldap = %s",
                     keys->ldap_routing);
    if (keys->tls == CALLAHEAD_TLS_OFF && keys->verify)
        idle(problems, section, "verify", "has an effect where tls is not off");
    if (keys->failure_action == CALLAHEAD_ACCEPT) {
        idle(problems, section, "failure_code", "has an effect with failure_action = reject only");
        idle(problems, section, "failure_text", "has an effect with failure_action = reject only");
    }
    if (keys->temporary_action == CALLAHEAD_ACCEPT) {
        idle(problems, section, "temporary_code",
             "has an effect with temporary_action = reject only");
        idle(problems, section, "temporary_text",
             "has an effect with temporary_action = reject only");
    }
}

static void look_at_ldap(const struct conf_section *section, struct problems *problems)
{
    const struct ldap_keys *keys = section->values;

    if (!uses_tls(keys))
        idle(problems, section, "tls_priority", "has an effect with ldaps:// or start_tls only");
    if (keys->accept_query[0] == '\0')
        idle(problems, section, "ldap_error", "has an effect with accept_query only");
    if (keys->routing_query[0] != '\0')
        return;
    idle(problems, section, "routing_address_attr", "not used without routing_query");
    idle(problems, section, "routing_host_attr", "not used without routing_query");
    idle(problems, section, "callahead_attr", "not used without routing_query");
}

/* [tls] serves call-ahead and directories. */
static void look_at_servers(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL, *tls = conf_find(snapshot->conf, "tls", "");
    bool callahead = false, ldap = false;

    while ((section = conf_next(snapshot->conf, "callahead", section)) != NULL) {
        const struct callahead_keys *keys = section->values;
        callahead = callahead || keys->tls != CALLAHEAD_TLS_OFF;
        look_at_callahead(snapshot, section, problems);
    }
    while ((section = conf_next(snapshot->conf, "ldap", section)) != NULL) {
        ldap = ldap || uses_tls(section->values);
        look_at_ldap(section, problems);
    }
    if (tls->at.line > 0 && !callahead && !ldap)
        conf_warning(
            problems, tls, NULL,
            "has an effect where a [callahead] has tls, or an [ldap] has ldaps:// or start_tls");
    else if (!callahead)
        idle(problems, tls, "ciphers", "has an effect where a [callahead] has tls");
}

/* --- the rest ----------------------------------------------------------------------------- */

static void look_at_routes(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = conf_find(snapshot->conf, "routes", "");
    const struct routes_keys *keys = section->values;

    if (keys->file[0] == '\0' && keys->ldap[0] == '\0')
        idle(problems, section, "transport", "has an effect where file or ldap names hosts");
}

static bool uses_exceptions(const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->listeners.n; i++) {
        const struct hat *hat = snapshot->listeners.v[i]->hat;
        for (size_t k = 0; hat != NULL && k < hat_policies(hat); k++) {
            bool own;
            if (hat_policy_get(hat, k, &own)->keys.use_exceptions)
                return true;
        }
        if (hat == NULL)
            return true; /* it is wrong, and reported */
    }
    return false;
}

static void look_at_exceptions(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = conf_find(snapshot->conf, "exceptions", "");

    if (!uses_exceptions(snapshot))
        idle(problems, section, "file", "no policy in use has use_exceptions");
}

void snapshot_check_effects(const struct snapshot *snapshot, struct problems *problems)
{
    look_at_gatehouse(snapshot, problems);
    look_at_reputation(snapshot, problems);
    look_at_groups(snapshot, problems);
    look_at_servers(snapshot, problems);
    look_at_routes(snapshot, problems);
    look_at_exceptions(snapshot, problems);
    look_at_listeners(snapshot, problems);
    if (snapshot->policies != NULL && snapshot->private_policies != NULL)
        snapshot_check_policy_effects(snapshot, problems);
}
