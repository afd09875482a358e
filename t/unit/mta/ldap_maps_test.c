/* ldap_maps_test.c - what is written of a directory, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <regex.h>
#include <string.h>
#include "lib/mta/ldap_maps.h"
#include "lib/mta/lint.h"
#include "lib/mta/mtaconfig.h"
#include "lib/mta/sendmail_ldap.h"
#include "lib/mta/sendmail_maps.h"
#include "t/unit/mta/tables.h"

static const struct maps_file *built(const struct scene *scene, struct maps *maps, const char *name)
{
    maps_init(maps);
    assert_true(ldap_maps_build(&scene->input, maps));
    for (size_t i = 0; i < maps->count; i++)
        if (strcmp(maps->list[i].name, name) == 0)
            return &maps->list[i];
    return NULL;
}

static void assert_file(const struct scene *scene, const char *name, const char *expected)
{
    struct maps maps;
    const struct maps_file *file = built(scene, &maps, name);
    assert_non_null(file);
    const char *text = strbuf_text(&file->content);
    assert_memory_equal(text, MAPS_HEADING, strlen(MAPS_HEADING));
    assert_string_equal(text + strlen(MAPS_HEADING), expected);
    maps_done(&maps);
}

/* A line of one cf file, without its end. */
static void assert_line(const struct maps_directory *directory, const char *name, const char *line)
{
    struct scene scene;
    struct maps maps;
    char wanted[600];
    scene_new(&scene);
    scene.input.directory = directory;
    const struct maps_file *file = built(&scene, &maps, name);
    assert_non_null(file);
    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    if (strstr(strbuf_text(&file->content), wanted) == NULL)
        fail_msg("no line %s in %s", line, strbuf_text(&file->content));
    maps_done(&maps);
    scene_done(&scene);
}

static void test_cf(void **state)
{
    (void)state;
    struct scene scene;
    scene_new(&scene);
    scene.input.directory = &scene_directory;
    assert_file(&scene, LDAP_ROUTING,
                "server_host = ldap://d.example\n"
                "version = 3\n"
                "timeout = 5\n"
                "bind = no\n"
                "start_tls = no\n"
                "tls_require_cert = yes\n"
                "tls_ca_cert_file = /ca.pem\n"
                "search_base = dc=test\n"
                "scope = sub\n"
                "query_filter = (mail=%u@%d)\n"
                "result_attribute = mailHost\n"
                "result_format = relay:%s\n");
    scene_done(&scene);
}

static void test_everything_set(void **state)
{
    (void)state;
    static const char *const uris[] = {"ldap://one.example:1389", "LDAP://two.example"};
    struct maps_directory full = scene_directory;
    full.uris = uris;
    full.nuris = 2;
    full.bind_dn = "cn=o$d,dc=100%";
    full.password = "p$ {x} %d #\\";
    full.start_tls = true;
    full.tls_priority = "NORMAL";
    full.ca_dir = "/certs";
    full.certificate = "/own.pem";
    full.key = "/own.key";
    full.base_dn = "ou=100%,dc=test";
    full.scope = "one";
    full.timeout = 1001;
    full.host_attr = "mailHost;x-a";
    full.address_attr = "mailRoutingAddress";
    static const char *const lines[] = {
        "server_host = ldap://one.example:1389 LDAP://two.example",
        "timeout = 2",
        "bind = yes",
        "bind_dn = cn=o$d,dc=100%",
        "bind_pw = p$ {x} %d #\\",
        "start_tls = yes",
        "tls_cipher_suite = NORMAL",
        "tls_ca_cert_dir = /certs",
        "tls_cert = /own.pem",
        "tls_key = /own.key",
        "search_base = ou=100%%,dc=test",
        "scope = one",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        assert_line(&full, LDAP_ROUTING, lines[i]);
        assert_line(&full, LDAP_ALIASES, lines[i]);
    }
    assert_line(&full, LDAP_ROUTING,
                "query_filter = (|(mail=%u@%d)(mailRoutingAddress=%u@%d)"
                "(mailRoutingAddress=smtp:%u@%d))");
    assert_line(&full, LDAP_HOSTS, "result_attribute = mailHost;x-a\nresult_format = %s");
    assert_line(&full, LDAP_ALIASES, "query_filter = (mail=%u@%d)");
    assert_line(&full, LDAP_ALIASES, "result_attribute = mailRoutingAddress\nresult_format = %s");
}

static void test_queries(void **state)
{
    (void)state;
    static const struct {
        const char *query, *filter;
    } cases[] = {
        {"(mail={d})", "(mail=%d)"},
        {"(&(uid={u})(dc={d}))", "(&(uid=%u)(dc=%d))"},
        {"(uid={u})", "(&(uid=%u)(|(objectClass=*)(objectClass=%d)))"},
        {"(uid=x)", "(&(uid=x)(|(objectClass=*)(objectClass=%d)))"},
        {"(&(a={a})(f={f}))", "(&(a=%u@%d)(f=))"},
        {"(&(cn=100%)(cn=%u)(a={a}))", "(&(cn=100%%)(cn=%%u)(a=%u@%d))"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct maps_directory directory = scene_directory;
        char line[200];
        directory.query = cases[i].query;
        snprintf(line, sizeof line, "query_filter = %s", cases[i].filter);
        assert_line(&directory, LDAP_ROUTING, line);
    }
}

static void test_modes(void **state)
{
    (void)state;
    struct scene scene;
    struct maps maps;
    struct maps_directory directory = scene_directory;
    scene_new(&scene);
    scene.input.directory = &directory;
    assert_int_equal(built(&scene, &maps, LDAP_ROUTING)->mode, MAPS_MODE);
    maps_done(&maps);
    static const char *const others[] = {LDAP_ALIASES, LDAP_ADDRESSES, LDAP_WRONG};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_null(built(&scene, &maps, others[i]));
        maps_done(&maps);
    }
    directory.password = "secret";
    directory.address_attr = "a";
    static const char *const names[] = {LDAP_ROUTING, LDAP_HOSTS, LDAP_ALIASES};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct maps_file *file = built(&scene, &maps, names[i]);
        assert_int_equal(file->mode, MAPS_SECRET_MODE);
        assert_true(file->reload);
        maps_done(&maps);
    }
    scene_done(&scene);
}

static void test_routes(void **state)
{
    (void)state;
    struct scene scene;
    scene_new(&scene);
    scene.input.directory = &scene_directory;
    scene.input.transport = "My.t";
    scene_routes(&scene, "one.example: 192.0.2.1\n"
                         "mx.example: hub.example.net:26, [two.example]\n"
                         "dns.example: USEDNS\n"
                         "hole.example: /dev/null\n"
                         ".b.example: [b.test]\n"
                         ".a.b.example: USEDNS\n"
                         ".example: /dev/null\n"
                         "ALL: [all.test]:2525\n");
    assert_file(&scene, LDAP_ROUTES,
                "my.t:[dns.example]\tMy.t:[dns.example]\n"
                "my.t:[hole.example]\tdiscard:\n"
                "my.t:[mx.example]\tMy.t:hub.example.net:26, [two.example]:25\n"
                "my.t:[one.example]\tMy.t:[192.0.2.1]:25\n"
                "my.t:dns.example\tMy.t:dns.example\n"
                "my.t:hole.example\tdiscard:\n"
                "my.t:mx.example\tMy.t:hub.example.net:26, [two.example]:25\n"
                "my.t:one.example\tMy.t:[192.0.2.1]:25\n");
    assert_file(&scene, LDAP_SUBDOMAINS,
                "if !/:\\[?[0-9.]+\\]?$/\n"
                "if !/^My\\.t:\\[?[a-z0-9._-]+\\.a\\.b\\.example\\]?$/\n"
                "/^My\\.t:\\[?[a-z0-9._-]+\\.b\\.example\\]?$/ My.t:[b.test]:25\n"
                "/^My\\.t:\\[?[a-z0-9._-]+\\.example\\]?$/ discard:\n"
                "/^My\\.t:\\[?[a-z0-9._-]+\\]?$/ My.t:[all.test]:2525\n"
                "endif\n"
                "endif\n");
    scene_done(&scene);
}

static void test_no_routes(void **state)
{
    (void)state;
    struct scene scene;
    scene_new(&scene);
    scene.input.directory = &scene_directory;
    scene_routes(&scene, "ALL:\n");
    assert_file(&scene, LDAP_ROUTES, "");
    assert_file(&scene, LDAP_SUBDOMAINS, "if !/:\\[?[0-9.]+\\]?$/\nendif\n");
    scene_done(&scene);
}

/* --- values of routing_address_attr ----------------------------------------------- */

/* Does the pattern that line begins with match? As Postfix reads it: without regard to
 * case, but for the flag i. */
static bool matches(const char *line, const char *value, regmatch_t groups[20])
{
    char pattern[4000];
    regex_t compiled;
    size_t n = strcspn(line, "\n");
    while (line[n] != '/')
        n--;
    assert_true(n > 0 && n < sizeof pattern);
    memcpy(pattern, line + 1, n - 1);
    pattern[n - 1] = '\0';
    assert_int_equal(
        regcomp(&compiled, pattern, REG_EXTENDED | (line[n + 1] == 'i' ? 0 : REG_ICASE)), 0);
    bool found = regexec(&compiled, value, 20, groups, 0) == 0;
    regfree(&compiled);
    return found;
}

/* What the first pattern of ldap-addresses that matches stands for; "" where none does. */
static void address_of(const char *table, const char *value, char *out, size_t size)
{
    regmatch_t groups[20];
    out[0] = '\0';
    for (const char *line = table; out[0] == '\0' && *line != '\0'; line = strchr(line, '\n') + 1) {
        if (line[0] != '/' || !matches(line, value, groups))
            continue;
        const regmatch_t *group = &groups[strstr(line, " ${")[3] - '0'];
        snprintf(out, size, "%.*s", (int)(group->rm_eo - group->rm_so), value + group->rm_so);
    }
}

/* Has ldap-wrong the value: does no "if !" keep it out? */
static bool is_wrong(const char *table, const char *value)
{
    regmatch_t groups[20];
    assert_non_null(strstr(table, "\n/^/ wrong\nendif\nendif\nendif\nendif\n"));
    for (const char *line = table; *line != '\0'; line = strchr(line, '\n') + 1)
        if (strncmp(line, "if !", 4) == 0 && matches(line + 4, value, groups))
            return false;
    return true;
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *values, *address; /* NULL: wrong */
    } cases[] = {
        {"a@b", "a@b"},
        {" a@b , c@[IPv6:::1]", "a@b , c@[IPv6:::1]"},
        {"\"a,b\"@c,\"\\\",d\"@e", "\"a,b\"@c,\"\\\",d\"@e"},
        {"SMTP:A@b", "A@b"},
        {"smtp:a@b", "a@b"},
        {"sMtP: a@b ", "a@b"},
        {"SMTP:a@b,smtp:c@d,Smtp:e@f", "a@b"},
        {"smtp:c@d,sMTP:g@h,SMTP:a@b", "a@b"},
        {"smtp:wrong,SMTP:\"a,\\\"SMTP:\"@b,SMtp:\"x,SMTP:y@z\"@c", "\"a,\\\"SMTP:\"@b"},
        {"X500:/o=a (b)/cn=c,d,SMTP:a@b,sip:a@d,smtp:c@d", "a@b"},
        {"x400:c=us;a= ;p=d, e,smtp:a@b,eum:1;phone-context=c.d", "a@b"},
        {"sip:c@d,a@b,x500:/o=e,f", "a@b"},
        {"smt:c@d,smtpx:c@d,s:c@d,smtq:c@d,smxp:c@d,sxtp:c@d,xmtp:c@d,sm-p:c@d,a@b", "a@b"},
        {"sip:a@b", ""},
        {"x500:/o=a,b,SIP:c@d,a_b:", ""},
        {"smtp:a@b,smtp:c@d", NULL},
        {"SMTP:a@b,SMTP:c@d", NULL},
        {"SMTP:a@b,c@d", NULL},
        {"a@b,smtp:c@d", NULL},
        {"SMTP:", NULL},
        {"SMTP:a", NULL},
        {"SMTP:a,smtp:c@d", NULL},
        {"a", NULL},
        {"a@b,c", NULL},
        {"a@b c@d", NULL},
        {"a@b@c", NULL},
        {"a <a@b>", NULL},
        {"smtp:smtp:a@b", NULL},
        {"smtp:sip:a@b", NULL},
        {"a.b:c@d", NULL},
        {"\"a@b", NULL},
    };
    struct scene scene;
    struct maps addresses, wrong;
    struct maps_directory directory = scene_directory;
    char found[100];
    scene_new(&scene);
    scene.input.directory = &directory;
    directory.address_attr = "a";
    const char *table = strbuf_text(&built(&scene, &addresses, LDAP_ADDRESSES)->content);
    const char *rest = strbuf_text(&built(&scene, &wrong, LDAP_WRONG)->content);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        address_of(table, cases[i].values, found, sizeof found);
        bool is = is_wrong(rest, cases[i].values);
        if (is != (cases[i].address == NULL) || strcmp(found, is ? "" : cases[i].address) != 0)
            fail_msg("%s: %s%s", cases[i].values, is ? "wrong " : "", found);
    }
    maps_done(&addresses);
    maps_done(&wrong);
    scene_done(&scene);
}

static void assert_refused(const struct maps_directory *directory, const char *key)
{
    struct err err = {0};
    assert_false(ldap_maps_check(directory, &err));
    assert_memory_equal(err.text, key, strlen(key));
}

static void test_what_cannot_be_written(void **state)
{
    (void)state;
    static const char *const mixed[] = {"ldap://a.example", "ldaps://b.example"};
    struct maps_directory directory = scene_directory;
    struct err err = {0};
    assert_true(ldap_maps_check(&directory, &err));
    static const char *const passwords[] = {" x", "x ", "x\ty\n", "x\n", "\x7f", "\t"};
    for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
        directory.password = passwords[i];
        assert_refused(&directory, "bind_password: ");
    }
    directory = scene_directory;
    directory.query = "(mail={a})\nbind = no";
    assert_refused(&directory, "routing_query: ");
    static const char *const attributes[] = {"", "a b", "a,b", "a\n", "a=b", "a$b", "{a}"};
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        directory = scene_directory;
        directory.host_attr = attributes[i];
        assert_refused(&directory, "routing_host_attr: ");
        directory = scene_directory;
        directory.address_attr = attributes[i];
        if (attributes[i][0] != '\0')
            assert_refused(&directory, "routing_address_attr: ");
    }
    directory = scene_directory;
    directory.uris = mixed;
    directory.nuris = 2;
    assert_true(ldap_maps_check(&directory, &err));
    directory.start_tls = true;
    assert_refused(&directory, "start_tls: ");
    directory.uris = mixed + 1;
    directory.nuris = 1;
    assert_true(ldap_maps_check(&directory, &err));
    assert_line(&directory, LDAP_ROUTING, "start_tls = no");
}

static void test_lint(void **state)
{
    (void)state;
    struct scene scene;
    struct strbuf routes;
    struct maps_directory directory = scene_directory;
    scene_new(&scene);
    strbuf_init(&routes);
    scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\n");
    for (size_t i = 0; i <= LDAP_SUBDOMAINS_MAX; i++)
        strbuf_printf(&routes, ".r%zu.example: USEDNS\n", i);
    scene_routes(&scene, strbuf_text(&routes));
    scene.input.directory = &directory;
    directory.password = " ";
    lint_maps(&scene.input, MAPS_POSTFIX, false, &scene.problems);
    const char *text = scene_problems(&scene);
    assert_non_null(strstr(text, "[ldap d] bind_password: a blank at its beginning or end"));
    assert_non_null(strstr(text, "all 1001 routes for subdomains"));
    assert_null(strstr(text, "no RAT accepts recipients there"));
    strbuf_done(&routes);
    scene_done(&scene);
}

/* --- Sendmail ------------------------------------------------------------------- */

static void assert_sendmail(const struct maps_directory *directory, const char *line)
{
    struct scene scene;
    struct strbuf out;
    char wanted[600];
    const unsigned ports[] = {2525};
    scene_new(&scene);
    strbuf_init(&out);
    scene.input.directory = directory;
    sendmail_ldap_put_maps(&scene.input, "/maps", ports, 1, &out);
    sendmail_ldap_put_rules(&scene.input, ports, 1, &out);
    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    if (strstr(strbuf_text(&out), wanted) == NULL)
        fail_msg("no line %s in %s", line, strbuf_text(&out));
    strbuf_done(&out);
    scene_done(&scene);
}

static void test_sendmail_lines(void **state)
{
    (void)state;
    static const char *const uris[] = {"ldap://d.example", "ldaps://e.example"};
    struct maps_directory directory = scene_directory;
    assert_sendmail(&directory, "`KGatehouseHost ldap -T<TMPF> -z, -v mailHost -k \"(mail=%0)\" -b "
                                "\"dc=test\" -s sub -w 3 -c 5 -l 5 -H \"ldap://d.example\"'");
    assert_sendmail(&directory,
                    "R$+ < @ $+ . >\t\t$: < > < $(GatehouseHost $1@$2 $: $) > $1 < @ $2 . >");
    assert_sendmail(&directory, "R< 25 > $* $| $+\t$@ $# relay $@ $2 $: $1");
    assert_sendmail(&directory, "R< 2525 > $* $| $+\t$@ $# relay2525 $@ $2 $: $1");
    directory.bind_dn = "cn=o";
    directory.password = "x";
    directory.uris = uris;
    directory.nuris = 2;
    directory.query = "(&(cn=100%)(uid={u})(f={f}))";
    directory.address_attr = "other";
    assert_sendmail(&directory,
                    "`KGatehouseAddress ldap -T<TMPF> -z, -v other -k "
                    "\"(&(cn=100\\25)(uid=%0)(f=))\" -b \"dc=test\" -s sub -w 3 -c 5 -l 5 -H "
                    "\"ldap://d.example ldaps://e.example\" -d \"cn=o\" -M simple -P "
                    "/maps/ldap-password'");
    assert_sendmail(&directory, "R$+ < @ $+ . >\t\t$: < $(GatehouseAddress $1 $: $) > < "
                                "$(GatehouseHost $1 $: $) > $1 < @ $2 . >");
    assert_sendmail(&directory, "R< $+ > < $* > $*\t$: < $2 > $3 $| $>GatehouseAddresses $1");
    directory.query = "(mail={d})";
    assert_sendmail(&directory, "R$+ < @ $+ . >\t\t$: < $(GatehouseAddress $2 $: $) > < "
                                "$(GatehouseHost $2 $: $) > $1 < @ $2 . >");
}

static void test_sendmail_password(void **state)
{
    (void)state;
    struct scene scene;
    struct maps maps;
    struct maps_directory directory = scene_directory;
    scene_new(&scene);
    maps_init(&maps);
    assert_true(sendmail_ldap_build(&directory, &maps));
    assert_int_equal(maps.count, 0);
    directory.password = "p $`'\"#";
    scene.input.directory = &directory;
    assert_true(sendmail_maps_build(&scene.input, &maps));
    const struct maps_file *file = &maps.list[maps.count - 1];
    assert_string_equal(file->name, SENDMAIL_LDAP_PASSWORD);
    assert_string_equal(strbuf_text(&file->content), "p $`'\"#\n");
    assert_int_equal(file->mode, MAPS_SECRET_MODE);
    maps_done(&maps);
    scene_done(&scene);
}

static void assert_not_sendmail(const struct maps_directory *directory, const char *key)
{
    struct err err = {0};
    assert_false(sendmail_ldap_check(directory, &err));
    assert_memory_equal(err.text, key, strlen(key));
}

static void test_what_sendmail_cannot_have(void **state)
{
    (void)state;
    static const char *const bad[] = {"a'b", "a`b", "a\"b", "a$b", "a#b", "a\nb"};
    static const char *const tls[] = {"ldap://x"};
    char password[SENDMAIL_LDAP_PASSWORD_MAX + 2];
    struct maps_directory directory = scene_directory;
    struct err err = {0};
    assert_true(sendmail_ldap_check(&directory, &err));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        directory = scene_directory;
        directory.bind_dn = bad[i];
        assert_not_sendmail(&directory, "bind_dn: ");
        directory = scene_directory;
        directory.base_dn = bad[i];
        assert_not_sendmail(&directory, "base_dn: ");
        directory = scene_directory;
        directory.query = bad[i];
        assert_not_sendmail(&directory, "routing_query: ");
        directory = scene_directory;
        directory.host_attr = bad[i];
        assert_not_sendmail(&directory, "routing_host_attr: ");
    }
    directory = scene_directory;
    directory.query = "(|(mail={a})(mail={d}))";
    assert_not_sendmail(&directory, "routing_query: Sendmail has room for one");
    directory.query = "(|(mail={a})(other={a})(f={f}))";
    assert_true(sendmail_ldap_check(&directory, &err));
    memset(password, 'x', sizeof password - 1);
    password[sizeof password - 1] = '\0';
    directory.password = password;
    assert_not_sendmail(&directory, "bind_password: ");
    directory.password = password + 1;
    assert_true(sendmail_ldap_check(&directory, &err));
    directory.address_attr = "PROXYaddresses";
    assert_not_sendmail(&directory, "routing_address_attr: Sendmail refuses");
    directory.address_attr = "targetAddress";
    assert_true(sendmail_ldap_check(&directory, &err));
    directory.uris = tls;
    directory.start_tls = true;
    assert_not_sendmail(&directory, "start_tls: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cf),
        cmocka_unit_test(test_everything_set),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_no_routes),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_what_cannot_be_written),
        cmocka_unit_test(test_lint),
        cmocka_unit_test(test_sendmail_lines),
        cmocka_unit_test(test_sendmail_password),
        cmocka_unit_test(test_what_sendmail_cannot_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
