/* random.c - see random.h. The generator is splitmix64. */
#include "t/unit/tables/random.h"

#include <time.h>

struct random random_begin(void)
{
    const char *given = getenv("GATEHOUSE_TEST_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct random random = {(uint64_t)now.tv_sec ^ (uint64_t)now.tv_nsec << 20};
    if (given != NULL)
        random.state = strtoull(given, NULL, 10);
    printf("# GATEHOUSE_TEST_SEED=%llu\n", (unsigned long long)random.state);
    fflush(stdout);
    return random;
}

uint32_t random_below(struct random *random, uint32_t bound)
{
    random->state += 0x9e3779b97f4a7c15u;
    uint64_t z = random->state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32) % bound;
}
