/*
 * hash.c - SipHash with one round a word and three at the end
 * (Aumasson and Bernstein, "SipHash: a fast short-input PRF").
 */
#include "lib/base/hash.h"

#include <string.h>
#include <unistd.h>

struct hash_seed hash_seed_random(void)
{
    struct hash_seed seed;
    if (getentropy(&seed, sizeof seed) != 0) {
        seed.a = (uint64_t)(uintptr_t)&seed;
        seed.b = (uint64_t)(uintptr_t)hash_seed_random;
    }
    return seed;
}

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void mix(struct state *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static void add_word(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s);
    s->v0 ^= word;
}

/* Up to eight bytes, little-endian, on any machine. */
static uint64_t read_le(const uint8_t *p, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

uint64_t hash_bytes(const struct hash_seed *seed, const void *p, size_t n)
{
    struct state s = {
        .v0 = seed->a ^ 0x736f6d6570736575u,
        .v1 = seed->b ^ 0x646f72616e646f6du,
        .v2 = seed->a ^ 0x6c7967656e657261u,
        .v3 = seed->b ^ 0x7465646279746573u,
    };
    const uint8_t *at = p;
    for (size_t left = n; left >= 8; left -= 8, at += 8)
        add_word(&s, read_le(at, 8));
    add_word(&s, (uint64_t)n << 56 | read_le(at, n % 8));
    s.v2 ^= 0xff;
    mix(&s);
    mix(&s);
    mix(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
