#include "milter/mapsinput.h"

#include <string.h>

#include "lib/base/authorities.h"
#include "lib/base/secret.h"
#include "lib/net/ownip.h"
#include "lib/tables/auth.h"
#include "milter/plan.h"

#define PASSWORD_MAX 512 /* bytes */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void widen(struct maps_limits *limits, const struct policy_keys *keys)
{
    limits->max_message_size = larger(limits->max_message_size, keys->max_message_size);
    limits->max_recipients = larger(limits->max_recipients, keys->max_recipients_per_message);
    limits->max_connections_ip = larger(limits->max_connections_ip, keys->max_connections_per_ip);
    if (keys->max_invalid_recipients_per_hour != KEY_NO_LIMIT)
        limits->max_invalid = larger(limits->max_invalid, keys->max_invalid_recipients_per_hour);
}

/* Every policy a client of this listener can be judged by. */
static void widen_by_listener(struct maps_limits *limits, const struct listener *listener)
{
    for (size_t i = 0; i < hat_groups(listener->hat); i++) {
        struct hat_match group;
        hat_group_get(listener->hat, i, &group);
        widen(limits, &group.policy->keys);
    }
}

const char *mapsinput_folder(enum maps_mta mta)
{
    return mta == MAPS_SENDMAIL ? "/etc/mail/gatehouse" : "/etc/postfix/gatehouse";
}

/* --- [auth NAME] ---------------------------------------------------------------- */

/* false: out of memory. */
static bool make_auths(const struct conf *conf, struct arena *arena, struct maps_input *input)
{
    const struct conf_section *section = NULL;
    size_t n = 0;

    while ((section = conf_next(conf, "auth", section)) != NULL)
        n++;
    struct maps_auth *list = arena_alloc(arena, (n + 1) * sizeof *list);
    if (list == NULL)
        return false;
    for (size_t i = 0; (section = conf_next(conf, "auth", section)) != NULL; i++) {
        const struct auth_keys *keys = section->values;
        list[i] = (struct maps_auth){.name = section->name, .user = keys->user};
    }
    input->auths = list;
    input->nauths = n;
    return true;
}

static bool is_used(const struct routes *routes, const char *auth)
{
    for (size_t i = 0; i < routes_count(routes); i++) {
        const struct route *route = routes_get(routes, i);
        if (route->auth != NULL && strcmp(route->auth, auth) == 0)
            return true;
    }
    return false;
}

void mapsinput_read_passwords(const struct snapshot *snapshot, struct arena *arena,
                              struct maps_input *input, struct problems *problems)
{
    struct maps_auth *list = arena_alloc(arena, (input->nauths + 1) * sizeof *list);
    if (list == NULL) {
        problem_error(problems, (struct place){0}, "out of memory");
        return;
    }
    for (size_t i = 0; i < input->nauths; i++) {
        list[i] = input->auths[i];
        const struct conf_section *section = conf_find(snapshot->conf, "auth", list[i].name);
        const struct auth_keys *keys = section->values;
        struct err err = {0};
        if (!is_used(input->routes, list[i].name))
            continue;
        list[i].password = secret_read(keys->password_file, PASSWORD_MAX, arena, &err);
        if (list[i].password == NULL)
            conf_error(problems, section, "password_file", "%s", err.text);
    }
    input->auths = list;
}

/* --- [routes] ldap ---------------------------------------------------------------- */

static const char *or_else(const char *text, const char *otherwise)
{
    return text[0] != '\0' ? text : otherwise;
}

/* false: out of memory. */
static bool make_directory(const struct ldap_profile *profile, struct arena *arena,
                           struct maps_input *input)
{
    const struct ldap_keys *keys = profile->keys;
    const struct tls_keys *tls = profile->tls;
    struct maps_directory *directory = arena_alloc(arena, sizeof *directory);
    const char **uris = arena_alloc(arena, (keys->uri.n + 1) * sizeof *uris);
    if (directory == NULL || uris == NULL)
        return false;
    for (size_t i = 0; i < keys->uri.n; i++)
        uris[i] = keys->uri.v[i].text;
    *directory = (struct maps_directory){
        .name = profile->name,
        .uris = uris,
        .nuris = keys->uri.n,
        .bind_dn = keys->bind_dn,
        .password = profile->password,
        .start_tls = keys->start_tls,
        .tls_priority = keys->tls_priority,
        .ca_file = tls->ca_dir[0] != '\0' ? tls->ca_file : or_else(tls->ca_file, AUTHORITIES_FILE),
        .ca_dir = tls->ca_dir,
        .certificate = tls->certificate,
        .key = or_else(tls->key, tls->certificate),
        .base_dn = keys->base_dn,
        .scope = ldap_scope_words[keys->scope],
        .timeout = keys->timeout,
        .query = keys->routing_query,
        .host_attr = keys->routing_host_attr,
        .address_attr = keys->routing_address_attr,
    };
    input->directory = directory;
    return true;
}

bool mapsinput_make(const struct snapshot *snapshot, struct arena *arena,
                    struct maps_input *input_out)
{
    size_t n = snapshot->listeners.n;
    struct maps_listener *list = arena_alloc(arena, (n + 1) * sizeof *list);

    if (list == NULL)
        return false;
    *input_out = (struct maps_input){
        .listeners = list,
        .nlisteners = n,
        .routes = snapshot->routes,
        .transport = snapshot->routes_transport,
        .socket = snapshot->settings.socket,
        .hostname = snapshot->hostname,
        .is_own = ownip_has,
        .monitor = snapshot->settings.keys->mode == SETTINGS_MONITOR,
        .limits = {.command_deadline = snapshot->settings.keys->command_deadline},
    };
    if (!make_auths(snapshot->conf, arena, input_out))
        return false;
    if (snapshot->routes_directory != NULL &&
        !make_directory(&snapshot->routes_directory->profile, arena, input_out))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct listener *listener = snapshot->listeners.v[i];
        list[i] = (struct maps_listener){
            .name = listener->name,
            .at = listener->at,
            .private = listener->keys->type == LISTENER_PRIVATE,
            .daemon_name = listener->keys->daemon_name,
            .local_address = listener->keys->local_address,
            .local_port = listener->keys->local_port,
            .max_connections = listener->keys->max_connections,
            .hat = listener->hat,
            .rat = listener->rat,
        };
        widen_by_listener(&input_out->limits, listener);
    }
    return true;
}

bool mapsinput_use_blocks(const struct blocks_table *blocks, struct arena *arena,
                          struct maps_input *input)
{
    struct maps_listener *list = arena_alloc(arena, (input->nlisteners + 1) * sizeof *list);

    if (list == NULL)
        return false;
    for (size_t i = 0; i < input->nlisteners; i++) {
        list[i] = input->listeners[i];
        list[i].blocks =
            blocks == NULL ? NULL
                           : blocks->by_type[list[i].private ? LISTENER_PRIVATE : LISTENER_PUBLIC];
    }
    input->listeners = list;
    return true;
}
