/* Listeners of a snapshot: sender groups, recipient tables, cross-key rules. */
#include <string.h>

#include "lib/base/strmap.h"
#include "lib/tables/group.h"
#include "lib/tables/hat_hidden.h"
#include "milter/snapshot_parts.h"

/* SPEC 2, [listener] groups. The vendor's older names are accepted. */
static const struct predefined_group {
    const char *name;
    enum listener_type type;
} predefined_groups[] = {
    {"ALLOWED_LIST", LISTENER_PUBLIC}, {"BLOCKED_LIST", LISTENER_PUBLIC},
    {"SUSPECTLIST", LISTENER_PUBLIC},  {"UNKNOWNLIST", LISTENER_PUBLIC},
    {"RELAYLIST", LISTENER_PRIVATE},
};

static const char *modern_name(const char *name)
{
    if (strcmp(name, "WHITELIST") == 0)
        return "ALLOWED_LIST";
    if (strcmp(name, "BLACKLIST") == 0)
        return "BLOCKED_LIST";
    return name;
}

static const struct predefined_group *predefined(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(predefined_groups); i++) {
        if (strcmp(predefined_groups[i].name, modern_name(name)) == 0)
            return &predefined_groups[i];
    }
    return NULL;
}

/* [group NAME], under either of its names. */
static const struct conf_section *group_section(const struct snapshot *snapshot, const char *name)
{
    const struct conf_section *section = conf_find(snapshot->conf, "group", name);
    const struct predefined_group *known = predefined(name);

    if (section != NULL || known == NULL)
        return section;
    section = conf_find(snapshot->conf, "group", known->name);
    if (section == NULL && strcmp(known->name, "ALLOWED_LIST") == 0)
        section = conf_find(snapshot->conf, "group", "WHITELIST");
    if (section == NULL && strcmp(known->name, "BLOCKED_LIST") == 0)
        section = conf_find(snapshot->conf, "group", "BLACKLIST");
    return section;
}

static const struct policies *policies_for(const struct snapshot *snapshot,
                                           const struct listener_keys *keys)
{
    return keys->type == LISTENER_PRIVATE ? snapshot->private_policies : snapshot->policies;
}

/* A policy to go on with where the right one is missing and said to be, so
 * that the rest is looked at. */
static const struct policy *stand_in(const struct policies *policies)
{
    return policies_target(policies, "accept");
}

static void fill_group(const struct conf *conf, const struct conf_section *section,
                       const char *name, const struct policies *policies, struct hat_group *group,
                       struct problems *problems)
{
    const struct group_keys *keys = section->values;
    const char *preset = key_preset(group_presets, name, "policy");
    const char *target = preset != NULL && !conf_is_set(section, "policy") ? preset : keys->policy;

    *group = (struct hat_group){
        .name = name,
        .at = section->at,
        .policy = policies_target(policies, target),
        .senders = keys->senders,
        .senders_file = keys->senders_file,
        .senders_file_at = conf_place(section, "senders_file"),
        .unverified = keys->unverified,
        .comment = keys->comment,
    };
    if (slice_is_nocase(slice_of(name), "ALL"))
        conf_error(problems, section, NULL,
                   "ALL is what comes after all groups, with default_policy of the listener; "
                   "allowed: any other name");
    if (group->policy != NULL)
        return;
    if (!conf_is_lost(conf, "policy", target))
        conf_error(problems, section, "policy",
                   "there is no policy \"%s\"; allowed: the name of a policy, or accept, reject, "
                   "tcprefuse, relay or continue",
                   target);
    group->policy = stand_in(policies);
}

/* The default lists, for a listener without `groups` and `hat`. */
static struct key_list listed_groups(const struct listener_keys *keys, struct place at,
                                     struct key_item items[ARRAY_LEN(predefined_groups)])
{
    size_t n = 0;

    if (keys->groups.n > 0 || keys->hat[0] != '\0')
        return keys->groups;
    for (size_t i = 0; i < ARRAY_LEN(predefined_groups); i++) {
        if (predefined_groups[i].type == (enum listener_type)keys->type)
            items[n++] = (struct key_item){.text = predefined_groups[i].name, .at = at};
    }
    return (struct key_list){items, n};
}

static const struct policy *fallback_policy(struct snapshot *snapshot,
                                            const struct conf_section *listener,
                                            struct problems *problems)
{
    const struct listener_keys *keys = listener->values;
    const struct policies *policies = policies_for(snapshot, keys);
    const char *target = keys->default_policy;

    if (target[0] == '\0')
        target = keys->type == LISTENER_PRIVATE ? "BLOCKED" : "ACCEPTED";
    const struct policy *policy = policies_target(policies, target);
    if (policy != NULL && policy->keys.access != POLICY_CONTINUE)
        return policy;
    if (policy == NULL && conf_is_lost(snapshot->conf, "policy", target))
        return stand_in(policies);
    if (policy == NULL)
        conf_error(problems, listener, "default_policy",
                   "there is no policy \"%s\"; allowed: the name of a policy, or accept, reject, "
                   "tcprefuse or relay",
                   target);
    else
        conf_error(problems, listener, "default_policy",
                   "continue is not possible here: nothing comes after ALL; allowed: accept, "
                   "reject, tcprefuse, relay or another policy");
    return stand_in(policies);
}

/* A group decides where it stands first. */
static void warn_of_doubles(const struct key_list *list, struct problems *problems)
{
    struct strmap *names = strmap_new();

    for (size_t i = 0; names != NULL && i < list->n; i++) {
        bool was_there = false;
        if (strmap_add(names, slice_of(modern_name(list->v[i].text)), 0, &was_there) && was_there)
            problem_warning(problems, list->v[i].at,
                            "%s is never reached again: the first time decides", list->v[i].text);
    }
    strmap_free(names);
}

static struct hat *listed_hat(struct snapshot *snapshot, const struct conf_section *listener,
                              const struct policies *policies, const struct policy *fallback,
                              struct problems *problems)
{
    struct key_item items[ARRAY_LEN(predefined_groups)];
    struct key_list list = listed_groups(listener->values, listener->at, items);
    struct hat_group *groups =
        arena_alloc(conf_arena(snapshot->conf), (list.n + 1) * sizeof *groups);
    size_t n = 0;

    if (groups == NULL) {
        conf_error(problems, listener, NULL, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < list.n; i++) {
        const char *name = list.v[i].text;
        const struct conf_section *section = group_section(snapshot, name);
        if (section != NULL)
            fill_group(snapshot->conf, section, name, policies, &groups[n++], problems);
        else if (predefined(name) == NULL && !conf_is_lost(snapshot->conf, "group", name))
            conf_item_error(problems, listener, "groups", &list.v[i],
                            "there is no [group %s]; allowed: the name of a [group] section, or a "
                            "predefined group",
                            name);
    }
    warn_of_doubles(&list, problems);
    struct hat *hat = hat_build(groups, n, fallback, problems);
    if (hat != NULL && hat_hides_fallback(hat) && conf_is_set(listener, "default_policy"))
        conf_warning(problems, listener, "default_policy",
                     "is never reached: a group has ALL among its senders");
    return hat;
}

struct hat *snapshot_hat(struct snapshot *snapshot, const struct conf_section *listener,
                         struct problems *problems)
{
    const struct listener_keys *keys = listener->values;
    const struct policies *policies = policies_for(snapshot, keys);
    const struct policy *fallback = fallback_policy(snapshot, listener, problems);

    return keys->hat[0] != '\0'
               ? snapshot_hat_text(snapshot, listener, policies, fallback, problems)
               : listed_hat(snapshot, listener, policies, fallback, problems);
}

bool snapshot_group_is_used(const struct snapshot *snapshot, const struct conf_section *group)
{
    struct key_item items[ARRAY_LEN(predefined_groups)];
    const struct conf_section *listener = NULL;

    while ((listener = conf_next(snapshot->conf, "listener", listener)) != NULL) {
        struct key_list list = listed_groups(listener->values, listener->at, items);
        for (size_t i = 0; i < list.n; i++) {
            if (group_section(snapshot, list.v[i].text) == group)
                return true;
        }
    }
    return false;
}

/* They are looked at all the same: mistakes shall not wait for the day they
 * come into use. */
static void check_unused_groups(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL;

    while ((section = conf_next(snapshot->conf, "group", section)) != NULL) {
        struct hat_group group;
        if (snapshot_group_is_used(snapshot, section))
            continue;
        fill_group(snapshot->conf, section, section->name, snapshot->policies, &group, problems);
        hat_free(hat_build(&group, 1, stand_in(snapshot->policies), problems));
    }
}

/* --- rules across keys ---------------------------------------------------------- */

static void check_private(const struct conf_section *section, const struct listener_keys *keys,
                          struct problems *problems)
{
    static const char why[] = "a private listener verifies no recipients; allowed: with type = "
                              "public only";

    if (keys->type != LISTENER_PRIVATE)
        return;
    if (keys->rat[0] != '\0')
        conf_error(problems, section, "rat",
                   "a private listener has no recipient access table; allowed: with type = public "
                   "only");
    if (keys->callahead[0] != '\0')
        conf_error(problems, section, "callahead", "%s", why);
    if (keys->ldap_accept[0] != '\0')
        conf_error(problems, section, "ldap_accept", "%s", why);
}

static void check_public(const struct conf_section *section, const struct listener_keys *keys,
                         const struct rat *rat, struct problems *problems)
{
    if (keys->type != LISTENER_PUBLIC || conf_is_wrong(section, "type"))
        return;
    const struct rat_entry *all = rat != NULL ? rat_accepts_all(rat) : NULL;
    if (all != NULL)
        problem_warning(problems, all->at, "ALL ACCEPT makes [listener %s] an open relay",
                        section->name);
}

/* Which service it is meant for cannot be said. */
static bool is_service_wrong(const struct conf_section *section)
{
    return conf_is_wrong(section, "daemon_name") || conf_is_wrong(section, "local_address") ||
           conf_is_wrong(section, "local_port");
}

static void check_fallbacks(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL, *first = NULL;

    while ((section = conf_next(snapshot->conf, "listener", section)) != NULL) {
        const struct listener_keys *keys = section->values;
        if (keys->daemon_name[0] != '\0' || keys->local_address[0] != '\0' ||
            keys->local_port != 0 || section->again || is_service_wrong(section))
            continue;
        if (first != NULL)
            conf_error(problems, section, NULL,
                       "a second fallback listener: [listener %s] at line %u has no daemon_name, "
                       "local_address or local_port either; allowed: one such listener",
                       first->name, first->at.line);
        else
            first = section;
    }
}

/* Addresses are the same however they are spelled. */
static bool same_service(const struct listener *a, const struct listener *b)
{
    return a->keys->local_port == b->keys->local_port &&
           strcmp(a->keys->daemon_name, b->keys->daemon_name) == 0 &&
           a->has_local_ip == b->has_local_ip &&
           (!a->has_local_ip || ip_equal(&a->local_ip, &b->local_ip));
}

/* Of listeners that match the same the second never serves. Fallbacks are an error of
 * their own. */
static void check_twins(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL, *other;

    while ((section = conf_next(snapshot->conf, "listener", section)) != NULL) {
        const struct listener *listener = snapshot->listeners.v[section->index];
        const struct listener_keys *keys = listener->keys;
        bool fallback =
            keys->daemon_name[0] == '\0' && keys->local_address[0] == '\0' && keys->local_port == 0;
        bool known = !fallback && !section->again && !is_service_wrong(section);
        for (other = conf_next(snapshot->conf, "listener", NULL); known && other != section;
             other = conf_next(snapshot->conf, "listener", other)) {
            if (is_service_wrong(other) ||
                !same_service(listener, snapshot->listeners.v[other->index]))
                continue;
            conf_error(problems, section, NULL,
                       "never serves: [listener %s] at line %u has the same daemon_name, "
                       "local_address and local_port; allowed: one listener for a service",
                       other->name, other->at.line);
            break;
        }
    }
}

static void set_local_ip(struct listener *listener, const struct conf_section *section,
                         struct problems *problems)
{
    const char *text = listener->keys->local_address;

    if (text[0] == '\0')
        return;
    listener->has_local_ip = ip_parse(slice_of(text), &listener->local_ip);
    if (!listener->has_local_ip)
        conf_error(problems, section, "local_address",
                   "\"%.80s\" is not an IPv4 or IPv6 address; allowed: 192.0.2.1 or 2001:db8::1",
                   text);
}

static void build_listener(struct snapshot *snapshot, const struct conf_section *section,
                           struct listener *listener, struct problems *problems)
{
    const struct listener_keys *keys = section->values;

    *listener = (struct listener){
        .name = section->name, .at = section->at, .keys = keys, .origins = section->origins};
    set_local_ip(listener, section, problems);
    listener->hat = snapshot_hat(snapshot, section, problems);
    if (keys->rat[0] != '\0')
        listener->rat = rat_load(keys->rat, conf_place(section, "rat"), problems);
    listener->directory = snapshot_ldap_accept(snapshot, section, problems);
    listener->callahead = snapshot_callahead(snapshot, section, problems);
    snapshot_add_senders(snapshot, section, listener, problems);
    if (listener->hat != NULL && !conf_is_guessed(snapshot->conf))
        snapshot_check_lookups(snapshot, section, listener, problems);
    check_private(section, keys, problems);
    check_public(section, keys, listener->rat, problems);
}

void snapshot_build_listeners(struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL;
    struct arena *arena = conf_arena(snapshot->conf);
    size_t n = 0;

    if (snapshot->policies == NULL || snapshot->private_policies == NULL)
        return;
    while ((section = conf_next(snapshot->conf, "listener", section)) != NULL)
        n++;
    if (n == 0)
        problem_error(problems, (struct place){.file = conf_path(snapshot->conf)},
                      "no [listener NAME] section: nothing would be judged");

    struct listener *list = arena_alloc(arena, (n + 1) * sizeof *list);
    const struct listener **pointers = arena_alloc(arena, (n + 1) * sizeof *pointers);
    if (list == NULL || pointers == NULL) {
        problem_error(problems, (struct place){.file = conf_path(snapshot->conf)}, "out of memory");
        return;
    }
    snapshot->listeners.v = pointers;
    while ((section = conf_next(snapshot->conf, "listener", section)) != NULL) {
        size_t i = snapshot->listeners.n++;
        pointers[i] = &list[i];
        build_listener(snapshot, section, &list[i], problems);
    }
    listeners_note_counted(list, snapshot->listeners.n);
    check_fallbacks(snapshot, problems);
    check_twins(snapshot, problems);
    check_unused_groups(snapshot, problems);
    snapshot_check_callahead(snapshot, problems);
}
