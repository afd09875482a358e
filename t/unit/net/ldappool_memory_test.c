/* ldappool_memory_test.c - questions to a directory while memory runs out. That of
 * libldap does not: it is not ours to test. */
#include "lib/base/log.h"
#include "t/unit/net/ldapserver.h"
#include "t/unit/no_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

struct asked {
    struct ldap_answer good, bad, hosts, moved;
};

static void ask_all(struct ldapclient *client, struct asked *asked)
{
    mono_us deadline = mono_now() + MONO_SECONDS(60);
    ldapclient_ask(client, LDAP_ACCEPT_QUERY, "joe", deadline, &asked->good);
    ldapclient_ask(client, LDAP_ACCEPT_QUERY, "nobody", deadline, &asked->bad);
    ldapclient_ask(client, LDAP_ROUTING_QUERY, "ahead", deadline, &asked->hosts);
    ldapclient_ask(client, LDAP_ROUTING_QUERY, "moved", deadline, &asked->moved);
}

static bool is_or_error(const struct ldap_answer *answer, enum directory_class class)
{
    return answer->said.class == class || answer->said.class == DIRECTORY_ERROR;
}

/* From the n-th allocation on there is no memory: nothing is a yes or a no by
 * that, nobody waits for ever, and nothing is lost. */
static void test_out_of_memory(void **state)
{
    struct ldapserver server;
    bool all_well = false;
    (void)state;
    ldapserver_start(&server);
    for (int allowed = 0; !all_well; allowed++) {
        struct ldapclient client;
        struct asked first, second;
        struct err err = {0};
        assert_true(allowed < 1000);
        ldapclient_init(&client, &server.port, 1);
        memory_allow(allowed);
        client.pool = ldappool_new(LDAPCLIENT_DIALER, &err);
        if (client.pool == NULL) {
            memory_allow(-1);
            assert_int_equal(err.kind, ERR_MEMORY);
            ldapclient_done(&client);
            continue;
        }
        ask_all(&client, &first);
        ask_all(&client, &second);
        memory_allow(-1);
        /* The server is not left alone for it. */
        struct ldap_answer after;
        mono_us began = mono_now();
        do { /* the last thread without memory may still take a question */
            ldapclient_ask(&client, LDAP_ACCEPT_QUERY, "joe", began + LDAPSERVER_PATIENCE, &after);
            assert_null(strstr(after.said.text, "pause"));
        } while (after.said.class != DIRECTORY_MATCH && mono_now() - began < LDAPSERVER_PATIENCE);
        assert_int_equal(after.said.class, DIRECTORY_MATCH);
        assert_true(is_or_error(&first.good, DIRECTORY_MATCH));
        assert_true(is_or_error(&first.bad, DIRECTORY_NO_MATCH));
        assert_true(is_or_error(&first.hosts, DIRECTORY_MATCH));
        assert_true(is_or_error(&first.moved, DIRECTORY_MATCH));
        /* an entry is never told without what it has */
        assert_int_equal(first.moved.said.class == DIRECTORY_MATCH,
                         strcmp(first.moved.addresses, "joe@there.example") == 0);
        all_well = second.good.said.cached && second.bad.said.cached && second.hosts.said.cached &&
                   second.moved.said.cached;
        ldapclient_done(&client);
    }
    ldapserver_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_out_of_memory)};
    ldappool_setup();
    log_set_level(LOG_AT_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
