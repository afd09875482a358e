/*
 * dice.h - repeatable random numbers for tests that compare with a plain loop.
 *
 * dice_start(0) takes a new seed at each run; any other number is the seed
 * itself. The seed is printed, so that a failure can be had again by writing it
 * in the place of the 0, or with TEST_SEED in the environment. One thread.
 */
#ifndef T_UNIT_DICE_H
#define T_UNIT_DICE_H

#include "lib/base/base.h"
#include "lib/base/hash.h"

struct dice {
    uint64_t x;
};

static inline struct dice dice_start(uint64_t seed)
{
    const char *wanted = getenv("TEST_SEED");
    if (seed == 0)
        seed = wanted != NULL ? strtoull(wanted, NULL, 10) : hash_seed_random().a;
    printf("# seed %llu\n", (unsigned long long)seed);
    return (struct dice){seed != 0 ? seed : 1};
}

/* 0...n - 1; xorshift64*. */
static inline uint32_t dice_below(struct dice *dice, uint32_t n)
{
    dice->x ^= dice->x >> 12;
    dice->x ^= dice->x << 25;
    dice->x ^= dice->x >> 27;
    return (uint32_t)((dice->x * 0x2545f4914f6cdd1du >> 32) * n >> 32);
}

#endif
