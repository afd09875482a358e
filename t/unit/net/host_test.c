/* host_test.c - the double look-up against a scripted name server. */
#include "lib/net/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/net/nameserver.h"

static struct nameserver server;

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
        {"192.0.2.8", "verified", "second.example"},
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
              /* the first of several that leads back, in the order of the answer */
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
        host_lookup(dns, &ip, mono_now() + MONO_SECONDS(5), NULL, NULL, &answer);
        if (strcmp(class_names[answer.class], rows[i].class) != 0 ||
            strcmp(answer.name, rows[i].name) != 0)
            fail_msg("%s: %s \"%s\"", rows[i].ip, class_names[answer.class], answer.name);
    }
    dns_free(dns);
}

static void test_ten_names_at_most(void **state)
{
    (void)state;
    char script[2000];
    size_t n = 0;
    for (unsigned i = 1; i <= 12; i++)
        n += (size_t)snprintf(script + n, sizeof script - n,
                              "1.2.0.192.in-addr.arpa PTR n%u.example\n"
                              "2.2.0.192.in-addr.arpa PTR n%u.example\n",
                              i, i);
    snprintf(script + n, sizeof script - n, "n10.example A 192.0.2.1\nn11.example A 192.0.2.2");
    struct dns *dns = start(script);
    struct ip tenth = ip_of("192.0.2.1"), eleventh = ip_of("192.0.2.2");
    struct host_answer answer;
    host_lookup(dns, &tenth, mono_now() + MONO_SECONDS(5), NULL, NULL, &answer);
    assert_int_equal(answer.class, HOST_VERIFIED);
    assert_string_equal(answer.name, "n10.example");
    host_lookup(dns, &eleventh, mono_now() + MONO_SECONDS(5), NULL, NULL, &answer);
    assert_int_equal(answer.class, HOST_PTR_MISMATCH);
    assert_int_equal(nameserver_count(&server, "udp", "n11.example", "A"), 0);
    dns_free(dns);
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
    host_lookup(dns, &ip, begun + MONO_MS(100), count_call, &calls, &answer);
    assert_int_equal(answer.class, HOST_PTR_TEMPFAIL);
    assert_string_equal(answer.name, "");
    assert_int_equal(calls, 1);
    assert_in_range(mono_now() - begun, MONO_MS(100), MONO_SECONDS(2));

    host_lookup(dns, &ip, begun + MONO_SECONDS(5), count_call, &calls, &answer);
    assert_int_equal(answer.class, HOST_VERIFIED);
    assert_int_equal(calls, 2);
    host_lookup(dns, &ip, begun + MONO_SECONDS(5), count_call, &calls, &answer);
    assert_int_equal(answer.class, HOST_VERIFIED);
    assert_int_equal(calls, 2); /* all of it was in the cache */
    assert_int_equal(nameserver_count(&server, "udp", "slow.example", "A"), 1);
    dns_free(dns);
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
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_ten_names_at_most),
        cmocka_unit_test(test_deadline_and_waiting_is_announced_once),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
