/* sender_test.c - verification of sender domains against a scripted name server. */
#include "lib/net/sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/net/nameserver.h"

static struct nameserver server;

static const char *const class_names[] = {[SENDER_EXISTS] = "ok",
                                          [SENDER_NONEXISTENT] = "no",
                                          [SENDER_NO_MX] = "no mx",
                                          [SENDER_UNRESOLVABLE] = "cannot tell"};

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

static enum sender_class look_up(struct dns *dns, const char *domain, bool accept_a)
{
    struct sender_question question = {
        .domain = domain, .accept_a = accept_a, .deadline = mono_now() + MONO_SECONDS(10)};
    return sender_lookup(dns, &question);
}

static const char zone[] = "ok.example MX 10 mx.ok.example\n"
                           "mx.ok.example A 192.0.2.1\n"
                           "six.example MX 10 mx.six.example\n"
                           "mx.six.example AAAA 2001:db8::1\n"
                           "alias.example CNAME ok.example\n"
                           "null.example MX 0 .\n"
                           "null.example A 192.0.2.1\n"
                           /* RFC 7505: beside others the null MX means nothing */
                           "half.example MX 0 .\n"
                           "half.example MX 10 mx.ok.example\n"
                           "a.example A 192.0.2.1\n"
                           "aaaa.example AAAA 2001:db8::1\n"
                           "text.example TXT nothing\n"
                           "a4fail.example !servfail\n"
                           "a4fail.example/MX !nodata\n"
                           "half4.example/MX !nodata\n"
                           "half4.example/A !servfail\n"
                           "half4.example AAAA 2001:db8::1\n"
                           "doubt4.example/MX !nodata\n"
                           "doubt4.example/AAAA !drop\n"
                           "doubt4.example TXT x\n"
                           "servfail.example !servfail\n"
                           "refused.example !refused\n"
                           "drop.example !drop\n"
                           "garbage.example MX 10 mx.ok.example\n"
                           "garbage.example !garbage\n"
                           "mxgone.example MX 10 gone.example\n"
                           "mxgone.example MX 20 text.example\n"
                           "mxnumber.example MX 10 192.0.2.1\n"
                           "mxself.example MX 10 mxself.example\n"
                           "mxfail.example MX 10 gone.example\n"
                           "mxfail.example MX 20 servfail.example\n"
                           "mxdrop.example MX 10 drop.example\n"
                           "mxsecond.example MX 10 drop.example\n"
                           "mxsecond.example MX 20 servfail.example\n"
                           "mxsecond.example MX 30 mx.ok.example\n"
                           "mxcname.example MX 10 alias.example\n"
                           "ok.example A 192.0.2.9\n"
                           "local.example MX 10 loop.example\n"
                           "loop.example A 127.0.0.1\n"
                           "loop.example AAAA ::1\n"
                           "nowhere.example MX 10 loop.example\n"
                           "nowhere.example MX 20 zero.example\n"
                           "nowhere.example MX 30 mapped.example\n"
                           "nowhere.example MX 40 gone.example\n"
                           "zero.example A 0.0.0.0\n"
                           "zero.example A 127.255.0.9\n"
                           "zero.example AAAA ::\n"
                           "mapped.example AAAA ::ffff:127.0.0.1\n"
                           "mapped.example AAAA ::127.0.0.1\n"
                           "mapped.example AAAA ::ffff:0.0.0.0\n"
                           "mixed.example MX 10 both.example\n"
                           "both.example A 127.0.0.1\n"
                           "both.example A 10.0.0.1\n"
                           "loopfail.example MX 10 loop.example\n"
                           "loopfail.example MX 20 servfail.example\n"
                           "loopa.example A 127.0.0.1\n"
                           "private.example MX 10 inside.example\n"
                           "inside.example AAAA fe80::1\n"
                           "xn--mller-kva.example MX 10 mx.ok.example\n"
                           "single MX 10 mx.ok.example\n";

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *class, *with_a; /* accept_a; NULL: the same */
    } rows[] = {
        {"ok.example", "ok", NULL},
        {"six.example", "ok", NULL},
        {"alias.example", "ok", NULL},
        {"xn--mller-kva.example", "ok", NULL},
        {"single", "ok", NULL},
        {"gone.example", "no", NULL},
        {"null.example", "no", NULL},
        {"half.example", "ok", NULL},
        {"a.example", "no mx", "ok"},
        {"aaaa.example", "no mx", "ok"},
        {"text.example", "no", NULL},
        {"a4fail.example", "no mx", "cannot tell"},
        {"half4.example", "no mx", "ok"},
        {"doubt4.example", "no mx", "cannot tell"},
        {"servfail.example", "cannot tell", NULL},
        {"refused.example", "cannot tell", NULL},
        {"drop.example", "cannot tell", NULL},
        {"garbage.example", "cannot tell", NULL},
        {"mxgone.example", "no", NULL},
        {"mxnumber.example", "no", NULL},
        {"mxself.example", "no", NULL},
        {"mxfail.example", "cannot tell", NULL},
        {"mxdrop.example", "cannot tell", NULL},
        {"mxsecond.example", "ok", NULL},
        {"mxcname.example", "ok", NULL},
        {"local.example", "no", NULL},
        {"nowhere.example", "no", NULL},
        {"mixed.example", "ok", NULL},
        {"loopfail.example", "cannot tell", NULL},
        {"loopa.example", "no", NULL},
        {"private.example", "ok", NULL},
    };
    struct dns *dns = start(zone);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int accept_a = 0; accept_a < 2; accept_a++) {
            const char *is = class_names[look_up(dns, rows[i].domain, accept_a)];
            const char *want = accept_a && rows[i].with_a != NULL ? rows[i].with_a : rows[i].class;
            if (strcmp(is, want) != 0)
                fail_msg("%s%s: %s, not %s", rows[i].domain, accept_a ? " accept_a" : "", is, want);
        }
    }
    dns_free(dns);
}

/* A host whose name server is dead does not hold up the others. */
static void test_one_dead_host_costs_little(void **state)
{
    (void)state;
    struct dns *dns = start("halting.example MX 10 dead.example\n"
                            "halting.example MX 20 alive.example\n"
                            "dead.example !delay=5000\n"
                            "alive.example A 192.0.2.1\n");
    struct dns_keys keys = nameserver_keys(&server);
    struct err err;
    keys.timeout = 8000;
    assert_true(dns_reconfigure(dns, &keys, &err));
    mono_us begun = mono_now();
    assert_int_equal(look_up(dns, "halting.example", false), SENDER_EXISTS);
    assert_in_range(mono_now() - begun, 0, MONO_SECONDS(4));
    dns_free(dns);
}

/* All hosts there are places for, and one more. */
static void test_many_hosts(void **state)
{
    (void)state;
    char script[4000];
    size_t n = 0;
    for (unsigned i = 1; i <= SENDER_HOSTS_MAX; i++)
        n += (size_t)snprintf(script + n, sizeof script - n,
                              "full.example MX %u h%u.example\nmore.example MX %u h%u.example\n", i,
                              i, i, i);
    snprintf(script + n, sizeof script - n,
             "more.example MX 99 good.example\ngood.example A 192.0.2.1\n"
             "last.example MX 1 h1.example\nlast.example MX 2 good.example\n");
    struct dns *dns = start(script);
    assert_int_equal(look_up(dns, "full.example", false), SENDER_NONEXISTENT);
    assert_int_equal(look_up(dns, "more.example", false), SENDER_UNRESOLVABLE);
    assert_int_equal(nameserver_count(&server, "udp", "good.example", "A"), 0);
    assert_int_equal(look_up(dns, "last.example", false), SENDER_EXISTS);
    dns_free(dns);
}

static void test_deadline_and_waiting_is_announced_once(void **state)
{
    (void)state;
    struct dns *dns = start("slow.example MX 10 mx.example\n"
                            "slow.example !delay=50\n"
                            "mx.example A 192.0.2.1\n"
                            "mx.example !delay=300\n");
    unsigned calls = 0;
    mono_us begun = mono_now();
    struct sender_question question = {.domain = "slow.example",
                                       .deadline = begun + MONO_MS(150),
                                       .about_to_wait = count_call,
                                       .arg = &calls};
    assert_int_equal(sender_lookup(dns, &question), SENDER_UNRESOLVABLE);
    assert_int_equal(calls, 1);
    assert_in_range(mono_now() - begun, MONO_MS(150), MONO_SECONDS(2));

    question.deadline = mono_now() + MONO_SECONDS(5);
    assert_int_equal(sender_lookup(dns, &question), SENDER_EXISTS);
    assert_int_equal(calls, 2);
    assert_int_equal(sender_lookup(dns, &question), SENDER_EXISTS);
    assert_int_equal(calls, 2); /* all of it was in the cache */
    assert_int_equal(nameserver_count(&server, "udp", "slow.example", "MX"), 1);
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
        cmocka_unit_test(test_one_dead_host_costs_little),
        cmocka_unit_test(test_many_hosts),
        cmocka_unit_test(test_deadline_and_waiting_is_announced_once),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
