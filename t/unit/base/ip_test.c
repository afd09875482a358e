/* ip_test.c - addresses: text both ways, networks, what must not be contacted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include "lib/base/ip.h"

static struct ip parse(const char *text)
{
    struct ip ip;
    if (!ip_parse(slice_of(text), &ip))
        fail_msg("%s is not taken for an address", text);
    return ip;
}

static void test_parse_and_print(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expect;
    } rows[] = {
        {"0.0.0.0", "0.0.0.0"},
        {"192.0.2.7", "192.0.2.7"},
        {"255.255.255.255", "255.255.255.255"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"::FFFF:C000:207", "192.0.2.7"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"::1:0", "::1:0"},
        {"::192.0.2.7", "::c000:207"},
        {"2001:DB8::00Ab", "2001:db8::ab"},
        /* RFC 5952 4.2.2: one zero group is not shortened; 4.2.3: the longest
         * run is, the first of equals. */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"0:0:1:0:0:0:1:0", "0:0:1::1:0"},
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[IP_TEXT_MAX];
        struct ip ip = parse(rows[i].text);
        assert_string_equal(ip_text(&ip, text), rows[i].expect);
        struct ip again = parse(text);
        assert_true(ip_equal(&ip, &again));
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.4.",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.-4",
        "01.2.3.4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "0x1.2.3.4",
        "1.2.3.4/32",
        "1..3.4",
        ":",
        ":::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "12345::",
        "g::",
        "fe80::1%eth0",
        "[::1]",
        "::1/128",
        "::ffff:1.2.3",
        "1:2:3:4:5:6:7::8:9",
        "::1 ",
        "0000:0000:0000:0000:0000:ffff:255.255.255.2555",
        "00000000000000000000000000000000000000000000001",
    };
    struct ip ip;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (ip_parse(slice_of(rows[i]), &ip))
            fail_msg("\"%s\" is taken for an address", rows[i]);
    }
    assert_false(ip_parse((struct slice){"1.2.3.4\0", 8}, &ip));
    assert_true(ip_parse((struct slice){"1.2.3.45", 7}, &ip));
    assert_int_equal(ip_v4(&ip), 0x01020304);
}

static void test_v4_and_order(void **state)
{
    (void)state;
    struct ip a = parse("1.2.3.4"), b = parse("1.2.3.5"), six = parse("::1:2:3:4");
    assert_true(ip_is_v4(&a));
    assert_false(ip_is_v4(&six));
    assert_int_equal(ip_v4(&a), 0x01020304);
    struct ip same = ip_from_v4(0x01020304);
    assert_true(ip_equal(&a, &same));
    assert_true(ip_compare(&a, &b) < 0 && ip_compare(&b, &a) > 0 && ip_compare(&a, &a) == 0);
    struct ip low = parse("::ff"), high = parse("8000::");
    assert_true(ip_compare(&low, &high) < 0);
}

static void test_sockaddr(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int family;
        socklen_t length;
    } rows[] = {
        {"192.0.2.7", AF_INET, sizeof(struct sockaddr_in)},
        {"::ffff:192.0.2.7", AF_INET, sizeof(struct sockaddr_in)},
        {"2001:db8::7", AF_INET6, sizeof(struct sockaddr_in6)},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip ip = parse(rows[i].text), back;
        struct sockaddr_storage ss;
        assert_int_equal(ip_to_sockaddr(&ip, 2525, &ss), rows[i].length);
        assert_int_equal(ss.ss_family, rows[i].family);
        /* The port stands at the same place in both. */
        assert_int_equal(ntohs(((struct sockaddr_in *)&ss)->sin_port), 2525);
        assert_true(ip_from_sockaddr((struct sockaddr *)&ss, &back));
        assert_true(ip_equal(&ip, &back));
    }
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct ip ip;
    assert_false(ip_from_sockaddr(&other, &ip));
    assert_false(ip_from_sockaddr(NULL, &ip));
}

static void test_networks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned bits;
        const char *first, *last;
    } rows[] = {
        {"192.0.2.129", 32, "192.0.2.129", "192.0.2.129"},
        {"192.0.2.129", 33, "192.0.2.129", "192.0.2.129"},
        {"192.0.2.129", 31, "192.0.2.128", "192.0.2.129"},
        {"192.0.2.129", 25, "192.0.2.128", "192.0.2.255"},
        {"192.0.2.129", 24, "192.0.2.0", "192.0.2.255"},
        {"192.0.2.129", 23, "192.0.2.0", "192.0.3.255"},
        {"192.0.2.129", 1, "128.0.0.0", "255.255.255.255"},
        {"192.0.2.129", 0, "0.0.0.0", "255.255.255.255"},
        {"2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"},
        {"2001:db8:1:2:3:4:5:6", 129, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"},
        {"2001:db8:1:2:3:4:5:6", 127, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:7"},
        {"2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::", "2001:db8:1:2:ffff:ffff:ffff:ffff"},
        {"2001:db8:1:2:3:4:5:6", 33, "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"},
        {"2001:db8:1:2:3:4:5:6", 0, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[IP_TEXT_MAX];
        struct ip ip = parse(rows[i].text);
        struct ip first = ip_masked(&ip, rows[i].bits), last = ip_last(&ip, rows[i].bits);
        assert_string_equal(ip_text(&first, text), rows[i].first);
        assert_string_equal(ip_text(&last, text), rows[i].last);
    }
}

static void test_special(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool special;
    } rows[] = {
        {"0.0.0.0", true},
        {"0.255.255.255", true},
        {"1.0.0.0", false},
        {"126.255.255.255", false},
        {"127.0.0.0", true},
        {"127.255.255.255", true},
        {"128.0.0.0", false},
        {"192.0.2.1", false},
        {"10.0.0.1", false}, /* private networks are where mail hosts live */
        {"223.255.255.255", false},
        {"224.0.0.0", true},
        {"239.255.255.255", true},
        {"240.0.0.0", true},
        {"255.255.255.255", true},
        {"::ffff:127.0.0.1", true},
        {"::", true},
        {"::1", true},
        {"::127.0.0.1", true},
        {"::192.0.2.1", false},
        {"::1:127.0.0.1", false},
        {"64:ff9b::127.0.0.1", true},
        {"64:ff9b::192.0.2.1", false},
        {"64:ff9b:0:0:0:1:7f00:1", false},
        {"2002:7f00:1::", true},
        {"2002:7f00:1::25", true},
        {"2002:c000:201::", false},
        {"2003:7f00:1::", false},
        {"169.253.255.255", false},
        {"169.254.0.0", true},
        {"169.254.169.254", true}, /* where clouds keep their secrets */
        {"169.255.0.0", false},
        {"::ffff:169.254.1.1", true},
        {"::ffff:0.0.0.0", true},
        {"::169.254.1.1", true},
        {"::255.255.255.255", true},
        {"::2", true}, /* 0.0.0.2 */
        {"64:ff9b::169.254.169.254", true},
        {"64:ff9b::224.0.0.1", true},
        {"64:ff9b::", true},
        {"64:ff9b::a00:1", false},
        {"2002:a9fe:a9fe::1", true},
        {"2002:e000:1::", true},
        {"2002::", true},
        /* Teredo: 127.0.0.1, 169.254.1.1, 192.0.2.1, each bit turned round */
        {"2001:0:c000:201:8000:63bf:80ff:fffe", true},
        {"2001:0:c000:201:8000:63bf:5601:fefe", true},
        {"2001:0:c000:201:8000:63bf:3fff:fdfe", false},
        {"2001:0:7f00:1:8000:63bf:3fff:fdfe", false}, /* the server's is not where it goes */
        {"2001::ffff:ffff", true},
        {"2001:1::80ff:fffe", false},
        {"fe7f:ffff::1", false},
        {"fe80::1", true},
        {"febf:ffff::1", true},
        {"fec0::1", false},
        {"fd00::1", false},
        {"feff::1", false},
        {"ff00::", true},
        {"ff02::1", true},
        {"2001:db8::1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip ip = parse(rows[i].text);
        if (ip_is_special(&ip) != rows[i].special)
            fail_msg("%s: expected %d", rows[i].text, rows[i].special);
    }
}

static void test_local(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool local;
    } rows[] = {
        {"9.255.255.255", false},
        {"10.0.0.0", true},
        {"10.255.255.255", true},
        {"11.0.0.0", false},
        {"100.63.255.255", false},
        {"100.64.0.0", true},
        {"100.127.255.255", true},
        {"100.128.0.0", false},
        {"169.253.255.255", false},
        {"169.254.0.0", true},
        {"169.254.255.255", true},
        {"169.255.0.0", false},
        {"172.15.255.255", false},
        {"172.16.0.0", true},
        {"172.31.255.255", true},
        {"172.32.0.0", false},
        {"192.167.255.255", false},
        {"192.168.0.0", true},
        {"192.168.255.255", true},
        {"192.169.0.0", false},
        {"192.0.2.1", false},
        {"127.0.0.1", true},
        {"0.0.0.0", true},
        {"224.0.0.1", true},
        {"255.255.255.255", true},
        {"::ffff:10.0.0.1", true},
        {"::1", true},
        {"::", true},
        {"fbff::1", false},
        {"fc00::1", true},
        {"fdff::1", true},
        {"fe00::1", false},
        {"fe80::1", true},
        {"ff02::1", true},
        {"2001:db8::1", false},
        {"2001:4860:4860::8888", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip ip = parse(rows[i].text);
        if (ip_is_local(&ip) != rows[i].local)
            fail_msg("%s: expected %d", rows[i].text, rows[i].local);
    }
}

static void test_reverse_name(void **state)
{
    (void)state;
    static const char nibbles[] = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
                                  "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    char out[128];
    struct ip four = parse("192.0.2.7"), six = parse("2001:db8::7");
    assert_int_equal(ip_reverse_name(&four, "in-addr.arpa", "ip6.arpa", out, sizeof out), 22);
    assert_string_equal(out, "7.2.0.192.in-addr.arpa");
    assert_int_equal(ip_reverse_name(&six, "in-addr.arpa", "ip6.arpa", out, sizeof out),
                     strlen(nibbles));
    assert_string_equal(out, nibbles);
    assert_int_equal(ip_reverse_name(&four, "list.example", "x", out, sizeof out), 22);
    assert_string_equal(out, "7.2.0.192.list.example");
    assert_int_equal(ip_reverse_name(&four, "in-addr.arpa", "ip6.arpa", out, 23), 22);
    assert_int_equal(ip_reverse_name(&four, "in-addr.arpa", "ip6.arpa", out, 22), 0);
    assert_int_equal(ip_reverse_name(&four, "in-addr.arpa", "ip6.arpa", out, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_print), cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_v4_and_order),    cmocka_unit_test(test_sockaddr),
        cmocka_unit_test(test_networks),        cmocka_unit_test(test_special),
        cmocka_unit_test(test_local),           cmocka_unit_test(test_reverse_name),
    };
    return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
