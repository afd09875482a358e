/*
 * hostsfile_fuzz.c - hosts files. The first line is the name to look for, the rest the
 * file. An address is found once, and still found where more lines follow.
 */
#include "lib/net/hostsfile.h"

#include <string.h>
#include "lib/base/arena.h"

#define ROOM 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_file(struct slice file, const char *name, struct arena *arena)
{
    static const char more[] = "\n192.0.2.77 added.example\n";
    struct ip ips[ROOM], again[ROOM], added[ROOM];
    size_t n = hostsfile_scan(file, name, ips, ROOM);
    CHECK(n <= ROOM);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            CHECK(!ip_equal(&ips[i], &ips[k]));
    }
    struct slice longer = {arena_alloc(arena, file.n + sizeof more), file.n + sizeof more - 1};
    CHECK(longer.p != NULL);
    memcpy((char *)(uintptr_t)longer.p, file.p, file.n);
    memcpy((char *)(uintptr_t)longer.p + file.n, more, sizeof more);
    size_t m = hostsfile_scan(longer, name, again, ROOM);
    CHECK(m >= n && m <= n + 1);
    for (size_t i = 0; i < n; i++)
        CHECK(ip_equal(&ips[i], &again[i]));
    m = hostsfile_scan(longer, "added.example", added, ROOM);
    CHECK(m > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    CHECK(arena);
    if (end != NULL) {
        size_t n = (size_t)(end - data);
        char *name = arena_dup_slice(arena, (struct slice){(const char *)data, n});
        CHECK(name);
        check_file((struct slice){(const char *)end + 1, size - n - 1}, name, arena);
    }
    arena_free(arena);
    return 0;
}
