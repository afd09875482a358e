/* callahead_servers_test.c - which server is asked: pauses, failover, round robin, names. */
#include "t/unit/net/peer.h"

#include <string.h>
#include "t/unit/net/nameserver.h"

#define PAUSED "server paused: not now"

/* --- servers that fail ------------------------------------------------------------------------ */

static void test_pause(void **state)
{
    struct peer peer;
    struct client client;
    struct callahead_stats stats;
    (void)state;
    peer_start(&peer, "{\"banner\": \"554 5.3.2 not now\"}");
    client_init(&client, peer.port, 0);
    client_expect(&client, "a@example.com", CALLAHEAD_SERVER_ILL, 554);
    unsigned waits = client.waits;
    callahead_get_stats(client.pool, &stats);
    assert_int_equal(stats.servers_paused, 1);
    for (int i = 0; i < 100; i++) {
        struct callahead_answer answer = client_asks(&client, "b@example.com");
        assert_int_equal(answer.class, CALLAHEAD_SERVER_ILL);
        assert_string_equal(answer.text, PAUSED);
    }
    assert_int_equal(client.waits, waits);
    assert_int_equal(peer_count(&peer, "connections"), 1);
    pause_ms(1000); /* the first pause is over, the next one is two seconds */
    client_expect(&client, "a@example.com", CALLAHEAD_SERVER_ILL, 554);
    pause_ms(1200);
    assert_string_equal(client_asks(&client, "a@example.com").text, PAUSED);
    peer_set(&peer, "{}");
    pause_ms(1000);
    client_expect(&client, "a@example.com", CALLAHEAD_VALID, 250);
    client_expect(&client, "b@example.com", CALLAHEAD_VALID, 250);
    callahead_get_stats(client.pool, &stats);
    assert_int_equal(stats.servers_paused, 0);
    client_done(&client);
    peer_stop(&peer);
}

/* After a pause one question tries, the others do not wait for it. */
static void test_trial(void **state)
{
    struct peer peer;
    struct client client;
    struct asker asker;
    (void)state;
    peer_start(&peer, "{\"banner\": \"then-close:554 no\"}");
    client_init(&client, peer.port, 0);
    client_expect(&client, "a@example.com", CALLAHEAD_SERVER_ILL, 554);
    peer_set(&peer, "{\"banner\": \"hang\"}");
    pause_ms(1050);
    asker_start(&asker, &client, "a@example.com", 500);
    pause_ms(100);
    assert_string_equal(client_asks(&client, "b@example.com").text, "server paused: no");
    asker_join(&asker);
    assert_string_equal(asker.answer.text, "no answer in time");
    client_done(&client);
    peer_stop(&peer);
}

static uint16_t free_port(void)
{
    struct peer peer;
    peer_start(&peer, "{}");
    peer_stop(&peer);
    return peer.port;
}

static void test_failover(void **state)
{
    struct peer first, second;
    struct client client;
    (void)state;
    peer_start(&second, "{"
                        "\"rcpt\": [[\"^bad\", \"550 5.1.1 no such user\"]]"
                        "}");
    /* nobody listens at the first */
    client_init(&client, free_port(), second.port);
    client.hosts[1].priority = 1;
    client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
    client_expect(&client, "bad@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    assert_int_equal(peer_count(&second, "rcpt"), 2);
    client_done(&client);
    /* the first greets with a refusal, hangs, hangs at RCPT, closes at RCPT */
    static const char *const settings[] = {
        "{\"banner\": \"421 4.3.2 not now\"}",
        "{\"banner\": \"554 5.3.2 not now\"}",
        "{\"banner\": \"hang\"}",
        "{\"ehlo\": \"hang\"}",
        "{\"rcpt_default\": \"hang\"}",
        "{\"rcpt_default\": \"close\"}",
        "{\"rcpt_default\": \"rst\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        peer_start(&first, settings[i]);
        client_init(&client, first.port, second.port);
        client.hosts[1].priority = 1;
        client.keys.timeout = 2000;
        client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
        client_done(&client);
        peer_stop(&first);
    }
    peer_stop(&second);
}

static void test_no_failover(void **state)
{
    struct peer first, second;
    struct client client;
    (void)state;
    peer_start(&first, "{\"mail\": \"550 5.7.1 not you\"}");
    peer_start(&second, "{}");
    client_init(&client, first.port, second.port);
    client.hosts[1].priority = 1;
    struct callahead_answer answer = client_asks(&client, "a@example.com");
    assert_int_equal(answer.class, CALLAHEAD_SERVER_ILL);
    assert_int_equal(answer.stage, CALLAHEAD_AT_MAIL);
    assert_int_equal(answer.code, 550);
    assert_int_equal(peer_count(&second, "connections"), 0);
    client_done(&client);
    peer_stop(&first);
    peer_stop(&second);
}

static void test_round_robin(void **state)
{
    struct peer first, second;
    struct client client;
    (void)state;
    peer_start(&first, "{}");
    peer_start(&second, "{}");
    client_init(&client, first.port, second.port);
    client.keys.type = CALLAHEAD_STATIC;
    client.profile.servers = client.hosts;
    client.profile.nservers = 2;
    for (int i = 0; i < 6; i++) {
        char address[40];
        snprintf(address, sizeof address, "a%d@example.com", i);
        client_expect(&client, address, CALLAHEAD_VALID, 250);
        assert_int_equal(peer_count(&first, "rcpt"), (i + 2) / 2); /* from the first on */
        assert_int_equal(peer_count(&second, "rcpt"), (i + 1) / 2);
    }
    client_done(&client);
    peer_stop(&first);
    peer_stop(&second);
}

/* The server bears two connections: the others are refused, nobody suffers. */
static void test_server_with_connection_limit(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{\"max_open\": 2, \"latency\": 0.02}");
    client_init(&client, peer.port, 0);
    client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
    client_ask_many(&client, 100, "good");
    client_done(&client);
    peer_stop(&peer);
}

/* --- servers by name
 * ------------------------------------------------------------------------------- */

static void test_names(void **state)
{
    struct nameserver names;
    struct peer peer;
    struct client client;
    struct err err = {0};
    (void)state;
    nameserver_start(&names);
    nameserver_script(&names, "mx.test A 127.0.0.1\n");
    struct dns_keys dns_keys = nameserver_keys(&names);
    struct dns *dns = dns_new(&dns_keys, &err);
    assert_non_null(dns);
    peer_start(&peer, "{}");
    client_init(&client, peer.port, 0);
    callahead_free(client.pool);
    client.pool = callahead_new(dns, "gate.test", &err);
    assert_non_null(client.pool);
    client.hosts[0].is_ip = false;
    client.hosts[0].host = "mx.test";
    client_expect(&client, "a@example.com", CALLAHEAD_VALID, 250);
    assert_int_equal(client.waits, 1); /* for DNS and for the server together */
    client_expect(&client, "a@example.com", CALLAHEAD_VALID, 250);
    assert_int_equal(client.waits, 1);
    client.hosts[0].host = "none.test";
    struct callahead_answer answer = client_asks(&client, "b@example.com");
    assert_int_equal(answer.class, CALLAHEAD_SERVER_ILL);
    assert_int_equal(answer.stage, CALLAHEAD_AT_RESOLVE);
    assert_true(strstr(answer.text, "none.test"));
    assert_string_equal(answer.server, "");
    client_done(&client);
    dns_free(dns);
    peer_stop(&peer);
    nameserver_stop(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pause),       cmocka_unit_test(test_trial),
        cmocka_unit_test(test_failover),    cmocka_unit_test(test_no_failover),
        cmocka_unit_test(test_round_robin), cmocka_unit_test(test_server_with_connection_limit),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
