/* mtaconfig_test.c - the lines for Postfix, whole once, and each value at its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/mta/mtaconfig.h"
#include "t/unit/mta/tables.h"

static struct scene scene;
static struct strbuf out;
static struct err err;
static struct mtaconfig_options options;

/* The text without comments and empty lines. */
static const char *config(void)
{
    struct strbuf raw;
    strbuf_init(&raw);
    strbuf_reset(&out);
    err = (struct err){0};
    if (!mtaconfig_postfix(&scene.input, &options, &raw, &err)) {
        strbuf_done(&raw);
        return NULL;
    }
    for (const char *line = raw.p; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t n = strcspn(line, "\n");
        if (n > 0 && line[strspn(line, " ")] != '#')
            strbuf_printf(&out, "%.*s\n", (int)n, line);
    }
    strbuf_done(&raw);
    return strbuf_text(&out);
}

static void assert_line(const char *line)
{
    const char *text = config();
    assert_non_null(text);
    const char *found = strstr(text, line);
    if (found == NULL || found[strlen(line)] != '\n' || (found > text && found[-1] != '\n'))
        fail_msg("no line \"%s\" in\n%s", line, text);
}

static void assert_no_line(const char *part)
{
    const char *text = config();
    assert_non_null(text);
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" in\n%s", part, text);
}

static void test_whole(void **state)
{
    (void)state;
    struct maps_listener *in = scene_listener(&scene, "inbound", "BAD TCPREFUSE 192.0.2.1",
                                              "ACCEPTED", "a.example ACCEPT\n");
    in->daemon_name = "inside";
    in->local_address = "192.0.2.25";
    struct maps_listener *out_side = scene_listener(&scene, "out", "", "BLOCKED", NULL);
    out_side->local_port = 2525;
    scene_routes(&scene, "a.example: [h.test] tls=encrypt\n");
    assert_string_equal(
        config(),
        "smtpd_milters = { unix:/run/gatehouse/milter.sock, command_timeout=30s, "
        "content_timeout=30s, default_action=tempfail }\n"
        "milter_protocol = 6\n"
        "milter_default_action = tempfail\n"
        "transport_maps = lmdb:/etc/postfix/gen/transport\n"
        "smtp_tls_policy_maps = lmdb:/etc/postfix/gen/tls_policy\n"
        "relay_domains = lmdb:/etc/postfix/gen/relay_domains\n"
        "relay_recipient_maps =\n"
        "mydestination =\n"
        "parent_domain_matches_subdomains = debug_peer_list, fast_flush_domains, mynetworks,\n"
        "    permit_mx_backup_networks, qmqpd_authorized_clients, smtpd_access_maps\n"
        "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated,\n"
        "    reject_unauth_destination\n"
        "message_size_limit = 11063296\n"
        "smtpd_recipient_limit = 1000\n"
        "smtpd_client_connection_count_limit = 50\n"
        "default_process_limit = 300\n"
        "smtpd_soft_error_limit = 50\n"
        "smtpd_hard_error_limit = 60\n"
        "smtpd_error_sleep_time = 1s\n"
        "192.0.2.25:25 inet n - n - - smtpd\n"
        "    -o { milter_macro_daemon_name = inside }\n"
        "    -o smtpd_tls_auth_only=yes\n"
        "    -o smtpd_delay_reject=no\n"
        "    -o { smtpd_client_restrictions = check_client_access "
        "cidr:/etc/postfix/gen/refused_clients.inbound }\n"
        "    -o { smtpd_relay_restrictions = check_client_access "
        "cidr:/etc/postfix/gen/relay_clients.inbound,\n"
        "         permit_sasl_authenticated, reject_unauth_destination }\n"
        "2525 inet n - n - - smtpd\n"
        "    -o smtpd_tls_auth_only=yes\n"
        "    -o smtpd_delay_reject=no\n"
        "    -o { smtpd_client_restrictions = check_client_access "
        "cidr:/etc/postfix/gen/refused_clients.out }\n"
        "    -o { smtpd_relay_restrictions = check_client_access "
        "cidr:/etc/postfix/gen/relay_clients.out,\n"
        "         permit_sasl_authenticated, reject_unauth_destination }\n");
}

static void test_sockets(void **state)
{
    (void)state;
    static const struct {
        const char *socket, *shown;
        char chroot;
    } cases[] = {
        {"unix:/var/spool/postfix/gatehouse/milter.sock", "unix:gatehouse/milter.sock", 'y'},
        {"local:/var/spool/postfix//m", "unix:m", 'y'},
        {"/var/spool/postfix2/m", "unix:/var/spool/postfix2/m", 'n'},
        {"unix:/run/m", "unix:/run/m", 'n'},
        {"inet:8891@127.0.0.1", "inet:127.0.0.1:8891", 'y'},
        {"inet:8891@localhost", "inet:localhost:8891", 'y'},
        {"inet:8891", "inet:127.0.0.1:8891", 'y'},
        {"inet:8891@0.0.0.0", "inet:127.0.0.1:8891", 'y'},
        {"inet6:8891@::1", "inet:[::1]:8891", 'y'},
        {"inet6:8891@[2001:db8::1]", "inet:[2001:db8::1]:8891", 'y'},
        {"inet6:65535", "inet:[::1]:65535", 'y'},
        {"inet6:1@[::]", "inet:[::1]:1", 'y'},
    };
    scene_listener(&scene, "in", "", "ACCEPTED", NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[200];
        scene.input.socket = cases[i].socket;
        snprintf(line, sizeof line,
                 "smtpd_milters = { %s, command_timeout=30s, content_timeout=30s, "
                 "default_action=tempfail }",
                 cases[i].shown);
        assert_line(line);
        snprintf(line, sizeof line, "smtp inet n - %c - - smtpd", cases[i].chroot);
        assert_line(line);
    }
}

static void test_wrong_sockets(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",      "unix:",          "unix:relative", "relative", "unix:/a b",   "unix:/a,b",
        "inet:", "inet:0@h",       "inet:65536@h",  "inet:x@h", "inet:25@a b", "inet:25@h}",
        "fd:3",  "unix:/var/$x/y", "inet:25@\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        scene.input.socket = wrong[i];
        if (config() != NULL)
            fail_msg("%s", wrong[i]);
        assert_non_null(strstr(err.text, "socket"));
    }
}

static void test_wrong_paths(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "gen", "/a b", "/a,b", "/a{b", "/a$b", "/a\tb", "/a#b"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        options.folder = wrong[i];
        assert_null(config());
        assert_non_null(strstr(err.text, "output folder"));
    }
    options.folder = "/ok";
    options.queue_directory = "relative";
    assert_null(config());
    options.queue_directory = "/q";
    assert_non_null(config());
    scene_listener(&scene, "in", "", "ACCEPTED", NULL)->daemon_name = "a } b";
    assert_null(config());
}

static void test_verify(void **state)
{
    (void)state;
    scene_routes(&scene, "a.example: [h.test] tls=encrypt\n");
    assert_no_line("smtp_tls_CAfile");
    scene_routes(&scene, "a.example: [h.test] tls=verify\n");
    assert_line("smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt");
}

static void test_time_out(void **state)
{
    (void)state;
    static const struct {
        int64_t deadline;
        const char *part;
    } cases[] = {{1000, " command_timeout=30s, content_timeout=30s,"},
                 {25000, " command_timeout=30s, content_timeout=30s,"},
                 {25001, " command_timeout=31s, content_timeout=31s,"},
                 {600000, " command_timeout=605s, content_timeout=605s,"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        scene.input.limits.command_deadline = cases[i].deadline;
        assert_non_null(strstr(config(), cases[i].part));
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct maps_limits *limits = &scene.input.limits;
    *limits = (struct maps_limits){.max_message_size = 104857600,
                                   .max_recipients = 2000,
                                   .max_connections_ip = 1000,
                                   .max_invalid = 5000,
                                   .command_deadline = 25000};
    assert_line("message_size_limit = 105947136");
    assert_line("mailbox_size_limit = 0");
    assert_line("virtual_mailbox_limit = 0");
    assert_line("smtpd_recipient_limit = 2000");
    assert_line("smtpd_client_connection_count_limit = 1000");
    assert_line("default_process_limit = 1000");
    assert_line("smtpd_soft_error_limit = 5000");
    assert_line("smtpd_hard_error_limit = 5010");

    *limits = (struct maps_limits){.max_message_size = 1024,
                                   .max_recipients = 1,
                                   .max_connections_ip = 1,
                                   .max_invalid = 0,
                                   .command_deadline = 1000};
    assert_line("message_size_limit = 10240000");
    assert_no_line("mailbox");
    assert_line("smtpd_client_connection_count_limit = 50");
    assert_line("default_process_limit = 100");
    assert_line("smtpd_hard_error_limit = 30");
}

static void test_no_limits(void **state)
{
    (void)state;
    scene.input.limits = (struct maps_limits){.max_message_size = KEY_ANY_MAX,
                                              .max_recipients = KEY_ANY_MAX,
                                              .max_connections_ip = KEY_NO_LIMIT,
                                              .max_invalid = KEY_ANY_MAX,
                                              .command_deadline = 1000};
    assert_line("message_size_limit = 0");
    assert_line("mailbox_size_limit = 0");
    assert_line("smtpd_recipient_limit = 2147483647");
    assert_line("smtpd_client_connection_count_limit = 0");
    assert_line("default_process_limit = 100");
    assert_line("smtpd_soft_error_limit = 1073741823");
    assert_line("smtpd_hard_error_limit = 1073741833");
}

static void test_services(void **state)
{
    (void)state;
    struct maps_listener *one = scene_listener(&scene, "one", "", "ACCEPTED", NULL);
    one->local_address = "2001:db8::25";
    one->local_port = 587;
    struct maps_listener *two = scene_listener(&scene, "two", "", "ACCEPTED", NULL);
    two->local_port = 25;
    scene_listener(&scene, "three", "", "ACCEPTED", NULL);
    scene.input.transport = "gateway";
    assert_line("[2001:db8::25]:587 inet n - n - - smtpd");
    assert_line("25 inet n - n - - smtpd");
    assert_line("gateway unix - - y - - smtp");
    struct strbuf raw;
    strbuf_init(&raw);
    assert_true(mtaconfig_postfix(&scene.input, &options, &raw, &err));
    assert_non_null(strstr(raw.p, "# The same address and port as [listener two]: "));
    assert_null(strstr(raw.p, "# The same address and port as [listener one]: "));
    strbuf_done(&raw);
}

static void test_banner(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *line;
    } cases[] = {
        {"", "auto", NULL},
        {"", "", "    -o { smtpd_banner = ESMTP }"},
        {"hi", "", "    -o { smtpd_banner = ESMTP hi }"},
        {"one\ntwo", "auto", NULL},
        {"No spam here", "Auto", "    -o { smtpd_banner = $myhostname ESMTP No spam here }"},
        {"", "mx.example", "    -o { smtpd_banner = mx.example ESMTP }"},
        {"hi", "mx.example", "    -o { smtpd_banner = mx.example ESMTP hi }"},
        {"hi $Group", "mx.example", NULL},
        {"hi }", "auto", NULL},
        {"", "mx example", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy policy = *policies_find(scene.policies, "ACCEPTED");
        policy.keys.banner_text = cases[i].text;
        policy.keys.banner_hostname = cases[i].host;
        struct hat *hat = hat_build(NULL, 0, &policy, &scene.problems);
        struct maps_listener listener = {
            .name = "in", .daemon_name = "", .local_address = "", .max_connections = 1, .hat = hat};
        scene.input.listeners = &listener;
        scene.input.nlisteners = 1;
        if (cases[i].line != NULL)
            assert_line(cases[i].line);
        else
            assert_no_line("smtpd_banner");
        hat_free(hat);
    }
}

/* The whole text of one listener, comments included. */
static const char *raw_lines(const struct hat_group *groups, size_t n,
                             const struct policy *fallback)
{
    struct hat *hat = hat_build(groups, n, fallback, &scene.problems);
    struct maps_listener listener = {
        .name = "in", .daemon_name = "", .local_address = "", .max_connections = 1, .hat = hat};
    assert_non_null(hat);
    scene.input.listeners = &listener;
    scene.input.nlisteners = 1;
    strbuf_reset(&out);
    assert_true(mtaconfig_postfix(&scene.input, &options, &out, &err));
    hat_free(hat);
    return strbuf_text(&out);
}

static void test_other_banners(void **state)
{
    (void)state;
    static const char other[] = "the greeting is that of ALL", code[] = "banner_code 250";
    struct policy all = *policies_find(scene.policies, "ACCEPTED"), group = all;
    struct hat_group groups[] = {{.name = "G", .policy = &group}};

    const char *text = raw_lines(groups, 1, &all);
    assert_null(strstr(text, other));
    assert_null(strstr(text, code));
    all.keys.banner_text = group.keys.banner_text = "hi";
    assert_null(strstr(raw_lines(groups, 1, &all), other));
    group.keys.banner_text = "ho";
    text = raw_lines(groups, 1, &all);
    assert_non_null(strstr(text, other));
    assert_non_null(strstr(text, "-o { smtpd_banner = $myhostname ESMTP hi }"));
    group.keys.access = POLICY_REJECT;
    assert_null(strstr(raw_lines(groups, 1, &all), other));
    all.keys.banner_code = 250;
    assert_non_null(strstr(raw_lines(groups, 1, &all), code));
}

static void test_security(void **state)
{
    (void)state;
    static const struct {
        enum policy_need tls;
        bool verify, safe_auth; /* of the group; ALL has no TLS */
        bool everywhere;        /* ALL has the same */
        bool offered, asked, auth_only;
        enum policy_need auth;
    } cases[] = {
        {POLICY_OFF, false, true, true, false, false, true, POLICY_PREFERRED},
        {POLICY_OFF, true, true, true, false, false, true, POLICY_PREFERRED},
        {POLICY_OFF, false, true, false, true, false, true, POLICY_REQUIRED},
        {POLICY_OFF, false, false, false, false, false, false, POLICY_REQUIRED},
        {POLICY_OFF, false, false, false, false, false, true, POLICY_OFF},
        {POLICY_PREFERRED, true, true, false, true, false, true, POLICY_PREFERRED},
        {POLICY_PREFERRED, false, true, true, true, false, true, POLICY_PREFERRED},
        {POLICY_PREFERRED, false, false, true, true, false, false, POLICY_PREFERRED},
        {POLICY_PREFERRED, false, false, false, true, false, false, POLICY_PREFERRED},
        {POLICY_REQUIRED, false, true, false, true, false, true, POLICY_PREFERRED},
        {POLICY_REQUIRED, true, true, false, true, true, true, POLICY_PREFERRED},
        {POLICY_REQUIRED, true, true, true, true, true, true, POLICY_PREFERRED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy all = *policies_find(scene.policies, "ACCEPTED"), group = all;
        struct policy passed = all;
        struct hat_group groups[] = {{.name = "P", .policy = &passed},
                                     {.name = "G", .policy = &group}};
        passed.keys.access = POLICY_CONTINUE;
        group.keys.tls = (int)cases[i].tls;
        group.keys.tls_verify_client = cases[i].verify;
        group.keys.auth_requires_tls = cases[i].safe_auth;
        group.keys.auth = (int)cases[i].auth;
        if (cases[i].everywhere)
            all.keys = group.keys;
        const char *text = raw_lines(groups, 2, &all);
        assert_int_equal(strstr(text, "-o smtpd_tls_security_level=may\n") != NULL,
                         cases[i].offered);
        assert_int_equal(strstr(text, "smtpd_tls_chain_files") != NULL, cases[i].offered);
        assert_int_equal(strstr(text, "-o smtpd_tls_ask_ccert=yes\n") != NULL, cases[i].asked);
        assert_int_equal(strstr(text, "smtpd_tls_CAfile") != NULL, cases[i].asked);
        assert_int_equal(strstr(text, "-o smtpd_tls_auth_only=yes\n") != NULL, cases[i].auth_only);
        assert_int_equal(strstr(text, "no AUTH is offered here") != NULL,
                         cases[i].auth_only && !cases[i].offered);
    }
}

/* Where Gatehouse refuses nobody, Postfix goes on to. */
static void test_monitor(void **state)
{
    (void)state;
    static const char *const relaxed[] = {"relay_recipient_maps", "mydestination ="};
    scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\n");
    for (size_t i = 0; i < ARRAY_LEN(relaxed); i++)
        assert_non_null(strstr(config(), relaxed[i]));
    scene.input.monitor = true;
    for (size_t i = 0; i < ARRAY_LEN(relaxed); i++)
        assert_no_line(relaxed[i]);
    assert_line("relay_domains = lmdb:/etc/postfix/gen/relay_domains");
}

static int set_up(void **state)
{
    (void)state;
    scene_new(&scene);
    strbuf_init(&out);
    options = (struct mtaconfig_options){
        .folder = "/etc/postfix/gen", .type = "lmdb", .queue_directory = "/var/spool/postfix"};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scene_done(&scene);
    strbuf_done(&out);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole),    TEST(test_sockets),  TEST(test_wrong_sockets), TEST(test_wrong_paths),
        TEST(test_verify),   TEST(test_time_out), TEST(test_limits),        TEST(test_no_limits),
        TEST(test_services), TEST(test_banner),   TEST(test_other_banners), TEST(test_security),
        TEST(test_monitor),
    };
    return cmocka_run_group_tests_name("mtaconfig", tests, NULL, NULL);
}
