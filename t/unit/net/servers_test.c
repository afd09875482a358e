/* servers_test.c - where to connect, against a scripted name server. */
#include "lib/net/servers.h"

#include <ifaddrs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/net/ownip.h"
#include "t/unit/net/nameserver.h"

static struct nameserver server;

static struct dns *start(const char *script)
{
    struct err err;
    struct dns_keys keys = nameserver_keys(&server);
    nameserver_script(&server, script);
    struct dns *dns = dns_new(&keys, &err);
    assert_non_null(dns);
    return dns;
}

static const char *print(const struct servers *servers)
{
    static char text[SERVERS_MAX * 100];
    static const char *const outcomes[] = {"found", "none", "no_mail", "ourselves", "unknown"};
    size_t n = (size_t)snprintf(text, sizeof text, "%s", outcomes[servers->outcome]);
    for (size_t i = 0; i < servers->n; i++) {
        const struct server_address *a = &servers->address[i];
        char ip[IP_TEXT_MAX];
        n += (size_t)snprintf(text + n, sizeof text - n, " %u:%s[%s]:%u", a->preference, a->name,
                              ip_text(&a->ip, ip), a->port);
    }
    if (servers->outcome != SERVERS_FOUND)
        snprintf(text + n, sizeof text - n, ": %s", servers->why);
    else
        assert_string_equal(servers->why, "");
    return text;
}

static const char *domain(struct dns *dns, const char *name)
{
    struct servers servers;
    const struct servers_question question = {.mx_domain = name, .our_name = "our.example"};
    servers_resolve(dns, &question, mono_now() + MONO_SECONDS(5), NULL, NULL, &servers);
    return print(&servers);
}

/* list: destinations as in a route, separated by blanks. */
static const char *hosts(struct dns *dns, const char *list, bool untrusted)
{
    struct nexthop hops[30];
    struct servers servers;
    size_t n = 0;
    struct arena *arena = arena_new(0);
    for (const char *p = list; *p != '\0'; p += strspn(p, " ")) {
        size_t length = strcspn(p, " ");
        assert_true(n < ARRAY_LEN(hops));
        assert_true(nexthop_parse((struct slice){p, length}, 25, arena, &hops[n++], NULL));
        p += length;
    }
    const struct servers_question question = {
        .hosts = hops, .nhosts = n, .untrusted = untrusted, .our_name = "our.example"};
    servers_resolve(dns, &question, mono_now() + MONO_SECONDS(5), NULL, NULL, &servers);
    arena_free(arena);
    return print(&servers);
}

static void test_recipient_domains(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *answer;
    } rows[] = {
        {"two.example", "found 10:a.example[198.51.100.1]:25 10:a.example[2001:db8::1]:25 "
                        "20:b.example[198.51.100.2]:25"},
        {"implicit.example", "found 0:implicit.example[198.51.100.3]:25"},
        {"null.example", "no_mail: null.example accepts no mail (null MX)"},
        {"nullamong.example", "found 10:a.example[198.51.100.1]:25 10:a.example[2001:db8::1]:25"},
        {"no.example", "none: no.example does not exist"},
        {"fail.example", "unknown: MX look-up of fail.example failed"},
        {"dead.example", "unknown: MX look-up of dead.example timed out"},
        {"bare.example", "none: host bare.example has no address"},
        {"broken.example", "none: host nowhere.example does not exist"},
        {"half.example", "found 20:b.example[198.51.100.2]:25"},
        {"doubt.example", "unknown: address look-up of sick.example failed"},
        {"local.example", "none: lo.example has the address 127.0.0.1, where no mail can go"},
        {"local2.example", "found 20:b.example[198.51.100.2]:25"},
        {"spelt.example", "found 20:b.example[198.51.100.2]:25"},
        {"link.example", "none: link-local.example has the address 169.254.169.254, where no "
                         "mail can go"},
        {"us.example", "found 10:a.example[198.51.100.1]:25 10:a.example[2001:db8::1]:25"},
        {"usbest.example", "ourselves: this host is the best mail server of usbest.example, so "
                           "usbest.example needs an SMTP route"},
        {"usequal.example", "ourselves: this host is the best mail server of usequal.example, so "
                            "usequal.example needs an SMTP route"},
        {"usdoubt.example", "unknown: address look-up of sick.example failed"},
        {"our.example", "ourselves: this host is the best mail server of our.example, so "
                        "our.example needs an SMTP route"},
        {"twice.example", "found 10:a.example[198.51.100.1]:25 10:a.example[2001:db8::1]:25"},
        {"alias.example", "found 10:a.example[198.51.100.1]:25 10:a.example[2001:db8::1]:25 "
                          "20:b.example[198.51.100.2]:25"},
    };
    struct dns *dns = start("two.example MX 20 b.example\n"
                            "two.example MX 10 a.example\n"
                            "a.example A 198.51.100.1\n"
                            "a.example AAAA 2001:db8::1\n"
                            "b.example A 198.51.100.2\n"
                            "implicit.example A 198.51.100.3\n"
                            "null.example MX 0 .\n"
                            "null.example A 198.51.100.4\n"
                            "nullamong.example MX 0 .\n"
                            "nullamong.example MX 10 a.example\n"
                            "fail.example !servfail\n"
                            "dead.example !drop\n"
                            "bare.example TXT x\n"
                            "broken.example MX 10 nowhere.example\n"
                            "half.example MX 10 nowhere.example\n"
                            "half.example MX 20 b.example\n"
                            "doubt.example MX 10 nowhere.example\n"
                            "doubt.example MX 20 sick.example\n"
                            "sick.example !servfail\n"
                            "local.example MX 10 lo.example\n"
                            "lo.example A 127.0.0.1\n"
                            "local2.example MX 10 lo.example\n"
                            "local2.example MX 20 b.example\n"
                            "link.example MX 10 link-local.example\n"
                            "link-local.example A 169.254.169.254\n"
                            "spelt.example MX 10 spelt-host.example\n"
                            "spelt.example MX 20 b.example\n"
                            "spelt-host.example AAAA ::ffff:127.0.0.1\n"
                            "spelt-host.example AAAA ::127.0.0.1\n"
                            "spelt-host.example AAAA 64:ff9b::127.0.0.1\n"
                            "spelt-host.example AAAA 2002:7f00:1::1\n"
                            "spelt-host.example AAAA 2001:0:c000:201:8000:63bf:80ff:fffe\n"
                            "spelt-host.example AAAA fe80::1\n"
                            "spelt-host.example AAAA ::1\n"
                            "us.example MX 10 a.example\n"
                            "us.example MX 20 our.example\n"
                            "us.example MX 30 b.example\n"
                            "usbest.example MX 5 OUR.example\n"
                            "usbest.example MX 30 b.example\n"
                            "usequal.example MX 5 b.example\n"
                            "usequal.example MX 5 our.example\n"
                            "usdoubt.example MX 1 sick.example\n"
                            "usdoubt.example MX 5 our.example\n"
                            "our.example A 198.51.100.250\n"
                            "twice.example MX 10 a.example\n"
                            "twice.example MX 20 a2.example\n"
                            "a2.example CNAME a.example\n"
                            "alias.example CNAME two.example\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = domain(dns, rows[i].domain);
        if (strcmp(got, rows[i].answer) != 0)
            fail_msg("%s: %s", rows[i].domain, got);
    }
    dns_free(dns);
}

static void test_named_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *hosts;
        bool untrusted;
        const char *answer;
    } rows[] = {
        {"192.0.2.1 [2001:db8::9]:2525", false,
         "found 0:192.0.2.1[192.0.2.1]:25 0:2001:db8::9[2001:db8::9]:2525"},
        {"127.0.0.1:2525 lo.example:26", false,
         "found 0:127.0.0.1[127.0.0.1]:2525 0:lo.example[127.0.0.1]:26"},
        {"127.0.0.1 127.0.0.1:25 127.0.0.1:26", false,
         "found 0:127.0.0.1[127.0.0.1]:25 0:127.0.0.1[127.0.0.1]:26"},
        {"127.0.0.1", true, "none: 127.0.0.1 has the address 127.0.0.1, where no mail can go"},
        {"198.51.100.9", true, "found 0:198.51.100.9[198.51.100.9]:25"},
        /* the lower priority first, equal ones as written */
        {"192.0.2.3/pri=9 192.0.2.2/pri=5 192.0.2.4/pri=9 192.0.2.1", false,
         "found 0:192.0.2.1[192.0.2.1]:25 5:192.0.2.2[192.0.2.2]:25 9:192.0.2.3[192.0.2.3]:25 "
         "9:192.0.2.4[192.0.2.4]:25"},
        /* a name means its MX, in brackets its addresses */
        {"mx.example:26", false, "found 0:a.example[198.51.100.1]:26 0:a.example[2001:db8::1]:26"},
        {"[mx.example]:26", false, "found 0:mx.example[198.51.100.77]:26"},
        {"a.example", false, "found 0:a.example[198.51.100.1]:25 0:a.example[2001:db8::1]:25"},
        {"our.example", false, "found 0:our.example[198.51.100.250]:25"},
        {"null.example", false, "none: null.example accepts no mail (null MX)"},
        {"[no.example]", false, "none: host no.example does not exist"},
        {"no.example", false, "none: no.example does not exist"},
        {"[fail.example] [no.example]", false, "unknown: address look-up of fail.example failed"},
        {"[no.example] [fail.example]", false, "unknown: address look-up of fail.example failed"},
        {"[no.example] [fail.example] 192.0.2.1", false, "found 0:192.0.2.1[192.0.2.1]:25"},
    };
    struct dns *dns = start("lo.example A 127.0.0.1\n"
                            "mx.example MX 10 a.example\n"
                            "mx.example A 198.51.100.77\n"
                            "a.example A 198.51.100.1\n"
                            "a.example AAAA 2001:db8::1\n"
                            "our.example A 198.51.100.250\n"
                            "null.example MX 0 .\n"
                            "fail.example !servfail\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = hosts(dns, rows[i].hosts, rows[i].untrusted);
        if (strcmp(got, rows[i].answer) != 0)
            fail_msg("%s: %s", rows[i].hosts, got);
    }
    dns_free(dns);
}

/* Are those that were found all there are? */
static void test_partial(void **state)
{
    (void)state;
    static const struct {
        const char *domain;
        bool partial;
    } rows[] = {
        {"whole.example", false}, {"half.example", true},    {"unsure.example", true},
        {"banned.example", true}, {"crowded.example", true}, {"behind.example", false},
        {"same.example", false},
    };
    struct dns *dns = start("whole.example MX 10 a.example\nwhole.example MX 20 b.example\n"
                            "a.example A 198.51.100.1\nb.example A 198.51.100.2\n"
                            "half.example MX 10 a.example\nhalf.example MX 20 nowhere.example\n"
                            "unsure.example MX 10 a.example\nunsure.example MX 20 sick.example\n"
                            "sick.example !servfail\n"
                            "banned.example MX 10 a.example\nbanned.example MX 20 lo.example\n"
                            "lo.example A 127.0.0.1\n"
                            "crowded.example MX 10 crowd.example\n"
                            "crowd.example A 198.51.100.10-30\n"
                            "behind.example MX 10 a.example\nbehind.example MX 20 our.example\n"
                            "behind.example MX 30 sick.example\n"
                            "same.example MX 10 a.example\nsame.example MX 20 a2.example\n"
                            "a2.example A 198.51.100.1\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct servers servers;
        const struct servers_question question = {.mx_domain = rows[i].domain,
                                                  .our_name = "our.example"};
        servers_resolve(dns, &question, mono_now() + MONO_SECONDS(5), NULL, NULL, &servers);
        if (servers.outcome != SERVERS_FOUND || servers.partial != rows[i].partial)
            fail_msg("%s: %s", rows[i].domain, print(&servers));
    }
    dns_free(dns);
}

static void test_twenty_addresses_at_most(void **state)
{
    (void)state;
    char script[4000], list[1000];
    size_t n = 0, m = 0;
    struct servers servers;
    for (unsigned i = 1; i <= 25; i++) {
        n += (size_t)snprintf(script + n, sizeof script - n,
                              "many.example MX %u h%u.example\nh%u.example A 198.51.100.%u\n", i, i,
                              i, i);
        m += (size_t)snprintf(list + m, sizeof list - m, "192.0.2.%u/pri=%u ", i, 100 - i);
    }
    snprintf(script + n, sizeof script - n,
             "wide.example MX 10 w1.example\nwide.example MX 20 w2.example\n"
             "w1.example A 198.51.100.1-50\nw2.example A 198.51.100.51-100\n");
    struct dns *dns = start(script);
    struct servers_question question = {.mx_domain = "many.example"};
    mono_us deadline = mono_now() + MONO_SECONDS(5);
    servers_resolve(dns, &question, deadline, NULL, NULL, &servers);
    assert_int_equal(servers.n, SERVERS_MAX);
    for (unsigned i = 0; i < SERVERS_MAX; i++)
        assert_int_equal(servers.address[i].preference, i + 1);
    assert_int_equal(nameserver_count(&server, "udp", "h21.example", "A"), 0);

    question.mx_domain = "wide.example";
    servers_resolve(dns, &question, deadline, NULL, NULL, &servers);
    assert_int_equal(servers.n, 2 * SERVERS_PER_NAME);
    assert_string_equal(servers.address[SERVERS_PER_NAME].name, "w2.example");

    /* Of too many hosts the best ones. */
    const char *got = hosts(dns, list, false);
    assert_int_equal(strncmp(got, "found 75:192.0.2.25[", 20), 0);
    assert_non_null(strstr(got, " 94:192.0.2.6["));
    assert_null(strstr(got, " 95:"));
    dns_free(dns);
}

static void test_equal_preferences_are_shuffled(void **state)
{
    (void)state;
    unsigned first[5] = {0};
    struct dns *dns = start("e.example MX 10 e1.example\n"
                            "e.example MX 10 e2.example\n"
                            "e.example MX 10 e3.example\n"
                            "e.example MX 20 e4.example\n"
                            "e.example MX 5 e0.example\n"
                            "e0.example A 198.51.100.0\n"
                            "e1.example A 198.51.100.1\n"
                            "e2.example A 198.51.100.2\n"
                            "e3.example A 198.51.100.3\n"
                            "e4.example A 198.51.100.4\n");
    for (int i = 0; i < 300; i++) {
        struct servers servers;
        const struct servers_question question = {.mx_domain = "e.example"};
        servers_resolve(dns, &question, mono_now() + MONO_SECONDS(5), NULL, NULL, &servers);
        assert_int_equal(servers.n, 5);
        assert_string_equal(servers.address[0].name, "e0.example");
        assert_string_equal(servers.address[4].name, "e4.example");
        first[servers.address[1].ip.b[15]]++;
    }
    for (int i = 1; i <= 3; i++)
        assert_in_range(first[i], 50, 150);
    dns_free(dns);
}

static void count_call(void *arg)
{
    unsigned *calls = arg;
    (*calls)++;
}

static void test_time(void **state)
{
    (void)state;
    struct servers servers;
    struct servers_question question = {.mx_domain = "late.example"};
    unsigned calls = 0;
    struct dns *dns = start("late.example MX 10 a.example\n"
                            "late.example MX 20 never.example\n"
                            "late.example !delay=30\n"
                            "a.example A 198.51.100.1\n"
                            "a.example/AAAA !drop\n"
                            "never.example !drop\n"
                            "dead.example !drop\n");
    struct err err;
    struct dns_keys keys = nameserver_keys(&server);
    keys.timeout = 10000;
    assert_true(dns_reconfigure(dns, &keys, &err));
    mono_us begun = mono_now();
    servers_resolve(dns, &question, begun + MONO_SECONDS(8), count_call, &calls, &servers);
    assert_string_equal(print(&servers), "found 10:a.example[198.51.100.1]:25");
    assert_in_range(mono_now() - begun, MONO_MS(30), SERVERS_GRACE + MONO_SECONDS(2));
    assert_int_equal(calls, 1);

    question.mx_domain = "dead.example";
    begun = mono_now();
    servers_resolve(dns, &question, begun + MONO_MS(200), count_call, &calls, &servers);
    assert_string_equal(print(&servers), "unknown: MX look-up of dead.example timed out");
    assert_in_range(mono_now() - begun, MONO_MS(200), MONO_SECONDS(2));
    assert_int_equal(calls, 2);

    /* A dead host does not take the time of a good one behind it. */
    begun = mono_now();
    struct nexthop hops[] = {{.host = "dead.example", .port = 25},
                             {.host = "192.0.2.1", .is_ip = true, .port = 25, .priority = 1}};
    assert_true(ip_parse(slice_of("192.0.2.1"), &hops[1].ip));
    question = (struct servers_question){.hosts = hops, .nhosts = 2};
    servers_resolve(dns, &question, begun + MONO_SECONDS(8), count_call, &calls, &servers);
    assert_string_equal(print(&servers), "found 1:192.0.2.1[192.0.2.1]:25");
    assert_true(mono_now() - begun < MONO_SECONDS(7));

    /* What is known needs no waiting, and nobody is told. */
    calls = 0;
    question = (struct servers_question){.hosts = hops + 1, .nhosts = 1};
    servers_resolve(dns, &question, mono_now() - 1, count_call, &calls, &servers);
    assert_int_equal(servers.outcome, SERVERS_FOUND);
    assert_int_equal(calls, 0);
    dns_free(dns);
}

/* An address of this machine that is not special; false: it has none. */
static bool find_own_address(struct ip *ip_out)
{
    struct ifaddrs *all;
    bool found = false;
    assert_int_equal(getifaddrs(&all), 0);
    for (struct ifaddrs *one = all; one != NULL && !found; one = one->ifa_next)
        found = one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET &&
                ip_from_sockaddr(one->ifa_addr, ip_out) && !ip_is_special(ip_out);
    freeifaddrs(all);
    return found;
}

static void test_ourselves_by_address(void **state)
{
    (void)state;
    struct ip own, loopback, other;
    char script[500], text[IP_TEXT_MAX], list[IP_TEXT_MAX + 10];
    assert_true(ip_parse(slice_of("127.0.0.1"), &loopback));
    assert_true(ip_parse(slice_of("203.0.113.77"), &other));
    assert_true(ownip_has(&loopback));
    assert_false(ownip_has(&other));
    static const char *const spellings[] = {"::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1",
                                            "2002:7f00:1::5",
                                            "2001:0:c000:201:8000:63bf:80ff:fffe"};
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        assert_true(ip_parse(slice_of(spellings[i]), &loopback));
        assert_true(ownip_has(&loopback));
    }
    assert_true(ip_parse(slice_of("64:ff9b::203.0.113.77"), &other));
    assert_false(ownip_has(&other));
    if (!find_own_address(&own)) /* a machine with nothing but loopback */
        return;
    ip_text(&own, text);
    snprintf(script, sizeof script,
             "d.example MX 10 x.example\nd.example MX 20 me.example\nd.example MX 30 z.example\n"
             "only.example MX 10 me.example\nonly.example MX 10 z.example\n"
             "x.example A 198.51.100.1\nme.example A %s\nz.example A 198.51.100.3\n",
             text);
    struct dns *dns = start(script);
    assert_string_equal(domain(dns, "d.example"), "found 10:x.example[198.51.100.1]:25");
    assert_string_equal(domain(dns, "only.example"),
                        "ourselves: this host is the best mail server of only.example, so "
                        "only.example needs an SMTP route");
    snprintf(script, sizeof script, "ourselves: %s is this host itself", text);
    assert_string_equal(hosts(dns, text, true), script);
    snprintf(script, sizeof script, "found 0:%s[%s]:25", text, text);
    assert_string_equal(hosts(dns, text, false), script);
    snprintf(list, sizeof list, "%s:2525", text); /* another service on this machine */
    snprintf(script, sizeof script, "found 0:%s[%s]:2525", text, text);
    assert_string_equal(hosts(dns, list, true), script);
    dns_free(dns);
}

static int start_server(void **state)
{
    (void)state;
    nameserver_start(&server);
    return 0;
}

/* --- what a static list may say ------------------------------------------------- */

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        const char *shown; /* or words of the error */
        bool lmtp, mx;
    } rows[] = {
        {"mx.example", "mx.example:25", false, true},
        {"mx.example:2525", "mx.example:2525", false, true},
        {"[mx.example]:24", "mx.example:24", false, false},
        {"lmtp.example:24", "lmtp.example:24", false, true},
        {"lmtp", "lmtp:25", false, true},
        {"[lmtp]:2003", "lmtp:2003", false, false},
        {"lmtp:mail.example", "mail.example:24", true, false},
        {"LMTP:mail.example:2003", "mail.example:2003", true, false},
        {"lmtp: [mail.example]:26", "mail.example:26", true, false},
        {"lmtp:192.0.2.1", "192.0.2.1:24", true, false},
        {"lmtp:192.0.2.1:1", "192.0.2.1:1", true, false},
        {"lmtp:2001:db8::1", "[2001:db8::1]:24", true, false},
        {"lmtp:[2001:db8::1]:65535", "[2001:db8::1]:65535", true, false},
        {"lmtp:mail.example:25", "port 25", true, false},
        {"lmtp:[192.0.2.1]:25", "port 25", true, false},
        {"lmtp:mail.example:0", "\"0\" is not a port", true, false},
        {"lmtp:mail.example:65536", "\"65536\" is not a port", true, false},
        {"lmtp:", "is not a port", true, false},
        {"lmtp::24", "missing", true, false},
        {"lmtp:lmtp:mail.example", "", true, false},
        {"lmtp:/run/dovecot/lmtp", "", true, false},
        {"lmtps:mail.example", "is not a port", true, false},
        {"lmtp:2003", "", true, false},
    };
    struct arena *arena = arena_new(0);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct nexthop hop;
        struct err err = {0};
        char text[300];
        bool good = servers_parse(slice_of(rows[i].text), arena, &hop, &err);
        if (good)
            nexthop_text(&hop, text, sizeof text);
        if (good ? strcmp(text, rows[i].shown) != 0 || hop.lmtp != rows[i].lmtp ||
                       hop.mx != (rows[i].mx && !hop.is_ip)
                 : !strstr(err.text, rows[i].shown) || err.text[0] == '\0')
            fail_msg("%s: %s", rows[i].text, good ? text : err.text);
    }
    arena_free(arena);
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
        cmocka_unit_test(test_recipient_domains),
        cmocka_unit_test(test_named_hosts),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_twenty_addresses_at_most),
        cmocka_unit_test(test_equal_preferences_are_shuffled),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_ourselves_by_address),
        cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
