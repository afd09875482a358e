/* lookups_test.c - score, owner, country and DNS lists, asked together. */
#include "lib/net/lookups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/log.h"
#include "lib/net/scores.h"
#include "t/unit/net/nameserver.h"
#include "t/unit/tables/table_file.h"

#define POINTS(zone) "2.0.0.127." zone " A 127.0.0.2\n"

static struct nameserver server;

struct scene {
    struct dns *dns;
    struct dnslists *lists;
    struct reputation reputation;
    struct lookups lookups;
    struct arena *arena;
    struct lookup_answer answer;
    unsigned waits;
};

static void count_wait(void *arg)
{
    unsigned *waits = arg;
    (*waits)++;
}

static void begin(struct scene *scene, const char *score, const char *owner, const char *script)
{
    struct err err;
    struct dns_keys keys = nameserver_keys(&server);
    keys.timeout = 20000; /* who waits less says so with the question */
    memset(scene, 0, sizeof *scene);
    nameserver_script(&server, script);
    scene->arena = arena_new(0);
    assert_non_null(scene->arena);
    scene->dns = dns_new(&keys, &err);
    assert_non_null(scene->dns);
    scene->lists = dnslists_new(scene->dns);
    assert_non_null(scene->lists);
    assert_true(
        reputation_parse_source(score, 1U << REPUTATION_FROM_DNS, &scene->reputation.score, &err));
    assert_true(
        reputation_parse_source(owner, 1U << REPUTATION_FROM_DNS, &scene->reputation.owner, &err));
    assert_true(reputation_parse_map("127.0.4.0-100 -> -10..10", &scene->reputation.map, &err));
    scene->reputation.timeout = MONO_SECONDS(5);
    scene->lookups = (struct lookups){.dns = scene->dns,
                                      .lists = scene->lists,
                                      .reputation = &scene->reputation,
                                      .about_to_wait = count_wait,
                                      .arg = &scene->waits};
}

static void end(struct scene *scene)
{
    dnslists_free(scene->lists);
    dns_free(scene->dns);
    arena_free(scene->arena);
}

static void ask(struct scene *scene, const char *address, const struct lookups_wanted *wanted,
                mono_us deadline)
{
    struct ip ip;
    assert_true(ip_parse(slice_of(address), &ip));
    memset(&scene->answer, 0x5a, sizeof scene->answer);
    lookups_ask(&scene->lookups, &ip, wanted, scene->arena, deadline, &scene->answer);
}

/* "b.example=127.0.0.9 c.example=127.0.0.3,127.0.0.4" */
static const char *listed(const struct scene *scene)
{
    static char text[400];
    char ip[IP_TEXT_MAX];
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < scene->answer.nlisted; i++) {
        const struct dnslisting *listing = &scene->answer.listed[i];
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i > 0 ? " " : "", listing->zone);
        for (size_t k = 0; k < listing->n; k++) {
            struct ip answer = ip_from_v4(listing->answers[k]);
            n += (size_t)snprintf(text + n, sizeof text - n, "%c%s", k == 0 ? '=' : ',',
                                  ip_text(&answer, ip));
        }
    }
    return text;
}

static unsigned all_questions(void)
{
    return nameserver_count(&server, "udp", "", "");
}

/* --- answers ------------------------------------------------------------------------- */

static void test_scores(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        enum lookup_outcome outcome;
        double score;
    } rows[] = {
        {"192.0.2.1", LOOKUP_FOUND, -10}, {"192.0.2.2", LOOKUP_FOUND, 5},
        {"192.0.2.3", LOOKUP_NONE, 0},    {"192.0.2.4", LOOKUP_NONE, 0},
        {"192.0.2.5", LOOKUP_FAILED, 0},  {"192.0.2.6", LOOKUP_FAILED, 0},
        {"192.0.2.7", LOOKUP_FAILED, 0},  {"192.0.2.8", LOOKUP_FAILED, 0},
        {"192.0.2.9", LOOKUP_FOUND, 10},  {"2001:db8::1", LOOKUP_FOUND, 0},
        {"192.168.0.1", LOOKUP_NONE, 0},
    };
    struct scene scene;
    begin(&scene, "dns:score.example", "none",
          "1.2.0.192.score.example A 127.0.4.0\n"
          "2.2.0.192.score.example A 127.0.4.75\n"
          "3.2.0.192.score.example A 127.0.5.75\n"
          "5.2.0.192.score.example !servfail\n"
          "6.2.0.192.score.example !drop\n"
          "7.2.0.192.score.example A 127.255.255.254\n"
          "8.2.0.192.score.example A 203.0.113.50\n"
          "9.2.0.192.score.example A 127.0.0.2\n"
          "9.2.0.192.score.example A 127.0.4.100\n"
          "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.score.example"
          " A 127.0.4.50\n"
          "1.0.168.192.score.example A 127.0.4.50\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lookups_wanted wanted = {.score = true};
        ask(&scene, rows[i].ip, &wanted, mono_now() + MONO_SECONDS(5));
        if (scene.answer.score != rows[i].outcome)
            fail_msg("%s: outcome %d", rows[i].ip, (int)scene.answer.score);
        if (rows[i].outcome == LOOKUP_FOUND)
            assert_true(scene.answer.value - rows[i].score < 1e-9 &&
                        rows[i].score - scene.answer.value < 1e-9);
        assert_int_equal(scene.answer.owner, LOOKUP_NOT_ASKED);
        assert_int_equal(scene.answer.country, LOOKUP_NOT_ASKED);
    }
    end(&scene);
}

static void test_owners(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        enum lookup_outcome outcome;
        uint32_t owner;
    } rows[] = {
        {"192.0.2.1", LOOKUP_FOUND, 64500}, {"192.0.2.2", LOOKUP_NONE, 0},
        {"192.0.2.3", LOOKUP_FAILED, 0},    {"192.0.2.4", LOOKUP_NONE, 0},
        {"192.0.2.5", LOOKUP_FOUND, 64505}, {"10.0.0.1", LOOKUP_NONE, 0},
    };
    struct scene scene;
    begin(&scene, "none", "dns:origin.example",
          "1.2.0.192.origin.example TXT \"64500 | 192.0.2.0/24 | US\"\n"
          "2.2.0.192.origin.example TXT \"nobody\"\n"
          "3.2.0.192.origin.example !servfail\n"
          "5.2.0.192.origin.example TXT \"nobody\"\n"
          "5.2.0.192.origin.example TXT \"AS64505\"\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lookups_wanted wanted = {.owner = true, .score = true};
        ask(&scene, rows[i].ip, &wanted, mono_now() + MONO_SECONDS(5));
        assert_int_equal(scene.answer.owner, rows[i].outcome);
        if (rows[i].outcome == LOOKUP_FOUND)
            assert_int_equal(scene.answer.owner_number, rows[i].owner);
        assert_int_equal(scene.answer.score, LOOKUP_NOT_ASKED); /* there is no source */
    }
    end(&scene);
}

static void test_score_file(void **state)
{
    (void)state;
    struct scene scene;
    struct table_file file;
    table_file_new(&file, slice_of("10.0.0.0/8 2.5\n"));
    begin(&scene, "none", "none", "");
    scene.reputation.score.kind = REPUTATION_FROM_FILE;
    struct scores *scores = scores_load(file.path, table_file_named(), &file.problems);
    scene.reputation.scores = scores;
    struct lookups_wanted wanted = {.score = true};
    ask(&scene, "10.0.0.1", &wanted, mono_now() + MONO_SECONDS(5)); /* also a local address */
    assert_int_equal(scene.answer.score, LOOKUP_FOUND);
    assert_true(scene.answer.value == 2.5);
    ask(&scene, "192.0.2.1", &wanted, mono_now() + MONO_SECONDS(5));
    assert_int_equal(scene.answer.score, LOOKUP_NONE);
    assert_int_equal(scene.waits, 0);
    scores_free(scores);
    table_file_done(&file);
    end(&scene);
}

/* A database that is missing is nobody's failure in every single connection. */
static void test_missing_database(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, "none", "none", "");
    scene.reputation.owner.kind = REPUTATION_FROM_MMDB;
    scene.reputation.country.kind = REPUTATION_FROM_MMDB;
    struct lookups_wanted wanted = {.owner = true, .country = true};
    ask(&scene, "192.0.2.1", &wanted, mono_now() + MONO_SECONDS(5));
    assert_int_equal(scene.answer.owner, LOOKUP_NOT_ASKED);
    assert_int_equal(scene.answer.country, LOOKUP_NOT_ASKED);
    end(&scene);
}

static void test_lists(void **state)
{
    (void)state;
    static const char *const zones[] = {"a.example", "b.example", "mad.example", "c.example"};
    struct lookups_wanted wanted = {.zones = zones, .nzones = ARRAY_LEN(zones)};
    struct scene scene;
    begin(&scene, "none", "none",
          POINTS("a.example") POINTS("b.example")
              POINTS("c.example") "*.mad.example A 127.0.0.2\n"
                                  "1.2.0.192.b.example A 127.0.0.9\n"
                                  "1.2.0.192.a.example A 127.255.255.254\n"
                                  "1.2.0.192.c.example A 127.0.0.3\n");
    ask(&scene, "192.0.2.1", &wanted, mono_now() + MONO_SECONDS(5));
    assert_string_equal(listed(&scene), "b.example=127.0.0.9 c.example=127.0.0.3");
    ask(&scene, "192.0.2.2", &wanted, mono_now() + MONO_SECONDS(5));
    assert_string_equal(listed(&scene), "");
    end(&scene);
}

/* All that a list says, also that it knows the client as good; each entry has its own
 * opinion of it. Sorted, from the cache too. */
static void test_answers_of_a_list(void **state)
{
    (void)state;
    static const char *const zones[] = {"a.example"};
    struct lookups_wanted wanted = {.zones = zones, .nzones = 1};
    struct scene scene;
    begin(&scene, "none", "none",
          POINTS("a.example") "1.2.0.192.a.example A 127.0.0.10\n"
                              "1.2.0.192.a.example A 127.0.0.2\n"
                              "1.2.0.192.a.example A 127.1.0.1\n"
                              "2.2.0.192.a.example A 127.0.0.1\n"
                              "3.2.0.192.a.example A 127.0.0.2\n"
                              "3.2.0.192.a.example A 127.255.255.254\n"
                              "4.2.0.192.a.example A 203.0.113.1\n"
                              "4.2.0.192.a.example A 127.0.0.2\n");
    static const struct {
        const char *ip, *listed;
    } rows[] = {{"192.0.2.1", "a.example=127.0.0.2,127.0.0.10,127.1.0.1"},
                {"192.0.2.2", "a.example=127.0.0.1"},
                {"192.0.2.3", ""},
                {"192.0.2.4", ""},
                {"192.0.2.5", ""}};
    unsigned before = nameserver_count(&server, "udp", "1.2.0.192.a.example", "A");
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            ask(&scene, rows[i].ip, &wanted, mono_now() + MONO_SECONDS(5));
            assert_string_equal(listed(&scene), rows[i].listed);
        }
    }
    assert_int_equal(nameserver_count(&server, "udp", "1.2.0.192.a.example", "A") - before, 1);
    end(&scene);
}

/* Which record comes first is chance. */
static void test_order_decides_nothing(void **state)
{
    (void)state;
    struct lookups_wanted wanted = {.score = true, .owner = true};
    struct scene scene;
    begin(&scene, "dns:score.example", "dns:origin.example",
          "1.2.0.192.score.example A 127.0.4.75\n1.2.0.192.score.example A 127.0.4.25\n"
          "2.2.0.192.score.example A 127.0.4.25\n2.2.0.192.score.example A 127.0.4.75\n"
          "1.2.0.192.origin.example TXT 64501\n1.2.0.192.origin.example TXT 701\n"
          "2.2.0.192.origin.example TXT 701\n2.2.0.192.origin.example TXT 64501\n");
    for (unsigned i = 1; i <= 2; i++) {
        ask(&scene, i == 1 ? "192.0.2.1" : "192.0.2.2", &wanted, mono_now() + MONO_SECONDS(5));
        assert_int_equal(scene.answer.score, LOOKUP_FOUND);
        assert_true(scene.answer.value == -5);
        assert_int_equal(scene.answer.owner_number, 701);
    }
    end(&scene);
}

/* --- what is asked, and how long it takes -------------------------------------------------- */

static void test_only_what_is_wanted_is_asked(void **state)
{
    (void)state;
    static const char *const zones[] = {"a.example", "b.example"};
    struct scene scene;
    begin(&scene, "dns:score.example", "dns:origin.example",
          POINTS("a.example") POINTS("b.example") "*.2.0.192.a.example A 127.0.0.4\n"
                                                  "*.2.0.192.b.example A 127.0.0.4\n");
    static const struct {
        struct lookups_wanted wanted;
        unsigned questions;
    } rows[] = {
        {{.score = false}, 0},
        {{.country = true}, 0},
        {{.score = true}, 1},
        {{.owner = true}, 1},
        {{.score = true, .owner = true, .country = true}, 2},
        {{.zones = zones, .nzones = 1}, 1 + DNSLIST_POINTS}, /* it checks the list, too */
        {{.zones = zones, .nzones = 1}, 1},
        {{.zones = zones, .nzones = 2}, 2 + DNSLIST_POINTS},
        {{.zones = zones, .nzones = 2}, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char address[IP_TEXT_MAX];
        unsigned before = all_questions();
        snprintf(address, sizeof address, "192.0.2.%u", (unsigned)i);
        dns_cache_clear(scene.dns);
        ask(&scene, address, &rows[i].wanted, mono_now() + MONO_SECONDS(5));
        if (all_questions() - before != rows[i].questions)
            fail_msg("row %zu: %u questions", i, all_questions() - before);
    }
    end(&scene);
}

static void test_all_at_once_and_announced_once(void **state)
{
    (void)state;
    static const char *const zones[] = {"a.example", "b.example", "c.example"};
    struct lookups_wanted wanted = {
        .score = true, .owner = true, .zones = zones, .nzones = ARRAY_LEN(zones)};
    struct scene scene;
    begin(&scene, "dns:score.example", "dns:origin.example",
          POINTS("a.example") POINTS("b.example")
              POINTS("c.example") "1.2.0.192.score.example A 127.0.4.50\n"
                                  "1.2.0.192.origin.example TXT 64500\n"
                                  "1.2.0.192.b.example A 127.0.0.9\n"
                                  "1.2.0.192.score.example !delay=1000\n"
                                  "1.2.0.192.origin.example !delay=1000\n"
                                  "1.2.0.192.a.example !delay=1000\n"
                                  "1.2.0.192.b.example !delay=1000\n"
                                  "1.2.0.192.c.example !delay=1000\n");
    mono_us began = mono_now();
    ask(&scene, "192.0.2.1", &wanted, began + MONO_SECONDS(20));
    assert_in_range(mono_now() - began, MONO_SECONDS(1), MONO_SECONDS(4)); /* in a row: 5 s */
    assert_int_equal(scene.answer.score, LOOKUP_FOUND);
    assert_int_equal(scene.answer.owner_number, 64500);
    assert_string_equal(listed(&scene), "b.example=127.0.0.9");
    assert_int_equal(scene.waits, 1);
    /* A list that lists was checked by that; the others would be again. */
    wanted.zones = &zones[1];
    wanted.nzones = 1;
    ask(&scene, "192.0.2.1", &wanted, mono_now() + MONO_SECONDS(20));
    assert_int_equal(scene.waits, 1); /* all of it was in the cache */
    assert_string_equal(listed(&scene), "b.example=127.0.0.9");
    end(&scene);
}

/* Whichever comes first, the callback's deadline or [reputation] timeout. */
static void test_deadlines(void **state)
{
    (void)state;
    static const char *const zones[] = {"a.example"};
    struct lookups_wanted wanted = {.score = true, .owner = true, .zones = zones, .nzones = 1};
    for (int own = 0; own < 2; own++) {
        struct scene scene;
        begin(&scene, "dns:score.example", "dns:origin.example",
              "*.score.example !drop\n*.origin.example !drop\n*.a.example !drop\n");
        mono_us began = mono_now();
        scene.reputation.timeout = own ? MONO_MS(100) : MONO_SECONDS(5);
        ask(&scene, "192.0.2.1", &wanted, began + (own ? MONO_SECONDS(5) : MONO_MS(100)));
        assert_in_range(mono_now() - began, MONO_MS(100), MONO_SECONDS(2));
        assert_int_equal(scene.answer.score, LOOKUP_FAILED);
        assert_int_equal(scene.answer.owner, LOOKUP_FAILED);
        assert_string_equal(listed(&scene), "");
        end(&scene);
    }
}

static void hush(const char *line, void *arg)
{
    (void)line;
    (void)arg;
}

static int start_server(void **state)
{
    (void)state;
    nameserver_start(&server);
    log_capture(hush, NULL);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    log_capture(NULL, NULL);
    nameserver_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_score_file),
        cmocka_unit_test(test_missing_database),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_answers_of_a_list),
        cmocka_unit_test(test_order_decides_nothing),
        cmocka_unit_test(test_only_what_is_wanted_is_asked),
        cmocka_unit_test(test_all_at_once_and_announced_once),
        cmocka_unit_test(test_deadlines),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
