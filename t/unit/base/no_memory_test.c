/*
 * no_memory_test.c - every allocation of the maps and the address parser fails
 * once: each failure must be reported, and nothing lost or left in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/base/ipmap.h"
#include "lib/base/mailaddr.h"
#include "lib/base/strmap.h"
#include "t/unit/no_memory.h"

static bool strmap_job(void)
{
    struct strmap *map = strmap_new();
    bool good = map != NULL;
    uint32_t n = 0;
    char key[32];
    for (; good && n < 2000; n += good) {
        snprintf(key, sizeof key, "host%u.example.com", n);
        good = strmap_add(map, slice_of(key), n, NULL);
    }
    /* What went in before a failure is still there. */
    for (uint32_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "host%u.example.com", i);
        assert_int_equal(strmap_get(map, slice_of(key)), i);
    }
    if (map != NULL)
        assert_int_equal(strmap_count(map), n);
    strmap_free(map);
    return good;
}

static void test_strmap(void **state)
{
    (void)state;
    memory_fail_each(strmap_job, false);
}

static bool ipmap_job(void)
{
    struct ipmap *map = ipmap_new();
    bool good = map != NULL;
    for (uint32_t i = 0; good && i < 5000; i++) {
        struct ip four = ip_from_v4(i * 3), six = four;
        six.b[0] = 0x20;
        good = ipmap_add(map, &four, &four, i) && ipmap_add(map, &six, &six, i) &&
               ipmap_add_group_range(map, &six, i % 8, 1, 2, i);
    }
    good = good && ipmap_seal(map);
    for (uint32_t i = 0; good && i < 5000; i++) {
        struct ip four = ip_from_v4(i * 3);
        assert_int_equal(ipmap_get(map, &four), i);
    }
    ipmap_free(map);
    return good;
}

/* Giving memory back may be refused. */
static void test_ipmap(void **state)
{
    (void)state;
    memory_fail_each(ipmap_job, true);
}

static bool mailaddr_job(void)
{
    struct arena *arena = arena_new(16);
    struct mailaddr addr, made;
    struct err err = {.kind = ERR_NONE};
    bool good = arena != NULL &&
                mailaddr_parse(slice_of("<joe+a-rather-long-local-part@a-long-domain.example.com>"),
                               MAILADDR_LOOSE, true, arena, &addr, &err);
    if (arena != NULL)
        assert_int_equal(err.kind, good ? ERR_NONE : ERR_MEMORY);
    good = good && mailaddr_without_extension(&addr, "+", arena, &made) &&
           mailaddr_with_domain(&made, "another-long-domain.example.org", arena, &made);
    if (good)
        assert_string_equal(made.text, "joe@another-long-domain.example.org");
    arena_free(arena);
    return good;
}

static void test_mailaddr(void **state)
{
    (void)state;
    memory_fail_each(mailaddr_job, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strmap),
        cmocka_unit_test(test_ipmap),
        cmocka_unit_test(test_mailaddr),
    };
    return cmocka_run_group_tests_name("no_memory", tests, NULL, NULL);
}
