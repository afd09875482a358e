/* sendmail_maps_test.c - Sendmail's maps by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/mta/sendmail_maps.h"
#include "t/unit/mta/tables.h"

static struct scene scene;
static struct maps maps;

static int setup(void **state)
{
    (void)state;
    scene_new(&scene);
    maps_init(&maps);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    maps_done(&maps);
    scene_done(&scene);
    return 0;
}

static const struct maps_file *find(const char *name)
{
    for (size_t i = 0; i < maps.count; i++)
        if (strcmp(maps.list[i].name, name) == 0)
            return &maps.list[i];
    return NULL;
}

static void assert_file(const char *name, const char *expected)
{
    const struct maps_file *file = find(name);
    if (file == NULL)
        fail_msg("no %s", name);
    const char *text = strbuf_text(&file->content);
    assert_memory_equal(text, MAPS_HEADING, strlen(MAPS_HEADING));
    assert_string_equal(text + strlen(MAPS_HEADING), expected);
}

static void test_routes(void **state)
{
    (void)state;
    scene_routes(&scene, "one.example: 192.0.2.1\n"
                         "six.example: [2001:db8::1]:2525\n"
                         "mx.example: hub.example.net, [hub2.example.net]\n"
                         ".below.example: two.test/pri=20, [one.test]/pri=10, 192.0.2.3/pri=30\n"
                         "ports.example: 192.0.2.1:26, [h.test]:26\n"
                         "dns.example: USEDNS\n"
                         ".dns.example: USEDNS\n"
                         "hole.example: /dev/null\n"
                         "xn--mnchen-3ya.example: 192.0.2.9\n"
                         "ALL: USEDNS\n");
    assert_true(sendmail_maps_build(&scene.input, &maps));
    assert_int_equal(maps.count, 4);
    assert_true(find("authinfo")->if_there);
    assert_file("mailertable", ".\trelay:%1\n"
                               ".below.example\trelay:[one.test]:two.test:[192.0.2.3]\n"
                               ".dns.example\trelay:%1.dns.example\n"
                               "dns.example\trelay:dns.example\n"
                               "hole.example\tdevnull:devnull\n"
                               "mx.example\trelay:hub.example.net:[hub2.example.net]\n"
                               "m\xc3\xbcnchen.example\trelay:[192.0.2.9]\n"
                               "one.example\trelay:[192.0.2.1]\n"
                               "ports.example\trelay26:[192.0.2.1]:[h.test]\n"
                               "six.example\trelay2525:[IPv6:2001:db8::1]\n"
                               "xn--mnchen-3ya.example\trelay:[192.0.2.9]\n");
    assert_file("relay-domains", "");
    assert_file("access", "");
}

static void test_default(void **state)
{
    (void)state;
    scene_routes(&scene, "ALL:\n");
    assert_true(sendmail_maps_build(&scene.input, &maps));
    assert_file("mailertable", "");
}

static void test_clients(void **state)
{
    (void)state;
    struct maps_listener *in = scene_listener(
        &scene, "in", "BAD TCPREFUSE 192.0.2.255-192.0.3.1; LAN RELAY 10. 2001:db8::/31",
        "ACCEPTED", "a.example, .b.example ACCEPT\nx.b.example REJECT\n[192.0.2.1] ACCEPT\n");
    in->daemon_name = "MTA-In";
    scene_listener(&scene, "out", "- REJECT 10.1.2.3; LAN RELAY 10.1.2. 10.1.3.0-10.1.4.1",
                   "BLOCKED", NULL);
    assert_true(sendmail_maps_build(&scene.input, &maps));
    const struct maps_file *access = find("access");
    const char *text = strbuf_text(&access->content) + strlen(MAPS_HEADING);
    assert_ptr_equal(strstr(text, "gatehouserefuse:mta-in:192.0.2.255\tREFUSE\n"
                                  "gatehouserefuse:mta-in:192.0.3.0\tREFUSE\n"
                                  "gatehouserefuse:mta-in:192.0.3.1\tREFUSE\n"
                                  "gatehouserelay:mta-in:10\tOK\n"
                                  "gatehouserelay:mta-in:ipv6:2001:db8\tOK\n"
                                  "gatehouserelay:mta-in:ipv6:2001:db9\tOK\n"
                                  "gatehouserelay:out:10.1.2.0\tOK\n"),
                     text);
    assert_null(strstr(text, "10.1.2.3\t"));
    static const char *const keys[] = {"10.1.2.4", "10.1.2.255", "10.1.3", "10.1.4.0", "10.1.4.1"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        char line[64];
        snprintf(line, sizeof line, "\ngatehouserelay:out:%s\tOK\n", keys[i]);
        if (strstr(text, line) == NULL)
            fail_msg("no %s", line);
    }
    assert_null(strstr(text, "out:10.1.4.2\t"));
    assert_file("relay-domains", ".b.example\n[192.0.2.1]\na.example\n");
    assert_true(find("relay-domains")->reload && !find("relay-domains")->compile);
    assert_true(access->compile && !access->reload);
}

static void test_everybody(void **state)
{
    (void)state;
    scene_listener(&scene, "out", "LAN RELAY 0.0.0.0/0 ::/0", "BLOCKED", NULL);
    assert_true(sendmail_maps_build(&scene.input, &maps));
    const char *text = strbuf_text(&find("access")->content) + strlen(MAPS_HEADING);
    size_t lines = 0;
    for (const char *p = text; *p != '\0'; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 257);
    assert_non_null(strstr(text, "gatehouserelay:out:0\tOK\n"));
    assert_non_null(strstr(text, "gatehouserelay:out:255\tOK\n"));
    assert_non_null(strstr(text, "gatehouserelay:out:ipv6\tOK\n"));
}

/* Relay clients made so at run time; others of that sort stay out. */
static void test_blocks(void **state)
{
    (void)state;
    struct maps_listener *in = scene_listener(&scene, "in", "LAN RELAY 10.", "ACCEPTED", NULL);
    struct hat *made = scene_hat(
        &scene, "- REJECT 192.0.2.1; - RELAY 192.0.2.0/31; - TCPREFUSE 192.0.2.7", "ACCEPTED");
    in->blocks = made;
    assert_true(sendmail_maps_build(&scene.input, &maps));
    assert_file("access", "gatehouserelay:in:10\tOK\ngatehouserelay:in:192.0.2.0\tOK\n");
    hat_free(made);
}

static void test_monitor(void **state)
{
    (void)state;
    scene.input.monitor = true;
    scene_listener(&scene, "in", "BAD TCPREFUSE 192.0.2.1; LAN RELAY 10.", "ACCEPTED", NULL);
    assert_true(sendmail_maps_build(&scene.input, &maps));
    assert_file("access", "gatehouserelay:in:10\tOK\n");
}

/* Every key has its other form, or a shorter one would mean too much. */
static void test_tls(void **state)
{
    (void)state;
    scene_routes(&scene, "a.example: [h.test] tls=encrypt\n"
                         ".a.example: [h.test]\n"
                         "b.example: [h.test] tls=verify\n"
                         "x.b.example: [g.test] tls=none\n"
                         ".c.example: 192.0.2.1 tls=encrypt\n"
                         "ALL: [out.test] tls=encrypt\n");
    assert_true(sendmail_maps_build(&scene.input, &maps));
    assert_file("access", "tls_rcpt:\tENCR:112\n"
                          "tls_rcpt:.a.example\tSKIP\n"
                          "tls_rcpt:.b.example\tENCR:112\n"
                          "tls_rcpt:.c.example\tENCR:112\n"
                          "tls_rcpt:.x.b.example\tENCR:112\n"
                          "tls_rcpt:a.example\tENCR:112\n"
                          "tls_rcpt:b.example\tVERIFY:112\n"
                          "tls_rcpt:c.example\tENCR:112\n"
                          "tls_rcpt:x.b.example\tSKIP\n"
                          "try_tls:g.test\tNO\n");
}

static void test_credentials(void **state)
{
    (void)state;
    static const struct maps_auth auths[] = {{"one", "joe", "s"}, {"two", "jo", "a \"b\":c"}};
    scene.input.auths = auths;
    scene.input.nauths = 2;
    scene_routes(&scene, "a.example: [h.test]:587, [2001:db8::1]:587 auth=one\n"
                         "b.example: 192.0.2.1 auth=two\n");
    assert_true(sendmail_maps_build(&scene.input, &maps));
#define MECHANISMS "\"M:SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5 CRAM-MD5 PLAIN LOGIN\"\n"
    assert_file("authinfo",
                "authinfo:192.0.2.1\t\"U=am8=\" \"I=am8=\" \"P=YSAiYiI6Yw==\" " MECHANISMS
                "authinfo:h.test\t\"U=am9l\" \"I=am9l\" \"P=cw==\" " MECHANISMS
                "authinfo:ipv6:2001:db8:0:0:0:0:0:1\t\"U=am9l\" \"I=am9l\" \"P=cw==\" " MECHANISMS);
    assert_int_equal(find("authinfo")->mode, 0600);
    assert_false(find("authinfo")->if_there);
    assert_file("access", "tls_rcpt:.a.example\tSKIP\n"
                          "tls_rcpt:.b.example\tSKIP\n"
                          "tls_rcpt:a.example\tENCR:112\n"
                          "tls_rcpt:b.example\tENCR:112\n"
                          "tls_srv:192.0.2.1\tENCR:112\n"
                          "tls_srv:h.test\tENCR:112\n"
                          "tls_srv:ipv6:2001:db8:0:0:0:0:0:1\tENCR:112\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_routes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_default, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(test_everybody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_monitor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_credentials, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
