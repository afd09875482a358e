/* dns_test.c - the DNS engine against a scripted name server. */
#include "lib/net/dns.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/net/nameserver.h"

static struct nameserver server;

static mono_us soon(void)
{
    return mono_now() + MONO_SECONDS(5);
}

static struct dns *start(const char *script)
{
    struct err err = {0};
    struct dns_keys keys = nameserver_keys(&server);
    nameserver_script(&server, script);
    struct dns *dns = dns_new(&keys, &err);
    assert_non_null(dns);
    return dns;
}

/* Ask, wait, print the answer as "outcome record record ...". */
static const char *ask(struct dns *dns, enum dns_type type, const char *name)
{
    static char text[8000];
    static const char *const outcomes[] = {"found", "nxdomain", "nodata", "servfail", "timeout"};
    struct dns_query *query = dns_ask(dns, type, name, soon());
    const struct dns_answer *answer = dns_wait(query, MONO_NEVER);
    size_t n = (size_t)snprintf(text, sizeof text, "%s", outcomes[answer->outcome]);
    for (size_t i = 0; i < answer->n && n < sizeof text; i++) {
        const struct dns_record *r = &answer->records[i];
        char ip[IP_TEXT_MAX];
        size_t room = sizeof text - n;
        switch (type) {
        case DNS_A:
        case DNS_AAAA:
            n += (size_t)snprintf(text + n, room, " %s", ip_text(&r->ip, ip));
            break;
        case DNS_MX:
            n += (size_t)snprintf(text + n, room, " %u:%s", r->preference, r->name);
            break;
        case DNS_PTR:
            n += (size_t)snprintf(text + n, room, " %s", r->name);
            break;
        case DNS_TXT:
            n += (size_t)snprintf(text + n, room, " \"%s\"", r->text);
            break;
        }
    }
    dns_drop(query);
    return text;
}

static void test_types_and_outcomes(void **state)
{
    (void)state;
    static const struct {
        enum dns_type type;
        const char *name, *answer;
    } rows[] = {
        {DNS_A, "mail.example", "found 192.0.2.1 192.0.2.2"},
        {DNS_A, "MAIL.Example.", "found 192.0.2.1 192.0.2.2"},
        {DNS_AAAA, "mail.example", "found 2001:db8::1"},
        {DNS_MX, "example", "found 5:a.example 10:mail.example 20:b.example"},
        {DNS_MX, "null.example", "found 0:"},
        {DNS_MX, "mail.example", "nodata"},
        {DNS_TXT, "txt.example", "found \"one two\" \"tab?end\""},
        {DNS_PTR, "1.2.0.192.in-addr.arpa", "found mail.example"},
        {DNS_A, "alias.example", "found 192.0.2.1 192.0.2.2"},
        {DNS_A, "alias2.example", "found 192.0.2.1 192.0.2.2"},
        {DNS_MX, "alias.example", "nodata"},
        {DNS_A, "circle.example", "servfail"},
        {DNS_A, "dangling.example", "nxdomain"},
        {DNS_A, "nothing.example", "nxdomain"},
        {DNS_A, "empty.example", "nodata"},
        {DNS_A, "refused.example", "servfail"},
        {DNS_A, "servfail.example", "servfail"},
        {DNS_A, "garbage.example", "servfail"},
        {DNS_A, "loop.example", "servfail"},
        {DNS_A, "cut.example", "servfail"},
        {DNS_A, "referral.example", "servfail"},
        {DNS_A, "dead.example", "timeout"},
        {DNS_A, "hidden.onion", "nxdomain"},
        {DNS_A, "late.example", "found 192.0.2.9"},
        {DNS_A, "tcp.example", "found 192.0.2.10"},
        {DNS_PTR, "2.2.0.192.in-addr.arpa", "found good_one.example"},
        {DNS_PTR, "3.2.0.192.in-addr.arpa", "nodata"},
        {DNS_A, "", "servfail"},
        {DNS_A, ".", "servfail"},
        {DNS_A, "a..example", "servfail"},
        {DNS_A, "a b.example", "servfail"},
        {DNS_A, "a\\b.example", "servfail"},
    };
    struct dns *dns = start("mail.example A 192.0.2.1\n"
                            "mail.example A 192.0.2.2\n"
                            "mail.example AAAA 2001:db8::1\n"
                            "example MX 20 B.example\n"
                            "example MX 10 mail.example\n"
                            "example MX 5 a.example.\n"
                            "null.example MX 0 .\n"
                            "txt.example TXT one \" two\"\n"
                            "txt.example TXT \"tab\tend\"\n"
                            "1.2.0.192.in-addr.arpa PTR mail.example\n"
                            "2.2.0.192.in-addr.arpa PTR -bad.example\n"
                            "2.2.0.192.in-addr.arpa PTR good_one.example\n"
                            "2.2.0.192.in-addr.arpa PTR \"not good.example\"\n"
                            "3.2.0.192.in-addr.arpa PTR -bad.example\n"
                            "alias.example CNAME mail.example\n"
                            "alias2.example CNAME alias.example\n"
                            "circle.example CNAME circle2.example\n"
                            "circle2.example CNAME circle.example\n"
                            "dangling.example CNAME nowhere.example\n"
                            "sub.empty.example A 192.0.2.5\n"
                            "refused.example !refused\n"
                            "servfail.example !servfail\n"
                            "garbage.example A 192.0.2.6\n"
                            "garbage.example !garbage\n"
                            "loop.example A 192.0.2.7\n"
                            "loop.example !loop\n"
                            "cut.example A 192.0.2.7\n"
                            "cut.example !cut\n"
                            "referral.example !referral\n"
                            "dead.example !drop\n"
                            "late.example A 192.0.2.9\n"
                            "late.example !delay=100\n"
                            "tcp.example A 192.0.2.10\n"
                            "tcp.example !truncated");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = ask(dns, rows[i].type, rows[i].name);
        if (strcmp(got, rows[i].answer) != 0)
            fail_msg("%s: %s instead of %s", rows[i].name, got, rows[i].answer);
    }
    dns_free(dns);
}

static void test_hundred_records_at_most(void **state)
{
    (void)state;
    struct dns *dns = start("hundred.example A 10.0.0.1-100\n"
                            "more.example A 10.0.0.1-101\n"
                            "many.example A 10.0.0.1-250");
    static const char *const names[] = {"hundred.example", "more.example", "many.example"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct dns_query *query = dns_ask(dns, DNS_A, names[i], soon());
        const struct dns_answer *answer = dns_wait(query, MONO_NEVER);
        assert_int_equal(answer->outcome, DNS_FOUND);
        assert_int_equal(answer->n, DNS_RECORDS_MAX);
        assert_true(ip_v4(&answer->records[99].ip) == 0x0a000064);
        dns_drop(query);
    }
    assert_int_equal(nameserver_count(&server, "tcp", "many.example", "A"), 1);
    dns_free(dns);
}

static void test_cache_and_lives(void **state)
{
    (void)state;
    struct dns *dns = start("a.example A 192.0.2.1\n"
                            "short.example 1 A 192.0.2.2\n"
                            "zero.example 0 A 192.0.2.2\n"
                            "chain.example 1 CNAME a.example\n"
                            "soon.example !nxdomain soa=1\n"
                            "bad.example !servfail");
    static const char *const kept[] = {"a.example", "no.example", "bad.example"};
    static const char *const soon_gone[] = {"short.example", "chain.example", "soon.example"};
    mono_us now = mono_now();
    struct dns_query *query;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
            query = dns_ask(dns, DNS_A, kept[i], soon());
            assert_int_equal(dns_wait(query, MONO_NEVER)->cached, round == 1);
            dns_drop(query);
        }
        for (size_t i = 0; i < ARRAY_LEN(soon_gone); i++)
            ask(dns, DNS_A, soon_gone[i]);
        ask(dns, DNS_A, "zero.example");
    }
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        assert_int_equal(nameserver_count(&server, "udp", kept[i], "A"), 1);
    assert_int_equal(nameserver_count(&server, "udp", "zero.example", "A"), 2);
    assert_int_equal(nameserver_count(&server, "udp", "short.example", "A"), 1);

    now += MONO_MS(1500);
    mono_simulate(&now); /* from here on no waiting: nobody moves this clock */
    for (size_t i = 0; i < ARRAY_LEN(soon_gone); i++) {
        query = dns_ask(dns, DNS_A, soon_gone[i], now + 1);
        assert_false(query == NULL);
        dns_drop(query);
    }
    query = dns_ask(dns, DNS_A, "a.example", now + 1);
    assert_true(dns_ready(query));
    dns_drop(query);
    mono_simulate(NULL);
    for (size_t i = 0; i < ARRAY_LEN(soon_gone); i++) {
        ask(dns, DNS_A, soon_gone[i]); /* joins, or finds it in the cache */
        assert_int_equal(nameserver_count(&server, "udp", soon_gone[i], "A"), 2);
    }
    dns_cache_clear(dns);
    ask(dns, DNS_A, "a.example");
    assert_int_equal(nameserver_count(&server, "udp", "a.example", "A"), 2);
    dns_free(dns);
}

/* Is the answer still in the cache after so long? The engine's thread reads that clock, too,
 * and may be at it a moment longer. */
static bool lives(struct dns *dns, const char *name, mono_us after)
{
    static mono_us then;
    __atomic_store_n(&then, mono_now() + after, __ATOMIC_RELAXED);
    ask(dns, DNS_A, name);
    mono_simulate(&then);
    struct dns_query *query = dns_ask(dns, DNS_A, name, MONO_NEVER);
    mono_simulate(NULL);
    bool cached = dns_wait(query, MONO_NEVER)->cached;
    dns_drop(query);
    return cached;
}

static void test_life_is_clamped(void **state)
{
    (void)state;
    struct err err;
    struct dns_keys keys = nameserver_keys(&server);
    keys.min_ttl = 10000;
    keys.max_ttl = 100000;
    keys.negative_ttl = 20000;
    nameserver_script(&server, "zero.example 0 A 192.0.2.1\n"
                               "long.example 86400 A 192.0.2.1\n"
                               "msb.example 2147483648 A 192.0.2.1\n"
                               "no.example !nxdomain soa=86400\n"
                               "nozero.example !nodata soa=0\n"
                               "nosoa.example !nodata soa=none\n"
                               "bad.example !servfail");
    static const struct {
        const char *name;
        int seconds;
    } rows[] = {{"zero.example", 10}, {"long.example", 100},  {"msb.example", 10},
                {"no.example", 20},   {"nozero.example", 10}, {"nosoa.example", 5},
                {"bad.example", 5}};
    struct dns *dns = dns_new(&keys, &err);
    assert_non_null(dns);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!lives(dns, rows[i].name, MONO_SECONDS(rows[i].seconds) - MONO_MS(500)))
            fail_msg("%s is gone too early", rows[i].name);
        dns_cache_clear(dns);
        if (lives(dns, rows[i].name, MONO_SECONDS(rows[i].seconds) + MONO_MS(500)))
            fail_msg("%s lives too long", rows[i].name);
        dns_cache_clear(dns);
    }
    dns_free(dns);
}

static void test_single_flight_and_late_answers(void **state)
{
    (void)state;
    struct dns *dns = start("slow.example A 192.0.2.1\nslow.example !delay=900");
    mono_us begun = mono_now();
    struct dns_query *first = dns_ask(dns, DNS_A, "slow.example", begun + MONO_MS(30));
    struct dns_query *second = dns_ask(dns, DNS_A, "Slow.Example", begun + MONO_SECONDS(5));
    struct dns_query *other = dns_ask(dns, DNS_AAAA, "slow.example", begun + MONO_SECONDS(5));
    assert_false(dns_ready(first));
    assert_int_equal(dns_wait(first, MONO_NEVER)->outcome, DNS_TIMEOUT);
    assert_true(dns_ready(first));
    assert_true(mono_now() - begun < MONO_MS(890));
    assert_int_equal(dns_wait(second, mono_now() + MONO_MS(10))->outcome, DNS_TIMEOUT);
    assert_false(dns_ready(second));
    dns_drop(first);
    const struct dns_answer *answer = dns_wait(second, MONO_NEVER);
    assert_int_equal(answer->outcome, DNS_FOUND);
    assert_false(answer->cached);
    assert_true(dns_ready(second));
    assert_ptr_equal(dns_wait(second, mono_now() - 1), answer);
    dns_drop(second);
    assert_int_equal(dns_wait(other, MONO_NEVER)->outcome, DNS_NODATA);
    dns_drop(other);
    assert_int_equal(nameserver_count(&server, "udp", "slow.example", "A"), 1);

    /* Nobody waits: the answer fills the cache all the same. */
    dns_cache_clear(dns);
    dns_drop(dns_ask(dns, DNS_A, "slow.example", mono_now()));
    struct dns_query *again = dns_ask(dns, DNS_A, "slow.example", soon());
    assert_int_equal(dns_wait(again, MONO_NEVER)->outcome, DNS_FOUND);
    dns_drop(again);
    assert_int_equal(nameserver_count(&server, "udp", "slow.example", "A"), 2);
    dns_free(dns);
}

/* Each try has the same time; the last one is answered, or nobody is. */
static void test_tries(void **state)
{
    (void)state;
    struct err err;
    struct dns_keys keys = nameserver_keys(&server);
    keys.timeout = 500;
    keys.tries = 3;
    nameserver_script(&server, "mute.tries.example !drop\nbad.tries.example !servfail");
    struct dns *dns = dns_new(&keys, &err);
    assert_non_null(dns);
    mono_us begun = mono_now();
    assert_string_equal(ask(dns, DNS_A, "mute.tries.example"), "timeout");
    mono_us took = mono_now() - begun;
    assert_true(took >= MONO_MS(1500) && took < MONO_MS(2500));
    assert_int_equal(nameserver_count(&server, "udp", "mute.tries.example", "A"), 3);
    assert_string_equal(ask(dns, DNS_A, "bad.tries.example"), "servfail");
    assert_int_equal(nameserver_count(&server, "udp", "bad.tries.example", "A"), 1);

    nameserver_script(&server, "late.mute.tries.example !drop");
    struct dns_query *query = dns_ask(dns, DNS_A, "late.mute.tries.example", soon());
    while (nameserver_count(&server, "udp", "late.mute.tries.example", "A") == 0)
        assert_false(dns_ready(query));
    nameserver_script(&server, "late.mute.tries.example A 192.0.2.1");
    assert_int_equal(dns_wait(query, MONO_NEVER)->outcome, DNS_FOUND);
    dns_drop(query);
    dns_free(dns);
}

static void test_no_server(void **state)
{
    (void)state;
    struct nameserver gone;
    struct err err;
    nameserver_start(&gone);
    struct dns_keys keys = nameserver_keys(&gone);
    nameserver_stop(&gone);
    struct dns *dns = dns_new(&keys, &err);
    assert_non_null(dns);
    assert_string_equal(ask(dns, DNS_A, "a.example"), "servfail");
    dns_free(dns);
}

static void test_second_server_and_reconfigure(void **state)
{
    (void)state;
    struct nameserver silent;
    struct err err;
    char text[64];
    nameserver_start(&silent);
    nameserver_script(&silent, "a.example !drop\nb.example !drop\nc.example A 192.0.2.99");
    nameserver_script(&server, "a.example A 192.0.2.1\nb.example A 192.0.2.2\n"
                               "c.example A 192.0.2.3");
    struct dns_keys keys = nameserver_keys(&silent);
    keys.timeout = 300;
    struct dns *dns = dns_new(&keys, &err);
    assert_non_null(dns);
    struct dns_query *old = dns_ask(dns, DNS_A, "a.example", soon());
    assert_int_equal(dns_wait(old, mono_now() + MONO_MS(100))->outcome, DNS_TIMEOUT);
    assert_int_equal(nameserver_count(&silent, "udp", "a.example", "A"), 1);

    keys = nameserver_keys(&server);
    assert_true(dns_reconfigure(dns, &keys, &err));
    /* The same question by the new settings does not join the one of the old. */
    assert_string_equal(ask(dns, DNS_A, "a.example"), "found 192.0.2.1");
    assert_int_equal(dns_wait(old, MONO_NEVER)->outcome, DNS_TIMEOUT);
    dns_drop(old);
    /* ... and the failure of the old one does not replace the answer. */
    assert_string_equal(ask(dns, DNS_A, "a.example"), "found 192.0.2.1");

    snprintf(text, sizeof text, "[::ffff:127.0.0.1]:%u", silent.port);
    struct key_item two[] = {{.text = text}, keys.servers.v[0]};
    keys.servers = (struct key_list){two, 2};
    keys.timeout = 100;
    assert_true(dns_reconfigure(dns, &keys, &err));
    assert_string_equal(ask(dns, DNS_A, "b.example"), "found 192.0.2.2");
    assert_true(nameserver_count(&silent, "udp", "b.example", "A") >= 1);

    /* What is wrong leaves the old settings in place. */
    two[0].text = "ns.example";
    assert_false(dns_reconfigure(dns, &keys, &err));
    assert_string_equal(ask(dns, DNS_A, "c.example"), "found 192.0.2.99");
    for (int i = 0; i < 20; i++) {
        two[0].text = text;
        assert_true(dns_reconfigure(dns, &keys, &err));
    }
    dns_cache_clear(dns);
    assert_string_equal(ask(dns, DNS_A, "c.example"), "found 192.0.2.99");
    dns_free(dns);
    nameserver_stop(&silent);
}

static void test_end_with_questions_under_way(void **state)
{
    (void)state;
    struct dns *dns = start("dead.example !drop");
    struct dns_query *query = dns_ask(dns, DNS_A, "dead.example", MONO_NEVER);
    struct dns_query *not_sent[100];
    for (unsigned i = 0; i < ARRAY_LEN(not_sent); i++) {
        char name[40];
        snprintf(name, sizeof name, "%u.dead.example", i);
        not_sent[i] = dns_ask(dns, DNS_A, name, MONO_NEVER);
    }
    dns_free(dns);
    assert_true(dns_ready(query));
    assert_int_equal(dns_wait(query, MONO_NEVER)->outcome, DNS_TIMEOUT);
    dns_drop(query);
    for (unsigned i = 0; i < ARRAY_LEN(not_sent); i++) {
        dns_wait(not_sent[i], MONO_NEVER);
        dns_drop(not_sent[i]);
    }
    dns_free(NULL);
    dns_drop(NULL);
    assert_true(dns_ready(NULL));
    assert_int_equal(dns_wait(NULL, MONO_NEVER)->outcome, DNS_SERVFAIL);
}

struct asker {
    pthread_t thread;
    struct dns *dns;
    unsigned first, wrong;
};

static void *ask_many(void *arg)
{
    struct asker *asker = arg;
    struct dns_query *queries[50];
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < ARRAY_LEN(queries); i++) {
            char name[40];
            snprintf(name, sizeof name, "h%u.example", (asker->first + i) % 250 + 1);
            queries[i] = dns_ask(asker->dns, DNS_A, name, soon());
        }
        for (unsigned i = 0; i < ARRAY_LEN(queries); i++) {
            const struct dns_answer *answer = dns_wait(queries[i], soon());
            asker->wrong +=
                answer->outcome != DNS_FOUND || answer->n != 1 ||
                ip_v4(&answer->records[0].ip) != 0x0a000000 + (asker->first + i) % 250 + 1;
            dns_drop(queries[i]);
        }
        asker->first += 37;
        if (round % 4 == 3)
            dns_cache_clear(asker->dns);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct asker askers[8] = {{0}};
    static char script[250 * 40];
    size_t n = 0;
    for (unsigned i = 1; i <= 250; i++)
        n += (size_t)snprintf(script + n, sizeof script - n, "h%u.example A 10.0.0.%u\n", i, i);
    struct dns *dns = start(script);
    struct dns_keys keys = nameserver_keys(&server);
    keys.tries = 5;
    assert_true(dns_reconfigure(dns, &keys, NULL));
    for (unsigned i = 0; i < ARRAY_LEN(askers); i++) {
        askers[i].dns = dns;
        askers[i].first = i * 20;
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_many, &askers[i]), 0);
    }
    for (unsigned i = 0; i < ARRAY_LEN(askers); i++) {
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
        assert_int_equal(askers[i].wrong, 0);
    }
    dns_free(dns);
}

static void test_forgetting(void **state)
{
    (void)state;
    struct dns *dns = start("bl.example A 127.0.0.2\na.bl.example A 127.0.0.2\n"
                            "xbl.example A 127.0.0.2\na.bl.example TXT x\n");
    static const struct {
        enum dns_type type;
        const char *name;
    } questions[] = {{DNS_A, "bl.example"},
                     {DNS_A, "a.bl.example"},
                     {DNS_TXT, "a.bl.example"},
                     {DNS_A, "xbl.example"}};
    static const bool left[][4] = {{false, true, true, true},    /* bl.example, A */
                                   {false, false, false, true}}; /* all of bl.example */
    for (size_t round = 0; round < ARRAY_LEN(left); round++) {
        for (size_t i = 0; i < ARRAY_LEN(questions); i++)
            (void)ask(dns, questions[i].type, questions[i].name);
        if (round == 0)
            dns_forget(dns, DNS_A, "BL.example");
        else
            dns_forget_below(dns, "BL.example");
        for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
            struct dns_query *query = dns_ask(dns, questions[i].type, questions[i].name, soon());
            assert_int_equal(dns_wait(query, MONO_NEVER)->cached, left[round][i]);
            dns_drop(query);
        }
    }
    dns_forget(dns, DNS_A, "never.asked.example");
    dns_free(dns);
}

static void test_server_syntax(void **state)
{
    (void)state;
    static const struct {
        const char *text, *ip; /* NULL: an error */
        unsigned port;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1", 53},
        {"127.0.0.1:5353", "127.0.0.1", 5353},
        {"::1", "::1", 53},
        {"[::1]", "::1", 53},
        {"[2001:db8::53]:5353", "2001:db8::53", 5353},
        {"ns.example", NULL, 0},
        {"ns.example:53", NULL, 0},
        {"127.0.0.1:0", NULL, 0},
        {"127.0.0.1:65536", NULL, 0},
        {"127.0.0.1/pri=3", NULL, 0},
        {"127.0.0.256", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        struct ip ip;
        uint16_t port = 0;
        char text[IP_TEXT_MAX];
        bool ok = dns_parse_server(rows[i].text, &ip, &port, &err);
        if (ok != (rows[i].ip != NULL))
            fail_msg("\"%s\": %s", rows[i].text, ok ? "no error" : err.text);
        if (ok) {
            assert_string_equal(ip_text(&ip, text), rows[i].ip);
            assert_int_equal(port, rows[i].port);
        } else {
            assert_true(err.text[0] != '\0');
        }
    }
}

static void test_check_names_every_mistake(void **state)
{
    (void)state;
    struct key_item items[DNS_SERVERS_MAX + 2];
    struct dns_keys keys = {.servers = {items, DNS_SERVERS_MAX}};
    struct problems problems;
    struct err err;
    for (unsigned i = 0; i < ARRAY_LEN(items); i++)
        items[i] = (struct key_item){"127.0.0.1", {"x.conf", i + 1, 0, "[dns] servers"}};
    problems_init(&problems);
    dns_check(&keys, &problems);
    assert_int_equal(problems_errors(&problems), 0);
    items[1].text = "one.example";
    items[3].text = "1.2.3";
    keys.servers.n += 2;
    dns_check(&keys, &problems);
    assert_int_equal(problems_errors(&problems), 3);
    assert_string_equal(problems.list[0].line,
                        "x.conf:2: [dns] servers: \"one.example\" is neither an address nor "
                        "address:port; allowed: 192.0.2.1, "
                        "192.0.2.1:53 or [2001:db8::1]:53");
    assert_string_equal(problems.list[2].line,
                        "x.conf:9: [dns] servers: too many name servers; allowed: at most 8");
    items[1].text = items[3].text = "127.0.0.1";
    keys.cache_entries = 100;
    assert_null(dns_new(&keys, &err));
    assert_string_equal(err.text, "more than 8 name servers");
    problems_done(&problems);
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
        cmocka_unit_test(test_types_and_outcomes),
        cmocka_unit_test(test_hundred_records_at_most),
        cmocka_unit_test(test_cache_and_lives),
        cmocka_unit_test(test_life_is_clamped),
        cmocka_unit_test(test_single_flight_and_late_answers),
        cmocka_unit_test(test_tries),
        cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_second_server_and_reconfigure),
        cmocka_unit_test(test_end_with_questions_under_way),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_forgetting),
        cmocka_unit_test(test_server_syntax),
        cmocka_unit_test(test_check_names_every_mistake),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
