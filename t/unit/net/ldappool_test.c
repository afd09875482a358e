/* ldappool_test.c - questions to directory servers that do as they are told. */
#include "lib/net/ldappool.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/log.h"
#include "t/unit/net/ldapserver.h"

#define MANY 40

/* One server, or two, and a pool that asks them. */
struct world {
    struct ldapserver server, other;
    bool two;
    struct ldapclient client;
};

static void begin(struct world *world, bool two)
{
    struct err err = {0};
    *world = (struct world){.two = two};
    ldapserver_start(&world->server);
    if (two)
        ldapserver_start(&world->other);
    const unsigned ports[] = {world->server.port, world->other.port};
    ldapclient_init(&world->client, ports, two ? 2 : 1);
    world->client.pool = ldappool_new(LDAPCLIENT_DIALER, &err);
    assert_non_null(world->client.pool);
}

static void end(struct world *world)
{
    ldapclient_done(&world->client);
    ldapserver_stop(&world->server);
    if (world->two)
        ldapserver_stop(&world->other);
}

/* --- answers ------------------------------------------------------------------------- */

static void test_answers(void **state)
{
    static const struct {
        const char *local;
        enum directory_class class;
        const char *text; /* part of an error's */
    } cases[] = {
        {"joe", DIRECTORY_MATCH, ""},
        {"nobody", DIRECTORY_NO_MATCH, ""},
        {"many", DIRECTORY_MATCH, ""},
        {"limited", DIRECTORY_MATCH, ""},
        {"limit", DIRECTORY_ERROR, "limit"},
        {"busy", DIRECTORY_ERROR, "busy"},
        {"time", DIRECTORY_ERROR, "limit"},
        {"gone", DIRECTORY_ERROR, "No such object"},
        {"referral", DIRECTORY_ERROR, "Referral"},
        {"elsewhere", DIRECTORY_ERROR, "another directory"},
        {"parts", DIRECTORY_NO_MATCH, ""},
    };
    struct world world;
    (void)state;
    begin(&world, false);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            unsigned searches = ldapserver_count(&world.server, "searches");
            struct ldap_answer answer =
                ldapclient_expect(&world.client, cases[i].local, cases[i].class);
            bool kept = round > 0 && cases[i].class != DIRECTORY_ERROR;
            assert_non_null(strcasestr(answer.said.text, cases[i].text));
            assert_int_equal(answer.said.cached, kept);
            assert_int_equal(ldapserver_count(&world.server, "searches"), searches + !kept);
            if (!kept)
                assert_string_equal(answer.said.server, world.client.uris[0]);
        }
    }
    end(&world);
}

static void test_routing(void **state)
{
    static const struct {
        const char *local;
        enum directory_class class;
        const char *hosts, *addresses;
    } cases[] = {
        {"route", DIRECTORY_MATCH, "one.example,two.example:26\nthree.example", ""},
        {"ahead", DIRECTORY_MATCH, "four.example", ""},
        {"joe", DIRECTORY_MATCH, "", ""},
        {"nobody", DIRECTORY_NO_MATCH, "", ""},
        {"nul", DIRECTORY_ERROR, "", ""},
        {"long", DIRECTORY_ERROR, "", ""},
        {"moved", DIRECTORY_MATCH, "", "joe@there.example"},
        {"movedhost", DIRECTORY_MATCH, "one.example,two.example:26\nthree.example",
         "joe@there.example"},
        {"pair", DIRECTORY_MATCH, "", "joe@there.example\n\"a,b\"@there.example"},
        {"nuladdress", DIRECTORY_ERROR, "", ""},
        {"twolines", DIRECTORY_ERROR, "", ""},
        {"longaddress", DIRECTORY_ERROR, "", ""},
    };
    struct world world;
    (void)state;
    begin(&world, false);
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        const size_t k = i % ARRAY_LEN(cases);
        struct ldap_answer answer;
        ldapclient_ask(&world.client, LDAP_ROUTING_QUERY, cases[k].local,
                       mono_now() + LDAPSERVER_PATIENCE, &answer);
        assert_int_equal(answer.said.class, cases[k].class);
        assert_string_equal(answer.hosts, cases[k].hosts);
        assert_string_equal(answer.addresses, cases[k].addresses);
        assert_int_equal(answer.said.cached, i != k && cases[k].class != DIRECTORY_ERROR);
    }
    end(&world);
}

/* What is remembered with one attribute is no answer with another, or without. */
static void test_address_attribute(void **state)
{
    static const char *const attributes[] = {"mailRoutingAddress", "", "mailHost"};
    static const char *const addresses[] = {"joe@there.example", "",
                                            "one.example,two.example:26\nthree.example"};
    struct world world;
    (void)state;
    begin(&world, false);
    for (size_t i = 0; i < 2 * ARRAY_LEN(attributes); i++) {
        const size_t k = i % ARRAY_LEN(attributes);
        struct ldap_answer answer;
        world.client.keys.routing_address_attr = attributes[k];
        ldapclient_apply(&world.client);
        ldapclient_ask(&world.client, LDAP_ROUTING_QUERY, "movedhost",
                       mono_now() + LDAPSERVER_PATIENCE, &answer);
        assert_string_equal(answer.hosts, "one.example,two.example:26\nthree.example");
        assert_string_equal(answer.addresses, addresses[k]);
        assert_int_equal(answer.said.cached, i != k);
    }
    assert_int_equal(ldapserver_count(&world.server, "connections"), 1);
    end(&world);
}

/* More than there is room for: whole ones, and several. */
static void test_many_addresses(void **state)
{
    struct world world;
    (void)state;
    begin(&world, false);
    for (size_t i = 0; i < 2; i++) {
        struct ldap_answer answer;
        char last[32];
        size_t lines = 0;
        ldapclient_ask(&world.client, LDAP_ROUTING_QUERY, "crowd", mono_now() + LDAPSERVER_PATIENCE,
                       &answer);
        assert_int_equal(answer.said.class, DIRECTORY_MATCH);
        assert_int_equal(answer.said.cached, i > 0);
        for (const char *p = answer.addresses; (p = strchr(p, '\n')) != NULL; p++)
            lines++;
        snprintf(last, sizeof last, "\nmember%zu@there.example", lines);
        assert_true(lines > 50 && lines < 400);
        assert_string_equal(strrchr(answer.addresses, '\n'), last);
    }
    end(&world);
}

static void test_without_cache(void **state)
{
    struct world world;
    (void)state;
    begin(&world, false);
    world.client.keys.cache_ttl = 0;
    for (unsigned i = 1; i <= 3; i++) {
        ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH);
        assert_int_equal(ldapserver_count(&world.server, "searches"), i);
    }
    assert_int_equal(ldapserver_count(&world.server, "connections"), 1);
    end(&world);
}

static void test_flush(void **state)
{
    static const struct {
        enum callahead_flush what;
        const char *text;
        size_t forgotten; /* of: joe, nobody; route by another query, one for the domain */
    } cases[] = {
        {CALLAHEAD_FLUSH_ADDRESS, "joe@example.com", 2},
        {CALLAHEAD_FLUSH_ADDRESS, "other@example.com", 1},
        {CALLAHEAD_FLUSH_ADDRESS, "joe@example.net", 0},
        {CALLAHEAD_FLUSH_ADDRESS, "route@example.com", 2},
        {CALLAHEAD_FLUSH_DOMAIN, "example.com", 4},
        {CALLAHEAD_FLUSH_DOMAIN, "ample.com", 0},
        {CALLAHEAD_FLUSH_NEGATIVE, "", 2},
        {CALLAHEAD_FLUSH_ALL, "", 4},
    };
    struct world world;
    (void)state;
    begin(&world, false);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ldap_answer answer;
        world.client.keys.accept_query = "(mail={a})";
        ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH);
        ldapclient_expect(&world.client, "nobody", DIRECTORY_NO_MATCH);
        ldapclient_ask(&world.client, LDAP_ROUTING_QUERY, "route", MONO_NEVER, &answer);
        world.client.keys.accept_query = "(mail={d})";
        ldapclient_expect(&world.client, "anybody", DIRECTORY_NO_MATCH);
        assert_int_equal(ldappool_flush(world.client.pool, cases[i].what, cases[i].text),
                         cases[i].forgotten);
    }
    assert_int_equal(ldappool_flush(world.client.pool, CALLAHEAD_FLUSH_ALL, ""), 0);
    end(&world);
}

/* --- many at once -------------------------------------------------------------------- */

static void test_single_flight(void **state)
{
    struct ldapasker askers[MANY];
    struct world world;
    (void)state;
    begin(&world, false);
    for (size_t i = 0; i < MANY; i++)
        ldapasker_start(&askers[i], &world.client, "slow");
    while (__atomic_load_n(&world.client.waits, __ATOMIC_RELAXED) < MANY)
        (void)poll(NULL, 0, 5);
    ldapserver_await(&world.server, "waiting", 1);
    ldapserver_gate(&world.server, true);
    for (size_t i = 0; i < MANY; i++) {
        ldapasker_join(&askers[i]);
        assert_int_equal(askers[i].answer.said.class, DIRECTORY_MATCH);
    }
    assert_int_equal(ldapserver_count(&world.server, "searches"), 1);
    end(&world);
}

/* One connection takes several; those beyond wait for its answers. */
static void test_outstanding(void **state)
{
    static const unsigned limits[][3] = {{1, 1, 16}, {2, 2, 32}}; /* allowed, used, at once */
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct ldapasker askers[MANY];
        struct world world;
        (void)state;
        begin(&world, false);
        world.client.keys.max_connections = limits[i][0];
        for (size_t k = 0; k < MANY; k++) {
            char local[32];
            snprintf(local, sizeof local, "slow%zu", k);
            ldapasker_start(&askers[k], &world.client, local);
        }
        ldapserver_await(&world.server, "waiting", limits[i][2]);
        ldapserver_gate(&world.server, true);
        for (size_t k = 0; k < MANY; k++) {
            ldapasker_join(&askers[k]);
            assert_int_equal(askers[k].answer.said.class, DIRECTORY_MATCH);
        }
        assert_int_equal(ldapserver_count(&world.server, "searches"), MANY);
        assert_int_equal(ldapserver_count(&world.server, "connections"), limits[i][1]);
        end(&world);
    }
}

/* One that is slow does not hold up others, be it on the same connection. */
static void test_slow_one(void **state)
{
    struct ldapasker slow;
    struct world world;
    (void)state;
    begin(&world, false);
    world.client.keys.max_connections = 1;
    ldapasker_start(&slow, &world.client, "slow");
    ldapserver_await(&world.server, "waiting", 1);
    ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH);
    ldapclient_expect(&world.client, "nobody", DIRECTORY_NO_MATCH);
    ldapserver_gate(&world.server, true);
    ldapasker_join(&slow);
    assert_int_equal(slow.answer.said.class, DIRECTORY_MATCH);
    assert_int_equal(ldapserver_count(&world.server, "connections"), 1);
    end(&world);
}

/* Only the search that gets no answer fails, and the connection lives on. */
static void test_search_times_out(void **state)
{
    struct ldapasker never;
    struct world world;
    (void)state;
    begin(&world, false);
    world.client.keys.max_connections = 1;
    world.client.keys.cache_ttl = 0;
    world.client.keys.timeout = 3000;
    ldapasker_start(&never, &world.client, "never");
    ldapserver_await(&world.server, "searches", 1);
    while (ldapserver_count(&world.server, "abandoned") == 0) {
        ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH);
        (void)poll(NULL, 0, 20);
    }
    ldapasker_join(&never);
    assert_int_equal(never.answer.said.class, DIRECTORY_ERROR);
    assert_non_null(strstr(never.answer.said.text, "no answer in time"));
    assert_int_equal(ldapserver_count(&world.server, "connections"), 1);
    end(&world);
}

/* A session that gives up leaves the question running; the retry finds the answer. */
static void test_answer_after_deadline(void **state)
{
    struct ldap_answer answer = {0};
    struct world world;
    (void)state;
    begin(&world, false);
    ldapclient_ask(&world.client, LDAP_ACCEPT_QUERY, "slow", mono_now() + MONO_MS(50), &answer);
    assert_int_equal(answer.said.class, DIRECTORY_ERROR);
    ldapserver_await(&world.server, "waiting", 1);
    ldapserver_gate(&world.server, true);
    ldapclient_expect(&world.client, "slow", DIRECTORY_MATCH);
    assert_int_equal(ldapserver_count(&world.server, "searches"), 1);
    assert_true(ldapclient_expect(&world.client, "slow", DIRECTORY_MATCH).said.cached);
    end(&world);
}

/* --- servers that fail ----------------------------------------------------------------- */

static void test_failover(void **state)
{
    struct world world;
    (void)state;
    begin(&world, true);
    world.client.keys.cache_ttl = 0;
    assert_string_equal(ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH).said.server,
                        world.client.uris[0]);
    ldapserver_stop(&world.server);
    for (unsigned i = 0; i < 5; i++)
        assert_string_equal(ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH).said.server,
                            world.client.uris[1]);
    assert_int_equal(ldapserver_count(&world.other, "connections"), 1);
    ldapserver_start(&world.server); /* for end(); at another port */
    end(&world);
}

/* One that can do nothing is left for the next one; the only one is asked on. */
static void test_unavailable(void **state)
{
    struct world world;
    (void)state;
    begin(&world, true);
    world.client.keys.cache_ttl = 0;
    ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH);
    ldapserver_mood(&world.server, "unavailable");
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH).said.server,
                            world.client.uris[1]);
    end(&world);

    begin(&world, false);
    ldapserver_mood(&world.server, "unavailable");
    for (unsigned i = 1; i <= 3; i++) {
        struct ldap_answer answer = ldapclient_expect(&world.client, "joe", DIRECTORY_ERROR);
        assert_non_null(strstr(answer.said.text, "unavailable"));
        assert_int_equal(ldapserver_count(&world.server, "searches"), i);
    }
    assert_int_equal(ldapserver_count(&world.server, "connections"), 1);
    end(&world);
}

/* While it pauses nobody waits for it; afterwards it is asked again. */
static void test_pause(void **state)
{
    struct world world;
    (void)state;
    begin(&world, false);
    ldapserver_mood(&world.server, "bad_bind");
    struct ldap_answer first = ldapclient_expect(&world.client, "joe", DIRECTORY_ERROR);
    assert_non_null(strstr(first.said.text, "Invalid credentials"));
    assert_int_equal(ldapserver_count(&world.server, "connections"), 1);
    ldapserver_mood(&world.server, "good");
    mono_us deadline = mono_now() + LDAPSERVER_PATIENCE;
    struct ldap_answer answer;
    do {
        ldapclient_ask(&world.client, LDAP_ACCEPT_QUERY, "joe", deadline, &answer);
        assert_true(mono_now() < deadline);
        assert_true(answer.said.class == DIRECTORY_MATCH ||
                    strstr(answer.said.text, "pause") != NULL);
        (void)poll(NULL, 0, 10);
    } while (answer.said.class != DIRECTORY_MATCH);
    assert_int_equal(ldapserver_count(&world.server, "connections"), 2);
    end(&world);
}

/* Many connections that fail at once are one failure: the pause is the first,
 * short one. */
static void test_one_pause_for_all(void **state)
{
    struct ldapasker askers[MANY];
    struct world world;
    (void)state;
    begin(&world, false);
    for (size_t i = 0; i < MANY; i++) {
        char local[32];
        snprintf(local, sizeof local, "slow%zu", i);
        ldapasker_start(&askers[i], &world.client, local);
    }
    ldapserver_await(&world.server, "waiting", MANY);
    /* Ten, or fewer where the first took many questions before others were there. */
    assert_in_range(ldapserver_count(&world.server, "connections"), 2, 10);
    ldapserver_stop(&world.server);
    for (size_t i = 0; i < MANY; i++) {
        ldapasker_join(&askers[i]);
        assert_int_equal(askers[i].answer.said.class, DIRECTORY_ERROR);
    }
    struct ldap_answer answer;
    mono_us began = mono_now();
    do {
        ldapclient_ask(&world.client, LDAP_ACCEPT_QUERY, "joe", began + MONO_SECONDS(50), &answer);
        (void)poll(NULL, 0, 10);
    } while (strstr(answer.said.text, "pause") != NULL);
    assert_true(mono_now() - began < MONO_SECONDS(20)); /* not 60 */
    ldapserver_start(&world.server);
    end(&world);
}

static const struct {
    const char *mood;
    bool slow; /* ended by our time-out */
} hostiles[] = {
    {"silent", true},         {"rst", false},           {"close", false},
    {"garbage", false},       {"huge", false},          {"half", true},
    {"drip", true},           {"bad_bind", false},      {"wrong_kind", false},
    {"wrong_id", true},       {"bind", true},           {"close_at_search", false},
    {"half_at_search", true}, {"rst_at_search", false}, {"cut_at_search", false},
    {"drip_at_search", true}, {"notice", false},        {"garbage_at_search", false},
    {"babble", true},
};

/* Whatever it does, the question ends as an error, and with another server as
 * that one says. All at once. */
static void test_hostile(void **state)
{
    enum { N = ARRAY_LEN(hostiles) };
    static struct ldapserver servers[N], good;
    static struct ldapclient clients[2 * N];
    static struct ldapasker askers[2 * N];
    struct err err = {0};
    struct ldappool *pool = ldappool_new(LDAPCLIENT_DIALER, &err);
    (void)state;
    assert_non_null(pool);
    ldapserver_start(&good);
    for (size_t i = 0; i < N; i++) {
        ldapserver_start(&servers[i]);
        ldapserver_mood(&servers[i], hostiles[i].mood);
    }
    for (size_t i = 0; i < 2 * N; i++) {
        const size_t k = i / 2;
        const unsigned ports[] = {servers[k].port, good.port};
        ldapclient_init(&clients[i], ports, 1 + i % 2);
        clients[i].pool = pool;
        if (hostiles[k].slow)
            clients[i].keys.connect_timeout = clients[i].keys.timeout = 3000;
        ldapclient_apply(&clients[i]);
        ldapasker_start(&askers[i], &clients[i], "nobody");
    }
    for (size_t i = 0; i < 2 * N; i++) {
        const struct directory_answer *said = &askers[i].answer.said;
        bool alone = i % 2 == 0;
        ldapasker_join(&askers[i]);
        if (said->class != (alone ? DIRECTORY_ERROR : DIRECTORY_NO_MATCH))
            fail_msg("%s%s: %s (%s)", hostiles[i / 2].mood, alone ? "" : ", then a good one",
                     ldap_class_name(said->class), said->text);
        if (!alone)
            assert_string_equal(said->server, clients[i].uris[1]);
        else if (!hostiles[i / 2].slow)
            assert_null(strstr(said->text, "in time"));
        clients[i].pool = NULL;
        ldapclient_done(&clients[i]);
    }
    ldappool_free(pool);
    for (size_t i = 0; i < N; i++)
        ldapserver_stop(&servers[i]);
    ldapserver_stop(&good);
}

/* A server that never stops sending entries: the first is the answer, and others
 * are answered all the same. */
static void test_endless(void **state)
{
    struct world world;
    (void)state;
    begin(&world, false);
    world.client.keys.max_connections = 1;
    world.client.keys.cache_ttl = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct ldap_answer answer;
        ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH);
        ldapclient_ask(&world.client, LDAP_ACCEPT_QUERY, "endless",
                       mono_now() + LDAPSERVER_PATIENCE, &answer);
        assert_int_equal(answer.said.class, DIRECTORY_MATCH);
    }
    end(&world);
}

/* --- configurations -------------------------------------------------------------------- */

static void test_profiles(void **state)
{
    struct world world;
    (void)state;
    begin(&world, false);
    ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH);
    ldapclient_apply(&world.client); /* the same: connection and answers stay */
    assert_true(ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH).said.cached);
    world.client.keys.accept_query = "(&(mail={a})(active=yes))";
    ldapclient_apply(&world.client);
    assert_false(ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH).said.cached);
    assert_int_equal(ldapserver_count(&world.server, "connections"), 1);
    world.client.keys.bind_dn = "cn=other";
    world.client.keys.bind_password = "secret";
    ldapclient_apply(&world.client);
    assert_false(ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH).said.cached);
    assert_int_equal(ldapserver_count(&world.server, "connections"), 2);
    assert_int_equal(ldapserver_count(&world.server, "binds"), 2);
    end(&world);
}

/* Those of configurations long gone do not pile up. */
static void test_former_profiles(void **state)
{
    struct world world;
    (void)state;
    begin(&world, false);
    ldapserver_mood(&world.server, "close"); /* no connection stays */
    for (unsigned i = 0; i < 200; i++) {
        world.client.keys.connect_timeout = 1000 + i;
        ldapclient_apply(&world.client);
        ldapclient_expect(&world.client, "joe", DIRECTORY_ERROR);
    }
    end(&world);
}

/* --- ending ----------------------------------------------------------------------------- */

/* A pool that ends leaves nobody waiting, whatever its servers do. */
static void test_end_while_waiting(void **state)
{
    static const char *const moods[] = {"silent", "good"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(moods); i++) {
        struct ldapasker asker;
        struct world world;
        begin(&world, false);
        ldapserver_mood(&world.server, moods[i]);
        ldapasker_start(&asker, &world.client, "slow");
        ldapserver_await(&world.server, i == 0 ? "connections" : "waiting", 1);
        mono_us began = mono_now();
        ldappool_free(world.client.pool);
        world.client.pool = NULL;
        assert_true(mono_now() - began < MONO_SECONDS(30)); /* the time-outs are 60 s */
        ldapasker_join(&asker);
        assert_int_equal(asker.answer.said.class, DIRECTORY_ERROR);
        end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_routing),
        cmocka_unit_test(test_address_attribute),
        cmocka_unit_test(test_many_addresses),
        cmocka_unit_test(test_without_cache),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_single_flight),
        cmocka_unit_test(test_outstanding),
        cmocka_unit_test(test_slow_one),
        cmocka_unit_test(test_search_times_out),
        cmocka_unit_test(test_answer_after_deadline),
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_unavailable),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_one_pause_for_all),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_former_profiles),
        cmocka_unit_test(test_end_while_waiting),
    };
    ldappool_setup();
    log_set_level(LOG_AT_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
