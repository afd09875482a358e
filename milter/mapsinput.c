#include "milter/mapsinput.h"

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
        .monitor = snapshot->settings.keys->mode == SETTINGS_MONITOR,
        .limits = {.command_deadline = snapshot->settings.keys->command_deadline},
    };
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
