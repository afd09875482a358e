/*
 * mta_memory_test.c - every allocation of the map writers fails once: each
 * failure is told, and no map comes out that lacks something.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/mta/compile.h"
#include "lib/mta/lint.h"
#include "lib/mta/mtaconfig.h"
#include "lib/mta/postfix_maps.h"
#include "lib/mta/sendmail_maps.h"
#include "t/unit/mta/tables.h"
#include "t/unit/no_memory.h"

static struct scene scene;

static bool maps_job(void)
{
    struct maps maps;
    maps_init(&maps);
    bool good = postfix_maps_build(&scene.input, &maps);
    maps_done(&maps);
    return good;
}

static bool sendmail_job(void)
{
    struct mtaconfig_options options = {"/etc/mail/gen", "hash", NULL};
    struct maps maps;
    struct strbuf out;
    struct err err = {0};
    maps_init(&maps);
    strbuf_init(&out);
    bool good = sendmail_maps_build(&scene.input, &maps) &&
                mtaconfig_sendmail(&scene.input, &options, &out, &err);
    strbuf_done(&out);
    maps_done(&maps);
    return good;
}

static bool lint_job(void)
{
    struct problems problems;
    problems_init(&problems);
    lint_maps(&scene.input, MAPS_POSTFIX, true, &problems);
    bool good = problems_errors(&problems) == 0;
    problems_done(&problems);
    return good;
}

static bool mtaconfig_job(void)
{
    struct mtaconfig_options options = {"/etc/postfix/gen", "lmdb", "/var/spool/postfix"};
    struct strbuf out;
    struct err err = {0};
    strbuf_init(&out);
    bool good = mtaconfig_postfix(&scene.input, &options, &out, &err);
    assert_true(good || err.kind == ERR_MEMORY);
    strbuf_done(&out);
    return good;
}

/* A compiler that lists nothing but its own arguments. */
static bool holds_job(void)
{
    char listed[] = "-s lmdb:/x/y\n";
    struct strbuf content = {.p = listed, .n = sizeof listed - 1};
    struct compile compile = {
        .compiler = "/bin/echo", .type = "lmdb", .folder = "/x", .seconds = 60};
    struct err err = {0};
    bool good = compile_holds(&compile, "y", &content, &err);
    assert_true(good || err.kind == ERR_MEMORY);
    return good;
}

static void test_maps(void **state)
{
    (void)state;
    memory_fail_each(maps_job, false);
}

static void test_sendmail(void **state)
{
    (void)state;
    memory_fail_each(sendmail_job, false);
}

static void test_lint(void **state)
{
    (void)state;
    memory_fail_each(lint_job, false);
}

static void test_mtaconfig(void **state)
{
    (void)state;
    memory_fail_each(mtaconfig_job, false);
}

static void test_read_back(void **state)
{
    (void)state;
    memory_fail_each(holds_job, false);
}

static int set_up(void **state)
{
    (void)state;
    scene_new(&scene);
    scene_listener(&scene, "in",
                   "A REJECT 10.0.0.1-10.0.3.9 .example.net; B RELAY 10. 2001:db8:1-ff:0:0:0:0:1;"
                   "C TCPREFUSE 192.0.2.0/24",
                   "ACCEPTED", "a.example ACCEPT\nb.example REJECT\nALL ACCEPT\n");
    static const struct maps_auth auth = {"x", "user", "secret"};
    static struct maps_directory directory;
    directory = scene_directory;
    directory.bind_dn = "cn=o";
    directory.password = "secret";
    directory.address_attr = "other";
    scene.input.directory = &directory;
    scene.input.auths = &auth;
    scene.input.nauths = 1;
    scene_routes(&scene, "a.example: [h.test], [g.test] tls=encrypt auth=x\n"
                         "xn--mnchen-3ya.example: USEDNS\n"
                         "ALL: [out.test]\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scene_done(&scene);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maps),      cmocka_unit_test(test_sendmail),
        cmocka_unit_test(test_lint),      cmocka_unit_test(test_mtaconfig),
        cmocka_unit_test(test_read_back),
    };
    return cmocka_run_group_tests_name("mta_memory", tests, set_up, tear_down);
}
