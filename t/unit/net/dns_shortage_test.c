/* dns_shortage_test.c - the DNS engine on a host that has no descriptors left. */
#include "lib/net/dns.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/base/log.h"
#include "lib/net/dns_engine.h"
#include "t/unit/descriptors.h"
#include "t/unit/net/nameserver.h"

#define MANY 300

static struct nameserver server;
static unsigned told; /* lines of the log; atomic */

static struct dns *start(const char *script)
{
    struct err err = {0};
    struct dns_keys keys = nameserver_keys(&server);
    keys.tries = 10; /* it is a slow server */
    nameserver_script(&server, script);
    struct dns *dns = dns_new(&keys, &err);
    assert_non_null(dns);
    return dns;
}

static int lowest_free(void)
{
    int fd = dup(0);
    assert_true(fd > 0);
    close(fd);
    return fd;
}

/* The engine closes a socket a moment after the answer that came by it. */
static void await_lowest_free(int fd)
{
    while (lowest_free() != fd)
        (void)poll(NULL, 0, 1);
}

/* By the whole process, in microseconds. */
static int64_t cpu_time(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void expect(struct dns *dns, const char *name, mono_us patience, enum dns_outcome outcome,
                   bool ours)
{
    struct dns_query *query = dns_ask(dns, DNS_A, name, mono_now() + patience);
    const struct dns_answer *answer = dns_wait(query, MONO_NEVER);
    if (answer->outcome != outcome || answer->ours != ours)
        fail_msg("%s: %d, ours %d", name, (int)answer->outcome, answer->ours);
    dns_drop(query);
}

static void await_shortage(struct dns_query *query)
{
    mono_us deadline = mono_now() + MONO_SECONDS(60);
    while (!dns_wait(query, 0)->ours) {
        assert_true(mono_now() < deadline);
        (void)poll(NULL, 0, 5);
    }
}

/* Nobody waits longer than he wants to, nothing of it is remembered, and what is still
 * asked is answered when there are descriptors again. */
static void test_waits_and_recovers(void **state)
{
    (void)state;
    struct dns *dns = start("a.example A 192.0.2.1\nb.example A 192.0.2.2");
    descriptors_leave(0);
    mono_us began = mono_now();
    expect(dns, "a.example", MONO_MS(700), DNS_TIMEOUT, true);
    assert_true(mono_now() - began < MONO_SECONDS(10));
    struct dns_query *patient = dns_ask(dns, DNS_A, "b.example", mono_now() + MONO_SECONDS(60));
    assert_int_equal(dns_wait(patient, mono_now() + MONO_MS(150))->outcome, DNS_TIMEOUT);
    assert_false(dns_ready(patient));
    descriptors_all();
    assert_int_equal(dns_wait(patient, MONO_NEVER)->outcome, DNS_FOUND);
    assert_false(dns_wait(patient, MONO_NEVER)->ours);
    dns_drop(patient);
    expect(dns, "a.example", MONO_SECONDS(60), DNS_FOUND, false);
    expect(dns, "none.example", MONO_SECONDS(60), DNS_NXDOMAIN, false);
    dns_free(dns);
}

static void test_no_spinning(void **state)
{
    static struct dns_query *queries[MANY];
    (void)state;
    struct dns *dns = start("*.many.example A 192.0.2.1");
    descriptors_leave(0);
    told = 0;
    for (unsigned i = 0; i < MANY; i++) {
        char name[40];
        snprintf(name, sizeof name, "h%u.many.example", i);
        queries[i] = dns_ask(dns, DNS_A, name, mono_now() + MONO_SECONDS(60));
    }
    (void)dns_wait(queries[0], mono_now() + MONO_MS(300)); /* all have been tried once */
    int64_t used = cpu_time();
    (void)dns_wait(queries[0], mono_now() + MONO_SECONDS(2));
    used = cpu_time() - used;
    if (used > 300000)
        fail_msg("%lld us of processor time in 2 s", (long long)used);
    assert_int_equal(__atomic_load_n(&told, __ATOMIC_RELAXED), 1);
    descriptors_all();
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(dns_wait(queries[i], MONO_NEVER)->outcome, DNS_FOUND);
        dns_drop(queries[i]);
    }
    dns_free(dns);
}

/* One socket is there, for the question, none for the long answer by TCP. */
static void test_truncated(void **state)
{
    (void)state;
    struct dns *dns = start("tcp.example A 192.0.2.1\ntcp.example !truncated");
    descriptors_leave(1);
    expect(dns, "tcp.example", MONO_SECONDS(2), DNS_TIMEOUT, true);
    descriptors_all();
    expect(dns, "tcp.example", MONO_SECONDS(60), DNS_FOUND, false);
    dns_free(dns);
}

/* The name server is not asked the same without end meanwhile. */
static void test_many_truncated(void **state)
{
    static struct dns_query *queries[MANY];
    (void)state;
    struct dns *dns = start("*.long.example A 192.0.2.1\n*.long.example !truncated");
    descriptors_leave(1);
    mono_us began = mono_now();
    for (unsigned i = 0; i < MANY; i++) {
        char name[40];
        snprintf(name, sizeof name, "h%u.long.example", i);
        queries[i] = dns_ask(dns, DNS_A, name, mono_now() + MONO_SECONDS(60));
    }
    (void)dns_wait(queries[0], began + MONO_SECONDS(2));
    descriptors_all();
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(dns_wait(queries[i], MONO_NEVER)->outcome, DNS_FOUND);
        dns_drop(queries[i]);
    }
    int64_t rounds = (mono_now() - began) / DNS_ENGINE_RETRY + 2;
    unsigned asked = nameserver_count(&server, "udp", "h0.long.example", "A");
    if (asked > rounds)
        fail_msg("asked %u times in %lld rounds", asked, (long long)rounds);
    dns_free(dns);
}

static void test_ends_some_time(void **state)
{
    (void)state;
    struct dns *dns = start("a.example A 192.0.2.1");
    int first = lowest_free();
    descriptors_leave(0);
    struct dns_query *query = dns_ask(dns, DNS_A, "a.example", MONO_NEVER);
    await_shortage(query);
    assert_false(dns_ready(query));
    mono_us later = mono_now() + DNS_ENGINE_HOLD + MONO_SECONDS(1);
    mono_simulate(&later);
    while (!dns_ready(query))
        (void)poll(NULL, 0, 5);
    mono_simulate(NULL);
    assert_int_equal(dns_wait(query, 0)->outcome, DNS_TIMEOUT);
    assert_true(dns_wait(query, 0)->ours);
    dns_drop(query);
    descriptors_all();
    expect(dns, "a.example", MONO_SECONDS(60), DNS_FOUND, false);

    await_lowest_free(first);
    descriptors_leave(0); /* and the engine's own end is no question of descriptors */
    dns_cache_clear(dns);
    query = dns_ask(dns, DNS_A, "a.example", MONO_NEVER);
    await_shortage(query);
    dns_free(dns);
    assert_int_equal(dns_wait(query, MONO_NEVER)->outcome, DNS_TIMEOUT);
    dns_drop(query);
    descriptors_all();
}

/* What the name servers do is theirs. */
static void test_not_ours(void **state)
{
    (void)state;
    struct dns *dns = start("bad.example !servfail\nmute.example !drop");
    expect(dns, "bad.example", MONO_SECONDS(60), DNS_SERVFAIL, false);
    expect(dns, "mute.example", MONO_MS(500), DNS_TIMEOUT, false);
    expect(dns, "a..example", MONO_SECONDS(60), DNS_SERVFAIL, false);
    dns_free(dns);
}

static void count_line(const char *line, void *arg)
{
    (void)arg;
    if (strstr(line, "no name server is to blame") != NULL)
        __atomic_add_fetch(&told, 1, __ATOMIC_RELAXED);
}

static int begin(void **state)
{
    (void)state;
    nameserver_start(&server);
    log_capture(count_line, NULL);
    return descriptors_known();
}

static int end(void **state)
{
    (void)state;
    log_capture(NULL, NULL);
    nameserver_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_and_recovers), cmocka_unit_test(test_no_spinning),
        cmocka_unit_test(test_truncated),          cmocka_unit_test(test_many_truncated),
        cmocka_unit_test(test_ends_some_time),     cmocka_unit_test(test_not_ours),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
