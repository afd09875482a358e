/* host_test.c - the double look-up against a scripted name server. */
#include "lib/net/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/dice.h"
#include "t/unit/net/nameserver.h"

static struct nameserver server;
static struct arena *arena; /* of one test */

static const char *const class_names[] = {
    [HOST_VERIFIED] = "verified",     [HOST_NO_PTR] = "no_ptr",   [HOST_PTR_TEMPFAIL] = "tempfail",
    [HOST_PTR_MISMATCH] = "mismatch", [HOST_UNKNOWN] = "unknown",
};

static void count_call(void *arg)
{
    unsigned *calls = arg;
    (*calls)++;
}

static struct dns *start(const char *script)
{
    struct err err;
    struct dns_keys keys = nameserver_keys(&server);
    nameserver_script(&server, script);
    struct dns *dns = dns_new(&keys, &err);
    assert_non_null(dns);
    return dns;
}

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_true(ip_parse(slice_of(text), &ip));
    return ip;
}

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        const char *ip, *class, *name;
    } rows[] = {
        {"192.0.2.1", "verified", "mail.example"},
        {"::ffff:192.0.2.1", "verified", "mail.example"},
        {"2001:db8::1", "verified", "six.example"},
        {"192.0.2.2", "no_ptr", ""},
        {"192.0.2.3", "no_ptr", ""},
        {"192.0.2.4", "tempfail", ""},
        {"192.0.2.5", "tempfail", ""},
        {"192.0.2.6", "mismatch", "other.example"},
        {"192.0.2.7", "mismatch", "nowhere.example"},
        {"192.0.2.8", "verified", "second.example"}, /* and third.example */
        {"192.0.2.9", "verified", "good.example"},
        {"192.0.2.10", "tempfail", ""},
        {"192.0.2.11", "verified", "mail.example"},
        {"192.0.2.12", "verified", "alias.example"},
        {"192.0.2.13", "mismatch", "only6.example"},
        {"192.0.2.14", "no_ptr", ""},
    };
    struct dns *dns =
        start("1.2.0.192.in-addr.arpa PTR mail.example\n"
              "mail.example A 192.0.2.200\n"
              "mail.example A 192.0.2.1\n"
              "mail.example A 192.0.2.11\n"
              "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
              " PTR six.example\n"
              "six.example AAAA 2001:db8::1\n"
              "3.2.0.192.in-addr.arpa TXT none\n"
              "4.2.0.192.in-addr.arpa !servfail\n"
              "5.2.0.192.in-addr.arpa !drop\n"
              "6.2.0.192.in-addr.arpa PTR other.example\n"
              "other.example A 192.0.2.99\n"
              "7.2.0.192.in-addr.arpa PTR nowhere.example\n"
              /* of several all that lead back */
              "8.2.0.192.in-addr.arpa PTR first.example\n"
              "8.2.0.192.in-addr.arpa PTR second.example\n"
              "8.2.0.192.in-addr.arpa PTR third.example\n"
              "first.example A 192.0.2.99\n"
              "second.example A 192.0.2.8\n"
              "second.example !delay=100\n"
              "third.example A 192.0.2.8\n"
              /* a name that cannot be asked does no harm beside a good one ... */
              "9.2.0.192.in-addr.arpa PTR bad.example\n"
              "9.2.0.192.in-addr.arpa PTR good.example\n"
              "bad.example !servfail\n"
              "good.example A 192.0.2.9\n"
              /* ... but leaves doubt without one */
              "10.2.0.192.in-addr.arpa PTR other.example\n"
              "10.2.0.192.in-addr.arpa PTR dead.example\n"
              "dead.example !drop\n"
              /* RFC 2317 */
              "11.2.0.192.in-addr.arpa CNAME 11.0/25.2.0.192.in-addr.arpa\n"
              "11.0/25.2.0.192.in-addr.arpa PTR mail.example\n"
              "12.2.0.192.in-addr.arpa PTR alias.example\n"
              "alias.example CNAME real.example\n"
              "real.example A 192.0.2.12\n"
              "13.2.0.192.in-addr.arpa PTR only6.example\n"
              "only6.example AAAA ::ffff:192.0.2.13\n"
              "14.2.0.192.in-addr.arpa PTR \"not a name\"\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip ip = ip_of(rows[i].ip);
        struct host_answer answer;
        host_lookup(dns, &ip, arena, mono_now() + MONO_SECONDS(5), NULL, NULL, &answer);
        if (strcmp(class_names[answer.class], rows[i].class) != 0 ||
            strcmp(answer.name, rows[i].name) != 0)
            fail_msg("%s: %s \"%s\"", rows[i].ip, class_names[answer.class], answer.name);
    }
    dns_free(dns);
}

/* "verified a.example b.example partial" */
static const char *ask(struct dns *dns, const char *address)
{
    static char text[HOST_NAMES_MAX * 20 + 100];
    struct ip ip = ip_of(address);
    struct host_answer answer;
    host_lookup(dns, &ip, arena, mono_now() + MONO_SECONDS(5), NULL, NULL, &answer);
    size_t n = (size_t)snprintf(text, sizeof text, "%s %s", class_names[answer.class], answer.name);
    for (size_t i = 0; i < answer.n; i++) {
        if (i == 0)
            assert_string_equal(answer.names[0], answer.name);
        else
            n += (size_t)snprintf(text + n, sizeof text - n, " %s", answer.names[i]);
    }
    snprintf(text + n, sizeof text - n, "%s", answer.partial ? " partial" : "");
    return text;
}

static void expect(struct dns *dns, const char *address, const char *wanted)
{
    const char *text = ask(dns, address);
    if (strcmp(text, wanted) != 0)
        fail_msg("%s: %s, wanted %s", address, text, wanted);
}

static void test_several_names(void **state)
{
    (void)state;
    struct dns *dns =
        start("1.2.0.192.in-addr.arpa PTR b.example\n"
              "1.2.0.192.in-addr.arpa PTR B.Example.\n"
              "1.2.0.192.in-addr.arpa PTR c.example\n"
              "1.2.0.192.in-addr.arpa PTR \"no name\"\n"
              "1.2.0.192.in-addr.arpa PTR a.example\n"
              "a.example A 192.0.2.1\n"
              "b.example A 192.0.2.1\n"
              "c.example A 192.0.2.99\n"
              /* some cannot be asked, others verify */
              "2.2.0.192.in-addr.arpa PTR b2.example\n"
              "2.2.0.192.in-addr.arpa PTR a-ill.example\n"
              "2.2.0.192.in-addr.arpa PTR c-dead.example\n"
              "2.2.0.192.in-addr.arpa PTR d2.example\n"
              "a-ill.example !servfail\n"
              "c-dead.example !drop\n"
              "b2.example A 192.0.2.2\n"
              "d2.example A 192.0.2.2\n"
              /* none verifies: the first in the alphabet is shown */
              "3.2.0.192.in-addr.arpa PTR z.example\n"
              "3.2.0.192.in-addr.arpa PTR c.example\n"
              /* a name that has more addresses than are kept */
              "4.2.0.192.in-addr.arpa PTR large.example\n"
              "large.example A 198.51.100.1-120\n"
              "large.example A 192.0.2.5-5\n"
              "5.2.0.192.in-addr.arpa PTR large.example\n"
              /* IPv6 */
              "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
              " PTR y.example\n"
              "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
              " PTR x.example\n"
              "x.example AAAA 2001:db8::1\n"
              "y.example AAAA 2001:db8::1\n");
    expect(dns, "192.0.2.1", "verified a.example b.example");
    expect(dns, "192.0.2.2", "verified b2.example d2.example partial");
    expect(dns, "192.0.2.3", "mismatch c.example");
    expect(dns, "192.0.2.4", "tempfail ");
    expect(dns, "192.0.2.5", "verified large.example");
    expect(dns, "2001:db8::1", "verified x.example y.example");
    dns_free(dns);
}

#define NAMES 8
#define ORDERS 30

/* Names of a client, some of which lead back, in any order, their addresses too: the
 * same answer. */
static void test_order_decides_nothing(void **state)
{
    (void)state;
    struct dice dice = dice_start(0);
    char first[400] = "";
    struct dns *dns = start("");
    for (int order = 0; order < ORDERS; order++) {
        char script[4000];
        unsigned names[NAMES];
        size_t n = 0;
        for (unsigned i = 0; i < NAMES; i++)
            names[i] = i;
        for (unsigned i = NAMES; i > 1; i--) {
            unsigned j = dice_below(&dice, i), name = names[j];
            names[j] = names[i - 1];
            names[i - 1] = name;
        }
        for (unsigned i = 0; i < NAMES; i++) {
            unsigned name = names[i], turn = dice_below(&dice, 2);
            n += (size_t)snprintf(script + n, sizeof script - n,
                                  "1.2.0.192.in-addr.arpa 0 PTR n%u.example\n", name);
            for (unsigned k = 0; k < 2; k++)
                n += (size_t)snprintf(script + n, sizeof script - n, "n%u.example 0 A 192.0.2.%u\n",
                                      name, k == turn ? 99 : name % 2 + 1);
        }
        nameserver_script(&server, script);
        const char *text = ask(dns, "192.0.2.1");
        if (order == 0)
            snprintf(first, sizeof first, "%s", text);
        assert_string_equal(text, first);
    }
    assert_string_equal(first, "verified n0.example n2.example n4.example n6.example");
    dns_free(dns);
}

/* The first in the alphabet; for the others nobody can tell. */
static void test_names_beyond_the_limit(void **state)
{
    (void)state;
    char script[6000];
    size_t n = 0;
    for (unsigned i = HOST_NAMES_MAX + 2; i > 0; i--)
        n += (size_t)snprintf(script + n, sizeof script - n,
                              "1.2.0.192.in-addr.arpa PTR n%02u.example\n"
                              "2.2.0.192.in-addr.arpa PTR n%02u.example\n"
                              "3.2.0.192.in-addr.arpa PTR n%02u.example\n",
                              i, i, i);
    snprintf(script + n, sizeof script - n,
             "n01.example A 192.0.2.3\nn%02d.example A 192.0.2.1\nn%02d.example A 192.0.2.3\n"
             "n%02d.example A 192.0.2.2\n",
             HOST_NAMES_MAX, HOST_NAMES_MAX, HOST_NAMES_MAX + 1);
    struct dns *dns = start(script);
    char wanted[100], beyond[30];
    snprintf(wanted, sizeof wanted, "verified n%02d.example partial", HOST_NAMES_MAX);
    expect(dns, "192.0.2.1", wanted);
    expect(dns, "192.0.2.2", "tempfail ");
    snprintf(wanted, sizeof wanted, "verified n01.example n%02d.example partial", HOST_NAMES_MAX);
    expect(dns, "192.0.2.3", wanted);
    snprintf(beyond, sizeof beyond, "n%02d.example", HOST_NAMES_MAX + 1);
    assert_int_equal(nameserver_count(&server, "udp", beyond, "A"), 0);
    dns_free(dns);
}

/* All names are waited for, together. */
static void test_all_at_once(void **state)
{
    (void)state;
    struct dns *dns = start("1.2.0.192.in-addr.arpa PTR a.example\n"
                            "1.2.0.192.in-addr.arpa PTR b.example\n"
                            "1.2.0.192.in-addr.arpa PTR c.slow.example\n"
                            "1.2.0.192.in-addr.arpa PTR d.slow.example\n"
                            "1.2.0.192.in-addr.arpa PTR e.slow.example\n"
                            "1.2.0.192.in-addr.arpa PTR f.slow.example\n"
                            "1.2.0.192.in-addr.arpa PTR g.slow.example\n"
                            "a.example A 192.0.2.1\n"
                            "*.slow.example A 192.0.2.1\n"
                            "b.example A 192.0.2.99\n"
                            "*.slow.example !delay=500\n");
    mono_us begun = mono_now();
    expect(dns, "192.0.2.1",
           "verified a.example c.slow.example d.slow.example e.slow.example f.slow.example "
           "g.slow.example");
    assert_in_range(mono_now() - begun, MONO_MS(500), MONO_SECONDS(2)); /* in a row: 2.5 s */
    dns_free(dns);
}

static void test_verified(void **state)
{
    (void)state;
    static const char *const several[] = {"c.example", "a.example", "c.example", "b.example"};
    struct host_answer answer;
    assert_true(host_verified(several, 1, arena, &answer));
    assert_int_equal(answer.class, HOST_VERIFIED);
    assert_string_equal(answer.name, "c.example");
    assert_int_equal(answer.n, 0);
    assert_true(host_verified(several, ARRAY_LEN(several), arena, &answer));
    assert_string_equal(answer.name, "a.example");
    assert_int_equal(answer.n, 3);
    assert_string_equal(answer.names[0], "a.example");
    assert_string_equal(answer.names[1], "b.example");
    assert_string_equal(answer.names[2], "c.example");
}

static void test_deadline_and_waiting_is_announced_once(void **state)
{
    (void)state;
    struct dns *dns = start("1.2.0.192.in-addr.arpa PTR slow.example\n"
                            "1.2.0.192.in-addr.arpa !delay=50\n"
                            "slow.example A 192.0.2.1\n"
                            "slow.example !delay=300\n");
    struct ip ip = ip_of("192.0.2.1");
    struct host_answer answer;
    unsigned calls = 0;
    mono_us begun = mono_now();
    host_lookup(dns, &ip, arena, begun + MONO_MS(100), count_call, &calls, &answer);
    assert_int_equal(answer.class, HOST_PTR_TEMPFAIL);
    assert_string_equal(answer.name, "");
    assert_int_equal(calls, 1);
    assert_in_range(mono_now() - begun, MONO_MS(100), MONO_SECONDS(2));

    host_lookup(dns, &ip, arena, begun + MONO_SECONDS(5), count_call, &calls, &answer);
    assert_int_equal(answer.class, HOST_VERIFIED);
    assert_int_equal(calls, 2);
    host_lookup(dns, &ip, arena, begun + MONO_SECONDS(5), count_call, &calls, &answer);
    assert_int_equal(answer.class, HOST_VERIFIED);
    assert_int_equal(calls, 2); /* all of it was in the cache */
    assert_int_equal(nameserver_count(&server, "udp", "slow.example", "A"), 1);
    dns_free(dns);
}

static int begin(void **state)
{
    (void)state;
    arena = arena_new(0);
    return arena != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static int start_server(void **state)
{
    (void)state;
    nameserver_start(&server);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    nameserver_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_classes, begin, end),
        cmocka_unit_test_setup_teardown(test_several_names, begin, end),
        cmocka_unit_test_setup_teardown(test_order_decides_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_names_beyond_the_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_all_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_verified, begin, end),
        cmocka_unit_test_setup_teardown(test_deadline_and_waiting_is_announced_once, begin, end),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
