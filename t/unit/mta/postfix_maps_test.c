/* postfix_maps_test.c - Postfix's maps by hand, and a million routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/base/mono.h"
#include "lib/mta/postfix_maps.h"
#include "t/unit/mta/tables.h"

#define HEADING "# Written by gatehousectl maps; a change made here is lost at its next run.\n"

static const struct maps_file *find(const struct maps *maps, const char *name)
{
    for (size_t i = 0; i < maps->count; i++)
        if (strcmp(maps->list[i].name, name) == 0)
            return &maps->list[i];
    return NULL;
}

static void assert_file(const struct maps *maps, const char *name, const char *expected)
{
    const struct maps_file *file = find(maps, name);
    if (file == NULL)
        fail_msg("no %s", name);
    const char *text = strbuf_text(&file->content);
    assert_memory_equal(text, HEADING, strlen(HEADING));
    assert_string_equal(text + strlen(HEADING), expected);
}

static void test_routes(void **state)
{
    (void)state;
    struct scene scene;
    struct maps maps;
    scene_new(&scene);
    maps_init(&maps);
    scene_routes(&scene, "one.example: 192.0.2.1\n"
                         "six.example: [2001:db8::1]:2525\n"
                         "mx.example: hub.example.net, hub2.example.net:26\n"
                         "a.example: [hub.example.net]:587\n"
                         ".below.example: two.test/pri=20, [one.test]:24/pri=10, 192.0.2.3/pri=30\n"
                         "dns.example: USEDNS\n"
                         "hole.example: /dev/null\n"
                         "xn--mnchen-3ya.example: 192.0.2.9\n"
                         "ALL: [out.example.net]\n");
    assert_true(postfix_maps_build(&scene.input, &maps));
    assert_int_equal(maps.count, 4);
    assert_true(find(&maps, "tls_policy")->if_there && find(&maps, "sasl_passwd")->if_there);
    assert_false(find(&maps, "transport")->if_there);
    assert_file(&maps, "transport",
                "*\trelay:[out.example.net]:25\n"
                ".below.example\trelay:[one.test]:24, two.test:25, [192.0.2.3]:25\n"
                "a.example\trelay:[hub.example.net]:587\n"
                "dns.example\trelay:\n"
                "hole.example\tdiscard:\n"
                "mx.example\trelay:hub.example.net:25, hub2.example.net:26\n"
                "m\xc3\xbcnchen.example\trelay:[192.0.2.9]:25\n"
                "one.example\trelay:[192.0.2.1]:25\n"
                "six.example\trelay:[2001:db8::1]:2525\n"
                "xn--mnchen-3ya.example\trelay:[192.0.2.9]:25\n");
    assert_file(&maps, "relay_domains", "");
    maps_done(&maps);
    scene_done(&scene);
}

/* ALL: with nothing is what Postfix does anyway; the order written is none of its business. */
static void test_defaults_and_order(void **state)
{
    (void)state;
    static const struct {
        const char *routes, *expected;
    } cases[] = {
        {"ALL:\nb.example: USEDNS\na.example: USEDNS\n", "a.example\tsmtp:\nb.example\tsmtp:\n"},
        {"a.example: USEDNS\nb.example: USEDNS\n", "a.example\tsmtp:\nb.example\tsmtp:\n"},
        {"ALL: USEDNS\n", "*\tsmtp:\n"},
        {"ALL: /dev/null\n", "*\tdiscard:\n"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene scene;
        struct maps maps;
        scene_new(&scene);
        maps_init(&maps);
        scene.input.transport = "smtp";
        scene_routes(&scene, cases[i].routes);
        assert_true(postfix_maps_build(&scene.input, &maps));
        assert_file(&maps, "transport", cases[i].expected);
        maps_done(&maps);
        scene_done(&scene);
    }
}

static void test_tls_policy(void **state)
{
    (void)state;
    struct scene scene;
    struct maps maps;
    scene_new(&scene);
    maps_init(&maps);
    scene_routes(&scene, "a.example: [h.test]:587, mx.test tls=encrypt\n"
                         "b.example: [h.test]:587 tls=verify\n"
                         "c.example: [h.test]:587 tls=may\n"
                         ".d.example: USEDNS tls=none\n"
                         "f.example: 192.0.2.1\n"
                         "g.example: 192.0.2.2 auth=smart\n"
                         "h.example: 192.0.2.3 auth=smart tls=none\n"
                         "ALL: USEDNS tls=encrypt\n");
    assert_true(maps_have_tls(scene.routes));
    assert_true(postfix_maps_build(&scene.input, &maps));
    assert_file(&maps, "tls_policy",
                ".d.example\tnone\n[192.0.2.2]:25\tencrypt\n[192.0.2.3]:25\tencrypt\n[h.test]:"
                "587\tverify\nmx.test:25\tencrypt\n");
    assert_true(find(&maps, "tls_policy")->compile && !find(&maps, "tls_policy")->if_there);
    maps_done(&maps);
    scene_done(&scene);
}

struct rat_case {
    const char *rat, *domains;
};

static const struct rat_case rat_cases[] = {
    {"example.com ACCEPT\n.example.com ACCEPT\n", ".example.com\tOK\nexample.com\tOK\n"},
    {"bad.example REJECT\nok.example ACCEPT\nALL REJECT\n", "ok.example\tOK\n"},
    /* One user accepted: Postfix must let the domain through. */
    {"user@example.com ACCEPT\nexample.com REJECT\n", "example.com\tOK\n"},
    {"postmaster@ ACCEPT\nexample.com ACCEPT\n", "example.com\tOK\n"},
    {"u@[192.0.2.1] ACCEPT\n[192.0.2.2] ACCEPT\n[IPv6:2001:db8::1] ACCEPT\n",
     "[192.0.2.1]\tOK\n[192.0.2.2]\tOK\n[ipv6:2001:db8::1]\tOK\n"},
    /* First match wins: behind its refusal a domain is shut. */
    {"example.com REJECT\nexample.com ACCEPT\nu@example.com ACCEPT\n", ""},
    {".example.com REJECT\na.example.com ACCEPT\n.b.example.com ACCEPT\nexample.com ACCEPT\n",
     "example.com\tOK\n"},
    {"ALL REJECT\nexample.com ACCEPT\n", ""},
    {"u@example.com REJECT\nu@ REJECT\nexample.com ACCEPT\n", "example.com\tOK\n"},
    {"ALL ACCEPT\n", ""},
    {"b\xc3\xbc"
     "cher.example ACCEPT\n",
     "b\xc3\xbc"
     "cher.example\tOK\nxn--bcher-kva.example\tOK\n"},
};

static void test_relay_domains(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rat_cases); i++) {
        struct scene scene;
        struct maps maps;
        scene_new(&scene);
        maps_init(&maps);
        scene_listener(&scene, "in", "", "ACCEPTED", rat_cases[i].rat);
        assert_true(postfix_maps_build(&scene.input, &maps));
        assert_file(&maps, "relay_domains", rat_cases[i].domains);
        maps_done(&maps);
        scene_done(&scene);
    }
}

/* What one RAT refuses, another may accept; clients stay with their listener. */
static void test_two_listeners(void **state)
{
    (void)state;
    struct scene scene;
    struct maps maps;
    scene_new(&scene);
    maps_init(&maps);
    scene_listener(&scene, "in", "BAD TCPREFUSE 192.0.2.0/24", "ACCEPTED",
                   "a.example REJECT\nb.example ACCEPT\n");
    scene_listener(&scene, "in2", "", "ACCEPTED", "a.example ACCEPT\nb.example ACCEPT\n");
    scene_listener(&scene, "out", "LAN RELAYED 10.0.0.0/8", "BLOCKED", NULL);
    assert_true(postfix_maps_build(&scene.input, &maps));
    assert_int_equal(maps.count, 10);
    assert_file(&maps, "relay_domains", "a.example\tOK\nb.example\tOK\n");
    assert_file(&maps, "relay_clients.in", "");
    assert_file(&maps, "refused_clients.in",
                "# BAD: tcprefuse\n192.0.2.0/24\t421 4.7.1 Access denied\n");
    assert_file(&maps, "relay_clients.in2", "");
    assert_file(&maps, "relay_clients.out", "# LAN: RELAYED relay\n10.0.0.0/8\tOK\n");
    assert_file(&maps, "refused_clients.out", "");
    assert_true(find(&maps, "relay_clients.out")->reload);
    assert_false(find(&maps, "relay_clients.out")->compile);
    assert_int_equal(find(&maps, "transport")->mode, 0644);
    assert_true(find(&maps, "transport")->compile);
    maps_done(&maps);
    scene_done(&scene);
}

static void test_monitor(void **state)
{
    (void)state;
    struct scene scene;
    struct maps maps;
    scene_new(&scene);
    maps_init(&maps);
    scene.input.monitor = true;
    scene_listener(&scene, "in", "BAD TCPREFUSE 192.0.2.0/24; LAN RELAY 10.", "ACCEPTED", "");
    assert_true(postfix_maps_build(&scene.input, &maps));
    assert_file(&maps, "refused_clients.in", "# [gatehouse] mode = monitor: nobody is refused\n");
    assert_file(&maps, "relay_clients.in", "# LAN: relay\n10.0.0.0/8\tOK\n");
    maps_done(&maps);
    scene_done(&scene);
}

/* Relay clients made so at run time go before the HAT; others of that sort stay out. */
static void test_blocks(void **state)
{
    (void)state;
    struct scene scene;
    struct maps maps;
    scene_new(&scene);
    struct maps_listener *in =
        scene_listener(&scene, "in", "LAN RELAY 10.; BAD TCPREFUSE 192.0.2.9", "ACCEPTED", NULL);
    struct hat *made = scene_hat(
        &scene, "- REJECT 192.0.2.1; - RELAY 192.0.2.0/31; - TCPREFUSE 192.0.2.7", "ACCEPTED");
    in->blocks = made;
    maps_init(&maps);
    assert_true(postfix_maps_build(&scene.input, &maps));
    const struct maps_file *file = find(&maps, "relay_clients.in");
    const char *text = strbuf_text(&file->content);
    const char *not_he = strstr(text, "192.0.2.1\tDUNNO\n"),
               *he = strstr(text, "192.0.2.0/31\tOK\n");
    assert_non_null(not_he);
    assert_true(he > not_he);
    assert_true(strstr(text, "10.0.0.0/8\tOK\n") > he);
    text = strbuf_text(&find(&maps, "refused_clients.in")->content);
    assert_non_null(strstr(text, "192.0.2.9\t421"));
    assert_null(strstr(text, "192.0.2.7"));
    maps_done(&maps);
    hat_free(made);
    scene_done(&scene);
}

static void test_a_million_routes(void **state)
{
    (void)state;
    struct scene scene;
    struct maps maps;
    struct strbuf lines;
    scene_new(&scene);
    maps_init(&maps);
    strbuf_init(&lines);
    for (unsigned i = 0; i < 1000000; i++)
        strbuf_printf(&lines, "customer-%06u.mail.example: [mx%u.backend.example]:25\n",
                      (unsigned)(i * 7919ULL % 1000000), i % 97);
    scene_routes(&scene, strbuf_text(&lines));
    mono_us before = mono_now();
    assert_true(postfix_maps_build(&scene.input, &maps));
    printf("# 1,000,000 routes: %lld ms\n", (long long)(mono_now() - before) / 1000);
    const char *text = strbuf_text(&find(&maps, "transport")->content) + strlen(HEADING);
    static const char first[] = "customer-000000.mail.example\trelay:[mx0.backend.example]:25\n";
    assert_memory_equal(text, first, strlen(first));
    size_t n = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
        n++;
    assert_int_equal(n, 1000000);
    strbuf_done(&lines);
    maps_done(&maps);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),           cmocka_unit_test(test_defaults_and_order),
        cmocka_unit_test(test_tls_policy),       cmocka_unit_test(test_relay_domains),
        cmocka_unit_test(test_two_listeners),    cmocka_unit_test(test_monitor),
        cmocka_unit_test(test_a_million_routes), cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests_name("postfix_maps", tests, NULL, NULL);
}
