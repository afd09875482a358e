/*
 * counter.c - hash tables of fixed size, their slots also in two queues: all of
 * a shard in the order in which windows began, and those of each level in the
 * order in which they came there. So neither what is over nor what has the least
 * to tell has to be looked for.
 *
 * A slot is named by its index plus one, so that memory the kernel hands out
 * zeroed is an empty table and nothing is touched before it is needed.
 */
#include "lib/state/counter.h"

#include <pthread.h>
#include <stdatomic.h>
#include "lib/base/hash.h"

#define SHARDS 64
/* Below this many keys one shard does: it keeps the order exactly. */
#define SHARD_KEYS_MIN 64
#define EXPIRED_AT_ONCE 2 /* slots emptied for each one filled: nobody waits for a sweep */

/* How near the count came to a limit, in eighths of it; the last: it was reached. */
#define LEVEL_REACHED 8
#define LEVELS (LEVEL_REACHED + 1)

typedef uint32_t slot_name; /* index plus one; 0: none */

enum order { BY_AGE, BY_LEVEL, ORDERS };

struct slot {
    uint64_t hash;
    mono_us began;
    uint32_t count, total;
    slot_name chain; /* next of the bucket, or of the free ones */
    struct {
        slot_name before, after;
    } in[ORDERS];
    uint32_t level;
};
_Static_assert(sizeof(struct slot) == COUNTER_BYTES, "counter.h says how large a counter is");

struct queue {
    slot_name first, last;
};

struct shard {
    _Alignas(64) pthread_mutex_t lock; /* a cache line of its own: neighbours do not slow down */
    struct slot *slots;                /* its part of the table's */
    slot_name *buckets;
    size_t nbuckets;     /* a power of two */
    uint32_t room, used; /* slots there are; those ever filled */
    atomic_uint keys;    /* changed under the lock, read without */
    slot_name free;
    struct queue ages, levels[LEVELS];
};

struct counter_table {
    struct hash_seed seed;
    size_t nshards; /* a power of two */
    struct shard *shards;
    struct slot *slots;
    slot_name *buckets;
};

static size_t buckets_for(size_t room)
{
    size_t n = 1;
    while (n < room)
        n *= 2;
    return n;
}

static void init_shards(struct counter_table *table, size_t max_keys)
{
    size_t least = max_keys / table->nshards, more = max_keys % table->nshards, at = 0;
    size_t nbuckets = buckets_for(least + 1);
    for (size_t i = 0; i < table->nshards; i++) {
        size_t room = least + (i < more);
        table->shards[i] = (struct shard){.slots = table->slots + at,
                                          .buckets = table->buckets + i * nbuckets,
                                          .nbuckets = nbuckets,
                                          .room = (uint32_t)room};
        at += room;
        CHECK(pthread_mutex_init(&table->shards[i].lock, NULL) == 0);
    }
}

struct counter_table *counter_new(size_t max_keys)
{
    if (max_keys == 0)
        max_keys = 1;
    if (max_keys > UINT32_MAX - 1)
        return NULL;
    struct counter_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->seed = hash_seed_random();
    table->nshards = max_keys < SHARDS * SHARD_KEYS_MIN ? 1 : SHARDS;
    /* In one piece each: many small ones would be cleared, and so be touched. */
    table->slots = calloc(max_keys, sizeof(struct slot));
    table->buckets =
        calloc(table->nshards * buckets_for(max_keys / table->nshards + 1), sizeof(slot_name));
    table->shards = aligned_alloc(_Alignof(struct shard), table->nshards * sizeof(struct shard));
    if (table->slots != NULL && table->buckets != NULL && table->shards != NULL) {
        init_shards(table, max_keys);
        return table;
    }
    table->nshards = 0;
    counter_free(table);
    return NULL;
}

void counter_free(struct counter_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->nshards; i++)
        pthread_mutex_destroy(&table->shards[i].lock);
    free(table->shards);
    free(table->slots);
    free(table->buckets);
    free(table);
}

/* --- one shard, under its lock ----------------------------------------------------- */

/* The high bits choose the shard, the low ones the bucket in it. */
static struct shard *shard_of(struct counter_table *table, uint64_t hash)
{
    return &table->shards[(hash >> 58) & (table->nshards - 1)];
}

static slot_name *bucket_of(struct shard *shard, uint64_t hash)
{
    return &shard->buckets[hash & (shard->nbuckets - 1)];
}

static struct slot *slot_of(struct shard *shard, slot_name name)
{
    return &shard->slots[name - 1];
}

static slot_name name_of(const struct shard *shard, const struct slot *slot)
{
    return (slot_name)(slot - shard->slots) + 1;
}

static bool is_over(const struct slot *slot, mono_us window, mono_us now)
{
    return now - slot->began >= window;
}

static struct slot *find_locked(struct shard *shard, uint64_t hash)
{
    slot_name name = *bucket_of(shard, hash);
    while (name != 0 && slot_of(shard, name)->hash != hash)
        name = slot_of(shard, name)->chain;
    return name != 0 ? slot_of(shard, name) : NULL;
}

static void leave_locked(struct shard *shard, struct queue *queue, const struct slot *slot,
                         enum order order)
{
    slot_name before = slot->in[order].before, after = slot->in[order].after;
    *(before ? &slot_of(shard, before)->in[order].after : &queue->first) = after;
    *(after ? &slot_of(shard, after)->in[order].before : &queue->last) = before;
}

static void join_locked(struct shard *shard, struct queue *queue, struct slot *slot,
                        enum order order)
{
    slot_name name = name_of(shard, slot);
    slot->in[order].before = queue->last;
    slot->in[order].after = 0;
    *(queue->last ? &slot_of(shard, queue->last)->in[order].after : &queue->first) = name;
    queue->last = name;
}

static void join_both_locked(struct shard *shard, struct slot *slot)
{
    join_locked(shard, &shard->ages, slot, BY_AGE);
    join_locked(shard, &shard->levels[slot->level], slot, BY_LEVEL);
}

static void leave_both_locked(struct shard *shard, const struct slot *slot)
{
    leave_locked(shard, &shard->ages, slot, BY_AGE);
    leave_locked(shard, &shard->levels[slot->level], slot, BY_LEVEL);
}

/* It never sinks within a window: another asker may have a smaller limit. */
static void rise_locked(struct shard *shard, struct slot *slot, uint64_t limit)
{
    uint32_t level = slot->count >= limit
                         ? LEVEL_REACHED
                         : (uint32_t)(slot->count * (uint64_t)LEVEL_REACHED / limit);
    if (level <= slot->level)
        return;
    leave_locked(shard, &shard->levels[slot->level], slot, BY_LEVEL);
    slot->level = level;
    join_locked(shard, &shard->levels[level], slot, BY_LEVEL);
}

static void empty_locked(struct shard *shard, struct slot *slot)
{
    slot_name name = name_of(shard, slot), *link = bucket_of(shard, slot->hash);
    while (*link != name)
        link = &slot_of(shard, *link)->chain;
    *link = slot->chain;
    leave_both_locked(shard, slot);
    slot->chain = shard->free;
    shard->free = name;
    atomic_fetch_sub_explicit(&shard->keys, 1, memory_order_relaxed);
}

/* Of a table that holds something. */
static struct slot *least_locked(struct shard *shard)
{
    const struct queue *queue = shard->levels;
    while (queue->first == 0)
        queue++;
    return slot_of(shard, queue->first);
}

static struct slot *free_slot_locked(struct shard *shard, mono_us window, mono_us now)
{
    for (int i = 0; i < EXPIRED_AT_ONCE && shard->ages.first != 0; i++) {
        struct slot *oldest = slot_of(shard, shard->ages.first);
        if (is_over(oldest, window, now))
            empty_locked(shard, oldest);
    }
    if (shard->free == 0 && shard->used == shard->room)
        empty_locked(shard, least_locked(shard));
    if (shard->free == 0)
        return &shard->slots[shard->used++];
    struct slot *slot = slot_of(shard, shard->free);
    shard->free = slot->chain;
    return slot;
}

static struct slot *new_slot_locked(struct shard *shard, uint64_t hash, mono_us window, mono_us now)
{
    struct slot *slot = free_slot_locked(shard, window, now);
    slot_name *bucket = bucket_of(shard, hash);
    *slot = (struct slot){.hash = hash, .began = now, .chain = *bucket};
    *bucket = name_of(shard, slot);
    join_both_locked(shard, slot);
    atomic_fetch_add_explicit(&shard->keys, 1, memory_order_relaxed);
    return slot;
}

/* The slot of a key whose window is open, if need be from now on. */
static struct slot *open_locked(struct shard *shard, uint64_t hash, mono_us window, mono_us now)
{
    struct slot *slot = find_locked(shard, hash);
    if (slot == NULL)
        return new_slot_locked(shard, hash, window, now);
    if (is_over(slot, window, now)) {
        leave_both_locked(shard, slot);
        slot->began = now;
        slot->count = slot->total = slot->level = 0;
        join_both_locked(shard, slot);
    }
    return slot;
}

/* --- counting ---------------------------------------------------------------------- */

static void add(uint32_t *number)
{
    if (*number < UINT32_MAX)
        ++*number;
}

static struct counter_value value_of(const struct slot *slot)
{
    return (struct counter_value){slot->count, slot->total, slot->began};
}

bool counter_take(struct counter_table *table, struct slice key, uint64_t limit, mono_us window,
                  mono_us now, struct counter_value *value_out)
{
    uint64_t hash = hash_bytes(&table->seed, key.p, key.n);
    struct shard *shard = shard_of(table, hash);
    pthread_mutex_lock(&shard->lock);
    struct slot *slot = open_locked(shard, hash, window, now);
    bool within = slot->count < limit;
    add(&slot->total);
    if (within)
        add(&slot->count);
    if (limit > 0)
        rise_locked(shard, slot, limit);
    struct counter_value value = value_of(slot);
    pthread_mutex_unlock(&shard->lock);
    if (value_out != NULL)
        *value_out = value;
    return within;
}

uint32_t counter_correct(struct counter_table *table, struct slice key, uint64_t limit,
                         mono_us began, int by)
{
    uint64_t hash = hash_bytes(&table->seed, key.p, key.n);
    struct shard *shard = shard_of(table, hash);
    uint32_t count = 0;
    pthread_mutex_lock(&shard->lock);
    struct slot *slot = find_locked(shard, hash);
    if (slot != NULL && slot->began == began) {
        int64_t sum = (int64_t)slot->count + by;
        slot->count = sum < 0 ? 0 : sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
        count = slot->count;
        rise_locked(shard, slot, limit);
    }
    pthread_mutex_unlock(&shard->lock);
    return count;
}

bool counter_get(struct counter_table *table, struct slice key, mono_us window, mono_us now,
                 struct counter_value *value_out)
{
    uint64_t hash = hash_bytes(&table->seed, key.p, key.n);
    struct shard *shard = shard_of(table, hash);
    /* The usual case of harvest protection: nobody has done anything wrong. */
    if (atomic_load_explicit(&shard->keys, memory_order_relaxed) == 0)
        return false;
    pthread_mutex_lock(&shard->lock);
    const struct slot *slot = find_locked(shard, hash);
    bool open = slot != NULL && !is_over(slot, window, now);
    if (open)
        *value_out = value_of(slot);
    pthread_mutex_unlock(&shard->lock);
    return open;
}

bool counter_reset(struct counter_table *table, struct slice key)
{
    uint64_t hash = hash_bytes(&table->seed, key.p, key.n);
    struct shard *shard = shard_of(table, hash);
    pthread_mutex_lock(&shard->lock);
    struct slot *slot = find_locked(shard, hash);
    if (slot != NULL)
        empty_locked(shard, slot);
    pthread_mutex_unlock(&shard->lock);
    return slot != NULL;
}

size_t counter_keys(struct counter_table *table)
{
    size_t keys = 0;
    for (size_t i = 0; i < table->nshards; i++)
        keys += atomic_load_explicit(&table->shards[i].keys, memory_order_relaxed);
    return keys;
}

size_t counter_bytes(const struct counter_table *table)
{
    size_t bytes = sizeof *table + table->nshards * sizeof(struct shard);
    for (size_t i = 0; i < table->nshards; i++)
        bytes += table->shards[i].room * sizeof(struct slot) +
                 table->shards[i].nbuckets * sizeof(slot_name);
    return bytes;
}
