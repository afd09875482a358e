/*
 * hash.h - a keyed hash of bytes, for tables whose keys strangers choose.
 *
 * SipHash-1-3: without the seed nobody can make up keys that collide, so a
 * hostile client or list cannot turn a hash table into a long list. Not for
 * anything that is sent; what is stored under it hides its text from those only
 * who do not have the seed. Plain values, any thread.
 */
#ifndef LIB_BASE_HASH_H
#define LIB_BASE_HASH_H

#include "lib/base/base.h"

struct hash_seed {
    uint64_t a, b;
};

/* A seed nobody can guess, from the kernel; on a kernel without random bytes,
 * from where the loader happened to put us. */
struct hash_seed hash_seed_random(void);

uint64_t hash_bytes(const struct hash_seed *seed, const void *p, size_t n);

#endif
