/*
 * callahead_cache.c - looking at what is remembered, and forgetting it.
 */
#include "lib/net/callahead_pool.h"

#include <string.h>

#define NEGATIVE_LIFE_MAX 900000 /* ms, where the configuration gives none */

static struct callahead_memory *first_memory(struct callahead *pool)
{
    return atomic_load_explicit(&pool->memories, memory_order_acquire);
}

/* Of a key: sender, NUL, recipient. */
static struct slice recipient_of(struct slice key)
{
    const char *nul = memchr(key.p, '\0', key.n);
    return nul ? (struct slice){nul + 1, key.n - (size_t)(nul + 1 - key.p)}
               : (struct slice){key.p + key.n, 0};
}

int64_t callahead_life(const struct callahead_keys *keys, enum callahead_class class)
{
    int64_t negative = keys->negative_cache_ttl, positive = keys->cache_ttl;

    switch (class) {
    case CALLAHEAD_VALID:
        return positive;
    case CALLAHEAD_USER_UNKNOWN:
        if (negative > 0)
            return negative;
        return positive < NEGATIVE_LIFE_MAX ? positive : NEGATIVE_LIFE_MAX;
    case CALLAHEAD_MAILBOX_FULL:
    case CALLAHEAD_POLICY:
    case CALLAHEAD_GREYLISTED:
    case CALLAHEAD_TEMPORARY:
    case CALLAHEAD_SERVER_ILL:
        return 0;
    }
    return 0;
}

struct flush {
    enum callahead_flush what;
    const char *text;
    size_t count;
};

static bool ends_in_domain(struct slice recipient, const char *domain)
{
    size_t n = strlen(domain);
    return recipient.n > n && recipient.p[recipient.n - n - 1] == '@' &&
           slice_is((struct slice){recipient.p + recipient.n - n, n}, domain);
}

static bool is_meant(const struct flush *flush, struct slice key, const struct remembered *value)
{
    switch (flush->what) {
    case CALLAHEAD_FLUSH_ADDRESS:
        return slice_is(recipient_of(key), flush->text);
    case CALLAHEAD_FLUSH_DOMAIN:
        return ends_in_domain(recipient_of(key), flush->text);
    case CALLAHEAD_FLUSH_NEGATIVE:
        return value->class != CALLAHEAD_VALID;
    case CALLAHEAD_FLUSH_ALL:
        return true;
    }
    return false;
}

static bool flush_one(struct slice key, const void *value, size_t size, mono_us expires, void *arg)
{
    struct flush *flush = arg;
    struct remembered remembered = {0};

    (void)expires;
    memcpy(&remembered, value, size < sizeof remembered ? size : sizeof remembered);
    bool meant = is_meant(flush, key, &remembered);
    flush->count += meant;
    return meant;
}

size_t callahead_flush(struct callahead *pool, enum callahead_flush what, const char *text)
{
    struct flush flush = {.what = what, .text = text};

    for (struct callahead_memory *memory = first_memory(pool); memory; memory = memory->next)
        cache_each(memory->cache, mono_now(), flush_one, &flush);
    return flush.count;
}

struct listing {
    const char *profile;
    mono_us now;
    void (*visit)(const struct callahead_entry *entry, void *arg);
    void *arg;
};

static bool list_one(struct slice key, const void *value, size_t size, mono_us expires, void *arg)
{
    const struct listing *listing = arg;
    struct remembered remembered = {0};

    memcpy(&remembered, value, size < sizeof remembered ? size : sizeof remembered);
    struct callahead_entry entry = {
        .profile = listing->profile,
        .recipient = recipient_of(key),
        .class = remembered.class,
        .server = remembered.server,
        .left = (expires - listing->now + MONO_SECONDS(1) - 1) / MONO_SECONDS(1),
    };
    listing->visit(&entry, listing->arg);
    return false;
}

void callahead_list(struct callahead *pool,
                    void (*visit)(const struct callahead_entry *entry, void *arg), void *arg)
{
    struct listing listing = {.now = mono_now(), .visit = visit, .arg = arg};

    for (struct callahead_memory *memory = first_memory(pool); memory; memory = memory->next) {
        listing.profile = memory->name;
        cache_each(memory->cache, listing.now, list_one, &listing);
    }
}
