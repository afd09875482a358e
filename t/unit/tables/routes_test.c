/*
 * routes_test.c - the routes file line by line, look-ups by hand, and random
 * tables against a plain loop over the list.
 */
#include "lib/tables/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/dice.h"
#include "t/unit/tables/table_file.h"

static struct routes *load(struct table_file *file)
{
    return routes_load(file->path, table_file_named(), &file->problems);
}

static bool read_table(struct table_file *file, struct strbuf *out)
{
    struct routes *table = load(file);
    if (table != NULL)
        routes_export(table, out);
    if (out->n > 0)
        out->p[--out->n] = '\0'; /* the end of the last line */
    routes_free(table);
    return table != NULL;
}

/* --- lines: what is read, as an export shows it ---------------------------------- */

static const struct table_line good_lines[] = {
    {"example.com: mail.example.com", "example.com: mail.example.com"},
    {"example.com mail.example.com", "example.com: mail.example.com"},
    {"example.com:mail.example.com", "example.com: mail.example.com"},
    {"\texample.com \t:\t mail.example.com  ", "example.com: mail.example.com"},
    {"EXAMPLE.com.: Mail.Example.COM.", "example.com: mail.example.com"},
    {".Example.com: a:26", ".example.com: a:26"},
    {"m\xc3\xbcller.example: a", "xn--mller-kva.example: a"},
    {"m\xfcller.example: a", "xn--mller-kva.example: a"},
    {".m\xc3\xbcller.example: m\xfcller.example", ".xn--mller-kva.example: xn--mller-kva.example"},
    {"a.example: a, [b], 192.0.2.1, [192.0.2.2]:26, [2001:DB8::1]:25, 2001:db8::2",
     "a.example: a, [b], 192.0.2.1, 192.0.2.2:26, [2001:db8::1]:25, [2001:db8::2]"},
    {"a.example: a,b ,c", "a.example: a, b, c"},
    {"a.example: c/pri=2, a/pri=0, d/pri=2, b:26/pri=1",
     "a.example: a, b:26/pri=1, c/pri=2, d/pri=2"},
    {"a.example: USEDNS", "a.example: USEDNS"},
    {"a.example usedns", "a.example: USEDNS"},
    {"a: USEDNS/pri=1", "a: usedns/pri=1"}, /* a host of that name: no dots are needed */
    {"a.example: /dev/null", "a.example: /dev/null"},
    {"ALL:", "ALL:"},
    {"all", "ALL:"},
    {"ALL: [smart.example]:587 auth=isp tls=encrypt",
     "ALL: [smart.example]:587 auth=isp tls=encrypt"},
    {"a.example: b tls=none", "a.example: b tls=none"},
    {"a.example: b TLS=May", "a.example: b tls=may"},
    {"a.example: b tls=verify auth=x", "a.example: b auth=x tls=verify"},
    {"a.example: USEDNS tls=verify", "a.example: USEDNS tls=verify"},
    {"a.example: b # a comment", "a.example: b"},
    {"a.example: b\r", "a.example: b"},
    {"\xef\xbb\xbf"
     "a.example: b",
     "a.example: b"},
};

static void test_good_lines(void **state)
{
    (void)state;
    table_lines_good(good_lines, ARRAY_LEN(good_lines), read_table);
}

static const struct table_line bad_lines[] = {
    {"example.com", "F:1:12: a destination is missing (only ALL: may be without one)\n"},
    {"example.com:  ", "F:1:15: a destination is missing (only ALL: may be without one)\n"},
    {": host", "F:1:1: a domain is missing before \":\"\n"},
    {"a..b: host",
     "F:1:1: \"a..b\" is not a route key; allowed: example.com, .example.com or ALL\n"},
    {"  *.b: host",
     "F:1:3: \"*.b\" is not a route key; allowed: example.com, .example.com or ALL\n"},
    {"192.0.2.1: host",
     "F:1:1: \"192.0.2.1\" is not a route key; allowed: example.com, .example.com or ALL\n"},
    {"u@b: host", "F:1:1: \"u@b\" is not a route key; allowed: example.com, .example.com or ALL\n"},
    {".: host", "F:1:1: \".\" is not a route key; allowed: example.com, .example.com or ALL\n"},
    {"\"a b\": host",
     "F:1:1: \"\"a b\"\" is not a route key; allowed: example.com, .example.com or ALL\n"},
    {"a: b, , c", "F:1:7: a destination is missing\n"},
    {"a: b,", "F:1:6: a destination is missing\n"},
    {"a: , b", "F:1:4: a destination is missing\n"},
    {"a: b:0", "F:1:4: \"0\" is not a port; allowed: 1 to 65535\n"},
    {"a: b, c/pri=65536", "F:1:7: \"/pri=65536\" is wrong; allowed: /pri=0 to /pri=65535\n"},
    {"a: b c", "F:1:6: a comma is missing between two destinations, or an option is wrong; allowed "
               "options: auth=PROFILE, tls=none|may|encrypt|verify\n"},
    {"a: USEDNS, b", "F:1:12: USEDNS and /dev/null stand alone, without other destinations\n"},
    {"a: b, /dev/null", "F:1:7: USEDNS and /dev/null stand alone, without other destinations\n"},
    {"a: b tls=on", "F:1:6: tls=on is wrong; allowed: tls=none, may, encrypt or verify\n"},
    {"a: b tls=may tls=may", "F:1:14: tls= is given twice\n"},
    {"a: b auth=x auth=y", "F:1:13: auth= is given twice\n"},
    {"a: b auth=", "F:1:6: the name of a profile is missing after auth=\n"},
    {"a: b tls=may x",
     "F:1:14: \"x\" is not an option; allowed: auth=PROFILE, tls=none|may|encrypt|verify\n"},
    {"a: tls=may", "F:1:4: a destination is missing before the options\n"},
    {"ALL: tls=may", "F:1:6: a destination is missing before the options\n"},
    {"a: /dev/null tls=may", "F:1:14: /dev/null takes no options\n"},
    {"a: b\na: c", "F:2:1: a is in line 1 already\n"},
    {"m\xc3\xbcller.x: b\nXN--mller-kva.x: b", "F:2:1: xn--mller-kva.x is in line 1 already\n"},
    {"ALL:\nall: c", "F:2:1: ALL is in line 1 already\n"},
    {"a: b:0\n\na: c\nb: c:0",
     "F:1:4: \"0\" is not a port; allowed: 1 to 65535\nF:3:1: a is in line 1 already\nF:4:4: "
     "\"0\" is not a port; allowed: 1 to 65535\n"},
};

static void test_bad_lines(void **state)
{
    (void)state;
    table_lines_bad(bad_lines, ARRAY_LEN(bad_lines), read_table);
}

static void test_warning(void **state)
{
    (void)state;
    struct table_file file;
    table_file_new(&file, slice_of("a: b auth=x tls=may\n"));
    struct routes *routes = load(&file);
    assert_string_equal(
        table_file_problems(&file),
        "F:1:4: warning: auth= sends a password, so tls=may counts as tls=encrypt\n");
    assert_non_null(routes);
    routes_free(routes);
    table_file_done(&file);
}

static void test_no_file(void **state)
{
    (void)state;
    struct problems problems;
    problems_init(&problems);
    assert_null(routes_load("/nonexistent/routes", table_file_named(), &problems));
    assert_int_equal(problems.count, 1);
    assert_string_equal(
        problems.list[0].line,
        "gatehouse.conf:7: cannot open /nonexistent/routes: No such file or directory");
    problems_done(&problems);
}

static void test_too_many_destinations(void **state)
{
    (void)state;
    for (int n = ROUTES_HOSTS_MAX - 1; n <= ROUTES_HOSTS_MAX + 1; n++) {
        struct table_file file;
        struct strbuf line;
        strbuf_init(&line);
        strbuf_puts(&line, "a: b");
        for (int i = 1; i < n; i++)
            strbuf_printf(&line, ",h%d/pri=%d", i, i % 7);
        table_file_new(&file, (struct slice){line.p, line.n});
        struct routes *routes = load(&file);
        assert_int_equal(routes != NULL, n <= ROUTES_HOSTS_MAX);
        if (routes != NULL)
            assert_int_equal(routes_get(routes, 0)->nhosts, n);
        else
            assert_non_null(strstr(table_file_problems(&file), "more than 256 destinations"));
        routes_free(routes);
        strbuf_done(&line);
        table_file_done(&file);
    }
}

/* --- look-ups ---------------------------------------------------------------------- */

static const char *key_of(const struct route *route)
{
    return route != NULL ? route->key : "none";
}

static void test_most_specific(void **state)
{
    (void)state;
    static const char table[] = "ALL: smart\n"
                                ".example.com: below\n"
                                "example.com: exact\n"
                                ".b.example.com: USEDNS\n"
                                "host.b.example.com: /dev/null\n"
                                ".com: com\n";
    static const struct table_line cases[] = {
        {"example.com", "example.com"},
        {"a.example.com", ".example.com"},
        {"b.example.com", ".example.com"},
        {"x.b.example.com", ".b.example.com"},
        {"host.b.example.com", "host.b.example.com"},
        {"y.host.b.example.com", ".b.example.com"},
        {"badexample.com", ".com"},
        {"com", "ALL"},
        {"example.org", "ALL"},
        {"[192.0.2.1]", "ALL"},
        {"", "ALL"},
    };
    struct table_file file;
    table_file_new(&file, slice_of(table));
    struct routes *routes = load(&file);
    assert_non_null(routes);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(key_of(routes_lookup(routes, cases[i].text)), cases[i].expected);
    assert_int_equal(routes_count(routes), 6);
    assert_int_equal(routes_get(routes, 3)->at.line, 4);
    assert_string_equal(routes_get(routes, 3)->at.file, file.path);
    assert_true(routes_bytes(routes) > 0);
    routes_free(routes);
    table_file_done(&file);
}

static void test_empty(void **state)
{
    (void)state;
    struct routes *routes = routes_empty();
    assert_null(routes_lookup(routes, "example.com"));
    assert_int_equal(routes_count(routes), 0);
    routes_free(routes);
}

/* As SPEC 3.4 reads: exact, else the longest .suffix, else ALL. */
static const struct route *plain_lookup(const struct routes *routes, const char *domain)
{
    const struct route *best = NULL;
    size_t best_length = 0;
    for (size_t i = 0; i < routes_count(routes); i++) {
        const struct route *route = routes_get(routes, i);
        size_t length = strlen(route->key), n = strlen(domain);
        bool matches = strcmp(route->key, domain) == 0;
        if (matches)
            return route;
        if (strcmp(route->key, "ALL") == 0) {
            matches = true;
            length = 1;
        } else if (route->key[0] == '.') {
            matches = n > length && strcmp(domain + n - length, route->key) == 0;
        }
        if (matches && length > best_length) {
            best = route;
            best_length = length;
        }
    }
    return best;
}

static void random_domain(struct dice *dice, char *out, size_t room)
{
    static const char *const labels[] = {"a", "b", "c", "ab", "example"};
    unsigned n = 1 + dice_below(dice, 4);
    size_t used = 0;
    for (unsigned i = 0; i < n; i++)
        used += (size_t)snprintf(out + used, room - used, "%s%s", i > 0 ? "." : "",
                                 labels[dice_below(dice, ARRAY_LEN(labels))]);
}

static void random_table(struct dice *dice, struct strbuf *out)
{
    char seen[200][64];
    size_t n = 0, want = dice_below(dice, ARRAY_LEN(seen));
    for (size_t tries = 0; tries < want; tries++) {
        char key[64];
        key[0] = '.';
        random_domain(dice, key + dice_below(dice, 2), sizeof key - 1);
        if (dice_below(dice, 100) == 0)
            memcpy(key, "ALL", 4);
        size_t i = 0;
        while (i < n && strcmp(seen[i], key) != 0)
            i++;
        if (i < n)
            continue;
        memcpy(seen[n++], key, sizeof key);
        strbuf_printf(out, "%s: h%u\n", key, dice_below(dice, 10));
    }
}

static void test_random(void **state)
{
    (void)state;
    struct dice dice = dice_start(0);
    for (int round = 0; round < 100; round++) {
        struct table_file file;
        struct strbuf table;
        strbuf_init(&table);
        random_table(&dice, &table);
        table_file_new(&file, (struct slice){table.p, table.n});
        struct routes *routes = load(&file);
        assert_string_equal(table_file_problems(&file), "");
        for (int i = 0; i < 200; i++) {
            char domain[64];
            random_domain(&dice, domain, sizeof domain);
            assert_ptr_equal(routes_lookup(routes, domain), plain_lookup(routes, domain));
        }
        routes_free(routes);
        strbuf_done(&table);
        table_file_done(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_lines),    cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_warning),       cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_most_specific), cmocka_unit_test(test_too_many_destinations),
        cmocka_unit_test(test_empty),         cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
