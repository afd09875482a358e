/*
 * cache.h - a bounded table of answers that expire.
 *
 * Fixed number of entries, least recently used goes first, each entry with
 * its own life. So that strangers' long answers do not eat the memory, entries
 * go as well when keys and values together pass CACHE_AVERAGE_MAX bytes times
 * the number of entries. A cache of 1024 entries or more is split into shards,
 * each with its part of both bounds and an order of use of its own. Values are
 * copied in and out (at most CACHE_VALUE_MAX bytes), so nothing is borrowed
 * across threads. Sharded: each shard has one mutex, a
 * leaf, held for a hash probe and a copy. Time is passed in, never read.
 * Any thread. Keys are hashed with a per-process secret (hostile keys cannot
 * make it slow).
 */
#ifndef LIB_STATE_CACHE_H
#define LIB_STATE_CACHE_H

#include "lib/base/base.h"
#include "lib/base/mono.h"
#include "lib/base/str.h"

struct cache;

#define CACHE_VALUE_MAX 65536 /* of a key, too; what is longer is not kept */
#define CACHE_AVERAGE_MAX 1024

struct cache *cache_new(size_t max_entries); /* NULL: out of memory */
void cache_free(struct cache *cache);

/* Replaces an entry of the same key. Silently drops the value when memory is
 * short: a cache may forget. */
void cache_put(struct cache *cache, struct slice key, const void *value, size_t size,
               mono_us expires, mono_us now);

/* Copies up to room bytes of a live value; false: none. size_out is the whole
 * size of the value, expires_out (may be NULL) its end of life; both are
 * untouched otherwise. An entry is alive while now < expires. */
NODISCARD bool cache_get(struct cache *cache, struct slice key, mono_us now, void *value_out,
                         size_t room, size_t *size_out, mono_us *expires_out);

bool cache_remove(struct cache *cache, struct slice key);
void cache_clear(struct cache *cache);
size_t cache_count(struct cache *cache); /* expired ones that nobody came across included */

/* Visit live entries, shard by shard, under the shard's lock: visit must be
 * quick. Return true from visit to remove the entry. */
void cache_each(struct cache *cache, mono_us now,
                bool (*visit)(struct slice key, const void *value, size_t size, mono_us expires,
                              void *arg),
                void *arg);

#endif
