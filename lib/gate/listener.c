#include "lib/gate/listener.h"

#include <string.h>

static const char *const listener_type_words[] = {"public", "private", NULL};
static const char *const listener_reject_words[] = {"connect", "mail", "rcpt", NULL};
static const char *const listener_parser_words[] = {"strict", "loose", NULL};
static const char *const listener_reputation_words[] = {"auto", "yes", "no", NULL};

#define KEY_STRUCT struct listener_keys
const struct key_row listener_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/gate/listener.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT
const size_t listener_nrows = ARRAY_LEN(listener_rows);

/* How many of the listener's criteria match; -1 when one does not. */
static int criteria_met(const struct listener *listener, const struct arrival *arrival)
{
    const struct listener_keys *keys = listener->keys;
    int met = 0;

    if (keys->daemon_name[0] != '\0') {
        if (strcmp(keys->daemon_name, arrival->daemon_name) != 0)
            return -1;
        met++;
    }
    if (listener->has_local_ip) {
        if (!arrival->has_local_ip || !ip_equal(&listener->local_ip, &arrival->local_ip))
            return -1;
        met++;
    }
    if (keys->local_port != 0) {
        if (keys->local_port != arrival->local_port)
            return -1;
        met++;
    }
    return met;
}

const struct listener *listener_for(const struct listeners *listeners,
                                    const struct arrival *arrival)
{
    const struct listener *best = NULL;
    int best_met = -1;

    for (size_t i = 0; i < listeners->n; i++) {
        int met = criteria_met(listeners->v[i], arrival);
        if (met > best_met) {
            best_met = met;
            best = listeners->v[i];
        }
    }
    return best;
}

const struct listener *listener_named(const struct listeners *listeners, const char *name)
{
    for (size_t i = 0; i < listeners->n; i++) {
        if (strcmp(listeners->v[i]->name, name) == 0)
            return listeners->v[i];
    }
    return NULL;
}

bool listener_trusts(const struct listener *listener, const struct ip *client)
{
    return listener->hops != NULL && ipmap_get(listener->hops, client) != IPMAP_NONE;
}

bool listener_uses_reputation(const struct listener *listener)
{
    switch ((enum listener_reputation)listener->keys->use_reputation) {
    case REPUTATION_AUTO:
        return listener->keys->type == LISTENER_PUBLIC;
    case REPUTATION_YES:
        return true;
    case REPUTATION_NO:
        return false;
    }
    return false;
}

/* Every policy a client can get: those of the groups, ALL the last of them. */
static void note_counted(const struct hat *hat, struct listener_counted *counted)
{
    for (size_t i = 0; hat != NULL && i < hat_groups(hat); i++) {
        struct hat_match group;
        hat_group_get(hat, i, &group);
        const struct policy_keys *keys = &group.policy->keys;
        counted->host |= keys->max_recipients_per_hour != KEY_NO_LIMIT;
        counted->sender |= keys->max_sender_recipients != KEY_NO_LIMIT;
        counted->account |= keys->max_auth_recipients != KEY_NO_LIMIT;
    }
}

void listeners_note_counted(struct listener *list, size_t n)
{
    struct listener_counted counted = {0};

    for (size_t i = 0; i < n; i++)
        note_counted(list[i].hat, &counted);
    for (size_t i = 0; i < n; i++)
        list[i].counted = counted;
}
