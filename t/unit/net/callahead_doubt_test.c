/*
 * callahead_doubt_test.c - call-ahead against servers whose noes are doubtful,
 * who take everybody, or who are away; on a clock of its own.
 */
#include "t/unit/net/peer.h"

#include <string.h>

#define PATIENCE_MS 60000
#define IDLE_MS 1000
#define START MONO_SECONDS(1000000)
#define REFUSE_ALL "{\"rcpt_default\": \"550 5.1.1 no such user\"}"
#define PICKY "{\"rcpt\": [[\"^[uw]@\", \"250 ok\"]], \"rcpt_default\": \"550 5.1.1 no such user\"}"
#define REFUSE_BAD "{\"rcpt\": [[\"^bad\", \"550 5.1.1 no such user\"]]}"

static mono_us now; /* of the simulated clock */

static void move_clock(mono_us by)
{
    __atomic_add_fetch(&now, by, __ATOMIC_RELAXED);
}

static struct callahead_stats stats_of(struct client *client)
{
    struct callahead_stats stats;
    callahead_get_stats(client->pool, &stats);
    return stats;
}

/* So long that connections end, and those to come are new ones. One that was not
 * idle yet when the clock moved takes its time-out from there. */
static void sleep_well(struct client *client, mono_us by)
{
    move_clock(by);
    for (int ms = 0; stats_of(client).connections > 0; ms += 5) {
        assert_true(ms < PATIENCE_MS);
        pause_ms(5);
        move_clock(ms % 100 == 0 ? MONO_MS(IDLE_MS) : 0);
    }
}

static void set_clock(mono_us to)
{
    if (__atomic_load_n(&now, __ATOMIC_RELAXED) < to)
        __atomic_store_n(&now, to, __ATOMIC_RELAXED);
}

static void start(struct peer *peer, struct client *client, const char *settings)
{
    now = START;
    mono_simulate(&now);
    peer_start(peer, settings);
    client_init(client, peer->port, 0);
    client->profile.name = "p";
    client->keys.idle_timeout = IDLE_MS;
}

static void finish(struct peer *peer, struct client *client)
{
    client_done(client);
    peer_stop(peer);
    mono_simulate(NULL);
}

static void wait_for_asked(struct peer *peer, const char *address, unsigned n)
{
    for (int ms = 0; peer_asked(peer, address) < n; ms += 5) {
        assert_true(ms < PATIENCE_MS);
        pause_ms(5);
    }
}

static void put_domain(const struct callahead_domain *domain, void *arg)
{
    strbuf_printf(arg, "%s %s%s%s\n", domain->profile, domain->domain, domain->ill ? " ill" : "",
                  domain->catch_all ? " catch_all" : "");
}

static bool has_domain(struct client *client, const char *line)
{
    struct strbuf out;
    strbuf_init(&out);
    callahead_list_domains(client->pool, put_domain, &out);
    bool has = strcmp(strbuf_text(&out), line) == 0;
    strbuf_done(&out);
    return has;
}

static void wait_for_domain(struct client *client, const char *line)
{
    for (int ms = 0; !has_domain(client, line); ms += 5) {
        assert_true(ms < PATIENCE_MS);
        pause_ms(5);
    }
}

/* --- noes ------------------------------------------------------------------------------ */

static void test_asked_again_on_a_fresh_connection(void **state)
{
    struct peer peer;
    struct client client;
    struct asker asker;
    (void)state;
    start(&peer, &client, "{}");
    client_expect(&client, "u@example.com", CALLAHEAD_VALID, 250);
    sleep_well(&client, MONO_SECONDS(1000));
    peer_set(&peer, "{\"rcpt_default\": \"gate:550 5.1.1 no such user\"}");
    asker_start(&asker, &client, "u@example.com", 10000);
    wait_for_asked(&peer, "u@example.com", 2);
    peer_set(&peer, "{}"); /* the next connection finds another world */
    peer_open(&peer);
    asker_join(&asker);
    assert_int_equal(asker.answer.class, CALLAHEAD_VALID);
    assert_int_equal(peer_asked(&peer, "u@example.com"), 3);
    assert_int_equal(peer_count(&peer, "connections"), 3);
    assert_true(client_asks(&client, "u@example.com").cached);
    finish(&peer, &client);
}

static void test_gone_for_good(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    start(&peer, &client, REFUSE_BAD);
    client_expect(&client, "u@example.com", CALLAHEAD_VALID, 250);
    client_expect(&client, "w@example.com", CALLAHEAD_VALID, 250);
    client_expect(&client, "bad@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    assert_int_equal(peer_asked(&peer, "bad@example.com"), 1); /* never good: believed at once */
    sleep_well(&client, MONO_SECONDS(1000));
    peer_set(&peer, "{\"rcpt\": [[\"^u\", \"550 5.1.1 gone\"]]}");
    client_expect(&client, "u@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    assert_int_equal(peer_asked(&peer, "u@example.com"), 3);
    assert_int_equal(peer_asked(&peer, "w@example.com"), 2); /* the witness */
    assert_int_equal(peer_count(&peer, "connections"), 3);
    assert_true(client_asks(&client, "u@example.com").cached);
    assert_int_equal(stats_of(&client).suspended, 0);
    finish(&peer, &client);
}

static void test_server_that_refuses_everybody(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    start(&peer, &client, PICKY);
    client.keys.serve_stale = 0;
    client.keys.probe_random = true;
    client_expect(&client, "u@example.com", CALLAHEAD_VALID, 250);
    client_expect(&client, "w@example.com", CALLAHEAD_VALID, 250);
    sleep_well(&client, MONO_SECONDS(86400)); /* the random address may be asked for again */
    peer_set(&peer, REFUSE_ALL);
    client_expect(&client, "new@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    client_expect(&client, "u@example.com", CALLAHEAD_SERVER_ILL, 0);
    assert_true(has_domain(&client, "p example.com ill\n"));
    assert_int_equal(peer_asked(&peer, "w@example.com"), 2);
    client_expect(&client, "new@example.com", CALLAHEAD_SERVER_ILL, 0);
    client_expect(&client, "w@example.com", CALLAHEAD_SERVER_ILL, 0);
    assert_in_range(stats_of(&client).suspended, 3, 10);
    client_expect(&client, "new@other.example", CALLAHEAD_USER_UNKNOWN, 550); /* its own matter */
    sleep_well(&client, MONO_SECONDS(100));
    peer_set(&peer, PICKY);
    client_expect(&client, "bad@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    assert_true(has_domain(&client, "")); /* a witness was asked for, and was good */
    client_expect(&client, "u@example.com", CALLAHEAD_VALID, 250);
    finish(&peer, &client);
}

/* --- extensions --------------------------------------------------------------------------- */

#define REFUSE_EXTENSIONS                                                                          \
    "{\"rcpt\": [[\"owner\", \"250 ok\"], [\"[+]|^list\", \"550 5.1.1 no such user\"]]}"

static void test_no_of_an_extension(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    start(&peer, &client, REFUSE_EXTENSIONS);
    client.delimiters = "+";
    client_expect(&client, "u+x@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    client_expect(&client, "u@example.com", CALLAHEAD_VALID, 250); /* whatever a stranger tried */
    assert_true(client_asks(&client, "u@example.com").cached);
    assert_true(client_asks(&client, "u+y@example.com").cached); /* a yes is for both */
    client_expect(&client, "u+x@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    assert_int_equal(peer_count(&peer, "rcpt"), 2);
    client_expect(&client, "list@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    client_expect(&client, "list+owner@example.com", CALLAHEAD_VALID, 250);
    finish(&peer, &client);
}

static void test_extension_of_the_good(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    start(&peer, &client, "{}");
    client.delimiters = "+";
    client.keys.serve_stale = 0;
    client_expect(&client, "u@example.com", CALLAHEAD_VALID, 250);
    client_expect(&client, "w@example.com", CALLAHEAD_VALID, 250);
    sleep_well(&client, MONO_SECONDS(1000));
    peer_set(&peer, REFUSE_EXTENSIONS);
    client_expect(&client, "u+x@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    assert_int_equal(peer_asked(&peer, "u@example.com"), 2); /* it can tell */
    assert_true(client_asks(&client, "u@example.com").cached);
    sleep_well(&client, MONO_SECONDS(1000));
    peer_set(&peer, REFUSE_ALL);
    client_expect(&client, "u+x@example.com", CALLAHEAD_SERVER_ILL, 0);
    assert_true(has_domain(&client, "p example.com ill\n"));
    client_expect(&client, "u+x@example.com", CALLAHEAD_SERVER_ILL, 0);
    finish(&peer, &client);
}

/* --- places ------------------------------------------------------------------------------- */

static void test_what_one_place_says(void **state)
{
    struct peer one, two;
    struct client client;
    (void)state;
    start(&one, &client, PICKY);
    peer_start(&two, "{}");
    client_expect(&client, "moved@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    client_expect(&client, "u@example.com", CALLAHEAD_VALID, 250);
    client.hosts[0].port = two.port;
    client_expect(&client, "moved@example.com", CALLAHEAD_VALID, 250);
    assert_false(client_asks(&client, "u@example.com").cached);
    client_expect(&client, "gone@example.com", CALLAHEAD_VALID, 250);
    client.hosts[0].port = one.port;
    assert_true(client_asks(&client, "moved@example.com").cached);
    peer_stop(&two);
    finish(&one, &client);
}

/* The good of one place are not asked for at another, which need not know them. */
static void test_witnesses_of_one_place(void **state)
{
    struct peer one, two;
    struct client client;
    (void)state;
    start(&one, &client, "{}");
    peer_start(&two, "{}");
    client_expect(&client, "a@example.com", CALLAHEAD_VALID, 250);
    client.hosts[0].port = two.port;
    client_expect(&client, "gone@example.com", CALLAHEAD_VALID, 250);
    sleep_well(&client, MONO_SECONDS(1000));
    peer_set(&two, REFUSE_ALL);
    client_expect(&client, "gone@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    assert_int_equal(peer_asked(&two, "a@example.com"), 0);
    assert_true(has_domain(&client, ""));
    client.hosts[0].port = one.port;
    client_expect(&client, "a@example.com", CALLAHEAD_VALID, 250);
    peer_stop(&two);
    finish(&one, &client);
}

/* --- catch-all ---------------------------------------------------------------------------- */

static void test_catch_all(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    start(&peer, &client,
          "{\"rcpt\": [[\"@all.example\", \"250 ok\"], [\"^u@\", \"250 ok\"]],"
          " \"rcpt_default\": \"550 5.1.1 no such user\"}");
    client_expect(&client, "u@all.example", CALLAHEAD_VALID, 250);
    client_expect(&client, "u@picky.example", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_count(&peer, "rcpt"), 2); /* without probe_random nobody asks */
    callahead_flush(client.pool, CALLAHEAD_FLUSH_ALL, "");
    client.keys.probe_random = true;
    client_expect(&client, "u@all.example", CALLAHEAD_VALID, 250);
    wait_for_domain(&client, "p all.example catch_all\n");
    client_expect(&client, "u@picky.example", CALLAHEAD_VALID, 250);
    client_expect(&client, "v@all.example", CALLAHEAD_VALID, 250);
    assert_true(client_asks(&client, "v@all.example").cached);
    for (int ms = 0; peer_count(&peer, "rcpt") < 7; ms += 5) {
        assert_true(ms < PATIENCE_MS);
        pause_ms(5);
    }
    pause_ms(50);
    assert_int_equal(peer_count(&peer, "rcpt"), 7); /* 5 by us, a random one a domain */
    assert_true(has_domain(&client, "p all.example catch_all\n"));
    sleep_well(&client, MONO_SECONDS(86400));
    assert_true(has_domain(&client, "")); /* it expires */
    client_expect(&client, "u@all.example", CALLAHEAD_VALID, 250);
    wait_for_domain(&client, "p all.example catch_all\n");
    finish(&peer, &client);
}

/* --- in use, out of date ---------------------------------------------------------------------- */

static void test_refreshed_beforehand(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    start(&peer, &client, REFUSE_BAD);
    client_expect(&client, "u@example.com", CALLAHEAD_VALID, 250);
    client_expect(&client, "bad@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    sleep_well(&client, MONO_SECONDS(300));
    assert_true(client_asks(&client, "u@example.com").cached);
    assert_int_equal(stats_of(&client).refreshed, 0);
    set_clock(START + MONO_SECONDS(700)); /* of 900 */
    assert_true(client_asks(&client, "u@example.com").cached);
    assert_true(client_asks(&client, "bad@example.com").cached);
    for (int ms = 0; stats_of(&client).refreshed < 1; ms += 5) {
        assert_true(ms < PATIENCE_MS);
        pause_ms(5);
    }
    set_clock(START + MONO_SECONDS(950));
    assert_true(client_asks(&client, "u@example.com").cached);
    assert_int_equal(peer_asked(&peer, "u@example.com"), 2);
    assert_int_equal(peer_asked(&peer, "bad@example.com"), 1); /* noes are not kept up */
    finish(&peer, &client);
}

static void test_refreshing_delays_nobody(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    start(&peer, &client, "{}");
    client_expect(&client, "u@example.com", CALLAHEAD_VALID, 250);
    sleep_well(&client, MONO_SECONDS(300));
    set_clock(START + MONO_SECONDS(700));
    peer_set(&peer, "{\"rcpt_default\": \"hang\"}");
    assert_true(client_asks(&client, "u@example.com").cached); /* the clock stands: or for ever */
    wait_for_asked(&peer, "u@example.com", 2);
    assert_true(client_asks(&client, "u@example.com").cached);
    assert_int_equal(stats_of(&client).refreshed, 0);
    finish(&peer, &client); /* nor the end */
}

static void test_stale_while_the_server_is_away(void **state)
{
    struct peer peer;
    struct client client;
    struct callahead_answer answer;
    (void)state;
    start(&peer, &client, REFUSE_BAD);
    client_expect(&client, "u@example.com", CALLAHEAD_VALID, 250);
    client_expect(&client, "bad@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    sleep_well(&client, MONO_SECONDS(1000));
    peer_set(&peer, "{\"banner\": \"close\"}");
    answer = client_asks(&client, "u@example.com");
    assert_int_equal(answer.class, CALLAHEAD_VALID);
    assert_true(answer.cached);
    client_expect(&client, "bad@example.com", CALLAHEAD_SERVER_ILL, 0);
    client_expect(&client, "new@example.com", CALLAHEAD_SERVER_ILL, 0);
    assert_int_equal(stats_of(&client).stale, 1);
    client.keys.serve_stale = 100 * 1000;
    client_expect(&client, "u@example.com", CALLAHEAD_SERVER_ILL, 0);
    client.keys.serve_stale = 86400 * 1000;
    sleep_well(&client, MONO_SECONDS(86400));
    client_expect(&client, "u@example.com", CALLAHEAD_SERVER_ILL, 0); /* too long */
    finish(&peer, &client);
}

/* Thousands in use at once: what finds no room waits for the next session. */
static void test_many_to_refresh(void **state)
{
    struct peer peer;
    struct client client;
    char address[64];
    (void)state;
    start(&peer, &client, "{}");
    for (int i = 0; i < 300; i++) {
        snprintf(address, sizeof address, "u%d@example.com", i);
        client_expect(&client, address, CALLAHEAD_VALID, 250);
    }
    sleep_well(&client, MONO_SECONDS(300));
    set_clock(START + MONO_SECONDS(800));
    peer_set(&peer, "{\"rcpt_default\": \"delay:0.3:250 ok\"}");
    for (int i = 0; i < 300; i++) {
        snprintf(address, sizeof address, "u%d@example.com", i);
        assert_true(client_asks(&client, address).cached);
    }
    finish(&peer, &client); /* with most of them not done */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked_again_on_a_fresh_connection),
        cmocka_unit_test(test_gone_for_good),
        cmocka_unit_test(test_server_that_refuses_everybody),
        cmocka_unit_test(test_no_of_an_extension),
        cmocka_unit_test(test_extension_of_the_good),
        cmocka_unit_test(test_what_one_place_says),
        cmocka_unit_test(test_witnesses_of_one_place),
        cmocka_unit_test(test_catch_all),
        cmocka_unit_test(test_refreshed_beforehand),
        cmocka_unit_test(test_refreshing_delays_nobody),
        cmocka_unit_test(test_stale_while_the_server_is_away),
        cmocka_unit_test(test_many_to_refresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
