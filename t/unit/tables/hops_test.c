/* hops_test.c - trusted_hops: what may stand there and what it holds. */
#include "lib/tables/hops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct key_item items[] = {
    {"192.0.2.1", {0}},        {"10.0.0.0/8", {0}}, {"198.51.100.1-9", {0}},
    {"2001:db8::/32", {0}},    {"203.0.113.", {0}}, {"2001:db9:0:1-3:0:0:0:1", {0}},
    {"::ffff:192.0.2.9", {0}},
};

static void test_holds(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        bool held;
    } rows[] = {
        {"192.0.2.1", true},        {"::ffff:192.0.2.1", true}, {"192.0.2.2", false},
        {"10.255.255.255", true},   {"11.0.0.0", false},        {"198.51.100.9", true},
        {"198.51.100.10", false},   {"2001:db8:1::1", true},    {"2001:db7::1", false},
        {"203.0.113.255", true},    {"203.0.114.0", false},     {"2001:db9:0:2::1", true},
        {"2001:db9:0:4::1", false}, {"192.0.2.9", true},
    };
    struct problems problems;
    struct key_list list = {items, ARRAY_LEN(items)};
    problems_init(&problems);
    struct ipmap *map = hops_build(&list, &problems);
    assert_non_null(map);
    assert_int_equal(problems.count, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip ip;
        assert_true(ip_parse(slice_of(rows[i].ip), &ip));
        if ((ipmap_get(map, &ip) != IPMAP_NONE) != rows[i].held)
            fail_msg("%s", rows[i].ip);
    }
    ipmap_free(map);
    problems_done(&problems);
}

static void test_host_bits(void **state)
{
    (void)state;
    struct key_item item = {"192.0.2.9/24", {.file = "conf", .line = 3, .key = "[l] hops"}};
    struct ip ip = ip_from_v4(0xc0000201);
    struct problems problems;
    problems_init(&problems);
    struct ipmap *map = hops_build(&(struct key_list){&item, 1}, &problems);
    assert_int_equal(ipmap_get(map, &ip), 0);
    assert_string_equal(problems.list[0].line,
                        "conf:3: warning: [l] hops: 192.0.2.9/24 has bits set after its prefix: "
                        "192.0.2.0/24 is used");
    ipmap_free(map);
    problems_done(&problems);
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "mail.example.com", ".example.com", "ALL",        "SBRS[none]",    "nx.domain",   "SBO:1",
        "192.0.2.256",      "10.0.0.0/33",  "country:JP", "dnslist[a.bl]", "192.0.2.9-1", ""};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct key_item item[] = {{"192.0.2.1", {0}},
                                  {wrong[i], {.file = "conf", .line = 3, .key = "[l] hops"}}};
        struct key_list list = {item, 2};
        struct problems problems;
        char expected[200];
        problems_init(&problems);
        assert_null(hops_build(&list, &problems));
        assert_int_equal(problems.count, 1);
        snprintf(
            expected, sizeof expected,
            "conf:3: [l] hops: \"%s\" is not an address; allowed: addresses, ranges and networks, "
            "as in 192.0.2.1 or 2001:db8::/32",
            wrong[i]);
        assert_string_equal(problems.list[0].line, expected);
        problems_done(&problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds),
        cmocka_unit_test(test_host_bits),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
