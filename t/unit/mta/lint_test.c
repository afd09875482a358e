/* lint_test.c - every line lint_maps() can say, and that it says nothing of sound tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/mta/lint.h"
#include "t/unit/mta/tables.h"

static struct scene scene;

static const char *lint(bool force)
{
    lint_maps(&scene.input, MAPS_POSTFIX, force, &scene.problems);
    return scene_problems(&scene);
}

static void test_sound(void **state)
{
    (void)state;
    scene_routes(&scene, "a.example: [h.test]/pri=1, [g.test]/pri=2 tls=encrypt\n"
                         "b.example: [h.test] tls=encrypt\n"
                         "ALL:\n");
    scene_listener(&scene, "in", "A ACCEPT 192.0.2.1 mail.example.com ?no_ptr; B TCPREFUSE 10.",
                   "ACCEPTED", "example.com ACCEPT\nALL REJECT\n");
    scene_listener(&scene, "out", "LAN RELAY 10. 2001:db8::/32; BAD REJECT .example.net", "BLOCKED",
                   NULL);
    assert_string_equal(lint(false), "");
}

static void test_open_relay(void **state)
{
    (void)state;
    scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\nALL ACCEPT\n");
    assert_string_equal(lint(false),
                        "F:2:1: ALL ACCEPT: an open relay, any client may send to any domain; maps "
                        "are written only with --force\n");
    assert_int_equal(problems_errors(&scene.problems), 1);
}

static void test_open_relay_forced(void **state)
{
    (void)state;
    scene_listener(&scene, "in", "", "ACCEPTED", "ALL ACCEPT\n");
    assert_string_equal(lint(true),
                        "F:1:1: warning: ALL ACCEPT: an open relay, any client may send "
                        "to any domain\n");
    assert_int_equal(problems_errors(&scene.problems), 0);
}

static void test_routes(void **state)
{
    (void)state;
    scene_routes(&scene, "a.example: [h.test], [g.test]\n"
                         "b.example: [h.test]:25 tls=encrypt auth=smart\n"
                         "c.example: [h.test] tls=verify\n"
                         "ALL: USEDNS tls=encrypt\n"
                         "stra\xc3\x9f"
                         "e.example: USEDNS\n");
    assert_string_equal(
        lint(false),
        "F:1: warning: a.example: hosts of equal priority; Postfix does not share the load, but "
        "tries them in the order written\n"
        "F:2: b.example: auth=smart: there is no [auth smart]\n"
        "F:3: warning: c.example: another route has another tls= for h.test:25; Postfix knows one "
        "a host, and gets the strictest\n"
        "F:4: warning: ALL: tls= of a default by MX is not a map entry; set "
        "smtp_tls_security_level in main.cf\n"
        "F:5: warning: xn--strae-oqa.example is written as an A-label only: the MTA would take "
        "stra\xc3\x9f"
        "e.example for another name\n");
}

static void test_many_alike(void **state)
{
    (void)state;
    struct strbuf lines;
    strbuf_init(&lines);
    for (int i = 0; i < LINT_SAME_MAX + 5; i++)
        strbuf_printf(&lines, "d%d.example: [a.test], [b.test]\n", i);
    scene_routes(&scene, strbuf_text(&lines));
    const char *text = lint(false);
    assert_int_equal(scene.problems.count, LINT_SAME_MAX + 1);
    assert_non_null(strstr(text, "warning: 5 more routes with hosts of equal priority\n"));
    strbuf_done(&lines);
}

static void test_clients(void **state)
{
    (void)state;
    scene_listener(&scene, "out",
                   "A ACCEPT mail.example.com .example.net 192.0.2.1; B ACCEPT ?tempfail;"
                   "C CONTINUE .c.example; D RELAY 10. SBRS[1:2] country:JP; E REJECT ALL",
                   "RELAYED", NULL);
    assert_string_equal(
        lint(false),
        "conf:1: warning: [listener out] A: mail.example.com stands ahead of addresses that may "
        "relay; Postfix cannot see it, and lets such a client as far as the milter\n"
        "conf:2: warning: [listener out] B: unverified stands ahead of addresses that may relay; "
        "Postfix cannot see it, and lets such a client as far as the milter\n"
        "conf:4: warning: [listener out] D: SBRS[1:2] leads to relay, but only addresses can be "
        "written to the maps: Postfix refuses to relay for such a client\n");
}

static void test_default_relays(void **state)
{
    (void)state;
    scene_listener(&scene, "out", "- RELAY relay.example.com", "RELAYED", NULL);
    assert_string_equal(
        lint(false),
        "conf:1: warning: [listener out] relay.example.com leads to relay, but only addresses can "
        "be written to the maps: Postfix refuses to relay for such a client\n"
        "conf:100: warning: [listener out] ALL leads to relay, but only addresses can be written "
        "to the maps: Postfix refuses to relay for such a client\n");
}

static void test_users_anywhere(void **state)
{
    (void)state;
    scene_listener(&scene, "in", "", "ACCEPTED", "abuse@ ACCEPT\nu@ REJECT\n");
    assert_string_equal(lint(false),
                        "F:1:1: warning: abuse@ is accepted only at domains that other "
                        "entries accept: it names none for relay_domains\n");
}

static void test_names(void **state)
{
    (void)state;
    scene_listener(&scene, "a/b", "", "ACCEPTED", NULL);
    scene.input.transport = "smtp relay";
    assert_string_equal(
        lint(false),
        "[routes] transport: \"smtp relay\" is not the name of a service in master.cf; letters, "
        "digits, '-', '_' and '.' are allowed\n"
        "conf:100: [listener a/b]: the name becomes part of file names; letters, digits, '-', '_' "
        "and '.' are allowed, at most 64, not beginning with '-' or '.'\n");
    assert_int_equal(problems_errors(&scene.problems), 2);
}

static int set_up(void **state)
{
    (void)state;
    scene_new(&scene);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scene_done(&scene);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sound),          TEST(test_open_relay),     TEST(test_open_relay_forced),
        TEST(test_routes),         TEST(test_many_alike),     TEST(test_clients),
        TEST(test_default_relays), TEST(test_users_anywhere), TEST(test_names),
    };
    return cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}
