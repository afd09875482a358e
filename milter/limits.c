#include "milter/limits.h"

struct limits *limits_new(size_t max_counters)
{
    struct limits *limits = calloc(1, sizeof *limits);
    bool ok = limits != NULL;

    for (size_t i = 0; ok && i < LIMITS_RATES; i++)
        ok = (limits->rates[i] = counter_new(max_counters)) != NULL;
    for (size_t i = 0; ok && i < LIMITS_CROWDS; i++)
        ok = (limits->crowds[i] = lease_new()) != NULL;
    if (ok)
        limits->harvest = harvest_new(max_counters);
    if (ok && limits->harvest != NULL)
        return limits;
    limits_free(limits);
    return NULL;
}

void limits_free(struct limits *limits)
{
    if (limits == NULL)
        return;
    for (size_t i = 0; i < LIMITS_RATES; i++)
        counter_free(limits->rates[i]);
    for (size_t i = 0; i < LIMITS_CROWDS; i++)
        lease_free(limits->crowds[i]);
    harvest_free(limits->harvest);
    free(limits);
}

static enum lease_answer enter(void *ctx, enum crowd crowd, struct slice key, uint64_t limit,
                               struct lease **lease_out)
{
    const struct limits *limits = ctx;
    return lease_take(limits->crowds[crowd], key, limit, lease_out);
}

static bool take(void *ctx, const struct rate_ask *ask, mono_us *began_out)
{
    const struct limits *limits = ctx;
    struct counter_value value;
    bool taken = counter_take(limits->rates[ask->rate], ask->key, ask->limit, ask->window,
                              mono_now(), &value);
    *began_out = value.began;
    return taken;
}

static void give_back(void *ctx, const struct rate_ask *ask, mono_us began)
{
    const struct limits *limits = ctx;
    (void)counter_correct(limits->rates[ask->rate], ask->key, ask->limit, began, -1);
}

static struct invalid_count note_invalid(void *ctx, const struct invalid_ask *ask)
{
    const struct limits *limits = ctx;
    struct harvest_value value = harvest_note(limits->harvest, ask->client, ask->address,
                                              ask->limit, ask->window, mono_now());
    return (struct invalid_count){value.different, value.total};
}

static struct invalid_count count_invalid(void *ctx, const struct invalid_ask *ask)
{
    const struct limits *limits = ctx;
    struct harvest_value value = {0};
    (void)!harvest_get(limits->harvest, ask->client, ask->window, mono_now(), &value);
    return (struct invalid_count){value.different, value.total};
}

struct counting limits_counting(struct limits *limits)
{
    return (struct counting){.ctx = limits,
                             .enter = enter,
                             .leave = lease_give_back,
                             .take = take,
                             .give_back = give_back,
                             .note_invalid = note_invalid,
                             .count_invalid = count_invalid};
}
