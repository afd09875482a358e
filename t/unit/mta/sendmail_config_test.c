/* sendmail_config_test.c - the lines for Sendmail: each value at its edges. */
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

static const char *sendmail(void)
{
    strbuf_reset(&out);
    err = (struct err){0};
    return mtaconfig_sendmail(&scene.input, &options, &out, &err) ? strbuf_text(&out) : NULL;
}

static void assert_in(const char *part)
{
    const char *text = sendmail();
    assert_non_null(text);
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in\n%s", part, text);
}

static void test_sendmail_filter(void **state)
{
    (void)state;
    static const struct {
        const char *socket, *shown;
    } cases[] = {
        {"unix:/run/gatehouse/milter.sock", "S=unix:/run/gatehouse/milter.sock, F=T"},
        {"/run/m", "S=unix:/run/m, F=T"},
        {"inet:2500", "S=inet:2500@127.0.0.1, F=T"},
        {"inet:2500@0.0.0.0", "S=inet:2500@127.0.0.1, F=T"},
        {"inet:2500@mx.example.com", "S=inet:2500@mx.example.com, F=T"},
        {"inet6:2500@[2001:db8::1]", "S=inet6:2500@[2001:db8::1], F=T"},
        {"inet6:2500", "S=inet6:2500@[::1], F=T"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        scene.input.socket = cases[i].socket;
        assert_in(cases[i].shown);
    }
    static const char *const wrong[] = {"unix:m",    "inet:0",      "inet:x", "unix:/a b",
                                        "unix:/a'b", "inet:25@a,b", ""};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        scene.input.socket = wrong[i];
        assert_null(sendmail());
        assert_non_null(strstr(err.text, "cannot be written for Sendmail"));
    }
    scene.input.socket = "/m";
    options.folder = "gen";
    assert_null(sendmail());
}

static void test_sendmail_time(void **state)
{
    (void)state;
    scene.input.limits.command_deadline = 25000;
    assert_in("T=C:30s;S:30s;R:30s;E:30s')");
    scene.input.limits.command_deadline = 60001;
    assert_in("T=C:30s;S:66s;R:66s;E:66s')");
}

static void test_sendmail_mailers(void **state)
{
    (void)state;
    scene_routes(&scene, "a.example: 192.0.2.1:2525\nb.example: 192.0.2.1:2525\n"
                         "c.example: 192.0.2.1\n");
    assert_in("\nMrelay2525, P=[IPC], F=mDFMuXa8, S=EnvFromSMTP/HdrFromSMTP, R=MasqSMTP, E=\\r\\n, "
              "L=2040,\n\tT=DNS/RFC822/SMTP, A=TCP $h 2525\n\nLOCAL_CONFIG\n");
    assert_null(strstr(sendmail(), "devnull"));
    assert_null(strstr(sendmail(), "authinfo"));
    assert_null(strstr(sendmail(), "confCACERT"));
}

static void test_sendmail_services(void **state)
{
    (void)state;
    struct maps_listener *in = scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\n");
    in->daemon_name = "MTA";
    scene_listener(&scene, "six", "", "BLOCKED", NULL)->local_address = "2001:db8::1";
    scene_listener(&scene, "out", "", "BLOCKED", NULL)->local_port = 2525;
    assert_in("DAEMON_OPTIONS(`Name=MTA, Family=inet, Port=25')dnl\n");
    assert_in("Port=25')dnl\ndnl IPv4 only. If the host has IPv6, Family=inet6 accepts both.\n");
    assert_in("DAEMON_OPTIONS(`Name=six, Family=inet6, Addr=2001:db8::1, Port=25')dnl\n");
    assert_in("DAEMON_OPTIONS(`Name=out, Family=inet, Port=2525')dnl\n");
    in->local_address = "a'b";
    assert_null(sendmail());
}

static void test_sendmail_advice(void **state)
{
    (void)state;
    static const char greetings[] = "it is not\ndnl set where public listeners have several",
                      tls[] = "confSERVER_CERT", certificates[] = "Client certificates";
    struct policy all = *policies_find(scene.policies, "ACCEPTED");
    struct hat *hat = hat_build(NULL, 0, &all, &scene.problems);
    struct maps_listener listeners[2] = {{.name = "a", .daemon_name = "", .local_address = ""},
                                         {.name = "b", .daemon_name = "", .local_address = ""}};
    assert_non_null(hat);
    struct hat *plain = scene_hat(&scene, "", "ACCEPTED");
    listeners[0].hat = plain;
    listeners[1].hat = hat;
    scene.input.listeners = listeners;
    scene.input.nlisteners = 2;
    assert_null(strstr(sendmail(), greetings));
    assert_null(strstr(sendmail(), tls));
    all.keys.banner_hostname = "front.example";
    assert_in(greetings);
    all.keys.tls = POLICY_REQUIRED;
    assert_in(tls);
    assert_null(strstr(sendmail(), certificates));
    all.keys.tls_verify_client = true;
    assert_in(certificates);
    hat_free(hat);
    hat_free(plain);
}

static void test_sendmail_banner(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *line; /* NULL: not written */
    } cases[] = {
        {"No spam, (please) 100%", "auto", "``$j No spam, (please) 100%'')dnl\n"},
        {"", "front.example", "``front.example'')dnl\n"},
        {"dnl syscmd(rm)", "front.example", "``front.example dnl syscmd(rm)'')dnl\n"},
        {"No spam", "", "``No spam'')dnl\n"},
        {"", "", NULL},
        {"it's", "auto", NULL},
        {"a `b", "auto", NULL},
        {"hi $Group", "auto", NULL},
        {"n\xc3\xb6", "auto", NULL},
        {"one\ntwo", "auto", NULL},
        {"", "a b", NULL},
        {"", "$j", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy all = *policies_find(scene.policies, "ACCEPTED"), other = all;
        struct hat *hats[] = {hat_build(NULL, 0, &all, &scene.problems),
                              hat_build(NULL, 0, &all, &scene.problems),
                              hat_build(NULL, 0, &other, &scene.problems)};
        struct maps_listener listeners[3];
        for (size_t j = 0; j < 3; j++)
            listeners[j] = (struct maps_listener){
                .name = "a", .daemon_name = "", .local_address = "", .hat = hats[j]};
        listeners[2].private = true;
        scene.input.listeners = listeners;
        scene.input.nlisteners = 3;
        assert_null(strstr(sendmail(), "confSMTP_LOGIN_MSG"));
        all.keys.banner_text = cases[i].text;
        all.keys.banner_hostname = cases[i].host;
        if (cases[i].line != NULL)
            assert_in(cases[i].line);
        else
            assert_null(strstr(sendmail(), "define(`confSMTP_LOGIN_MSG"));
        listeners[2].private = false; /* a public one that greets otherwise */
        assert_null(strstr(sendmail(), "define(`confSMTP_LOGIN_MSG"));
        for (size_t j = 0; j < 3; j++)
            hat_free(hats[j]);
    }
}

static void test_sendmail_auth(void **state)
{
    (void)state;
    static const char in_tls[] = "define(`confAUTH_OPTIONS', `A p')dnl\n";
    struct policy all = *policies_find(scene.policies, "ACCEPTED");
    struct hat *hat = hat_build(NULL, 0, &all, &scene.problems);
    struct maps_listener listener = {
        .name = "a", .daemon_name = "", .local_address = "", .hat = hat};
    scene.input.listeners = &listener;
    scene.input.nlisteners = 1;
    assert_in("define(`confAUTH_MECHANISMS', `SCRAM-SHA-256 ");
    assert_in(in_tls);
    assert_null(strstr(sendmail(), "confSERVER_CERT"));
    all.keys.auth = POLICY_REQUIRED;
    assert_in("confSERVER_CERT");
    all.keys.auth_requires_tls = false;
    assert_null(strstr(sendmail(), in_tls));
    assert_in("offered in clear at each of them");
    assert_null(strstr(sendmail(), "confSERVER_CERT"));
    all.keys.auth = POLICY_OFF;
    assert_in(in_tls);
    hat_free(hat);
}

/* Where Gatehouse refuses nobody, Sendmail goes on to. */
static void test_sendmail_monitor(void **state)
{
    (void)state;
    static const char *const relaxed[] = {
        "accept_unresolvable_domains", "accept_unqualified_senders", "No domain of a RAT may be"};
    for (size_t i = 0; i < ARRAY_LEN(relaxed); i++)
        assert_in(relaxed[i]);
    scene.input.monitor = true;
    for (size_t i = 0; i < ARRAY_LEN(relaxed); i++)
        assert_null(strstr(sendmail(), relaxed[i]));
}

static void test_sendmail_limits(void **state)
{
    (void)state;
    scene.input.limits = (struct maps_limits){.max_message_size = 1000,
                                              .max_recipients = 50,
                                              .max_connections_ip = 10,
                                              .max_invalid = 60,
                                              .command_deadline = 1000};
    assert_in("define(`confMAX_MESSAGE_SIZE', `66536')dnl\n"
              "define(`confMAX_RCPTS_PER_MESSAGE', `50')dnl\n"
              "define(`confBAD_RCPT_THROTTLE', `60')dnl\n");
    scene.input.limits.max_message_size = KEY_NO_LIMIT;
    scene.input.limits.max_recipients = KEY_NO_LIMIT;
    assert_in("define(`confMAX_MESSAGE_SIZE', `0')dnl\n"
              "define(`confMAX_RCPTS_PER_MESSAGE', `0')dnl\n"
              "define(`confBAD_RCPT_THROTTLE', `0')dnl\n");
}

static int set_up(void **state)
{
    (void)state;
    scene_new(&scene);
    strbuf_init(&out);
    options = (struct mtaconfig_options){.folder = "/etc/mail/gen", .type = "hash"};
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
        TEST(test_sendmail_filter),   TEST(test_sendmail_time),    TEST(test_sendmail_mailers),
        TEST(test_sendmail_services), TEST(test_sendmail_advice),  TEST(test_sendmail_banner),
        TEST(test_sendmail_auth),     TEST(test_sendmail_monitor), TEST(test_sendmail_limits),
    };
    return cmocka_run_group_tests_name("sendmail_config", tests, NULL, NULL);
}
