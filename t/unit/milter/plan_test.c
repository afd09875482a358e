/* plan_test.c - hosts and addresses that a directory names (SPEC 8, 9). */
#include "milter/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/tables/table_file.h"

static const char routes_text[] = "mailbox.example: 10.0.0.1:2525, 10.0.0.2\n"
                                  "plain.example: [box.example]\n"
                                  "void.example: /dev/null\n"
                                  "dns.example: USEDNS\n"
                                  ".below.example: 10.0.0.9:99\n";

struct plan_case {
    const char *hosts;
    enum plan_kind kind;
    const char *asked; /* "host:port", "(mx)" behind those with an MX look-up */
};

static const struct plan_case cases[] = {
    /* one host without a port: the route's host and port */
    {"mailbox.example", PLAN_ASK, "10.0.0.1:2525 10.0.0.2:25"},
    {"MAILBOX.example.", PLAN_ASK, "10.0.0.1:2525 10.0.0.2:25"},
    {"[mailbox.example]", PLAN_ASK, "10.0.0.1:2525 10.0.0.2:25"},
    {"plain.example", PLAN_ASK, "box.example:25"},
    {"a.below.example", PLAN_ASK, "10.0.0.9:99"},
    /* one host with a port: the route's host, its own port */
    {"mailbox.example:26", PLAN_ASK, "10.0.0.1:26 10.0.0.2:26"},
    {"a.below.example:25", PLAN_ASK, "10.0.0.9:25"},
    /* several: the routes' hosts, their own ports, 25 if none */
    {"mailbox.example,plain.example:26", PLAN_ASK, "10.0.0.1:25 10.0.0.2:25 box.example:26"},
    {"mailbox.example\nplain.example:26\n", PLAN_ASK, "10.0.0.1:25 10.0.0.2:25 box.example:26"},
    {" mailbox.example , , a.below.example,", PLAN_ASK, "10.0.0.1:25 10.0.0.2:25 10.0.0.9:25"},
    /* no route */
    {"other.example", PLAN_ASK, "other.example:25(mx)"},
    {"other.example:26", PLAN_ASK, "other.example:26(mx)"},
    {"[other.example]", PLAN_ASK, "other.example:25"},
    {"dns.example", PLAN_ASK, "dns.example:25(mx)"},
    {"192.0.2.1", PLAN_ASK, "192.0.2.1:25"},
    {"192.0.2.1:26,[2001:db8::1]:27", PLAN_ASK, "192.0.2.1:26 [2001:db8::1]:27"},
    /* /dev/null takes everything; beside others it is none of the servers */
    {"void.example", PLAN_DISCARD, ""},
    {"void.example,other.example", PLAN_ASK, "other.example:25(mx)"},
    /* wrong */
    {" , ", PLAN_NOWHERE, ""},
    {"not a host", PLAN_NOWHERE, ""},
    {"other.example,a:99999", PLAN_NOWHERE, ""},
    {"a:0", PLAN_NOWHERE, ""},
};

static void print_asked(const struct callahead_where *where, char *out, size_t room)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < where->nhosts; i++) {
        char text[300];
        n += (size_t)snprintf(out + n, room - n, "%s%s%s", i > 0 ? " " : "",
                              nexthop_text(&where->hosts[i], text, sizeof text),
                              where->hosts[i].mx ? "(mx)" : "");
        assert_true(n < room);
    }
}

struct world {
    struct table_file file;
    struct routes *routes;
    struct arena *arena;
};

static int begin(void **state)
{
    static struct world world;
    *state = &world;
    table_file_new(&world.file, slice_of(routes_text));
    world.routes = routes_load(world.file.path, table_file_named(), &world.file.problems);
    world.arena = arena_new(0);
    return world.routes != NULL && world.arena != NULL ? 0 : -1;
}

static int end(void **state)
{
    struct world *world = *state;
    arena_free(world->arena);
    routes_free(world->routes);
    table_file_done(&world->file);
    return 0;
}

static void test_hosts(void **state)
{
    const struct world *world = *state;
    const struct callahead_plan plan = {.routes = world->routes};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct callahead_where where = {0};
        struct err err = {0};
        char asked[1000];
        enum plan_kind kind = plan_hosts(&plan, cases[i].hosts, world->arena, &where, &err);
        print_asked(&where, asked, sizeof asked);
        if (kind != cases[i].kind || strcmp(asked, cases[i].asked) != 0)
            fail_msg("%s: kind %d, \"%s\"", cases[i].hosts, (int)kind, asked);
        assert_int_equal(kind == PLAN_NOWHERE, err.text[0] != '\0');
    }
}

/* As many as one route may have; what a route multiplies is cut there. */
static void test_many(void **state)
{
    const struct world *world = *state;
    const struct callahead_plan plan = {.routes = world->routes};
    const size_t limits[] = {ROUTES_HOSTS_MAX - 1, ROUTES_HOSTS_MAX, ROUTES_HOSTS_MAX + 1};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct callahead_where where = {0};
        struct err err = {0};
        struct strbuf text;
        strbuf_init(&text);
        for (size_t k = 0; k < limits[i]; k++)
            strbuf_puts(&text, "mailbox.example,");
        enum plan_kind kind = plan_hosts(&plan, strbuf_text(&text), world->arena, &where, &err);
        bool fits = limits[i] <= ROUTES_HOSTS_MAX;
        assert_int_equal(kind, fits ? PLAN_ASK : PLAN_NOWHERE);
        assert_int_equal(where.nhosts, fits ? ROUTES_HOSTS_MAX : 0);
        strbuf_done(&text);
    }
}

struct address_case {
    const char *values;
    size_t n;         /* several count as 2 */
    const char *said; /* the first one; part of what is wrong with n 0 */
};

static const struct address_case addresses[] = {
    {"", 0, ""},
    {"joe@b.example", 1, "joe@b.example"},
    {" <Joe@B.Example.> ", 1, "Joe@b.example"},
    {"joe@[192.0.2.1]", 1, "joe@[192.0.2.1]"},
    {"joe@b\xc3\xbc.example", 1, "joe@xn--b-eha.example"},
    {"\"a,b\"@b.example", 1, "\"a,b\"@b.example"},
    {"\"a\\\",b\"@b.example,", 1, "\"a\\\",b\"@b.example"},
    {"\"a\\\\\"@b.example,joe@b.example", 2, "\"a\\\\\"@b.example"},
    /* the same ones are one, different ones a list */
    {"joe@b.example\nJOE@B.EXAMPLE,\"joe\"@b.example", 1, "joe@b.example"},
    {"joe@b.example\njoe@c.example", 2, "joe@b.example"},
    {"joe@b.example, joe@c.example", 2, "joe@b.example"},
    {",\n, joe@b.example ,\njoe@c.example\njoe@d.example", 2, "joe@b.example"},
    /* of Active Directory: a word in front says of which network it is */
    {"SMTP:remote@tenant.example", 1, "remote@tenant.example"},
    {"smtp:remote@tenant.example", 1, "remote@tenant.example"},
    {"sMtP: remote@tenant.example", 1, "remote@tenant.example"},
    {"SMTP:\"a:b\"@b.example", 1, "\"a:b\"@b.example"},
    {"\"a:b\"@b.example", 1, "\"a:b\"@b.example"},
    {"\"smtp:a\"@b.example", 1, "\"smtp:a\"@b.example"},
    {"joe@[IPv6:2001:db8::1]", 1, "joe@[ipv6:2001:db8::1]"},
    {"X400:C=US;A= ;P=Org;O=Exchange;S=Doe;G=Jo;", 0, ""},
    {"x500:/o=Org/ou=First/cn=Recipients/cn=joe", 0, ""},
    {"sip:joe@b.example", 0, ""},
    {"SIP:joe@b.example\nEUM:100;phone-context=b.example\nX400:c=us;", 0, ""},
    {"X400:C=US;S=Doe, Jane;G=\"J;", 0, ""},
    {"sip:joe@b.example\nSMTP:joe@c.example", 1, "joe@c.example"},
    {"smtp:joe@b.example\nx500:/o=Org, cn=joe", 1, "joe@b.example"},
    {"X400:C=US;S=Doe, Jane, smtp:joe@b.example", 1, "joe@b.example"},
    {"sip:joe@b.example, joe@c.example", 1, "joe@c.example"},
    {"smtp:joe@b.example\nsmtp:joe@c.example", 2, "joe@b.example"},
    {"smtp:joe@b.example\nsmtp:JOE@b.example", 1, "joe@b.example"},
    /* ... and capitals which one counts */
    {"smtp:a@b.example\nSMTP:joe@c.example\nsmtp:b@b.example", 1, "joe@c.example"},
    {"SMTP:joe@c.example,smtp:a@b.example", 1, "joe@c.example"},
    {"smtp:a@b.example\nSMTP:joe@c.example\nsip:joe@b.example", 1, "joe@c.example"},
    {"smtp:a b@b.example\nSMTP:joe@c.example\nsmtp:joe", 1, "joe@c.example"},
    {"SMTP:joe@c.example\nSMTP:Joe@C.example\nsmtp:a@b.example", 1, "joe@c.example"},
    {"SMTP:joe@c.example\nSMTP:ann@c.example\nsmtp:a@b.example", 2, "joe@c.example"},
    {"Smtp:joe@c.example\nsmtp:a@b.example", 2, "joe@c.example"},
    {"a@b.example\nSMTP:joe@c.example", 2, "a@b.example"},
    {"smtp:a b@b.example\nsmtp:joe@c.example", 0, "not an address"},
    {"SMTP:joe@c.example\njoe", 0, "no domain"},
    {"SMTP:", 0, "not an address"},
    {"smtp:joe", 0, "\"joe\" is not an address: it has no domain"},
    {"sip:joe@b.example\njoe", 0, "no domain"},
    {":joe@b.example", 0, "not an address"},
    /* wrong, if only one of many */
    {" ", 0, "is empty"},
    {",", 0, "is empty"},
    {"joe", 0, "\"joe\" is not an address: it has no domain"},
    {"joe@", 0, "no domain"},
    {"postmaster", 0, "no domain"},
    {"@b.example", 0, "not an address"},
    {"<>", 0, "not an address"},
    {"joe@b example", 0, "not an address"},
    {"joe@b..example", 0, "not an address"},
    {"Joe <joe@b.example>", 0, "not an address"},
    {"a b@b.example", 0, "not an address"},
    {"\"a,b@b.example", 0, "not an address"},
    {"\"a\\", 0, "not an address"},
    {"joe@b.example\n\"", 0, "not an address"},
    {"joe@b.example,joe", 0, "no domain"},
    {"\033[31m@b.example\r", 0, "\"?[31m@b.example?\" is not an address"},
    {"joe@b\xff.example", 0, "\"joe@b?.example\" is not an address"},
};

static void test_addresses(void **state)
{
    const struct world *world = *state;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct mailaddr first = {.text = ""};
        struct err err = {0};
        size_t n = 0;
        bool good = plan_addresses(addresses[i].values, world->arena, &first, &n, &err);
        if (good && (n > 1 ? 2 : n) == addresses[i].n &&
            strcmp(first.text, addresses[i].said) == 0 && err.text[0] == '\0')
            continue;
        if (good || addresses[i].n > 0 || strstr(err.text, addresses[i].said) == NULL)
            fail_msg("%s: %zu, \"%s\", %s", addresses[i].values, n, first.text, err.text);
    }
}

static void test_long_address(void **state)
{
    const struct world *world = *state;
    for (size_t n = MAILADDR_LOCAL_MAX - 1; n <= MAILADDR_LOCAL_MAX + 1; n++) {
        char text[MAILADDR_LOCAL_MAX + 20];
        struct mailaddr first;
        struct err err = {0};
        size_t found;
        memset(text, 'x', n);
        snprintf(text + n, sizeof text - n, "@b.example");
        assert_int_equal(plan_addresses(text, world->arena, &first, &found, &err),
                         n <= MAILADDR_LOCAL_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_long_address),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
