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
    } cases[] = {{"30s", 30},   {"30", 30}, {"2m", 120},    {"1h", 3600},
                 {"1d", 86400}, {"0s", 0},  {"", 0},        {"s", 0},
                 {"x", 0},      {"-1s", 0}, {"1w", 604800}, {"100000", 100000},
                 {"100001", 0}, {"1 s", 0}, {"1ms", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(doctor_seconds(slice_of(cases[i].text)), cases[i].seconds);
}

static void test_nothing_there(void **state)
{
    (void)state;
    struct scene scene;
    struct postconf found = {"", "", ""};
    scene_new(&scene);
    scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\n");
    doctor_postfix(&scene.input, "/maps", &found, NULL, &scene.problems);
    assert_string_equal(scene_problems(&scene),
                        "master.cf: no smtpd service: Postfix accepts no mail\n"
                        "main.cf: transport_maps does not use /maps/transport\n"
                        "main.cf: relay_domains does not use /maps/relay_domains\n");
    scene_done(&scene);
    scene_new(&scene);
    doctor_sendmail(&scene.input, "/maps", "", NULL, &scene.problems);
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
        struct postconf found = {texts[i], texts[i], texts[i]};
        doctor_postfix(&scene.input, "/maps", &found, NULL, &scene.problems);
        doctor_sendmail(&scene.input, "/maps", texts[i], NULL, &scene.problems);
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
    struct postconf found = {main_cf, "", ""};
    scene_new(&scene);
    scene.input.auths = &auth;
    scene.input.nauths = 1;
    scene_routes(&scene, routes);
    if (sendmail_cf == NULL)
        doctor_postfix(&scene.input, "/maps", &found, NULL, &scene.problems);
    else
        doctor_sendmail(&scene.input, "/maps", sendmail_cf, NULL, &scene.problems);
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

/* --- the socket, as a service sees it ------------------------------------------------ */

static const char locked_out[] = "cannot reach unix:", not_asked[] = "Gatehouse is not asked here";

/* What is said of a service with these columns whose smtpd_milters is written there, or in
 * main.cf. */
static const char *words_of(struct scene *scene, const char *level, char chroot,
                            const char *milters, const char *parameter)
{
    static char main_cf[1000], services[200], changes[400];
    static const struct postconf found = {main_cf, services, changes};
    bool in_main = parameter == NULL || parameter[0] != '-';
    snprintf(main_cf, sizeof main_cf,
             "queue_directory = /queue\n%s%s\nmilter_default_action = tempfail\n"
             "milter_command_timeout = 30s\nmilter_content_timeout = 30s\nsmtpd_milters = %s\n",
             level[0] != '\0' ? "compatibility_level = " : "", level, in_main ? milters : "");
    snprintf(services, sizeof services,
             "smtp       inet  n       -       %c       -       -       smtpd\n", chroot);
    snprintf(changes, sizeof changes, "%s%s%s",
             in_main ? "" : "smtp/inet/smtpd_milters = ", in_main ? "" : milters,
             in_main ? "" : "\n");
    doctor_postfix(&scene->input, "/maps", &found, NULL, &scene->problems);
    return scene_problems(scene);
}

static bool is_ours(const struct ip *ip)
{
    struct ip own;
    return ip_parse(slice_of("192.0.2.1"), &own) && ip_equal(ip, &own);
}

static void test_sockets(void **state)
{
    (void)state;
    static const struct {
        const char *socket, *level;
        char chroot;
        const char *milters, *said; /* NULL: nothing */
    } cases[] = {
        {"unix:/run/g/m", "3.6", 'n', "unix:/run/g/m", NULL},
        {"unix:/run/g/m", "3.6", 'y', "unix:/run/g/m", locked_out},
        {"unix:/run/g/m", "3.6", 'y', "{ unix:/run/g/m, default_action=tempfail }", locked_out},
        /* What "-" means depends on the age that Postfix is to have. */
        {"unix:/run/g/m", "3.6", '-', "unix:/run/g/m", NULL},
        {"unix:/run/g/m", "1", '-', "unix:/run/g/m", NULL},
        {"unix:/run/g/m", "10", '-', "unix:/run/g/m", NULL},
        {"unix:/run/g/m", "0", '-', "unix:/run/g/m", locked_out},
        {"unix:/run/g/m", "0.9", '-', "unix:/run/g/m", locked_out},
        {"unix:/run/g/m", "", '-', "unix:/run/g/m", locked_out},
        /* Within the queue. */
        {"unix:/queue/g/m", "2", 'y', "unix:/g/m", NULL},
        {"unix:/queue/g/m", "2", 'y', "unix:g/m", NULL},
        {"unix:/queue/g/m", "2", 'n', "unix:g/m", NULL},
        {"unix:/queue/g/m", "2", 'n', "unix:/queue/g/m", NULL},
        {"unix:/queue/g/m", "2", 'n', "unix:/g/m", not_asked},
        {"unix:/queue/g/m", "2", 'y', "unix:/queue/g/m", locked_out},
        {"unix:/queue/g/m", "0", '-', "unix:/g/m", NULL},
        {"unix:/queue/g/m", "2", 'y', "unix://g/./m", NULL},
        {"unix:/queue//g/m", "2", 'y', "unix:g/m", NULL},
        {"unix:/queue/g/m", "2", 'y', "unix:g/mm", not_asked},
        {"unix:/queue/g/m", "2", 'y', "unix:g", not_asked},
        {"unix:/queue/g/m", "2", 'y', "inet:g/m", not_asked},
        {"unix:/queue/g/m", "2", 'y', "inet:127.0.0.1:9, unix:g/m, inet:127.0.0.1:10", NULL},
        {"unix:/queue/g/m", "2", 'y', "", not_asked},
        /* No chroot keeps from a network. */
        {"inet:8899@127.0.0.1", "2", 'y', "inet:127.0.0.1:8899", NULL},
        {"inet:8899@127.0.0.1", "2", 'y', "inet:localhost:8899", NULL},
        {"inet:8899@127.0.0.1", "2", 'n', "inet:[127.0.0.1]:8899", NULL},
        {"inet:8899@127.0.0.1", "2", 'n', "inet:127.0.0.1:8890", not_asked},
        {"inet:8899@127.0.0.1", "2", 'n', "inet:192.0.2.1:8899", not_asked},
        {"inet:8899@0.0.0.0", "2", 'n', "inet:192.0.2.1:8899", NULL},
        {"inet:8899@0.0.0.0", "2", 'n', "inet:192.0.2.2:8899", not_asked},
        {"inet:8899@127.0.0.1", "2", 'n', "inet:127.0.0.1", not_asked},
        {"inet:8899@127.0.0.1", "2", 'n', "inet::8899", NULL},
        {"inet6:8899@::1", "2", 'y', "inet:[::1]:8899", NULL},
        {"inet6:8899@::1", "2", 'y', "inet:[0:0:0:0:0:0:0:1]:8899", NULL},
        {"inet6:8899@[::1]", "2", 'y', "inet:127.0.0.1:8899", not_asked},
        {"inet:8899@Filter.example.com", "2", 'y', "inet:filter.example.com:8899", NULL},
        {"inet:8899@filter.example.com", "2", 'y', "inet:filter.example.co:8899", not_asked},
        {"inet:8899@filter.example.com", "2", 'y', "unix:/run/g/m", not_asked},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int own = 0; own < 2; own++) {
            struct scene scene;
            scene_new(&scene);
            scene.input.socket = cases[i].socket;
            scene.input.is_own = is_ours;
            const char *said = words_of(&scene, cases[i].level, cases[i].chroot, cases[i].milters,
                                        own ? "-o" : NULL);
            bool silent = strstr(said, locked_out) == NULL && strstr(said, not_asked) == NULL;
            if (cases[i].said == NULL ? !silent : strstr(said, cases[i].said) == NULL)
                fail_msg("%s, level %s, chroot %c, smtpd_milters = %s: %s", cases[i].socket,
                         cases[i].level, cases[i].chroot, cases[i].milters, said);
            scene_done(&scene);
        }
}

static bool one_place(const char *a, const char *b)
{
    return strcmp(a, "/queue/run/m") == 0 && strcmp(b, "/run/m") == 0;
}

/* A folder that is mounted into the queue, or a link, leads to the same socket. */
static void test_mounted(void **state)
{
    (void)state;
    static const struct doctor_host host = {.same_place = one_place};
    struct postconf found = {"queue_directory = /queue\nsmtpd_milters = unix:/run/m\n",
                             "smtp inet n - y - - smtpd\n", ""};
    for (int known = 0; known < 2; known++) {
        struct scene scene;
        scene_new(&scene);
        scene.input.socket = "unix:/run/m";
        doctor_postfix(&scene.input, "/maps", &found, known ? &host : NULL, &scene.problems);
        assert_int_equal(strstr(scene_problems(&scene), locked_out) == NULL, known);
        scene_done(&scene);
    }
}

static unsigned open_mode;

static unsigned permissions(const char *folder)
{
    return strcmp(folder, "/run") == 0 ? open_mode : 0755;
}

/* What Sendmail calls unsafe: a folder that others may write in, anywhere above. */
static void test_safe_folders(void **state)
{
    (void)state;
    static const struct doctor_host host = {.same_place = one_place, .permissions = permissions};
    static const struct {
        unsigned mode;
        const char *socket, *cf, *said;
    } cases[] = {
        {0755, "unix:/run/g/m", "", NULL},
        {0775, "unix:/run/g/m", "", "/run/g/m: its folder /run is writable by its group"},
        {0757, "unix:/run/g/m", "", "/run/g/m: its folder /run is writable by everybody"},
        {01777, "unix:/run/g/m", "", "/run/g/m: its folder /run is writable by everybody"},
        {01777, "unix:/run/g/m", "O DontBlameSendmail=TrustStickyBit\n", NULL},
        {0775, "unix:/run/g/m", "O DontBlameSendmail=TrustStickyBit\n", "writable by its group"},
        {0775, "unix:/run/g/m", "O DontBlameSendmail=x,groupwritabledirpathsafe\n", NULL},
        {0777, "unix:/run/g/m", "O DontBlameSendmail=GroupWritableDirPathSafe\n", "by everybody"},
        {0777, "inet:2500@127.0.0.1", "", NULL},
        {0777, "unix:/var/g/m", "", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene scene;
        scene_new(&scene);
        scene.input.socket = cases[i].socket;
        open_mode = cases[i].mode;
        doctor_sendmail(&scene.input, "/maps", cases[i].cf, &host, &scene.problems);
        const char *said = scene_problems(&scene);
        if (cases[i].said == NULL ? strstr(said, "written") != NULL
                                  : strstr(said, cases[i].said) == NULL)
            fail_msg("%s %o %s: %s", cases[i].socket, cases[i].mode, cases[i].cf, said);
        scene_done(&scene);
    }
}

/* --- how long they wait --------------------------------------------------------------- */

static void test_postfix_waits(void **state)
{
    (void)state;
    static const struct {
        const char *milters, *main_cf, *own, *said;
    } cases[] = {
        {"unix:/run/m", "", "", "milter_content_timeout = 300s: each client waits that long"},
        {"{ unix:/run/m, content_timeout=30s }", "", "", NULL},
        {"{ unix:/run/m, content_timeout=30 }", "", "", NULL},
        {"{ unix:/run/m, content_timeout=1m }", "", "", NULL},
        {"{ unix:/run/m, content_timeout=61s }", "", "",
         "milter_content_timeout = 61s: each client waits that long"},
        {"{ unix:/run/m, content_timeout=25s }", "", "",
         "milter_content_timeout = 25s is not longer"},
        {"{ unix:/run/m, command_timeout=5m, content_timeout=30s }", "", "",
         "milter_command_timeout = 300s: each client waits that long"},
        {"unix:/run/m", "milter_content_timeout = 40s\n", "", NULL},
        {"unix:/run/m", "milter_content_timeout = 20s\n", "",
         "milter_content_timeout = 20s is not longer"},
        {"unix:/run/m", "milter_content_timeout = 300s\n",
         "smtp/inet/milter_content_timeout = 40s\n", NULL},
        {"unix:/run/m", "milter_content_timeout = 40s\n", "smtp/inet/milter_content_timeout = 1h\n",
         "milter_content_timeout = 3600s: each client waits that long"},
        {"{ inet:127.0.0.1:9, content_timeout=300s } { unix:/run/m, content_timeout=30s }", "", "",
         NULL},
        {"{ unix:/run/m, content_timeout=30s } { inet:127.0.0.1:9, content_timeout=300s }", "", "",
         NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene scene;
        char main_cf[400];
        scene_new(&scene);
        scene.input.socket = "unix:/run/m";
        snprintf(main_cf, sizeof main_cf, "queue_directory = /queue\nsmtpd_milters = %s\n%s",
                 cases[i].milters, cases[i].main_cf);
        struct postconf found = {main_cf, "smtp inet n - n - - smtpd\n", cases[i].own};
        doctor_postfix(&scene.input, "/maps", &found, NULL, &scene.problems);
        const char *said = scene_problems(&scene);
        if (cases[i].said == NULL ? strstr(said, "timeout") != NULL
                                  : strstr(said, cases[i].said) == NULL)
            fail_msg("%s %s%s: %s", cases[i].milters, cases[i].main_cf, cases[i].own, said);
        scene_done(&scene);
    }
}

static void test_sendmail_waits(void **state)
{
    (void)state;
    static const struct {
        const char *times, *said;
    } cases[] = {
        {"R:30s;E:30s", NULL},
        {"R:30s;E:1m", NULL},
        {"R:30s", "T=E:300s: each client waits that long for a hanging daemon; set E:30s"},
        {"R:30s;E:5m", "T=E:300s: each client waits that long"},
        {"R:30s;E:25s", "(T=E:, 300s where none is given) is not longer"},
        {"E:30s;R:20s", "(T=R:, 10s where none is given) is not longer"},
        {"E:30s", "(T=R:, 10s where none is given) is not longer"},
        {"R:2m;E:30s", "T=R:120s: each client waits that long"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene scene;
        char cf[200];
        scene_new(&scene);
        scene.input.socket = "unix:/run/m";
        snprintf(cf, sizeof cf, "Xgatehouse, S=unix:/run/m, F=T, T=C:30s;%s\n", cases[i].times);
        doctor_sendmail(&scene.input, "/maps", cf, NULL, &scene.problems);
        const char *said = scene_problems(&scene);
        if (cases[i].said == NULL ? strstr(said, "T=") != NULL
                                  : strstr(said, cases[i].said) == NULL)
            fail_msg("%s: %s", cases[i].times, said);
        scene_done(&scene);
    }
}

/* --- limits ----------------------------------------------------------------------------- */

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *processes, *main_cf, *own, *said;
    } cases[] = {
        {"-", "default_process_limit = 300\n", "", NULL},
        {"-", "default_process_limit = 299\n", "",
         "master.cf: warning: smtp: 299 processes are fewer"},
        {"-", "default_process_limit = 0\n", "", NULL},
        {"20", "default_process_limit = 300\n", "",
         "master.cf: warning: smtp: 20 processes are fewer"},
        {"0", "default_process_limit = 100\n", "", NULL},
        {"300", "default_process_limit = 100\n", "", NULL},
        {"0", "smtpd_soft_error_limit = 49\n", "",
         "main.cf: warning: smtpd_soft_error_limit = 49 is below"},
        {"0", "smtpd_soft_error_limit = 50\n", "", NULL},
        {"0", "smtpd_hard_error_limit = 50\n", "",
         "main.cf: warning: smtpd_hard_error_limit = 50 is below"},
        {"0", "smtpd_hard_error_limit = 51\n", "", NULL},
        {"0", "smtpd_hard_error_limit = 51\n", "smtp/inet/smtpd_hard_error_limit = 5\n",
         "master.cf: warning: smtp: smtpd_hard_error_limit = 5 is below what a policy allows (51)"},
        {"0", "smtpd_hard_error_limit = 5\n", "smtp/inet/smtpd_hard_error_limit = 51\n", NULL},
        {"0", "smtpd_client_connection_count_limit = 0\n", "", NULL},
        {"0", "smtpd_client_connection_count_limit = 9\n", "",
         "is below what a policy allows (10)"},
        {"0", "message_size_limit = 0\n", "", NULL},
        {"0", "message_size_limit = 10485759\n", "", "is below what a policy allows (10485760)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene scene;
        char services[100];
        scene_new(&scene);
        scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\n");
        snprintf(services, sizeof services, "smtp inet n - n - %s smtpd\n", cases[i].processes);
        struct postconf found = {cases[i].main_cf, services, cases[i].own};
        doctor_postfix(&scene.input, "/maps", &found, NULL, &scene.problems);
        const char *said = scene_problems(&scene);
        bool silent = strstr(said, "is below") == NULL && strstr(said, "are fewer") == NULL;
        if (cases[i].said == NULL ? !silent : strstr(said, cases[i].said) == NULL)
            fail_msg("%s %s%s: %s", cases[i].processes, cases[i].main_cf, cases[i].own, said);
        scene_done(&scene);
    }
}

static void test_authorities(void **state)
{
    (void)state;
    for (int chroot = 0; chroot < 2; chroot++) {
        struct scene scene;
        struct postconf found = {
            "queue_directory = /queue\nsmtp_tls_CApath = /etc/ssl/certs\n",
            chroot ? "relay unix - - y - - smtp\n" : "relay unix - - n - - smtp\n", ""};
        scene_new(&scene);
        scene_routes(&scene, "a.example: [h.test] tls=verify\n");
        doctor_postfix(&scene.input, "/maps", &found, NULL, &scene.problems);
        assert_int_equal(strstr(scene_problems(&scene), "looks for smtp_tls_CApath") != NULL,
                         chroot);
        scene_done(&scene);
    }
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
        cmocka_unit_test(test_sockets),       cmocka_unit_test(test_mounted),
        cmocka_unit_test(test_postfix_waits), cmocka_unit_test(test_sendmail_waits),
        cmocka_unit_test(test_authorities),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_safe_folders),
    };
    return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
