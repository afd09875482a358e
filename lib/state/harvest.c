#include "lib/state/harvest.h"

#include <string.h>

#include "lib/base/hash.h"

struct harvest {
    struct counter_table *clients;
    struct counter_table *named; /* key: struct naming */
    struct hash_seed seed;
};

/* An address named by a client in one window of it: a later window knows
 * nothing of it. */
struct naming {
    uint64_t client, address; /* hashes */
    mono_us began;
};

struct harvest *harvest_new(size_t max_keys)
{
    struct harvest *harvest = calloc(1, sizeof *harvest);
    if (harvest == NULL)
        return NULL;
    harvest->seed = hash_seed_random();
    harvest->clients = counter_new(max_keys);
    harvest->named = counter_new(max_keys);
    if (harvest->clients == NULL || harvest->named == NULL) {
        harvest_free(harvest);
        return NULL;
    }
    return harvest;
}

void harvest_free(struct harvest *harvest)
{
    if (harvest == NULL)
        return;
    counter_free(harvest->clients);
    counter_free(harvest->named);
    free(harvest);
}

static struct harvest_value value_of(const struct counter_value *value)
{
    return (struct harvest_value){value->count, value->total, value->began};
}

struct harvest_value harvest_note(struct harvest *harvest, struct slice client,
                                  struct slice address, uint64_t limit, mono_us window, mono_us now)
{
    struct counter_value value;

    (void)counter_take(harvest->clients, client, 0, window, now, &value);
    struct naming naming = {hash_bytes(&harvest->seed, client.p, client.n),
                            hash_bytes(&harvest->seed, address.p, address.n), value.began};
    struct slice key = {(const char *)&naming, sizeof naming};
    if (counter_take(harvest->named, key, 1, window, now, NULL))
        value.count = counter_correct(harvest->clients, client, limit, value.began, 1);
    return value_of(&value);
}

bool harvest_get(struct harvest *harvest, struct slice client, mono_us window, mono_us now,
                 struct harvest_value *value_out)
{
    struct counter_value value;

    if (!counter_get(harvest->clients, client, window, now, &value))
        return false;
    *value_out = value_of(&value);
    return true;
}

bool harvest_reset(struct harvest *harvest, struct slice client)
{
    return counter_reset(harvest->clients, client);
}

size_t harvest_clients(struct harvest *harvest)
{
    return counter_keys(harvest->clients);
}
