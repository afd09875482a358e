/*
 * lookups_memory_test.c - what is asked about a client and a sender's domain,
 * while memory runs out: "cannot tell" may come of it, but never a wrong answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/log.h"
#include "lib/net/host.h"
#include "lib/net/lookups.h"
#include "lib/net/scores.h"
#include "lib/net/sender.h"
#include "t/unit/net/nameserver.h"
#include "t/unit/tables/table_file.h"
#include "t/unit/no_memory.h"

/* --- the scene ------------------------------------------------------------------------ */

static const char script[] = "1.2.0.192.in-addr.arpa PTR mx.b.example\n"
                             "1.2.0.192.in-addr.arpa PTR mail.a.example\n"
                             "mail.a.example A 192.0.2.1\n"
                             "mx.b.example A 192.0.2.1\n"
                             "2.2.0.192.in-addr.arpa PTR mail.a.example\n"
                             "1.2.0.192.score.example A 127.0.4.75\n"
                             "1.2.0.192.owner.example TXT 64500\n"
                             "2.0.0.127.bl.example A 127.0.0.2\n"
                             "1.2.0.192.bl.example A 127.0.0.2\n"
                             "a.example MX 10 mail.a.example\n";

struct scene {
    struct dns *dns;
    struct dnslists *lists;
    struct reputation reputation;
    struct lookups lookups;
};

static bool begin(struct scene *scene, const struct dns_keys *keys)
{
    struct err err = {0};
    memset(scene, 0, sizeof *scene);
    assert_true(reputation_parse_source("dns:score.example", 1U << REPUTATION_FROM_DNS,
                                        &scene->reputation.score, &err));
    assert_true(reputation_parse_source("dns:owner.example", 1U << REPUTATION_FROM_DNS,
                                        &scene->reputation.owner, &err));
    assert_true(reputation_parse_map("127.0.4.0-100 -> -10..10", &scene->reputation.map, &err));
    scene->reputation.timeout = MONO_SECONDS(30);
    scene->dns = dns_new(keys, &err);
    scene->lists = scene->dns != NULL ? dnslists_new(scene->dns) : NULL;
    scene->lookups = (struct lookups){
        .dns = scene->dns, .lists = scene->lists, .reputation = &scene->reputation};
    return scene->lists != NULL;
}

static void end(struct scene *scene)
{
    dnslists_free(scene->lists);
    dns_free(scene->dns);
}

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_true(ip_parse(slice_of(text), &ip));
    return ip;
}

/* --- questions: is all known that there is to know? ------------------------------------- */

static bool ask_lookups(struct scene *scene, const char *address, bool something)
{
    static const char *const zones[] = {"bl.example"};
    struct lookups_wanted wanted = {.score = true, .owner = true, .zones = zones, .nzones = 1};
    struct lookup_answer answer;
    struct ip ip = ip_of(address);
    enum lookup_outcome known = something ? LOOKUP_FOUND : LOOKUP_NONE;
    struct arena *arena = arena_new(0);

    if (arena == NULL)
        return false;
    lookups_ask(&scene->lookups, &ip, &wanted, arena, mono_now() + MONO_SECONDS(30), &answer);
    for (size_t i = 0; i < answer.nlisted; i++)
        assert_true(answer.listed[i].n == 1 && answer.listed[i].answers[0] == 0x7f000002);
    arena_free(arena);
    assert_true(answer.score == known || answer.score == LOOKUP_FAILED);
    assert_true(answer.owner == known || answer.owner == LOOKUP_FAILED);
    assert_true(answer.nlisted == 0 || something);
    if (something && answer.score == known)
        assert_true(answer.value > 4.9 && answer.value < 5.1);
    if (something && answer.owner == known)
        assert_int_equal(answer.owner_number, 64500);
    return answer.score == known && answer.owner == known && answer.nlisted == something;
}

static bool ask_host(struct scene *scene, const char *address, enum host_class class)
{
    struct arena *arena = arena_new(0); /* NULL: out of memory, as everything else may be */
    struct host_answer answer;
    struct ip ip = ip_of(address);

    if (arena == NULL)
        return false;
    host_lookup(scene->dns, &ip, arena, mono_now() + MONO_SECONDS(30), NULL, NULL, &answer);
    assert_true(answer.class == class || answer.class == HOST_PTR_TEMPFAIL);
    assert_true(answer.n == 0 || answer.class == HOST_VERIFIED);
    for (size_t i = 0; i < answer.n; i++)
        assert_string_equal(answer.names[i], i == 0 ? "mail.a.example" : "mx.b.example");
    bool known = answer.class == class && (class != HOST_VERIFIED || !answer.partial);
    arena_free(arena);
    return known;
}

static bool ask_sender(struct scene *scene, const char *domain, enum sender_class class)
{
    struct sender_question question = {.domain = domain, .deadline = mono_now() + MONO_SECONDS(30)};
    enum sender_class answer = sender_lookup(scene->dns, &question);

    assert_true(answer == class || answer == SENDER_UNRESOLVABLE);
    return answer == class;
}

static bool ask_everything(struct scene *scene)
{
    bool known = ask_lookups(scene, "192.0.2.1", true);
    known &= ask_lookups(scene, "192.0.2.2", false);
    known &= ask_host(scene, "192.0.2.1", HOST_VERIFIED);
    known &= ask_host(scene, "192.0.2.2", HOST_PTR_MISMATCH);
    known &= ask_host(scene, "192.0.2.3", HOST_NO_PTR);
    known &= ask_sender(scene, "a.example", SENDER_EXISTS);
    known &= ask_sender(scene, "none.example", SENDER_NONEXISTENT);
    return known;
}

static void test_questions(void **state)
{
    struct nameserver server;
    (void)state;
    nameserver_start(&server);
    struct dns_keys keys = nameserver_keys(&server);
    keys.timeout = 30000; /* a slow machine is no reason */
    nameserver_script(&server, script);
    for (int kind = 0; kind < 2; kind++) {
        bool all_known = false;
        for (int allowed = 0; !all_known || allowed < 20; allowed++) {
            struct scene scene;
            assert_true(allowed < 2000);
            if (kind == 0)
                memory_allow(allowed);
            else
                memory_fail_once(allowed + 1);
            bool made = begin(&scene, &keys);
            all_known = made && ask_everything(&scene) && !memory_failed();
            memory_allow(-1);
            end(&scene);
        }
    }
    nameserver_stop(&server);
}

/* --- files ------------------------------------------------------------------------------ */

static void test_score_file(void **state)
{
    static char text[20000];
    struct table_file file;
    struct ip ip = ip_of("10.0.0.7");
    size_t n = 0;
    bool loaded = false;
    (void)state;
    for (unsigned i = 0; i < 500; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "10.0.%u.0/24 -5\n2001:db8:%x::/48 2\n",
                              i % 256, i);
    for (int allowed = 0; !loaded; allowed++) {
        double score = 0;
        assert_true(allowed < 1000);
        table_file_new(&file, (struct slice){text, n});
        memory_fail_once(allowed + 1);
        struct scores *scores = scores_load(file.path, table_file_named(), &file.problems);
        bool failed = memory_failed();
        memory_allow(-1);
        assert_true(scores != NULL || file.problems.errors > 0 || file.problems.lost);
        if (scores != NULL) {
            assert_int_equal(scores_count(scores), 1000);
            assert_true(scores_get(scores, &ip, &score) && score < -4.9 && score > -5.1);
        }
        loaded = scores != NULL && !failed;
        scores_free(scores);
        table_file_done(&file);
    }
}

int main(void)
{
    log_set_level(LOG_AT_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_score_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
