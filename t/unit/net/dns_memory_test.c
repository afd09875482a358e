/* dns_memory_test.c - the DNS engine while memory runs out. */
#include "lib/net/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "t/unit/net/nameserver.h"
#include "t/unit/no_memory.h"

/* From the n-th allocation on there is no memory: it may fail, but fails well. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct nameserver server;
    nameserver_start(&server);
    struct dns_keys keys = nameserver_keys(&server);
    bool all_well = false;
    char script[4000];
    size_t n = 0;
    for (unsigned i = 0; i < 30; i++) /* too long for the room on the stack */
        n += (size_t)snprintf(script + n, sizeof script - n,
                              "wide.example MX 10 a-mail-exchanger-with-a-long-name-%u.example\n",
                              i);
    nameserver_script(&server, script);
    for (int allowed = 0; !all_well; allowed++) {
        struct err err = {0};
        assert_true(allowed < 1000);
        memory_allow(allowed);
        struct dns *dns = dns_new(&keys, &err);
        if (dns == NULL) {
            memory_allow(-1);
            assert_int_equal(err.kind, ERR_MEMORY);
            continue;
        }
        struct dns_query *first = dns_ask(dns, DNS_MX, "wide.example", MONO_NEVER);
        const struct dns_answer *answer = dns_wait(first, MONO_NEVER);
        assert_true(answer->outcome == DNS_FOUND || answer->ours);
        struct dns_query *second = dns_ask(dns, DNS_MX, "wide.example", MONO_NEVER);
        const struct dns_answer *again = dns_wait(second, MONO_NEVER);
        assert_true(again->outcome == DNS_FOUND || again->ours);
        bool changed = dns_reconfigure(dns, &keys, &err);
        assert_true(changed || err.kind == ERR_MEMORY);
        memory_allow(-1);
        assert_int_equal(answer->ours, answer->outcome != DNS_FOUND);
        assert_int_equal(again->ours, again->outcome != DNS_FOUND);
        /* Nothing of that is remembered. */
        struct dns_query *third = dns_ask(dns, DNS_MX, "wide.example", MONO_NEVER);
        assert_int_equal(dns_wait(third, MONO_NEVER)->outcome, DNS_FOUND);
        dns_drop(third);
        all_well = changed && answer->n == 30 && again->n == 30 && again->cached;
        dns_drop(first);
        dns_drop(second);
        dns_free(dns);
    }
    nameserver_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
