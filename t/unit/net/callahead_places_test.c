/* callahead_places_test.c - the bound on connections, as the server counts them. */
#include "t/unit/net/peer.h"

#include <stdatomic.h>
#include <string.h>

#define CAP 5
#define ASKERS 40
#define EACH 6

static const char *const kinds[] = {"good", "bad", "cut", "twice", "gone", "half"};
/* What ends a connection: refusals, a 421, two replies to one command, a close, half a reply. */
#define RCPT                                                                                       \
    "\"rcpt\": [[\"^bad\", \"550 5.1.1 no\"], [\"^cut\", \"then-close:421 4.7.0 enough\"],"        \
    " [\"^twice\", \"twice:550 5.1.1 no\"], [\"^gone\", \"close\"], [\"^half\", "                  \
    "\"then-close:raw:550 \"]]"

struct churner {
    pthread_t thread;
    struct client *client;
    unsigned number, kinds; /* of those above */
    atomic_uint *answers;
};

static void *churn(void *arg)
{
    struct churner *churner = arg;
    char somebody[20], address[64];
    snprintf(somebody, sizeof somebody, "client %u", churner->number);
    for (unsigned i = 0; i < EACH; i++) {
        const char *kind = kinds[(churner->number + i) % churner->kinds];
        snprintf(address, sizeof address, "%s%ux%u@example.com", kind, churner->number, i);
        (void)client_ask_for(churner->client, somebody, address, 60000);
        atomic_fetch_add(churner->answers, 1);
    }
    return NULL;
}

static void run_churn(struct client *clients, unsigned nclients, unsigned nkinds)
{
    static struct churner churners[ASKERS];
    atomic_uint answers = 0;
    for (unsigned n = 0; n < ASKERS; n++) {
        churners[n] = (struct churner){.client = &clients[n < nclients ? n : 0],
                                       .number = n,
                                       .kinds = nkinds,
                                       .answers = &answers};
        assert_int_equal(pthread_create(&churners[n].thread, NULL, churn, &churners[n]), 0);
    }
    for (unsigned n = 0; n < ASKERS; n++)
        assert_int_equal(pthread_join(churners[n].thread, NULL), 0);
    assert_int_equal(answers, ASKERS * EACH);
}

/* Many at once; connections end in each way there is, and the server is slow to close them. */
static void test_never_more(void **state)
{
    static const char *const settings[] = {
        "{" RCPT "}",
        "{\"close_delay\": 0.03, " RCPT "}",
        "{\"latency\": 0.005, \"close_delay\": 0.02, " RCPT "}",
        "{\"pipelining\": false, \"close_delay\": 0.01, " RCPT "}",
        "{\"max_open\": 5, \"close_delay\": 0.01, " RCPT "}",
    };
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(settings); i++) {
        struct peer peer;
        struct client client;
        bool broken = i >= ARRAY_LEN(settings); /* then it has pauses, too */
        peer_start(&peer, settings[i % ARRAY_LEN(settings)]);
        client_init(&client, peer.port, 0);
        client.keys.max_connections_per_server = CAP;
        client.keys.max_rejects_per_session = 1;
        run_churn(&client, 1, broken ? ARRAY_LEN(kinds) : 2);
        /* Connections were replaced; how many depends on how many recipients shared one. */
        assert_in_range(peer_count(&peer, "connections"), broken ? 1 : CAP + 1, UINT32_MAX);
        assert_in_range(peer_count(&peer, "most_open"), 1, CAP);
        client_done(&client);
        peer_stop(&peer);
    }
}

/* The place is free as soon as the server has closed, ... */
static void test_no_longer_than_needed(void **state)
{
    struct peer peer;
    struct client client;
    char address[40];
    (void)state;
    peer_start(&peer, "{\"rcpt_default\": \"550 5.1.1 no\"}");
    client_init(&client, peer.port, 0);
    client.keys.max_connections_per_server = 1;
    client.keys.max_rejects_per_session = 1;
    mono_us began = mono_now();
    for (int i = 0; i < 20; i++) {
        snprintf(address, sizeof address, "bad%d@example.com", i);
        client_expect(&client, address, CALLAHEAD_USER_UNKNOWN, 550);
    }
    assert_true(elapsed_ms(began) < 10000); /* 2 s each would be 40 s */
    assert_int_equal(peer_count(&peer, "connections"), 20);
    assert_int_equal(peer_count(&peer, "most_open"), 1);
    client_done(&client);
    peer_stop(&peer);
}

/* ... and after two seconds in any case. Where there is another place nobody waits for it. */
static void test_server_that_does_not_close(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{\"rcpt_default\": \"550 5.1.1 no\", \"close_delay\": 30}");
    client_init(&client, peer.port, 0);
    client.keys.max_connections_per_server = 2;
    client.keys.max_rejects_per_session = 1;
    client.keys.timeout = 60000;
    mono_us began = mono_now();
    client_expect(&client, "bad1@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    client_expect(&client, "bad2@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    assert_true(elapsed_ms(began) < 1900);
    assert_int_equal(peer_count(&peer, "most_open"), 2);
    client_expect(&client, "bad3@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    assert_in_range(elapsed_ms(began), 1900, 20000);
    began = mono_now();
    client_done(&client); /* does not wait for it */
    assert_true(elapsed_ms(began) < 1900);
    peer_stop(&peer);
}

/* Servers that differ in what shapes a connection, as two senders, are one to the host. */
static void test_one_place(void **state)
{
    static struct client others[4];
    struct peer peer;
    struct client client;
    char sender[4][40];
    (void)state;
    peer_start(&peer, "{\"close_delay\": 0.01, \"latency\": 0.002, " RCPT "}");
    client_init(&client, peer.port, 0);
    client.keys.max_connections_per_server = 2;
    for (unsigned i = 0; i < 4; i++) {
        others[i] = client;
        others[i].profile.keys = &others[i].keys;
        others[i].where.hosts = others[i].hosts;
        snprintf(sender[i], sizeof sender[i], "<s%u@gate.test>", i);
        others[i].keys.mail_from = sender[i];
    }
    /* Where connections of another one lie idle one of them ends. */
    for (unsigned i = 0; i < 4; i++) {
        mono_us began = mono_now();
        client_expect(&others[i], "first@example.com", CALLAHEAD_VALID, 250);
        assert_true(elapsed_ms(began) < 5000);
    }
    /* Where they are at work each has its turn, however many there are for another one. */
    run_churn(others, 4, 2);
    assert_in_range(peer_count(&peer, "most_open"), 2, 2);
    client_done(&client);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_more),
        cmocka_unit_test(test_no_longer_than_needed),
        cmocka_unit_test(test_server_that_does_not_close),
        cmocka_unit_test(test_one_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
