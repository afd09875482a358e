/* callahead_threads_test.c - call-ahead when it may have no more threads. */
#include "t/unit/net/peer.h"

#include <string.h>
#include "lib/net/callahead_pool.h"

/* The same peer, as a server of its own for the sender sN@gate.test. */
static void set_server(struct client *client, char room[40], int n)
{
    snprintf(room, 40, "<s%d@gate.test>", n);
    client->keys.mail_from = room;
}

static void begin(struct peer *peer, struct client *client, const char *settings, unsigned threads)
{
    peer_start(peer, settings);
    client_init(client, peer->port, 0);
    client->pool->threads_max = threads;
}

static void wait_for_count(struct peer *peer, const char *name, unsigned n)
{
    for (int ms = 0; peer_count(peer, name) < n; ms += 5) {
        assert_true(ms < 60000);
        pause_ms(5);
    }
}

/* Connections that lie idle are given up for a server that has none. */
static void test_idle_ones_make_room(void **state)
{
    struct peer peer;
    struct client client;
    struct callahead_stats stats;
    char sender[40], address[64];
    (void)state;
    begin(&peer, &client, "{}", 3);
    for (int i = 0; i < 40; i++) {
        set_server(&client, sender, i % 10);
        snprintf(address, sizeof address, "u%d@example.com", i);
        client_expect(&client, address, CALLAHEAD_VALID, 250);
    }
    callahead_get_stats(client.pool, &stats);
    assert_int_equal(stats.connections, 3);
    /* Each of the ten has had one; which of them goes is nobody's business. */
    assert_in_range(peer_count(&peer, "connections"), 10, 40);
    wait_for_count(&peer, "quit", peer_count(&peer, "connections") - 3);
    client_done(&client);
    peer_stop(&peer);
}

/* Those at work are not: then there is no server. */
static void test_busy_ones_do_not(void **state)
{
    static struct client others[3];
    static char senders[3][40];
    struct asker askers[3];
    struct peer peer;
    struct client client;
    char sender[40];
    (void)state;
    begin(&peer, &client, "{\"rcpt\": [[\"^slow\", \"gate:250 2.1.5 ok\"]]}", 2);
    for (int i = 0; i < 2; i++) {
        char address[64];
        others[i] = client;
        others[i].profile.keys = &others[i].keys;
        others[i].where.hosts = others[i].hosts;
        set_server(&others[i], senders[i], i);
        snprintf(address, sizeof address, "slow%d@example.com", i);
        asker_start(&askers[i], &others[i], address, 30000);
    }
    wait_for_count(&peer, "rcpt", 2);
    set_server(&client, sender, 9);
    struct callahead_answer answer = client_asks(&client, "u@example.com");
    assert_int_equal(answer.class, CALLAHEAD_SERVER_ILL);
    assert_string_equal(answer.text, "too many connections");
    peer_open(&peer);
    for (int i = 0; i < 2; i++) {
        asker_join(&askers[i]);
        assert_int_equal(askers[i].answer.class, CALLAHEAD_VALID);
    }
    client_done(&client);
    peer_stop(&peer);
}

/* Many at once for more servers than threads: each has an answer, and nothing
 * waits for ever. */
static void test_crowd(void **state)
{
    enum { CROWD = 60, SERVERS = 12, THREADS = 4 };
    static struct client clients[CROWD];
    static struct asker askers[CROWD];
    static char senders[CROWD][40];
    struct peer peer;
    struct client client;
    struct callahead_stats stats;
    unsigned valid = 0;
    (void)state;
    begin(&peer, &client, "{}", THREADS);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < CROWD; i++) {
            char address[64];
            clients[i] = client;
            clients[i].profile.keys = &clients[i].keys;
            clients[i].where.hosts = clients[i].hosts;
            set_server(&clients[i], senders[i], i % SERVERS);
            snprintf(address, sizeof address, "u%d-%d@example.com", round, i);
            asker_start(&askers[i], &clients[i], address, 60000);
        }
        for (int i = 0; i < CROWD; i++) {
            asker_join(&askers[i]);
            valid += askers[i].answer.class == CALLAHEAD_VALID;
            if (askers[i].answer.class != CALLAHEAD_VALID)
                assert_string_equal(askers[i].answer.text, "too many connections");
        }
    }
    assert_true(valid > 0);
    callahead_get_stats(client.pool, &stats);
    assert_in_range(stats.connections, 1, THREADS);
    assert_in_range(peer_count(&peer, "most_open"), 1, THREADS + CROWD);
    client_done(&client);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_ones_make_room),
        cmocka_unit_test(test_busy_ones_do_not),
        cmocka_unit_test(test_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
