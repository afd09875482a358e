/* doctor_test.c - what the doctor makes of odd texts; t/real/doctor.t has the usual ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/mta/doctor.h"
#include "lib/mta/service.h"
#include "t/unit/mta/tables.h"

static void test_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {{"30s", 30},   {"30", 30}, {"2m", 120}, {"1h", 3600},
                 {"1d", 86400}, {"0s", 0},  {"", 0},     {"s", 0},
                 {"x", 0},      {"-1s", 0}, {"1w", 0},   {"100000", 100000},
                 {"100001", 0}, {"1 s", 0}, {"1ms", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(doctor_seconds(slice_of(cases[i].text)), cases[i].seconds);
}

static void test_nothing_there(void **state)
{
    (void)state;
    struct scene scene;
    struct doctor_postfix found = {"", "", ""};
    scene_new(&scene);
    scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\n");
    doctor_postfix(&scene.input, "/maps", &found, &scene.problems);
    assert_string_equal(scene_problems(&scene),
                        "master.cf: no smtpd service: Postfix takes no mail\n"
                        "main.cf: transport_maps does not use /maps/transport\n"
                        "main.cf: relay_domains does not use /maps/relay_domains\n");
    scene_done(&scene);
    scene_new(&scene);
    doctor_sendmail(&scene.input, "/maps", "", &scene.problems);
    assert_int_equal(problems_errors(&scene.problems), 7);
    scene_done(&scene);
}

/* Lines without their ends, values without their names. */
static void test_broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"smtpd_milters",
                                        "smtpd_milters =",
                                        "=",
                                        " = ",
                                        "smtp inet",
                                        "smtp inet n - n - - smtpd",
                                        "{ , }",
                                        "X",
                                        "Xa",
                                        "X, S=unix:/run/gatehouse/milter.sock, T=",
                                        "Xa, S=unix:/run/gatehouse/milter.sock, T=R:",
                                        "Cw",
                                        "Cw ",
                                        "\n\n",
                                        "M,"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct scene scene;
        scene_new(&scene);
        scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\n");
        struct doctor_postfix found = {texts[i], texts[i], texts[i]};
        doctor_postfix(&scene.input, "/maps", &found, &scene.problems);
        doctor_sendmail(&scene.input, "/maps", texts[i], &scene.problems);
        assert_true(problems_errors(&scene.problems) > 0);
        scene_done(&scene);
    }
}

/* What both say of a scene with these routes, by lines that hold one of the words. */
static bool says(const char *routes, const char *main_cf, const char *sendmail_cf,
                 const char *wanted)
{
    struct scene scene;
    struct maps_auth auth = {"smart", "joe", NULL};
    struct doctor_postfix found = {main_cf, "", ""};
    scene_new(&scene);
    scene.input.auths = &auth;
    scene.input.nauths = 1;
    scene_routes(&scene, routes);
    if (sendmail_cf == NULL)
        doctor_postfix(&scene.input, "/maps", &found, &scene.problems);
    else
        doctor_sendmail(&scene.input, "/maps", sendmail_cf, &scene.problems);
    bool said = strstr(scene_problems(&scene), wanted) != NULL;
    scene_done(&scene);
    return said;
}

static void test_ways(void **state)
{
    (void)state;
    static const struct {
        const char *routes;
        bool leaves; /* mail without a route of its own */
    } cases[] = {{"a.example: [h.test]\n", true},
                 {"a.example: [h.test]\nALL:\n", true},
                 {"ALL: USEDNS\n", false},
                 {"ALL: [h.test]\n", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(says(cases[i].routes, "relayhost = x.example\n", NULL, "relayhost"),
                         cases[i].leaves);
        assert_int_equal(says(cases[i].routes, "", "DSx.example\n", "SMART_HOST"), cases[i].leaves);
    }
    assert_false(says("a.example: [h.test]\n", "relayhost = \n", NULL, "relayhost"));
    assert_false(says("a.example: [h.test]\n", "", "DS\n", "SMART_HOST"));
}

static void test_tls_of_routes(void **state)
{
    (void)state;
    static const char route[] = "a.example: [h.test] auth=smart tls=verify\n";
    static const char good[] = "smtp_sasl_auth_enable = yes\nsmtp_tls_CApath = /etc/ssl/certs\n";
    assert_true(says(route, "", NULL, "smtp_sasl_auth_enable is not yes"));
    assert_true(says(route, "", NULL, "smtp_tls_CAfile and smtp_tls_CApath are empty"));
    assert_false(says(route, good, NULL, "smtp_sasl_auth_enable is not yes"));
    assert_false(says(route, good, NULL, "are empty"));
    assert_false(says("a.example: [h.test]\n", "", NULL, "are empty"));
}

/* --- which listener a service is for ------------------------------------------------ */

static const char *listener_of(const struct scene *scene, const char *name, const char *address,
                               int64_t port)
{
    struct service service = {slice_of(name), slice_of(address), port};
    const struct maps_listener *listener = service_listener(&scene->input, &service);
    return listener == NULL ? "none" : listener->name;
}

static void test_services(void **state)
{
    (void)state;
    struct scene scene;
    scene_new(&scene);
    scene_listener(&scene, "named", "", "ACCEPTED", NULL)->daemon_name = "MTA";
    scene_listener(&scene, "port", "", "ACCEPTED", NULL)->local_port = 587;
    struct maps_listener *both = scene_listener(&scene, "both", "", "ACCEPTED", NULL);
    both->local_port = 587;
    both->local_address = "2001:db8::1";
    assert_string_equal(listener_of(&scene, "MTA", "", 25), "named");
    assert_string_equal(listener_of(&scene, "mta", "", 25), "none");
    assert_string_equal(listener_of(&scene, "x", "192.0.2.1", 587), "port");
    assert_string_equal(listener_of(&scene, "x", "2001:DB8:0::1", 587), "both");
    assert_string_equal(listener_of(&scene, "x", "", 587), "both");
    assert_string_equal(listener_of(&scene, "x", "localhost", 0), "both");
    assert_string_equal(listener_of(&scene, "MTA", "", 587), "both");
    scene_listener(&scene, "rest", "", "ACCEPTED", NULL);
    assert_string_equal(listener_of(&scene, "x", "", 25), "rest");
    assert_int_equal(service_port(slice_of("SMTP")), 25);
    assert_int_equal(service_port(slice_of("submissions")), 465);
    assert_int_equal(service_port(slice_of("65535")), 65535);
    assert_int_equal(service_port(slice_of("65536")), 0);
    assert_int_equal(service_port(slice_of("")), 0);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds),       cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_broken_texts),  cmocka_unit_test(test_ways),
        cmocka_unit_test(test_tls_of_routes), cmocka_unit_test(test_services),
    };
    return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
