/* callahead_fair_test.c - a server that takes its time to say no, and those who wait beside
 * somebody who tries names. */
#include "t/unit/net/peer.h"

#include <stdatomic.h>
#include <string.h>

#define TARPIT_MS 1500
#define TARPIT "{\"rcpt\": [[\"^bad\", \"delay:1.5:550 5.1.1 no\"]]}"
#define HARVESTERS 20
#define NEIGHBOURS 3

static struct asker harvest[HARVESTERS], neighbours[NEIGHBOURS];
static char names[HARVESTERS + NEIGHBOURS][40];

static const char *name_of(size_t i, const char *pattern)
{
    snprintf(names[i], sizeof names[i], "%s %zu", pattern, i);
    return names[i];
}

/* Each for himself, or all for one. */
static void start_one(struct client *client, size_t i, bool alone)
{
    char address[40];
    snprintf(address, sizeof address, "bad%zu@example.com", i);
    asker_start_for(&harvest[i], client, alone ? "harvester" : name_of(i, "harvester"), address,
                    60000);
}

static void start_harvest(struct client *client, size_t n, bool alone)
{
    for (size_t i = 0; i < n; i++)
        start_one(client, i, alone);
}

static void start_neighbours(struct client *client)
{
    char address[40];
    for (size_t i = 0; i < NEIGHBOURS; i++) {
        snprintf(address, sizeof address, "good%zu@example.com", i);
        asker_start_for(&neighbours[i], client, name_of(HARVESTERS + i, "neighbour"), address,
                        60000);
    }
}

/* As long as one is refused, and a little for a busy machine: two would be 3 s. */
static void join_neighbours(void)
{
    for (size_t i = 0; i < NEIGHBOURS; i++) {
        asker_join(&neighbours[i]);
        assert_int_equal(neighbours[i].answer.class, CALLAHEAD_VALID);
        assert_in_range(neighbours[i].answer.ms, 0, TARPIT_MS + 1000);
    }
}

/* Who still waits is answered by the end of the pool. */
static void end(struct client *client, size_t n)
{
    client_done(client);
    for (size_t i = 0; i < n; i++)
        asker_join(&harvest[i]);
}

static void meet(struct client *client, struct peer *peer, size_t n, bool alone)
{
    unsigned asked = peer_count(peer, "rcpt");
    client->keys.timeout = 60000;
    start_harvest(client, n, alone);
    for (int i = 0; peer_count(peer, "rcpt") < asked + 5; i++)
        pause_ms(5);
    pause_ms(300);
    start_neighbours(client);
    join_neighbours();
}

/* Nothing is known of the server, and each comes from somewhere else. */
static void test_many_clients(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, TARPIT);
    client_init(&client, peer.port, 0);
    meet(&client, &peer, HARVESTERS, false);
    assert_in_range(peer_count(&peer, "most_open"), 5, 5);
    end(&client, HARVESTERS);
    peer_stop(&peer);
}

static void test_one_client(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, TARPIT);
    client_init(&client, peer.port, 0);
    meet(&client, &peer, 10, true);
    end(&client, 10);
    peer_stop(&peer);
}

/* It was quick with a yes so far, and with a no as well. */
static void test_server_that_was_quick(void **state)
{
    struct peer peer;
    struct client client;
    char address[40];
    (void)state;
    peer_start(&peer, "{\"rcpt\": [[\"^bad-\", \"550 5.1.1 no\"],"
                      " [\"^bad\", \"delay:1.5:550 5.1.1 no\"]]}");
    client_init(&client, peer.port, 0);
    client.keys.max_rejects_per_session = 1000;
    client_ask_many(&client, 100, "good-");
    meet(&client, &peer, HARVESTERS, false);
    end(&client, HARVESTERS);
    client_init(&client, peer.port, 0);
    client.keys.max_rejects_per_session = 1000;
    for (int i = 0; i < 30; i++) {
        snprintf(address, sizeof address, "bad-%d@example.com", i);
        client_expect(&client, address, CALLAHEAD_USER_UNKNOWN, 550);
    }
    /* One round of batches, however large, and it is found out. */
    start_harvest(&client, 10, false);
    for (size_t i = 0; i < 10; i++) {
        asker_join(&harvest[i]);
        assert_int_equal(harvest[i].answer.class, CALLAHEAD_USER_UNKNOWN);
    }
    start_neighbours(&client);
    join_neighbours();
    client_done(&client);
    peer_stop(&peer);
}

/* One who asks again as soon as he is refused, from many places. */
struct looper {
    pthread_t thread;
    struct client *client;
    unsigned number;
    atomic_bool *stop;
};

static void *loop(void *arg)
{
    struct looper *looper = arg;
    char somebody[30], address[64];
    snprintf(somebody, sizeof somebody, "looper %u", looper->number);
    for (unsigned i = 0; !atomic_load(looper->stop); i++) {
        snprintf(address, sizeof address, "bad%ux%u@example.com", looper->number, i);
        (void)client_ask_for(looper->client, somebody, address, 60000);
    }
    return NULL;
}

static void test_harvesters_that_go_on(void **state)
{
    static struct looper loopers[HARVESTERS];
    struct peer peer;
    struct client client;
    atomic_bool stop = false;
    (void)state;
    peer_start(&peer, "{\"rcpt\": [[\"^bad\", \"delay:0.5:550 5.1.1 no\"]]}");
    client_init(&client, peer.port, 0);
    client.keys.timeout = 60000;
    for (unsigned i = 0; i < HARVESTERS; i++) {
        loopers[i] = (struct looper){.client = &client, .number = i, .stop = &stop};
        assert_int_equal(pthread_create(&loopers[i].thread, NULL, loop, &loopers[i]), 0);
    }
    for (int round = 0; round < 2; round++) {
        char address[40];
        pause_ms(400);
        for (size_t i = 0; i < NEIGHBOURS; i++) {
            snprintf(address, sizeof address, "good%dx%zu@example.com", round, i);
            asker_start_for(&neighbours[i], &client, name_of(i, "neighbour"), address, 60000);
        }
        join_neighbours();
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < HARVESTERS; i++)
        assert_int_equal(pthread_join(loopers[i].thread, NULL), 0);
    client_done(&client);
    peer_stop(&peer);
}

/* A neighbour who asks for the same as the harvester, whose question waits behind his others. */
static void test_joined(void **state)
{
    struct peer peer;
    struct client client;
    struct asker neighbour;
    (void)state;
    peer_start(&peer, TARPIT);
    client_init(&client, peer.port, 0);
    client.keys.timeout = 60000;
    client.keys.max_connections_per_server = 1;
    start_one(&client, 0, true);
    peer_await(&peer, "rcpt", 1); /* in its hands: the others wait behind it */
    for (size_t i = 1; i < 4; i++)
        start_one(&client, i, true);
    asker_start_for(&harvest[4], &client, "harvester", "good@example.com", 60000);
    pause_ms(300);
    asker_start_for(&neighbour, &client, "neighbour", "good@example.com", 60000);
    asker_join(&neighbour);
    assert_int_equal(neighbour.answer.class, CALLAHEAD_VALID);
    assert_in_range(neighbour.answer.ms, 0, TARPIT_MS + 1000);
    asker_join(&harvest[4]);
    assert_int_equal(harvest[4].answer.class, CALLAHEAD_VALID);
    assert_int_equal(peer_asked(&peer, "good@example.com"), 1);
    end(&client, 4);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_clients),
        cmocka_unit_test(test_one_client),
        cmocka_unit_test(test_server_that_was_quick),
        cmocka_unit_test(test_harvesters_that_go_on),
        cmocka_unit_test(test_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
