/* lint_test.c - every line lint_maps() can say, and that it says nothing of sound tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/mta/lint.h"
#include "lib/mta/sendmail_maps.h"
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
    scene_listener(&scene, "in", "B TCPREFUSE 10.; A ACCEPT 192.0.2.1 mail.example.com ?no_ptr",
                   "ACCEPTED", "a.example ACCEPT\nALL REJECT\n");
    scene_listener(&scene, "out", "LAN RELAY 10. 2001:db8::/32; BAD REJECT .example.net", "BLOCKED",
                   NULL);
    assert_string_equal(lint(false), "");
}

static void test_open_relay(void **state)
{
    (void)state;
    scene_routes(&scene, "a.example: [h.test]\n");
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

/* What auth= and tls= cannot mean. */
static void test_credentials(void **state)
{
    (void)state;
    static const struct maps_auth auth = {"smart", "joe", NULL};
    scene.input.auths = &auth;
    scene.input.nauths = 1;
    scene_routes(&scene, "a.example: [h.test] auth=smart tls=may\n"
                         "b.example: [g.test] auth=smart tls=none\n"
                         "c.example: [i.test] auth=smart tls=verify\n"
                         "d.example: USEDNS auth=smart\n"
                         ".d.example: USEDNS auth=smart\n"
                         "ALL: USEDNS auth=smart\n"
                         "e.example: [192.0.2.1] tls=verify\n");
    assert_string_equal(
        lint(false),
        "F:1:12: warning: auth= sends a password, so tls=may counts as tls=encrypt\n"
        "F:2:12: warning: auth= sends a password, so tls=none counts as tls=encrypt\n"
        "F:5: .d.example: auth=smart: Postfix looks credentials up by the host or the very domain; "
        "below .d.example mail would go without; name hosts, or each domain\n"
        "F:6: ALL: auth=smart: Postfix looks credentials up by the host or the very domain; by "
        "default mail would go without; name hosts, or each domain\n"
        "F:6: warning: ALL: tls= of a default by MX is not a map entry; set "
        "smtp_tls_security_level in main.cf\n"
        "F:7: warning: e.example: tls=verify compares the name in the certificate with 192.0.2.1, "
        "which is none: write the host's name\n");
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
        "relay; Postfix cannot see it, and lets such a client reach the milter\n"
        "conf:2: warning: [listener out] B: unverified stands ahead of addresses that may relay; "
        "Postfix cannot see it, and lets such a client reach the milter\n"
        "conf:4: warning: [listener out] D: SBRS[1:2] leads to relay, but only addresses can be "
        "written to the maps: Postfix refuses to relay for such a client\n");
}

/* All the world is refused at a public listener, as ALL ACCEPT is; more than anybody's own
 * network is told. */
static void test_everybody_relays(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        bool huge, everybody;
    } cases[] = {{"10.0.0.0/8", false, false},
                 {"10.0.0.0/7", true, false},
                 {"10.0.0.0/7 0/0", true, true},
                 {"0/0 10.0.0.0/7", true, true},
                 {"0-255.", true, true},
                 {"0.0.0.1-255.255.255.255", true, false},
                 {"::/0", true, true},
                 {"2000::/3", true, false},
                 {"2001::/16", false, false},
                 {"2001:db8::/32", false, false},
                 {"9.0.0.0-10.0.0.0", true, false},
                 {"::ffff:0:0/96", true, true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int private = 0; private < 2; private ++) {
            char hat[80], wanted[200];
            scene_done(&scene);
            scene_new(&scene);
            snprintf(hat, sizeof hat, "A CONTINUE 0/0; B ACCEPT 0/0; C RELAY 10.1. %s",
                     cases[i].entry);
            scene_listener(&scene, "in", hat, "BLOCKED",
                           private ? NULL : "a.example ACCEPT\nALL REJECT\n");
            scene_routes(&scene, "ALL: [h.test]\n");
            bool refused = cases[i].everybody && !private;
            const char *huge = strstr(cases[i].entry, "0/0") != NULL ? "0/0" : cases[i].entry;
            snprintf(wanted, sizeof wanted, "conf:3: %s[listener in] C: %s leads to relay: %s%s\n",
                     refused ? "" : "warning: ", huge,
                     cases[i].everybody ? "an open relay" : "it is very large",
                     refused ? "; maps are written only with --force" : "");
            const char *said = lint(false);
            assert_string_equal(said, cases[i].huge ? wanted : "");
            scene_done(&scene);
            scene_new(&scene);
            scene_listener(&scene, "in", hat, "BLOCKED", "a.example ACCEPT\n");
            lint_clients(&scene.input, &scene.problems);
            assert_int_equal(problems_errors(&scene.problems), 0);
            assert_int_equal(scene.problems.warnings, cases[i].huge);
        }
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

static void test_names_alone(void **state)
{
    (void)state;
    scene_routes(&scene, "a.example: [h.test], [g.test]\n");
    scene_listener(&scene, "-a", "", "ACCEPTED", "ALL ACCEPT\n")->daemon_name = "x, Modify=A";
    scene.input.transport = "x,y";
    lint_names(&scene.input, MAPS_SENDMAIL, &scene.problems);
    assert_string_equal(
        scene_problems(&scene),
        "[routes] transport: \"x,y\" is not the name of a service in master.cf; letters, digits, "
        "'-', '_' and '.' are allowed\n"
        "conf:100: [listener -a]: the name becomes part of file names; letters, digits, '-', '_' "
        "and '.' are allowed, at most 64, not beginning with '-' or '.'\n"
        "conf:100: [listener -a] daemon_name: \"x, Modify=A\" cannot be written for Sendmail; "
        "letters, digits, '-', '_' and '.' are allowed, at most 64\n");
}

/* What `check` says, whichever mail server it is for. */
static void test_relay_without_address(void **state)
{
    (void)state;
    scene_listener(&scene, "in", "A RELAY 10. mail.example.com; B ACCEPT .example.net", "ACCEPTED",
                   NULL);
    scene_listener(&scene, "out", "C CONTINUE .c.example; D REJECT ALL; E RELAY x.example",
                   "RELAYED", NULL);
    lint_clients(&scene.input, &scene.problems);
    assert_string_equal(scene_problems(&scene),
                        "conf:1: warning: [listener in] A: mail.example.com leads to relay, but "
                        "only addresses can be written to the maps: the mail server refuses to "
                        "relay for such a client\n");
}

/* Addresses to refuse that the client files leave out. */
static void test_refuse_behind_names(void **state)
{
    (void)state;
    static const struct {
        const char *hat, *doubt; /* NULL: nothing is said */
        unsigned line;
    } cases[] = {
        {"- REJECT spamdomain.com; - TCPREFUSE 198.51.100.", "spamdomain.com", 1},
        {"A ACCEPT 192.0.2.1; B REJECT .example.com; C TCPREFUSE 2001:db8::/32", "B: .example.com",
         2},
        {"A RELAY 10. SBRS[1:2]; B TCPREFUSE 198.51.100.", "A: SBRS[1:2]", 1},
        {"A ACCEPT dnslist[l.example]; B TCPREFUSE 198.51.100.", "A: dnslist[l.example]", 1},
        {"A ACCEPT ?no_ptr; B TCPREFUSE 198.51.100.", "A: unverified", 1},
        {"A TCPREFUSE 198.51.100.; B REJECT spamdomain.com", NULL, 0},
        {"A TCPREFUSE spamdomain.com; B TCPREFUSE 198.51.100.", NULL, 0},
        {"A CONTINUE spamdomain.com; B TCPREFUSE 198.51.100.", NULL, 0},
        {"A REJECT spamdomain.com; B TCPREFUSE .example.com", NULL, 0},
        {"A REJECT spamdomain.com; B REJECT ALL; C TCPREFUSE 198.51.100.", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int monitor = 0; monitor < 2; monitor++) {
            char wanted[300];
            scene_done(&scene);
            scene_new(&scene);
            scene.input.monitor = monitor;
            scene_listener(&scene, "in", cases[i].hat, "ACCEPTED", "a.example ACCEPT\n");
            snprintf(wanted, sizeof wanted,
                     "conf:%u: warning: [listener in] %s stands ahead of addresses to refuse "
                     "(tcprefuse); the mail server cannot see it",
                     cases[i].line, cases[i].doubt);
            lint_clients(&scene.input, &scene.problems);
            const char *said = scene_problems(&scene);
            if (cases[i].doubt == NULL || monitor)
                assert_null(strstr(said, "to refuse"));
            else if (strstr(said, wanted) == NULL)
                fail_msg("%s: %s", cases[i].hat, said);
        }
    scene_listener(&scene, "too", cases[0].hat, "ACCEPTED", "a.example ACCEPT\n");
    scene.input.monitor = false;
    assert_non_null(strstr(lint(false),
                           "[listener too] spamdomain.com stands ahead of addresses to "
                           "refuse (tcprefuse); Postfix cannot see it"));
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

/* --- routes and RATs --------------------------------------------------------------- */

static void test_reach(void **state)
{
    (void)state;
    scene_routes(&scene, "a.example: [h.test]\n"
                         ".b.example: [h.test]\n"
                         "x.c.example: [h.test]\n"
                         "d.example: USEDNS\n"
                         "e.example: [h.test]\n"
                         ".f.example: [h.test]\n");
    scene_listener(&scene, "in", "", "ACCEPTED",
                   "a.example, y.b.example, .c.example, d.example ACCEPT\n"
                   "user@g.example ACCEPT\n[192.0.2.1] ACCEPT\n"
                   "h.example REJECT\n.h.example REJECT\nx.h.example ACCEPT\n");
    assert_string_equal(
        lint(false),
        "F:1:25: warning: .c.example has no SMTP route: its mail goes where its MX records point, "
        "and this host must not be the best of them\n"
        "F:2:1: warning: g.example has no SMTP route: its mail goes where its MX records point, "
        "and "
        "this host must not be the best of them\n"
        "F:5: warning: e.example: no RAT accepts recipients there, and no sender group may relay: "
        "only clients that authenticate would use this route\n"
        "F:6: warning: .f.example: no RAT accepts recipients there, and no sender group may relay: "
        "only clients that authenticate would use this route\n");
}

static void test_default_route(void **state)
{
    (void)state;
    scene_routes(&scene, "ALL: [h.test]\n");
    scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\n");
    assert_string_equal(lint(false), "");
}

static bool is_own(const struct ip *ip)
{
    return ip_is_v4(ip) && ip_v4(ip) == 0xc0000219; /* 192.0.2.25 */
}

static void test_loops(void **state)
{
    (void)state;
    scene.input.is_own = is_own;
    scene.input.hostname = "mx.example.com";
    scene_routes(&scene, "a.example: [192.0.2.25]\n"
                         "b.example: [192.0.2.25]:26\n"
                         "c.example: [mx.example.com]:2525\n"
                         "d.example: [2001:db8::1]:2525, [192.0.2.26]\n"
                         "e.example: [0.0.0.0]\n"
                         "f.example: [::]\n"
                         "g.example: [localhost]\n"
                         "h.example: [localhost]:2525\n");
    scene_listener(&scene, "in", "", "ACCEPTED", NULL);
    struct maps_listener *out = scene_listener(&scene, "out", "LAN RELAY 10.", "BLOCKED", NULL);
    out->local_address = "2001:db8::1";
    out->local_port = 2525;
    assert_string_equal(
        lint(false),
        "F:4: warning: d.example: hosts of equal priority; Postfix does not share the load, but "
        "tries them in the order written\n"
        "F:1: warning: a.example: 192.0.2.25:25 is [listener in] itself: the mail would come back "
        "here\n"
        "F:3: warning: c.example: mx.example.com:2525 is [listener out] itself: the mail would "
        "come "
        "back here\n"
        "F:4: warning: d.example: [2001:db8::1]:2525 is [listener out] itself: the mail would come "
        "back here\n"
        "F:5: warning: e.example: 0.0.0.0:25 is [listener in] itself: the mail would come back "
        "here\n"
        "F:6: warning: f.example: [::]:25 is [listener in] itself: the mail would come back here\n"
        "F:7: warning: g.example: localhost:25 is [listener in] itself: the mail would come back "
        "here\n");
}

/* --- Sendmail ------------------------------------------------------------------------ */

static const char *lint_for_sendmail(void)
{
    lint_maps(&scene.input, MAPS_SENDMAIL, false, &scene.problems);
    return scene_problems(&scene);
}

static void test_sendmail(void **state)
{
    (void)state;
    static const struct maps_auth auth = {"x", "a:b", NULL};
    scene.input.auths = &auth;
    scene.input.nauths = 1;
    scene_routes(&scene, "a.example: [h.test]/pri=1, [g.test]:26/pri=2\n"
                         "b.example: h.test auth=x\n");
    scene_listener(&scene, "in", "", "ACCEPTED", NULL)->daemon_name = "MTA";
    scene_listener(&scene, "mta", "", "ACCEPTED", NULL);
    scene_listener(&scene, "out", "", "ACCEPTED", NULL)->daemon_name = "a b";
    assert_string_equal(
        lint_for_sendmail(),
        "F:1: a.example: hosts with different ports; Sendmail can only try hosts with the same "
        "port "
        "one after the other\n"
        "F:2: warning: b.example: auth=x: Sendmail looks credentials up by the host it reached; "
        "write [HOST] in place of names with MX records\n"
        "conf:101: [listener mta] daemon_name: [listener in] is called \"mta\" too; Sendmail "
        "distinguishes services by their names\n"
        "conf:102: [listener out] daemon_name: \"a b\" cannot be written for Sendmail; letters, "
        "digits, '-', '_' and '.' are allowed, at most 64\n");
}

/* Sendmail cuts a list of hosts off behind 254 bytes, in the middle of a name. */
static void test_long_lists(void **state)
{
    (void)state;
    static const char name[] = "a123456789.b123456789.c123456789.d123456789.example";
    char lines[1000];
    for (int extra = 0; extra < 2; extra++) {
        snprintf(lines, sizeof lines,
                 "a.example: [%s]/pri=1, %s/pri=2, %s/pri=3, %s/pri=4, 192.0.2.1/pri=5, "
                 "[%.*s]/pri=6\n",
                 name, name, name, name, 30 + extra, "a234567.b234567.c234567.example");
        scene_routes(&scene, lines);
        assert_string_equal(
            lint_for_sendmail(),
            extra == 0 ? ""
                       : "F:1: a.example: its hosts are 255 bytes in Sendmail's writing, which "
                         "takes 254 and cuts off the rest: name fewer hosts\n");
    }
}

/* Sendmail looks at 256 bytes of each; what is cut off is no password. */
static void test_long_passwords(void **state)
{
    (void)state;
    static char password[SENDMAIL_SECRET_MAX + 2];
    struct maps_auth auth = {"x", "joe", password};
    for (size_t extra = 0; extra < 2; extra++) {
        scene_done(&scene);
        scene_new(&scene);
        memset(password, 'p', SENDMAIL_SECRET_MAX + extra);
        scene.input.auths = &auth;
        scene.input.nauths = 1;
        scene_routes(&scene, "a.example: [h.test] auth=x\n");
        assert_string_equal(lint_for_sendmail(),
                            extra == 0 ? ""
                                       : "F:1: a.example: auth=x: Sendmail takes a user and a "
                                         "password of at most 180 bytes\n");
        assert_string_equal(extra == 0 ? lint(false) : "", "");
    }
}

static void test_ports_of_sendmail(void **state)
{
    (void)state;
    struct strbuf routes;
    strbuf_init(&routes);
    for (unsigned i = 0; i < 15; i++)
        strbuf_printf(&routes, "r%u.example: [h.test]:%u\ns%u.example: [h.test]:%u\n", i, 2000 + i,
                      i, 2000 + i);
    scene_routes(&scene, strbuf_text(&routes));
    strbuf_done(&routes);
    const char *said = lint_for_sendmail();
    assert_string_equal(said,
                        "F:29: r14.example: port 2014 is one more than the 14 different ports "
                        "Sendmail has mailers for\n"
                        "F:30: s14.example: port 2014 is one more than the 14 different ports "
                        "Sendmail has mailers for\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sound),
        TEST(test_open_relay),
        TEST(test_open_relay_forced),
        TEST(test_routes),
        TEST(test_many_alike),
        TEST(test_clients),
        TEST(test_default_relays),
        TEST(test_users_anywhere),
        TEST(test_names),
        TEST(test_reach),
        TEST(test_default_route),
        TEST(test_loops),
        TEST(test_sendmail),
        TEST(test_credentials),
        TEST(test_long_passwords),
        TEST(test_everybody_relays),
        TEST(test_names_alone),
        TEST(test_relay_without_address),
        TEST(test_refuse_behind_names),
        TEST(test_long_lists),
        TEST(test_ports_of_sendmail),
    };
    return cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}
