/*
 * nexthop_test.c - every way to write a destination, right and wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/nexthop.h"

#define DEFAULT_PORT 25

struct good_case {
    const char *text;
    const char *shown; /* nexthop_text() */
    bool is_ip, mx, port_given;
    uint16_t priority;
};

static const struct good_case good_cases[] = {
    {"mail.example.com", "mail.example.com:25", false, true, false, 0},
    {"Mail.Example.COM.", "mail.example.com:25", false, true, false, 0},
    {"localhost", "localhost:25", false, true, false, 0},
    {"my_host", "my_host:25", false, true, false, 0},
    {"mail.example.com:1", "mail.example.com:1", false, true, true, 0},
    {"mail.example.com:65535", "mail.example.com:65535", false, true, true, 0},
    {"[mail.example.com]", "mail.example.com:25", false, false, false, 0},
    {"[mail.example.com]:2525", "mail.example.com:2525", false, false, true, 0},
    {"192.0.2.1", "192.0.2.1:25", true, false, false, 0},
    {"192.0.2.1:24", "192.0.2.1:24", true, false, true, 0},
    {"[192.0.2.1]", "192.0.2.1:25", true, false, false, 0},
    {"[192.0.2.1]:24", "192.0.2.1:24", true, false, true, 0},
    {"2001:DB8::1", "[2001:db8::1]:25", true, false, false, 0},
    {"2001:db8::1:25", "[2001:db8::1:25]:25", true, false, false, 0},
    {"[2001:db8::1]", "[2001:db8::1]:25", true, false, false, 0},
    {"[2001:db8::1]:24", "[2001:db8::1]:24", true, false, true, 0},
    {"::ffff:192.0.2.1", "192.0.2.1:25", true, false, false, 0},
    {"a.example/pri=0", "a.example:25", false, true, false, 0},
    {"a.example:24/pri=65535", "a.example:24", false, true, true, 65535},
    {"[2001:db8::1]:24/PRI=7", "[2001:db8::1]:24", true, false, true, 7},
    {"10.example.com", "10.example.com:25", false, true, false, 0},
    {"m\xc3\xbcller.example", "xn--mller-kva.example:25", false, true, false, 0},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good_cases); i++) {
        const struct good_case *c = &good_cases[i];
        struct arena *arena = arena_new(0);
        struct nexthop hop;
        struct err err = {0};
        char text[300];
        print_message("# %s\n", c->text);
        assert_true(nexthop_parse(slice_of(c->text), DEFAULT_PORT, arena, &hop, &err));
        assert_string_equal(nexthop_text(&hop, text, sizeof text), c->shown);
        assert_int_equal(hop.is_ip, c->is_ip);
        assert_int_equal(hop.mx, c->mx);
        assert_int_equal(hop.port_given, c->port_given);
        assert_int_equal(hop.priority, c->priority);
        arena_free(arena);
    }
}

struct bad_case {
    const char *text, *error;
};

static const char not_a_host[] =
    "is not a host; allowed: host, host:port, [host], 192.0.2.1, [2001:db8::1]:25";

static const struct bad_case bad_cases[] = {
    {"", "a host name or address is missing"},
    {"[]", "a host name or address is missing"},
    {":25", "a host name or address is missing"},
    {"/pri=1", "a host name or address is missing"},
    {"a.example:", "\"\" is not a port; allowed: 1 to 65535"},
    {"a.example:0", "\"0\" is not a port; allowed: 1 to 65535"},
    {"a.example:65536", "\"65536\" is not a port; allowed: 1 to 65535"},
    {"a.example:25x", "\"25x\" is not a port; allowed: 1 to 65535"},
    {"a.example: 25", "\" 25\" is not a port; allowed: 1 to 65535"},
    {"[2001:db8::1", "\"]\" is missing"},
    {"[2001:db8::1]25", "\"25\" after \"]\"; allowed: :port"},
    {"[2001:db8::1]:", "\"\" is not a port; allowed: 1 to 65535"},
    {"a.example/pri=65536", "\"/pri=65536\" is wrong; allowed: /pri=0 to /pri=65535"},
    {"a.example/pri=", "\"/pri=\" is wrong; allowed: /pri=0 to /pri=65535"},
    {"a.example/pri=-1", "\"/pri=-1\" is wrong; allowed: /pri=0 to /pri=65535"},
    {"a.example/weight=1", "\"/weight=1\" is wrong; allowed: /pri=0 to /pri=65535"},
    {"/dev/null", "\"/dev/null\" is wrong; allowed: /pri=0 to /pri=65535"},
    {"192.0.2.256", NULL},
    {"192.0.2", NULL},
    {"a..example", NULL},
    {"-a.example", NULL},
    {"a b", NULL},
    {"user@a.example", NULL},
    {"\xff.example", NULL},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++) {
        const struct bad_case *c = &bad_cases[i];
        struct arena *arena = arena_new(0);
        struct nexthop hop = {.port = 1};
        struct err err = {0};
        print_message("# %s\n", c->text);
        assert_false(nexthop_parse(slice_of(c->text), DEFAULT_PORT, arena, &hop, &err));
        assert_int_equal(hop.port, 1);
        if (c->error != NULL)
            assert_string_equal(err.text, c->error);
        else
            assert_non_null(strstr(err.text, not_a_host));
        arena_free(arena);
    }
}

static void test_long(void **state)
{
    (void)state;
    char name[300];
    struct nexthop hop;
    struct arena *arena = arena_new(0);
    memset(name, 'a', sizeof name);
    for (size_t i = 63; i < sizeof name; i += 64)
        name[i] = '.';
    assert_true(nexthop_parse((struct slice){name, 253}, DEFAULT_PORT, arena, &hop, NULL));
    assert_int_equal(strlen(hop.host), 253);
    assert_false(nexthop_parse((struct slice){name, 254}, DEFAULT_PORT, arena, &hop, NULL));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
