/* ipmap_test.c - the address map, also against a plain loop over its ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/base/ipmap.h"
#include "t/unit/dice.h"

static struct ip parse(const char *text)
{
    struct ip ip;
    if (!ip_parse(slice_of(text), &ip))
        fail_msg("%s is not taken for an address", text);
    return ip;
}

static void add(struct ipmap *map, const char *first, const char *last, uint32_t value)
{
    struct ip a = parse(first), b = parse(last);
    assert_true(ipmap_add(map, &a, &b, value));
}

static void expect(const struct ipmap *map, const char *text, uint32_t value)
{
    struct ip ip = parse(text);
    uint32_t got = ipmap_get(map, &ip);
    if (got != value)
        fail_msg("%s gave %u, not %u", text, got, value);
}

static void test_empty(void **state)
{
    (void)state;
    struct ipmap *map = ipmap_new();
    assert_true(ipmap_seal(map));
    expect(map, "0.0.0.0", IPMAP_NONE);
    expect(map, "255.255.255.255", IPMAP_NONE);
    expect(map, "::", IPMAP_NONE);
    ipmap_free(map);
    ipmap_free(NULL);
}

static void test_lowest_wins(void **state)
{
    (void)state;
    struct ipmap *map = ipmap_new();
    add(map, "10.0.0.0", "10.255.255.255", 5);
    add(map, "10.1.0.0", "10.1.255.255", 2);
    add(map, "10.1.2.3", "10.1.2.3", 9); /* hidden */
    add(map, "10.1.255.255", "10.2.0.0", 1);
    add(map, "11.0.0.0", "11.0.0.0", 5); /* joins the first */
    add(map, "2001:db8::", "2001:db8::ffff", 4);
    add(map, "2001:db8::10", "2001:db8::20", 3);
    assert_true(ipmap_seal(map));
    expect(map, "9.255.255.255", IPMAP_NONE);
    expect(map, "10.0.0.0", 5);
    expect(map, "10.0.255.255", 5);
    expect(map, "10.1.0.0", 2);
    expect(map, "10.1.2.3", 2);
    expect(map, "10.1.255.254", 2);
    expect(map, "10.1.255.255", 1);
    expect(map, "10.2.0.0", 1);
    expect(map, "10.2.0.1", 5);
    expect(map, "10.255.255.255", 5);
    expect(map, "11.0.0.0", 5);
    expect(map, "11.0.0.1", IPMAP_NONE);
    expect(map, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", IPMAP_NONE);
    expect(map, "2001:db8::", 4);
    expect(map, "2001:db8::f", 4);
    expect(map, "2001:db8::10", 3);
    expect(map, "2001:db8::20", 3);
    expect(map, "2001:db8::21", 4);
    expect(map, "2001:db8::ffff", 4);
    expect(map, "2001:db8::1:0", IPMAP_NONE);
    ipmap_free(map);
}

/* "::/0" is IPv6 only, "::ffff:0:0/96" is all of IPv4 (SPEC 3.1). */
static void test_two_spaces(void **state)
{
    (void)state;
    struct ipmap *map = ipmap_new();
    add(map, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1);
    assert_true(ipmap_seal(map));
    expect(map, "::", 1);
    expect(map, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1);
    expect(map, "192.0.2.1", IPMAP_NONE);
    ipmap_free(map);

    map = ipmap_new();
    add(map, "::ffff:0:0", "::ffff:ffff:ffff", 1);
    add(map, "::fffe:ffff:ffff", "::ffff:0:5", 2); /* leaves IPv4: one of IPv6 */
    assert_true(ipmap_seal(map));
    expect(map, "0.0.0.0", 1);
    expect(map, "255.255.255.255", 1);
    expect(map, "::fffe:ffff:ffff", 2);
    expect(map, "::1:0:0:0", IPMAP_NONE);
    ipmap_free(map);
}

static void test_group_ranges(void **state)
{
    (void)state;
    struct ipmap *map = ipmap_new();
    struct ip base = parse("1:2:3:4:5:6:7:8"), four = parse("192.0.2.7");
    for (unsigned g = 0; g < 8; g++)
        assert_true(ipmap_add_group_range(map, &base, g, 0x10, 0x20, 10 - g));
    assert_true(ipmap_add_group_range(map, &base, 3, 4, 4, 20));
    assert_true(ipmap_add_group_range(map, &four, 7, 0x0207, 0x0208, 30));
    assert_true(ipmap_add_group_range(map, &four, 6, 0xc001, 0xc002, 31));
    assert_true(ipmap_seal(map));
    expect(map, "10:2:3:4:5:6:7:8", 10);
    expect(map, "20:2:3:4:5:6:7:8", 10);
    expect(map, "f:2:3:4:5:6:7:8", IPMAP_NONE);
    expect(map, "21:2:3:4:5:6:7:8", IPMAP_NONE);
    expect(map, "1:2:3:18:5:6:7:8", 7);
    expect(map, "1:2:3:18:5:6:7:9", IPMAP_NONE);
    expect(map, "1:2:3:18:5:6:10:8", IPMAP_NONE);
    expect(map, "1:2:3:4:5:6:1f:8", 4);
    expect(map, "1:2:3:4:5:6:7:10", 3);
    expect(map, "1:2:3:4:5:6:7:8", 20);
    expect(map, "192.0.2.6", IPMAP_NONE);
    expect(map, "192.0.2.7", 30);
    expect(map, "192.0.2.8", 30);
    expect(map, "192.1.2.7", 31);
    expect(map, "192.2.2.7", 31);
    expect(map, "192.3.2.7", IPMAP_NONE);
    expect(map, "192.1.2.8", IPMAP_NONE);
    ipmap_free(map);
}

/* --- against a plain loop -------------------------------------------------- */

struct plain {
    struct ip first, last;
    unsigned group; /* 8: none */
};

#define PLAIN_MAX 400

static bool plain_holds(const struct plain *range, const struct ip *ip)
{
    if (ip_is_v4(&range->first) != ip_is_v4(ip))
        return false;
    if (range->group == 8)
        return ip_compare(&range->first, ip) <= 0 && ip_compare(ip, &range->last) <= 0;
    for (unsigned g = 0; g < 8; g++) {
        const uint8_t *b = ip->b + 2 * g;
        if (memcmp(b, range->first.b + 2 * g, 2) < 0 || memcmp(b, range->last.b + 2 * g, 2) > 0)
            return false;
    }
    return true;
}

/* Few different bytes, so that ranges overlap, nest and touch; both ends of
 * the spaces are among them. */
static struct ip roll_ip(struct dice *dice, bool four)
{
    static const uint8_t bytes[] = {0, 0, 1, 2, 0x7f, 0xfe, 0xff, 0xff};
    struct ip ip = ip_from_v4(0);
    for (unsigned i = four ? 12 : 0; i < 16; i++)
        ip.b[i] = bytes[dice_below(dice, 8)];
    if (!four && dice_below(dice, 2) == 0)
        memset(ip.b + 2, 0, 12);
    return ip;
}

static void roll_range(struct dice *dice, bool four, struct plain *range)
{
    range->group = 8;
    range->first = roll_ip(dice, four);
    unsigned bits = dice_below(dice, four ? 33 : 129);
    switch (dice_below(dice, 4)) {
    case 0: /* a network */
        range->last = ip_last(&range->first, bits);
        range->first = ip_masked(&range->first, bits);
        break;
    case 1: /* one address */
        range->last = range->first;
        break;
    default:
        range->last = roll_ip(dice, four);
        if (ip_compare(&range->first, &range->last) > 0) {
            struct ip swap = range->first;
            range->first = range->last;
            range->last = swap;
        }
    }
}

static void roll_group_range(struct dice *dice, struct plain *range)
{
    range->first = range->last = roll_ip(dice, false);
    range->group = dice_below(dice, 8);
    range->first.b[2 * range->group] = 0;
    range->last.b[2 * range->group] = (uint8_t)dice_below(dice, 256);
    range->last.b[2 * range->group + 1] = 0xff;
}

static bool add_plain(struct ipmap *map, const struct plain *range, uint32_t value)
{
    unsigned g = range->group;
    if (g == 8)
        return ipmap_add(map, &range->first, &range->last, value);
    const uint8_t *from = range->first.b + 2 * g, *to = range->last.b + 2 * g;
    return ipmap_add_group_range(map, &range->first, g, (uint16_t)(from[0] << 8 | from[1]),
                                 (uint16_t)(to[0] << 8 | to[1]), value);
}

static void check_ip(const struct ipmap *map, const struct plain *ranges, size_t count,
                     const struct ip *ip)
{
    uint32_t value = 0;
    while (value < count && !plain_holds(&ranges[value], ip))
        value++;
    if (value == count)
        value = IPMAP_NONE;
    uint32_t got = ipmap_get(map, ip);
    char text[IP_TEXT_MAX];
    if (got != value)
        fail_msg("%s gave %u, not %u", ip_text(ip, text), got, value);
}

/* ip and its neighbours in its space. */
static void check_around(const struct ipmap *map, const struct plain *ranges, size_t count,
                         const struct ip *ip)
{
    struct ip next = *ip, before = *ip;
    unsigned i = 15;
    check_ip(map, ranges, count, ip);
    while (++next.b[i] == 0 && i > 0)
        i--;
    check_ip(map, ranges, count, &next);
    for (i = 15; before.b[i]-- == 0 && i > 0;)
        i--;
    check_ip(map, ranges, count, &before);
}

static void compare_once(struct dice *dice)
{
    static struct plain ranges[PLAIN_MAX];
    size_t count = 1 + dice_below(dice, PLAIN_MAX - 1);
    struct ipmap *map = ipmap_new();
    for (uint32_t i = 0; i < count; i++) {
        if (dice_below(dice, 4) == 0)
            roll_group_range(dice, &ranges[i]);
        else
            roll_range(dice, dice_below(dice, 2) == 0, &ranges[i]);
        assert_true(add_plain(map, &ranges[i], i));
    }
    assert_true(ipmap_seal(map));
    for (size_t i = 0; i < count; i++) {
        check_around(map, ranges, count, &ranges[i].first);
        check_around(map, ranges, count, &ranges[i].last);
        struct ip ip = roll_ip(dice, i % 2 == 0);
        check_ip(map, ranges, count, &ip);
    }
    ipmap_free(map);
}

static void test_against_a_loop(void **state)
{
    (void)state;
    struct dice fixed = dice_start(1), fresh = dice_start(0);
    for (unsigned i = 0; i < 40; i++) {
        compare_once(&fixed);
        compare_once(&fresh);
    }
}

/* Enough for the index over the first 16 bits, whose edges are checked here. */
static void test_many(void **state)
{
    (void)state;
    struct ipmap *map = ipmap_new();
    const uint32_t count = 100000, step = 40961; /* the last one is near 255.0.0.0 */
    for (uint32_t i = 0; i < count; i++) {
        struct ip first = ip_from_v4((count - 1 - i) * step);
        struct ip last = ip_from_v4((count - 1 - i) * step + 9);
        assert_true(ipmap_add(map, &first, &last, i));
    }
    assert_true(ipmap_seal(map));
    assert_true(ipmap_bytes(map) < (size_t)count * 20);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (count - 1 - i) * step;
        struct ip ips[] = {ip_from_v4(at), ip_from_v4(at + 9), ip_from_v4(at + 10)};
        assert_int_equal(ipmap_get(map, &ips[0]), i);
        assert_int_equal(ipmap_get(map, &ips[1]), i);
        assert_int_equal(ipmap_get(map, &ips[2]), IPMAP_NONE);
    }
    for (uint32_t top = 0; top < 65536; top++) {
        struct ip ips[] = {ip_from_v4(top << 16), ip_from_v4(top << 16 | 0xffff)};
        for (size_t i = 0; i < 2; i++) {
            uint32_t at = ip_v4(&ips[i]), n = at / step;
            uint32_t value = n < count && at % step <= 9 ? count - 1 - n : IPMAP_NONE;
            assert_int_equal(ipmap_get(map, &ips[i]), value);
        }
    }
    ipmap_free(map);
}

/* Networks inside each other, each with a better number than the one around
 * it: all are open at once. */
static void test_deep_nesting(void **state)
{
    (void)state;
    const uint32_t count = 200000;
    struct ipmap *map = ipmap_new();
    for (uint32_t i = 0; i < count; i++) {
        struct ip first = ip_from_v4(i), last = ip_from_v4(UINT32_MAX - i);
        assert_true(ipmap_add(map, &first, &last, count - i));
    }
    assert_true(ipmap_seal(map));
    expect(map, "0.0.0.0", count);
    expect(map, "255.255.255.255", count);
    expect(map, "0.0.0.1", count - 1);
    expect(map, "255.255.255.254", count - 1);
    expect(map, "128.0.0.0", 1);
    ipmap_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),          cmocka_unit_test(test_lowest_wins),
        cmocka_unit_test(test_two_spaces),     cmocka_unit_test(test_group_ranges),
        cmocka_unit_test(test_against_a_loop), cmocka_unit_test(test_many),
        cmocka_unit_test(test_deep_nesting),
    };
    return cmocka_run_group_tests_name("ipmap", tests, NULL, NULL);
}
