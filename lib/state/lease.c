/*
 * lease.c - hash tables with chains; a lease is a pointer to the place itself.
 *
 * A place is only ever entered under its shard's lock and only ever freed
 * there, once its count is zero: who gives a lease back does not touch the
 * place again, and nobody else holds a pointer to an empty one.
 */
#include "lib/state/lease.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include "lib/base/hash.h"

#define SHARDS 16
#define BUCKETS 256 /* of a shard */

struct lease {
    struct lease *chain;
    uint64_t hash;
    atomic_uint_fast64_t count;
    size_t key_size;
    char key[];
};

struct shard {
    _Alignas(64) pthread_mutex_t lock; /* a cache line of its own: neighbours do not slow down */
    struct lease *buckets[BUCKETS];
};

struct lease_table {
    struct shard shards[SHARDS];
    struct hash_seed seed;
};

struct lease_table *lease_new(void)
{
    struct lease_table *table = aligned_alloc(_Alignof(struct lease_table), sizeof *table);
    if (table == NULL)
        return NULL;
    memset(table, 0, sizeof *table);
    table->seed = hash_seed_random();
    for (size_t i = 0; i < SHARDS; i++)
        CHECK(pthread_mutex_init(&table->shards[i].lock, NULL) == 0);
    return table;
}

static void free_chain(struct lease *place)
{
    while (place != NULL) {
        struct lease *next = place->chain;
        free(place);
        place = next;
    }
}

void lease_free(struct lease_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        for (size_t j = 0; j < BUCKETS; j++)
            free_chain(table->shards[i].buckets[j]);
        pthread_mutex_destroy(&table->shards[i].lock);
    }
    free(table);
}

static struct shard *shard_of(struct lease_table *table, uint64_t hash)
{
    return &table->shards[(hash >> 60) & (SHARDS - 1)];
}

static struct lease **bucket_of(struct shard *shard, uint64_t hash)
{
    return &shard->buckets[hash & (BUCKETS - 1)];
}

static bool is_place(const struct lease *place, uint64_t hash, struct slice key)
{
    return place->hash == hash && place->key_size == key.n && memcmp(place->key, key.p, key.n) == 0;
}

/* Acquire: what its last guest did comes before we free it. */
static bool is_empty(const struct lease *place)
{
    return atomic_load_explicit(&place->count, memory_order_acquire) == 0;
}

/* Finds the place; other places of the bucket that are empty go to *left. */
static struct lease *find_locked(struct shard *shard, uint64_t hash, struct slice key,
                                 struct lease **left)
{
    struct lease **link = bucket_of(shard, hash), *found = NULL;
    while (*link != NULL) {
        struct lease *place = *link;
        if (is_place(place, hash, key)) {
            found = place;
            link = &place->chain;
        } else if (is_empty(place)) {
            *link = place->chain;
            place->chain = *left;
            *left = place;
        } else {
            link = &place->chain;
        }
    }
    return found;
}

static struct lease *new_place(uint64_t hash, struct slice key)
{
    struct lease *place = malloc(sizeof *place + key.n);
    if (place == NULL)
        return NULL;
    *place = (struct lease){.hash = hash, .key_size = key.n};
    memcpy(place->key, key.p, key.n);
    return place;
}

static struct lease *insert_locked(struct shard *shard, struct lease *place)
{
    struct lease **bucket = bucket_of(shard, place->hash);
    place->chain = *bucket;
    *bucket = place;
    return place;
}

/* Nobody else raises a count: it can only have become smaller meanwhile. */
static bool enter_locked(struct lease *place, uint64_t limit)
{
    if (atomic_load_explicit(&place->count, memory_order_relaxed) >= limit)
        return false;
    atomic_fetch_add_explicit(&place->count, 1, memory_order_relaxed);
    return true;
}

/* With a place of our own for the case that there is none; NULL: there is none
 * and we have none. *spare is left when it was not needed. */
static struct lease *try_take(struct shard *shard, uint64_t hash, struct slice key, uint64_t limit,
                              struct lease **spare, bool *entered_out)
{
    struct lease *left = NULL;

    pthread_mutex_lock(&shard->lock);
    struct lease *place = find_locked(shard, hash, key, &left);
    if (place == NULL && *spare != NULL) {
        place = insert_locked(shard, *spare);
        *spare = NULL;
    }
    *entered_out = place != NULL && enter_locked(place, limit);
    pthread_mutex_unlock(&shard->lock);
    free_chain(left);
    return place;
}

enum lease_answer lease_take(struct lease_table *table, struct slice key, uint64_t limit,
                             struct lease **lease_out)
{
    uint64_t hash = hash_bytes(&table->seed, key.p, key.n);
    struct shard *shard = shard_of(table, hash);
    struct lease *spare = NULL;
    bool entered = false;

    *lease_out = NULL;
    struct lease *place = try_take(shard, hash, key, limit, &spare, &entered);
    if (place == NULL) {
        spare = new_place(hash, key);
        if (spare == NULL)
            return LEASE_NO_MEMORY;
        place = try_take(shard, hash, key, limit, &spare, &entered);
        free(spare);
    }
    if (entered)
        *lease_out = place;
    return entered ? LEASE_GIVEN : LEASE_REFUSED;
}

void lease_give_back(struct lease *lease)
{
    if (lease != NULL)
        CHECK(atomic_fetch_sub_explicit(&lease->count, 1, memory_order_release) > 0);
}

uint64_t lease_count(struct lease_table *table, struct slice key)
{
    uint64_t hash = hash_bytes(&table->seed, key.p, key.n);
    struct shard *shard = shard_of(table, hash);
    struct lease *left = NULL;

    pthread_mutex_lock(&shard->lock);
    const struct lease *place = find_locked(shard, hash, key, &left);
    uint64_t count = place != NULL ? atomic_load_explicit(&place->count, memory_order_relaxed) : 0;
    pthread_mutex_unlock(&shard->lock);
    free_chain(left);
    return count;
}

size_t lease_places(struct lease_table *table)
{
    size_t places = 0;

    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (size_t j = 0; j < BUCKETS; j++) {
            for (const struct lease *place = shard->buckets[j]; place != NULL; place = place->chain)
                places++;
        }
        pthread_mutex_unlock(&shard->lock);
    }
    return places;
}
