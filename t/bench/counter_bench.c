/*
 * counter_bench.c - how fast many threads count, and what a counter weighs.
 * Prints, asserts nothing.
 *
 *     make bench-programs && t/bench/counter_bench
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/mono.h"
#include "lib/state/counter.h"
#include "lib/state/harvest.h"
#include "lib/state/lease.h"

#define KEYS 1000000
#define TOTAL 4000000 /* operations, over all threads */
#define HOUR MONO_SECONDS(3600)
#define STACK (64 * 1024)

struct work {
    void (*run)(uint32_t key, void *table);
    void *table;
    uint32_t keys; /* different ones */
    uint32_t each; /* operations of a thread */
    atomic_uint seed;
    pthread_barrier_t start;
};

static uint32_t scramble(uint32_t i)
{
    return (uint32_t)((i * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* 17 bytes, as an address with its prefix length. */
static struct slice key_of(uint32_t key, char bytes[17])
{
    memset(bytes, 0, 17);
    memcpy(bytes + 13, &key, sizeof key);
    return (struct slice){bytes, 17};
}

static void take(uint32_t key, void *table)
{
    char bytes[17];
    (void)counter_take(table, key_of(key, bytes), UINT64_MAX, HOUR, 0, NULL);
}

/* Every key is new, and has to be made room for. */
static void crowd_out(uint32_t key, void *table)
{
    static atomic_uint more;
    char bytes[17];
    key = atomic_fetch_add_explicit(&more, 1, memory_order_relaxed);
    (void)counter_take(table, key_of(key, bytes), 2 + key % 8, HOUR, 0, NULL);
}

static void note(uint32_t key, void *table)
{
    char bytes[17];
    struct slice client = key_of(key % 1000, bytes);
    (void)harvest_note(table, client, (struct slice){(const char *)&key, sizeof key}, 25, HOUR, 0);
}

static void ask_quiet(uint32_t key, void *table)
{
    char bytes[17];
    struct harvest_value value;
    (void)!harvest_get(table, key_of(key, bytes), HOUR, 0, &value);
}

static void come_and_go(uint32_t key, void *table)
{
    char bytes[17];
    struct lease *lease;
    (void)lease_take(table, key_of(key, bytes), UINT64_MAX, &lease);
    lease_give_back(lease);
}

static void *work(void *arg)
{
    struct work *work = arg;
    uint32_t at = atomic_fetch_add(&work->seed, 1) * work->each;
    pthread_barrier_wait(&work->start);
    for (uint32_t i = 0; i < work->each; i++)
        work->run(scramble(at + i) % work->keys, work->table);
    return NULL;
}

static void measure(const char *what, void (*run)(uint32_t key, void *table), void *table,
                    uint32_t keys, unsigned threads)
{
    struct work all = {.run = run, .table = table, .keys = keys, .each = TOTAL / threads};
    pthread_t *ids = calloc(threads, sizeof *ids);
    pthread_attr_t small;
    CHECK(ids != NULL);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK);
    pthread_barrier_init(&all.start, NULL, threads + 1);
    for (unsigned i = 0; i < threads; i++)
        CHECK(pthread_create(&ids[i], &small, work, &all) == 0);
    mono_us began = mono_now();
    pthread_barrier_wait(&all.start);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    double seconds = (double)(mono_now() - began) / 1e6;
    printf("%-34s %7u keys, %3u threads: %6.1f million/s\n", what, keys, threads,
           (double)all.each * threads / seconds / 1e6);
    pthread_barrier_destroy(&all.start);
    pthread_attr_destroy(&small);
    free(ids);
}

static size_t resident(void)
{
    unsigned long pages = 0, all;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL && fscanf(file, "%lu %lu", &all, &pages) != 2)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void weigh(void)
{
    size_t before = resident();
    struct counter_table *table = counter_new(KEYS);
    size_t empty = resident();
    for (uint32_t i = 0; i < KEYS; i++)
        take(i, table);
    printf("%zu counters: %.1f bytes each in memory, %.1f reserved; an empty table: %zu bytes\n",
           counter_keys(table), (double)(resident() - before) / (double)counter_keys(table),
           (double)counter_bytes(table) / KEYS, empty - before);
    counter_free(table);
}

int main(void)
{
    static const unsigned threads[] = {1, 500};
    weigh();
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        struct counter_table *counters = counter_new(KEYS);
        struct lease_table *leases = lease_new();
        struct harvest *harvest = harvest_new(KEYS), *quiet = harvest_new(KEYS);
        CHECK(counters != NULL && leases != NULL && harvest != NULL && quiet != NULL);
        measure("a recipient counted", take, counters, KEYS, threads[i]);
        measure("a recipient counted", take, counters, 1, threads[i]);
        measure("a newcomer in a full table", crowd_out, counters, KEYS, threads[i]);
        measure("a connection comes and goes", come_and_go, leases, 10000, threads[i]);
        measure("a connection comes and goes", come_and_go, leases, 1, threads[i]);
        measure("an invalid recipient noted", note, harvest, KEYS, threads[i]);
        measure("a harvester? nobody is one", ask_quiet, quiet, KEYS, threads[i]);
        counter_free(counters);
        lease_free(leases);
        harvest_free(harvest);
        harvest_free(quiet);
    }
    return 0;
}
