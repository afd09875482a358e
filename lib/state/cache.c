/*
 * cache.c - hash tables with chains, each entry also on its shard's list in
 * order of use.
 *
 * An entry is one heap block with key and value in it. It is allocated before
 * and freed after the lock is held: what a shard gives up is chained on a list
 * of the caller (dead). The bucket arrays have their final size from the start,
 * so no insertion ever pays for growing; the kernel hands out their pages when
 * they are first touched.
 */
#include "lib/state/cache.h"

#include <pthread.h>
#include <string.h>
#include "lib/base/hash.h"

#define SHARDS 16
/* Below this many entries one shard does: it keeps the order of use exactly. */
#define SHARD_ENTRIES_MIN 64

struct entry {
    struct entry *chain;         /* next of the bucket, or of the dead list */
    struct entry *newer, *older; /* order of use */
    uint64_t hash;
    mono_us expires;
    uint32_t key_size, value_size;
    char bytes[]; /* key, then value */
};

struct shard {
    _Alignas(64) pthread_mutex_t lock; /* a cache line of its own: neighbours do not slow down */
    struct entry **buckets;            /* owned */
    size_t nbuckets;                   /* a power of two */
    size_t count, count_max;
    size_t bytes, bytes_max; /* keys and values */
    struct entry *newest, *oldest;
};

struct cache {
    struct hash_seed seed;
    size_t nshards; /* a power of two */
    struct shard *shards;
};

static bool shard_init(struct shard *shard, size_t max)
{
    *shard = (struct shard){.nbuckets = 1, .count_max = max};
    while (shard->nbuckets < max)
        shard->nbuckets *= 2;
    shard->bytes_max = max * CACHE_AVERAGE_MAX;
    if (shard->bytes_max < CACHE_VALUE_MAX)
        shard->bytes_max = CACHE_VALUE_MAX;
    shard->buckets = calloc(shard->nbuckets, sizeof(struct entry *));
    CHECK(pthread_mutex_init(&shard->lock, NULL) == 0);
    return shard->buckets != NULL;
}

struct cache *cache_new(size_t max_entries)
{
    if (max_entries == 0)
        max_entries = 1;
    if (max_entries > SIZE_MAX / CACHE_AVERAGE_MAX)
        return NULL;
    struct cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    cache->seed = hash_seed_random();
    cache->shards = aligned_alloc(_Alignof(struct shard), SHARDS * sizeof(struct shard));
    size_t nshards = max_entries < SHARDS * SHARD_ENTRIES_MIN ? 1 : SHARDS;
    bool ok = cache->shards != NULL;
    for (size_t i = 0; ok && i < nshards; i++) {
        ok = shard_init(&cache->shards[i], max_entries / nshards + (i < max_entries % nshards));
        cache->nshards++;
    }
    if (!ok) {
        cache_free(cache);
        return NULL;
    }
    return cache;
}

static void free_dead(struct entry *dead)
{
    while (dead != NULL) {
        struct entry *next = dead->chain;
        free(dead);
        dead = next;
    }
}

void cache_free(struct cache *cache)
{
    if (cache == NULL)
        return;
    cache_clear(cache);
    for (size_t i = 0; i < cache->nshards; i++) {
        pthread_mutex_destroy(&cache->shards[i].lock);
        free(cache->shards[i].buckets);
    }
    free(cache->shards);
    free(cache);
}

/* The high bits choose the shard, the low ones the bucket in it. */
static struct shard *shard_of(struct cache *cache, uint64_t hash)
{
    return &cache->shards[(hash >> 60) & (cache->nshards - 1)];
}

static struct entry **bucket_of(struct shard *shard, uint64_t hash)
{
    return &shard->buckets[hash & (shard->nbuckets - 1)];
}

static struct slice key_of(const struct entry *entry)
{
    return (struct slice){entry->bytes, entry->key_size};
}

static const char *value_of(const struct entry *entry)
{
    return entry->bytes + entry->key_size;
}

static struct entry *find_locked(struct shard *shard, uint64_t hash, struct slice key)
{
    struct entry *entry = *bucket_of(shard, hash);
    while (entry != NULL && (entry->hash != hash || entry->key_size != key.n ||
                             (key.n != 0 && memcmp(entry->bytes, key.p, key.n) != 0)))
        entry = entry->chain;
    return entry;
}

static void unlist_locked(struct shard *shard, struct entry *entry)
{
    *(entry->newer ? &entry->newer->older : &shard->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &shard->oldest) = entry->newer;
}

static void list_newest_locked(struct shard *shard, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = shard->newest;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = entry;
    shard->newest = entry;
}

static void take_out_locked(struct shard *shard, struct entry *entry, struct entry **dead)
{
    struct entry **link = bucket_of(shard, entry->hash);
    while (*link != entry)
        link = &(*link)->chain;
    *link = entry->chain;
    unlist_locked(shard, entry);
    shard->count--;
    shard->bytes -= entry->key_size + entry->value_size;
    entry->chain = *dead;
    *dead = entry;
}

static void put_in_locked(struct shard *shard, struct entry *entry)
{
    struct entry **bucket = bucket_of(shard, entry->hash);
    entry->chain = *bucket;
    *bucket = entry;
    list_newest_locked(shard, entry);
    shard->count++;
    shard->bytes += entry->key_size + entry->value_size;
}

static struct entry *new_entry(struct slice key, const void *value, size_t size, uint64_t hash,
                               mono_us expires)
{
    if (key.n > CACHE_VALUE_MAX || size > CACHE_VALUE_MAX)
        return NULL;
    struct entry *entry = malloc(sizeof *entry + key.n + size);
    if (entry == NULL)
        return NULL;
    *entry = (struct entry){.hash = hash,
                            .expires = expires,
                            .key_size = (uint32_t)key.n,
                            .value_size = (uint32_t)size};
    if (key.n != 0)
        memcpy(entry->bytes, key.p, key.n);
    if (size != 0)
        memcpy(entry->bytes + key.n, value, size);
    return entry;
}

void cache_put(struct cache *cache, struct slice key, const void *value, size_t size,
               mono_us expires, mono_us now)
{
    uint64_t hash = hash_bytes(&cache->seed, key.p, key.n);
    struct shard *shard = shard_of(cache, hash);
    struct entry *entry = expires > now ? new_entry(key, value, size, hash, expires) : NULL;
    struct entry *dead = NULL;
    pthread_mutex_lock(&shard->lock);
    struct entry *old = find_locked(shard, hash, key);
    if (old != NULL)
        take_out_locked(shard, old, &dead);
    if (entry != NULL) {
        put_in_locked(shard, entry);
        while (shard->oldest != entry &&
               (shard->count > shard->count_max || shard->bytes > shard->bytes_max))
            take_out_locked(shard, shard->oldest, &dead);
    }
    pthread_mutex_unlock(&shard->lock);
    free_dead(dead);
}

bool cache_get(struct cache *cache, struct slice key, mono_us now, void *value_out, size_t room,
               size_t *size_out, mono_us *expires_out)
{
    uint64_t hash = hash_bytes(&cache->seed, key.p, key.n);
    struct shard *shard = shard_of(cache, hash);
    struct entry *dead = NULL;
    pthread_mutex_lock(&shard->lock);
    struct entry *entry = find_locked(shard, hash, key);
    if (entry != NULL && entry->expires <= now) {
        take_out_locked(shard, entry, &dead);
        entry = NULL;
    }
    bool found = entry != NULL;
    if (found) {
        unlist_locked(shard, entry);
        list_newest_locked(shard, entry);
        size_t n = entry->value_size < room ? entry->value_size : room;
        if (n != 0)
            memcpy(value_out, value_of(entry), n);
        *size_out = entry->value_size;
        if (expires_out != NULL)
            *expires_out = entry->expires;
    }
    pthread_mutex_unlock(&shard->lock);
    free_dead(dead);
    return found;
}

bool cache_remove(struct cache *cache, struct slice key)
{
    uint64_t hash = hash_bytes(&cache->seed, key.p, key.n);
    struct shard *shard = shard_of(cache, hash);
    struct entry *dead = NULL;
    pthread_mutex_lock(&shard->lock);
    struct entry *entry = find_locked(shard, hash, key);
    if (entry != NULL)
        take_out_locked(shard, entry, &dead);
    pthread_mutex_unlock(&shard->lock);
    free_dead(dead);
    return dead != NULL;
}

void cache_clear(struct cache *cache)
{
    for (size_t i = 0; i < cache->nshards; i++) {
        struct shard *shard = &cache->shards[i];
        struct entry *dead = NULL;
        pthread_mutex_lock(&shard->lock);
        while (shard->oldest != NULL)
            take_out_locked(shard, shard->oldest, &dead);
        pthread_mutex_unlock(&shard->lock);
        free_dead(dead);
    }
}

size_t cache_count(struct cache *cache)
{
    size_t count = 0;
    for (size_t i = 0; i < cache->nshards; i++) {
        pthread_mutex_lock(&cache->shards[i].lock);
        count += cache->shards[i].count;
        pthread_mutex_unlock(&cache->shards[i].lock);
    }
    return count;
}

void cache_each(struct cache *cache, mono_us now,
                bool (*visit)(struct slice key, const void *value, size_t size, mono_us expires,
                              void *arg),
                void *arg)
{
    for (size_t i = 0; i < cache->nshards; i++) {
        struct shard *shard = &cache->shards[i];
        struct entry *dead = NULL;
        pthread_mutex_lock(&shard->lock);
        struct entry *next = NULL;
        for (struct entry *entry = shard->newest; entry != NULL; entry = next) {
            next = entry->older;
            if (entry->expires <= now ||
                visit(key_of(entry), value_of(entry), entry->value_size, entry->expires, arg))
                take_out_locked(shard, entry, &dead);
        }
        pthread_mutex_unlock(&shard->lock);
        free_dead(dead);
    }
}
