/*
 * strmap.c - open addressing over one block of key bytes.
 *
 * A slot is 8 bytes: half of the key's hash and where the entry begins in the
 * block; where the keys are somebody else's, its number plus one. The half hash both places the
 * slot (scaled to the table, not cut by a mask, so that the table can grow by a quarter) and tells
 * almost all other keys apart without touching the block. An entry is: number (4 bytes), length (1,
 * or LONG_KEY and 4), key.
 */
#include "lib/base/strmap.h"

#include <string.h>
#include "lib/base/hash.h"

#define LONG_KEY 255
#define FIRST_SLOTS 16
#define ENTRY_HEAD_MAX 9

struct slot {
    uint32_t hash;
    uint32_t at; /* offset of the entry; 0: free (byte 0 of the block is not used) */
};

struct strmap {
    struct slice (*key_of)(const void *owner, uint32_t value); /* NULL: keys are in block */
    const void *owner;
    struct hash_seed seed;
    struct slot *slots; /* owned */
    uint32_t nslots, count;
    uint8_t *block; /* owned */
    size_t used, room;
    size_t longest_suffix_key; /* of the keys that begin with a dot */
};

struct entry {
    uint32_t value;
    struct slice key;
};

struct strmap *strmap_new(void)
{
    struct strmap *map = calloc(1, sizeof *map);
    if (map == NULL)
        return NULL;
    map->seed = hash_seed_random();
    map->slots = calloc(FIRST_SLOTS, sizeof *map->slots);
    map->nslots = FIRST_SLOTS;
    map->used = 1;
    if (map->slots == NULL) {
        strmap_free(map);
        return NULL;
    }
    return map;
}

struct strmap *strmap_new_over(struct slice (*key_of)(const void *owner, uint32_t value),
                               const void *owner)
{
    struct strmap *map = strmap_new();
    if (map != NULL) {
        map->key_of = key_of;
        map->owner = owner;
    }
    return map;
}

void strmap_free(struct strmap *map)
{
    if (map == NULL)
        return;
    free(map->slots);
    free(map->block);
    free(map);
}

static uint32_t half_hash(const struct strmap *map, struct slice key)
{
    return (uint32_t)(hash_bytes(&map->seed, key.p, key.n) >> 32);
}

static uint32_t home(uint32_t hash, uint32_t nslots)
{
    return (uint32_t)(((uint64_t)hash * nslots) >> 32);
}

static struct entry entry_at(const struct strmap *map, uint32_t at)
{
    struct entry entry;
    if (map->key_of != NULL)
        return (struct entry){at - 1, map->key_of(map->owner, at - 1)};
    const uint8_t *p = map->block + at;
    memcpy(&entry.value, p, 4);
    p += 4;
    uint32_t length = *p++;
    if (length == LONG_KEY) {
        memcpy(&length, p, 4);
        p += 4;
    }
    entry.key = (struct slice){(const char *)p, length};
    return entry;
}

static bool same_key(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* The slot that holds key, else the free one where it would go. One slot in
 * five is always free, so this ends. */
static uint32_t find_slot(const struct strmap *map, struct slice key, uint32_t hash,
                          struct entry *entry_out)
{
    uint32_t i = home(hash, map->nslots);
    while (map->slots[i].at != 0) {
        if (map->slots[i].hash == hash) {
            *entry_out = entry_at(map, map->slots[i].at);
            if (same_key(entry_out->key, key))
                break;
        }
        i = i + 1 < map->nslots ? i + 1 : 0;
    }
    return i;
}

static bool grow_slots(struct strmap *map)
{
    if (map->count < map->nslots / 5 * 4)
        return true;
    if (map->nslots > UINT32_MAX / 3 * 2)
        return false;
    uint32_t nslots = map->nslots + map->nslots / 4;
    struct slot *slots = calloc(nslots, sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < map->nslots; i++) {
        if (map->slots[i].at == 0)
            continue;
        uint32_t j = home(map->slots[i].hash, nslots);
        while (slots[j].at != 0)
            j = j + 1 < nslots ? j + 1 : 0;
        slots[j] = map->slots[i];
    }
    free(map->slots);
    map->slots = slots;
    map->nslots = nslots;
    return true;
}

static bool grow_block(struct strmap *map, size_t more)
{
    if (map->used + more <= map->room)
        return true;
    if (map->used + more > UINT32_MAX)
        return false;
    /* By a sixteenth: the kernel moves a large block without copying it. */
    size_t room = map->used + more + map->used / 16 + 256;
    uint8_t *block = realloc(map->block, room);
    if (block == NULL)
        return false;
    map->block = block;
    map->room = room;
    return true;
}

static void put_entry(struct strmap *map, struct slice key, uint32_t value)
{
    uint8_t *p = map->block + map->used;
    memcpy(p, &value, 4);
    p += 4;
    if (key.n < LONG_KEY) {
        *p++ = (uint8_t)key.n;
    } else {
        uint32_t length = (uint32_t)key.n;
        *p++ = LONG_KEY;
        memcpy(p, &length, 4);
        p += 4;
    }
    if (key.n > 0)
        memcpy(p, key.p, key.n);
    map->used = (size_t)(p - map->block) + key.n;
}

bool strmap_add(struct strmap *map, struct slice key, uint32_t value, bool *was_there_out)
{
    if (was_there_out != NULL)
        *was_there_out = false;
    bool own = map->key_of == NULL;
    if (key.n > UINT32_MAX / 2 || !grow_slots(map) ||
        (own && !grow_block(map, ENTRY_HEAD_MAX + key.n)))
        return false;
    struct entry entry;
    uint32_t hash = half_hash(map, key);
    struct slot *slot = &map->slots[find_slot(map, key, hash, &entry)];
    if (slot->at != 0) {
        if (was_there_out != NULL)
            *was_there_out = true;
        return true;
    }
    *slot = (struct slot){.hash = hash, .at = own ? (uint32_t)map->used : value + 1};
    if (own)
        put_entry(map, key, value);
    map->count++;
    if (key.n > map->longest_suffix_key && key.p[0] == '.')
        map->longest_suffix_key = key.n;
    return true;
}

uint32_t strmap_get(const struct strmap *map, struct slice key)
{
    struct entry entry;
    uint32_t i = find_slot(map, key, half_hash(map, key), &entry);
    return map->slots[i].at != 0 ? entry.value : STRMAP_NONE;
}

size_t strmap_count(const struct strmap *map)
{
    return map->count;
}

size_t strmap_bytes(const struct strmap *map)
{
    return sizeof *map + map->nslots * sizeof *map->slots + map->room;
}

/* The next suffix of name that may be a key, after `from`; false: no more. */
static bool next_suffix(const struct strmap *map, struct slice name, size_t from,
                        struct slice *suffix_out)
{
    for (size_t i = from + 1; i < name.n; i++) {
        if (name.p[i] == '.' && name.n - i <= map->longest_suffix_key) {
            *suffix_out = (struct slice){name.p + i, name.n - i};
            return true;
        }
    }
    return false;
}

uint32_t strmap_lowest_suffix(const struct strmap *map, const char *domain)
{
    struct slice name = slice_of(domain), suffix;
    uint32_t lowest = STRMAP_NONE;
    for (size_t from = 0; next_suffix(map, name, from, &suffix); from = name.n - suffix.n) {
        uint32_t value = strmap_get(map, suffix);
        if (value < lowest)
            lowest = value;
    }
    return lowest;
}

uint32_t strmap_longest_suffix(const struct strmap *map, const char *domain)
{
    struct slice name = slice_of(domain), suffix;
    for (size_t from = 0; next_suffix(map, name, from, &suffix); from = name.n - suffix.n) {
        uint32_t value = strmap_get(map, suffix);
        if (value != STRMAP_NONE)
            return value;
    }
    return STRMAP_NONE;
}
