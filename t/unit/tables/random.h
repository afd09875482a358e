/*
 * random.h - numbers for tests that make up their cases, and can be repeated.
 *
 * The seed is printed; GATEHOUSE_TEST_SEED=N in the environment sets it.
 */
#ifndef T_UNIT_TABLES_RANDOM_H
#define T_UNIT_TABLES_RANDOM_H

#include "lib/base/base.h"

struct random {
    uint64_t state;
};

struct random random_begin(void);
uint32_t random_below(struct random *random, uint32_t bound); /* 0 ... bound - 1 */

#endif
