/*
 * no_memory_test.c - every allocation while a table is built fails once: each
 * failure must be an error, never a table with a hole in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/tables/exceptions.h"
#include "lib/tables/hat_text.h"
#include "lib/tables/hops.h"
#include "lib/tables/lists.h"
#include "lib/tables/rat.h"
#include "lib/tables/routes.h"
#include "t/unit/tables/table_file.h"
#include "t/unit/no_memory.h"

/* What a table weighs in entries and indexes, to compare one that came through
 * a harmless failure (a block that could not be made smaller) with a whole
 * one; 0: none was built. */
static size_t hat_job(const char *path, struct problems *problems)
{
    static const struct policy policy = {.name = "A", .keys = {.access = POLICY_ACCEPT}};
    static const struct key_item items[] = {{"SBRS[0:1]", {0}}, {"dnslist[a.bl]", {0}}};
    static const uint32_t answer = 0x7f000002;
    static const struct dnslisting listed[] = {{"a.bl", &answer, 1}};
    struct hat_group group = {.name = "A",
                              .at = {.file = "conf", .line = 1},
                              .policy = &policy,
                              .senders = {items, ARRAY_LEN(items)},
                              .senders_file = path};
    struct hat *hat = hat_build(&group, 1, &policy, problems);
    if (hat == NULL)
        return 0;
    struct host_answer host = {.class = HOST_VERIFIED, .name = "h999.example"};
    struct hat_client clients[] = {{.ip = ip_from_v4(0x0a000000 + 999)},
                                   {.ip = ip_from_v4(1), .host = &host},
                                   {.ip = ip_from_v4(1), .listed = listed, .nlisted = 1},
                                   {.ip = ip_from_v4(1), .score_known = true}};
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct hat_match match;
        hat_decide(hat, &clients[i], &match);
        assert_string_equal(match.group, "A");
    }
    size_t entries = hat_entries(hat);
    hat_free(hat);
    return entries;
}

static const struct policies *policies; /* made while memory lasts */

static size_t hat_text_job(const char *path, struct problems *problems)
{
    const struct policy *fallback = policies_find(policies, "ACCEPTED");
    struct hat *hat = hat_text_load(path, table_file_named(), policies, fallback, problems);
    if (hat == NULL)
        return 0;
    struct host_answer host = {.class = HOST_VERIFIED, .name = "h99.example"};
    struct hat_client client = {.ip = ip_from_v4(1), .host = &host};
    struct hat_match match;
    hat_decide(hat, &client, &match);
    assert_string_equal(match.group, "G99");
    assert_string_equal(match.policy->name, "P9");
    size_t entries = hat_entries(hat) + hat_groups(hat);
    hat_free(hat);
    return entries;
}

static size_t rat_job(const char *path, struct problems *problems)
{
    struct rat *rat = rat_load(path, table_file_named(), problems);
    size_t entries = rat != NULL ? rat_entries(rat) : 0;
    rat_free(rat);
    return entries;
}

static size_t routes_job(const char *path, struct problems *problems)
{
    struct routes *routes = routes_load(path, table_file_named(), problems);
    size_t n = routes != NULL ? routes_count(routes) : 0;
    for (size_t i = 0; i < n; i++)
        assert_ptr_equal(routes_lookup(routes, routes_get(routes, i)->key), routes_get(routes, i));
    routes_free(routes);
    return n;
}

static size_t exceptions_job(const char *path, struct problems *problems)
{
    struct exceptions *table = exceptions_load(path, table_file_named(), problems);
    size_t n = table != NULL ? exceptions_count(table) : 0;
    exceptions_free(table);
    return n;
}

/* What is right is in the list whatever else went wrong: an error is all that
 * is asked for. */
static size_t lists_job(const char *path, struct problems *problems)
{
    static const struct key_item items[] = {{"u@a.example", {0}}, {"@[192.0.2.1]", {0}}};
    struct lists_keys keys = {.addresses = {items, ARRAY_LEN(items)}, .addresses_file = path};
    struct lists *lists = lists_new();
    if (lists == NULL) {
        problem_error(problems, table_file_named(), "out of memory");
        return 0;
    }
    lists_add(lists, &(struct lists_written){"k", &keys, table_file_named()}, problems);
    size_t n = problems_errors(problems) == 0 ? lists_entries(lists, "k") : 0;
    lists_free(lists);
    return n;
}

static size_t hops_job(const char *path, struct problems *problems)
{
    struct key_item items[100];
    char texts[ARRAY_LEN(items)][40];
    for (unsigned i = 0; i < ARRAY_LEN(items); i++) {
        snprintf(texts[i], sizeof texts[i], i % 3 == 0 ? "10.%u.0.0/16" : "2001:db8:%u:0-1:0:0:0:0",
                 i);
        items[i] = (struct key_item){texts[i], {0}};
    }
    struct ipmap *map = hops_build(&(struct key_list){items, ARRAY_LEN(items)}, problems);
    bool built = map != NULL;
    (void)path;
    ipmap_free(map);
    return built;
}

static void fail_each(size_t (*job)(const char *path, struct problems *problems),
                      const struct strbuf *text)
{
    struct table_file file;
    table_file_new(&file, (struct slice){text->p, text->n});
    size_t whole = job(file.path, &file.problems);
    assert_true(whole > 0 && problems_errors(&file.problems) == 0);
    unsigned refused = 0;
    for (int n = 1;; n++) {
        struct problems problems;
        problems_init(&problems);
        memory_fail_once(n);
        size_t entries = job(file.path, &problems);
        bool more = memory_failed();
        memory_allow(-1);
        assert_int_equal(entries, problems_errors(&problems) > 0 ? 0 : whole);
        refused += entries == 0;
        problems_done(&problems);
        if (!more)
            break;
    }
    assert_true(refused > 10);
    table_file_done(&file);
}

static void test_hat(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text);
    for (unsigned i = 0; i < 1000; i++)
        strbuf_printf(&text, "10.0.%u.%u, h%u.example 2001:db8:0-%x:0:0:0:0:0\n", i >> 8, i & 255,
                      i, i);
    strbuf_puts(&text, "m\xfcller.example SBO:1 country:JP ALL\n");
    fail_each(hat_job, &text);
    strbuf_done(&text);
}

static void test_hat_text(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct strbuf text;
    policies = policies_build(NULL, 0, false, arena);
    strbuf_init(&text);
    for (unsigned i = 0; i < 10; i++)
        strbuf_printf(&text,
                      "$P%u ACCEPT { max_concurrency = %u unknown%u = \"\xfc\" "
                      "reject_text = \"go away\" } (c%u)\n",
                      i, i + 1, i, i);
    for (unsigned i = 0; i < 600; i++)
        strbuf_printf(&text, "G%u: h%u.example 10.0.%u.%u $P%u (gr\xfc\xdf%u)\n", i, i, i >> 8,
                      i & 255, i % 10, i);
    strbuf_puts(&text, "10.1.1.1 $TRUSTED\n10.1.1.2 REJECT { smtp_banner_code = 450 }\n"
                       "ALL, x.example RELAY\nALL: $BLOCKED\n");
    fail_each(hat_text_job, &text);
    strbuf_done(&text);
    arena_free(arena);
}

static void test_rat(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text);
    for (unsigned i = 0; i < 100; i++)
        strbuf_printf(&text, "d%u.example, u%u@d.example REJECT 550 \"No %u\"\n", i, i, i);
    strbuf_puts(&text, "m\xfcller.example, [192.0.2.1] REJECT 550 \"gr\xfc\xdf\"\n");
    fail_each(rat_job, &text);
    strbuf_done(&text);
}

static void test_routes(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text);
    for (unsigned i = 0; i < 200; i++)
        strbuf_printf(&text, "d%u.example: a%u, b%u:26 auth=x tls=verify\n", i, i % 100, i);
    strbuf_puts(&text, "m\xfcller.example: m\xfcller.example\nALL:\n");
    fail_each(routes_job, &text);
    strbuf_done(&text);
}

static void test_exceptions(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text);
    for (unsigned i = 0; i < 200; i++)
        strbuf_printf(&text, "u%u@d.example REJECT 550 \"No %u\"\n@.d%u.example ALLOW\n", i, i, i);
    strbuf_puts(&text, "@m\xfcller.example REJECT 550 \"gr\xfc\xdf\"\n");
    fail_each(exceptions_job, &text);
    strbuf_done(&text);
}

static void test_lists(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text);
    for (unsigned i = 0; i < 200; i++)
        strbuf_printf(&text, "u%u@d.example, @.d%u.example\n", i, i);
    strbuf_puts(&text, "@m\xfcller.example u@m\xfcller.example\n");
    fail_each(lists_job, &text);
    strbuf_done(&text);
}

static void test_hops(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text);
    fail_each(hops_job, &text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hat),        cmocka_unit_test(test_hat_text),
        cmocka_unit_test(test_rat),        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_exceptions), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_hops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
