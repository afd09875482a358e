/* callahead_test.c - the pool against a scripted server: verdicts, cache, single flight,
 * deadlines, connections. */
#include "t/unit/net/peer.h"

#include <string.h>

#define KNOWN_AND_UNKNOWN "\"rcpt\": [[\"^bad\", \"550 5.1.1 no such user\"]]"

static void test_verdicts(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(
        &peer,
        "{\"rcpt\": [[\"^bad\", \"550 5.1.1 no such user\"], [\"^full\", \"452 4.2.2 full\"],"
        " [\"^grey\", \"451 4.7.1 Greylisted\"], [\"^policy\", \"550 5.7.1 not for you\"],"
        " [\"^later\", \"450 4.3.0 later\"], [\"^odd\", \"354 go on\"]]}");
    client_init(&client, peer.port, 0);
    client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
    client_expect(&client, "full@example.com", CALLAHEAD_MAILBOX_FULL, 452);
    client_expect(&client, "bad@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    client_expect(&client, "policy@example.com", CALLAHEAD_POLICY, 550);
    client_expect(&client, "grey@example.com", CALLAHEAD_GREYLISTED, 451);
    client_expect(&client, "later@example.com", CALLAHEAD_TEMPORARY, 450);
    client_expect(&client, "odd@example.com", CALLAHEAD_SERVER_ILL, 354);
    struct callahead_answer answer = client_asks(&client, "Bad2@Example.com");
    char server[40];
    snprintf(server, sizeof server, "127.0.0.1:%u", peer.port);
    assert_string_equal(answer.server, server);
    assert_string_equal(answer.status, "2.1.5");
    assert_int_equal(answer.stage, CALLAHEAD_AT_RCPT);
    assert_int_equal(peer_asked(&peer, "Bad2@example.com"), 1); /* the case is the sender's */
    assert_int_equal(peer_count(&peer, "connections"), 1);
    client_done(&client);
    pause_ms(50);
    assert_int_equal(peer_count(&peer, "open"), 0);
    peer_stop(&peer);
}

static void test_cache(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{" KNOWN_AND_UNKNOWN "}");
    client_init(&client, peer.port, 0);
    for (int i = 0; i < 3; i++) {
        struct callahead_answer yes =
            client_asks(&client, i == 1 ? "Good@EXAMPLE.com" : "good@example.com");
        struct callahead_answer no = client_asks(&client, "bad@example.com");
        assert_int_equal(yes.class, CALLAHEAD_VALID);
        assert_int_equal(no.class, CALLAHEAD_USER_UNKNOWN);
        assert_int_equal(yes.cached, i > 0);
        assert_int_equal(no.cached, i > 0);
        assert_string_equal(no.status, "5.1.1");
        assert_string_equal(no.text, "no such user");
        assert_int_equal(no.code, 550);
        assert_true(no.server[0] != '\0');
    }
    assert_in_range(client.waits, 0, 2); /* quick answers need no waiting */
    assert_int_equal(peer_count(&peer, "rcpt"), 2);
    /* Another sender, another profile: other questions. */
    client.keys.mail_from = "<probe@gate.test>";
    client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_count(&peer, "rcpt"), 3);
    client.profile.name = "other";
    client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_count(&peer, "rcpt"), 4);
    /* A new size is a new cache. */
    client.keys.cache_entries = 200;
    client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_count(&peer, "rcpt"), 5);
    struct callahead_stats stats;
    callahead_get_stats(client.pool, &stats);
    assert_int_equal(stats.asked, 9);
    assert_int_equal(stats.cached, 4);
    assert_int_equal(stats.valid, 4);
    assert_int_equal(stats.unknown, 1);
    client_done(&client);
    peer_stop(&peer);
}

static void test_cache_life(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{" KNOWN_AND_UNKNOWN "}");
    client_init(&client, peer.port, 0);
    client.keys.cache_ttl = 1600;
    client.keys.negative_cache_ttl = 100;
    client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
    client_expect(&client, "bad@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    pause_ms(600);
    assert_true(client_asks(&client, "good@example.com").cached);
    assert_false(client_asks(&client, "bad@example.com").cached);
    client.keys.negative_cache_ttl = 0; /* as long as cache_ttl */
    assert_false(client_asks(&client, "bad2@example.com").cached);
    assert_true(client_asks(&client, "bad2@example.com").cached);
    pause_ms(1000);
    assert_false(client_asks(&client, "good@example.com").cached);
    client_done(&client);
    peer_stop(&peer);
}

/* --- several at once -------------------------------------------------------------------- */

static void test_single_flight(void **state)
{
    struct peer peer;
    struct client client;
    static struct asker askers[20];
    (void)state;
    peer_start(&peer, "{\"latency\": 0.1}");
    client_init(&client, peer.port, 0);
    for (size_t i = 0; i < ARRAY_LEN(askers); i++)
        asker_start(&askers[i], &client, "same@example.com", 5000);
    for (size_t i = 0; i < ARRAY_LEN(askers); i++) {
        asker_join(&askers[i]);
        assert_int_equal(askers[i].answer.class, CALLAHEAD_VALID);
    }
    assert_int_equal(peer_count(&peer, "rcpt"), 1);
    assert_in_range(client.waits, 1, ARRAY_LEN(askers));
    client_done(&client);
    peer_stop(&peer);
}

/* Five connections are opened before batches grow; then all go out together. */
static void test_connections_then_batches(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{\"latency\": 0.05}");
    client_init(&client, peer.port, 0);
    mono_us began = mono_now();
    client_ask_many(&client, 200, "good");
    assert_true(elapsed_ms(began) < 2000); /* one by one it would be 10 s */
    assert_int_equal(peer_count(&peer, "connections"), 5);
    assert_int_equal(peer_count(&peer, "most_open"), 5);
    assert_int_equal(peer_count(&peer, "rcpt"), 200);
    client_done(&client);
    peer_stop(&peer);
}

static void test_one_connection_without_pipelining(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{\"pipelining\": false}");
    client_init(&client, peer.port, 0);
    client.keys.max_connections_per_server = 1;
    client_ask_many(&client, 50, "good");
    assert_int_equal(peer_count(&peer, "connections"), 1);
    assert_int_equal(peer_count(&peer, "rcpt"), 50);
    client_done(&client);
    peer_stop(&peer);
}

static void test_transactions(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{\"max_rcpts\": 10, \"latency\": 0.01}");
    client_init(&client, peer.port, 0);
    client.keys.max_connections_per_server = 2;
    client_ask_many(&client, 100, "good");
    assert_true(peer_count(&peer, "rset") >= 1);
    assert_int_equal(peer_count(&peer, "connections"), 2);
    client_done(&client);
    peer_stop(&peer);
}

static void test_recycling(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{" KNOWN_AND_UNKNOWN "}");
    client_init(&client, peer.port, 0);
    client.keys.max_rejects_per_session = 3;
    for (int i = 0; i < 9; i++) {
        char address[40];
        snprintf(address, sizeof address, "bad%d@example.com", i);
        client_expect(&client, address, CALLAHEAD_USER_UNKNOWN, 550);
    }
    assert_int_equal(peer_count(&peer, "connections"), 3);
    client.keys.max_recipients_per_session = 4;
    client.keys.max_rejects_per_session = 1000;
    pause_ms(50);
    peer_forget(&peer);
    for (int i = 0; i < 9; i++) {
        char address[40];
        snprintf(address, sizeof address, "good%d@example.com", i);
        client_expect(&client, address, CALLAHEAD_VALID, 250);
    }
    assert_in_range(peer_count(&peer, "connections"), 2, 3);
    client_done(&client);
    peer_stop(&peer);
}

/* A server that hangs up after five refusals in a session, met with large batches. */
static void meet_error_limit(const char *settings)
{
    struct peer peer;
    struct client client;
    peer_start(&peer, settings);
    client_init(&client, peer.port, 0);
    client.keys.max_rejects_per_session = 4;
    client.keys.max_connections_per_server = 1;
    client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
    client_ask_many(&client, 40, "bad");
    assert_true(peer_count(&peer, "connections") >= 8);
    assert_in_range(peer_count(&peer, "cut"), 1, 2); /* it is learned */
    client_done(&client);
    peer_stop(&peer);
}

static void test_server_with_error_limit(void **state)
{
    (void)state;
    meet_error_limit("{\"max_errors\": 5, \"latency\": 0.02, " KNOWN_AND_UNKNOWN "}");
    meet_error_limit(
        "{\"max_errors\": 5, \"cut_at_once\": true, \"latency\": 0.02, " KNOWN_AND_UNKNOWN "}");
}

static void test_idle(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{}");
    client_init(&client, peer.port, 0);
    client.keys.idle_timeout = 600;
    client_expect(&client, "a@example.com", CALLAHEAD_VALID, 250);
    pause_ms(50);
    assert_int_equal(peer_count(&peer, "open"), 1);
    client_expect(&client, "b@example.com", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_count(&peer, "connections"), 1);
    pause_ms(1000);
    assert_int_equal(peer_count(&peer, "open"), 0);
    assert_int_equal(peer_count(&peer, "quit"), 1);
    client_expect(&client, "c@example.com", CALLAHEAD_VALID, 250);
    client_done(&client);
    peer_stop(&peer);
}

/* --- deadlines ------------------------------------------------------------------------------ */

static void test_deadline_and_background(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{\"rcpt_default\": \"delay:1.5:250 Ok\"}");
    client_init(&client, peer.port, 0);
    mono_us began = mono_now();
    struct callahead_answer answer = client_ask(&client, "slow@example.com", 200);
    assert_int_equal(answer.class, CALLAHEAD_SERVER_ILL);
    assert_string_equal(answer.text, "no answer in time");
    assert_true(answer.server[0] != '\0');
    assert_in_range(elapsed_ms(began), 200, 1400);
    assert_in_range(answer.ms, 1, elapsed_ms(began));
    assert_int_equal(client.waits, 1);
    client_expect(&client, "slow@example.com", CALLAHEAD_VALID, 250); /* the same question */
    answer = client_ask(&client, "slow@example.com", 200);
    assert_int_equal(answer.class, CALLAHEAD_VALID);
    assert_true(answer.cached);
    assert_int_equal(peer_count(&peer, "rcpt"), 1);
    client_done(&client);
    peer_stop(&peer);
}

static void test_timeout_is_a_bound(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{\"rcpt_default\": \"hang\"}");
    client_init(&client, peer.port, 0);
    client.keys.timeout = 300;
    mono_us began = mono_now();
    client_expect(&client, "slow@example.com", CALLAHEAD_SERVER_ILL, 0);
    assert_in_range(elapsed_ms(began), 299, 10000);
    client_done(&client);
    peer_stop(&peer);
}

/* --- the end -------------------------------------------------------------------------------- */

static void test_end_wakes_askers(void **state)
{
    struct peer peer;
    struct client client;
    struct asker askers[3];
    (void)state;
    peer_start(&peer, "{\"rcpt\": [[\"^hang\", \"hang\"]]}");
    client_init(&client, peer.port, 0);
    client.keys.max_connections_per_server = 1;
    for (size_t i = 0; i < ARRAY_LEN(askers); i++) {
        char address[40];
        snprintf(address, sizeof address, "hang%zu@example.com", i);
        asker_start(&askers[i], &client, address, 10000);
        pause_ms(50);
    }
    mono_us began = mono_now();
    client_done(&client);
    assert_true(elapsed_ms(began) < 2000);
    for (size_t i = 0; i < ARRAY_LEN(askers); i++) {
        asker_join(&askers[i]);
        assert_int_equal(askers[i].answer.class, CALLAHEAD_SERVER_ILL);
    }
    peer_stop(&peer);
}

/* --- settings that shape a connection ------------------------------------------------------------
 */

static void count_ref(void *arg)
{
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_RELAXED);
}

static void uncount_ref(void *arg)
{
    __atomic_sub_fetch((int *)arg, 1, __ATOMIC_RELAXED);
}

static void test_reload_keeps_connections(void **state)
{
    struct peer peer;
    struct client client;
    struct callahead_keys same;
    int refs = 0;
    (void)state;
    peer_start(&peer, "{}");
    client_init(&client, peer.port, 0);
    client.profile.take = count_ref;
    client.profile.release = uncount_ref;
    client.profile.arg = &refs;
    client_expect(&client, "a@example.com", CALLAHEAD_VALID, 250);
    same = client.keys;
    client.profile.keys = &same;
    client_expect(&client, "b@example.com", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_count(&peer, "connections"), 1);
    same.mail_from = "<probe@gate.test>";
    client_expect(&client, "a@example.com", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_count(&peer, "connections"), 2);
    same.interface = "127.0.0.1";
    client_expect(&client, "c@example.com", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_count(&peer, "connections"), 3);
    same.interface = "::1";
    struct callahead_answer answer = client_asks(&client, "d@example.com");
    assert_int_equal(answer.class, CALLAHEAD_SERVER_ILL);
    assert_int_equal(answer.stage, CALLAHEAD_AT_CONNECT);
    client_done(&client);
    assert_int_equal(refs, 0);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_life),
        cmocka_unit_test(test_single_flight),
        cmocka_unit_test(test_connections_then_batches),
        cmocka_unit_test(test_one_connection_without_pipelining),
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_recycling),
        cmocka_unit_test(test_server_with_error_limit),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_deadline_and_background),
        cmocka_unit_test(test_timeout_is_a_bound),
        cmocka_unit_test(test_end_wakes_askers),
        cmocka_unit_test(test_reload_keeps_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
