/* Sections that nothing uses, and listeners that nobody gets through: a site may mean
 * it, so these are warnings. */
#include <string.h>

#include "lib/tables/group.h"
#include "milter/registry.h"
#include "milter/snapshot_parts.h"

/* --- references -------------------------------------------------------------------- */

static bool refers(const struct key_row *row, const void *values, const struct conf_section *to)
{
    return row->type == KEY_REF && strcmp(row->refers, to->type->name) == 0 &&
           strcmp(*(const char *const *)(const void *)((const char *)values + row->offset),
                  to->name) == 0;
}

/* A key of any section, whatever its type. */
static bool is_referred(const struct snapshot *snapshot, const struct conf_section *to)
{
    for (size_t i = 0; i < registry_count; i++) {
        const struct conf_section *section = NULL;
        while ((section = conf_next(snapshot->conf, registry[i]->name, section)) != NULL) {
            for (size_t row = 0; row < *registry[i]->nrows; row++) {
                if (refers(&registry[i]->rows[row], section->values, to))
                    return true;
            }
        }
    }
    return false;
}

/* A policy that stands in a HAT text file. */
static bool is_referred_in_tables(const struct snapshot *snapshot, const struct conf_section *to)
{
    for (size_t i = 0; i < snapshot->listeners.n; i++) {
        const struct hat *hat = snapshot->listeners.v[i]->hat;
        for (size_t k = 0; k < hat_policies(hat); k++) {
            bool own;
            const struct policy *policy = hat_policy_get(hat, k, &own);
            for (size_t row = 0; own && row < policy_nrows; row++) {
                if (refers(&policy_rows[row], &policy->keys, to))
                    return true;
            }
        }
    }
    return false;
}

static bool is_route_auth(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < routes_count(snapshot->routes); i++) {
        const struct route *route = routes_get(snapshot->routes, i);
        if (route->auth != NULL && strcmp(route->auth, name) == 0)
            return true;
    }
    return false;
}

static void look_at_references(const struct snapshot *snapshot, const char *type, const char *why,
                               struct problems *problems)
{
    const struct conf_section *section = NULL;

    while ((section = conf_next(snapshot->conf, type, section)) != NULL) {
        if (!is_referred(snapshot, section) && !is_referred_in_tables(snapshot, section) &&
            !(strcmp(type, "auth") == 0 && is_route_auth(snapshot, section->name)))
            conf_warning(problems, section, NULL, "%s", why);
    }
}

/* --- groups and policies -------------------------------------------------------------- */

static void look_at_groups(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL;

    while ((section = conf_next(snapshot->conf, "group", section)) != NULL) {
        if (!snapshot_group_is_used(snapshot, section))
            conf_warning(problems, section, NULL, "no listener uses this group");
    }
}

/* Its values are of use where its name is: a group that nobody uses has a line of its
 * own. Run-time blocks can name any policy. */
static bool is_policy_used(const struct snapshot *snapshot, const char *name)
{
    const struct conf_section *section = NULL;

    while ((section = conf_next(snapshot->conf, "group", section)) != NULL) {
        const struct group_keys *keys = section->values;
        if (strcmp(keys->policy, name) == 0)
            return true;
    }
    for (size_t i = 0; i < snapshot->listeners.n; i++) {
        const struct hat *hat = snapshot->listeners.v[i]->hat;
        for (size_t k = 0; k < hat_policies(hat); k++) {
            bool own;
            if (strcmp(hat_policy_get(hat, k, &own)->name, name) == 0 && !own)
                return true;
        }
    }
    return false;
}

static void look_at_policies(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL;

    while ((section = conf_next(snapshot->conf, "policy", section)) != NULL) {
        if (strcmp(section->name, "DEFAULT") != 0 && !policies_is_predefined(section->name) &&
            !is_policy_used(snapshot, section->name))
            conf_warning(problems, section, NULL,
                         "no group or listener uses this policy; hat block --policy may");
    }
}

/* --- listeners that refuse everybody ------------------------------------------------------ */

/* Can a client of the group get any further than its refusal? */
static bool lets_in(const struct listener *listener, const struct policy_keys *keys)
{
    bool may_authenticate = keys->auth != POLICY_OFF;

    switch ((enum policy_access)keys->access) {
    case POLICY_RELAY:
        return true;
    case POLICY_ACCEPT:
        return listener->keys->type == LISTENER_PUBLIC || may_authenticate;
    case POLICY_REJECT:
        return listener->keys->reject_at != REJECT_AT_CONNECT && may_authenticate;
    case POLICY_TCPREFUSE:
    case POLICY_CONTINUE:
        break;
    }
    return false;
}

static bool lets_anybody_in(const struct listener *listener)
{
    size_t n = hat_groups(listener->hat);

    for (size_t i = 0; i < n; i++) {
        struct hat_match group;
        size_t first, end;
        hat_group_get(listener->hat, i, &group);
        hat_group_span(listener->hat, i, &first, &end);
        bool anybody = i + 1 == n || end > first || hat_group_classes(listener->hat, i) != 0;
        if (anybody && lets_in(listener, &group.policy->keys))
            return true;
    }
    return false;
}

static bool accepts_any(const struct rat *rat)
{
    for (size_t i = 0; i < rat_entries(rat); i++) {
        if (rat_entry_get(rat, i)->accept)
            return true;
    }
    return false;
}

static void look_at_listener(const struct conf_section *section, const struct listener *listener,
                             struct problems *problems)
{
    const char *key = listener->keys->hat[0] != '\0' ? "hat" : "groups";
    bool public = listener->keys->type == LISTENER_PUBLIC;

    if (public && listener->rat == NULL)
        conf_warning(problems, section, "rat",
                     "none is given: every recipient that is not relayed will be refused");
    else if (public && !accepts_any(listener->rat))
        conf_warning(problems, section, "rat",
                     "%s accepts nobody: every recipient that is not relayed will be refused",
                     listener->keys->rat);
    if (!lets_anybody_in(listener))
        conf_warning(problems, section, key,
                     "every client will be refused: no group with senders and no default_policy %s",
                     public ? "accepts or relays" : "relays or lets clients authenticate");
}

void snapshot_check_unused(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL;

    look_at_groups(snapshot, problems);
    look_at_policies(snapshot, problems);
    look_at_references(snapshot, "callahead", "no listener uses this profile", problems);
    look_at_references(snapshot, "ldap", "no listener, [callahead] or [routes] uses this profile",
                       problems);
    look_at_references(snapshot, "auth", "no route uses these credentials", problems);
    look_at_references(snapshot, "addresslist", "no policy uses this list", problems);
    while ((section = conf_next(snapshot->conf, "listener", section)) != NULL)
        look_at_listener(section, snapshot->listeners.v[section->index], problems);
}
