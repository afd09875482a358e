/* destination_test.c - what call-ahead asks about, by a scripted directory and the SMTP
 * routes (SPEC 8 "Where to ask", SPEC 9). */
#include "milter/destination.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/no_memory.h"
#include "t/unit/tables/table_file.h"

static const char routes_text[] = "routed.example: 10.0.0.1:2525\n"
                                  "void.example: /dev/null\n";

struct entry {
    const char *key;
    enum directory_class class;
    const char *hosts, *addresses;
};

/* Whom it does not have has no entry. */
static const struct entry directory[] = {
    {"plain@a.example", DIRECTORY_MATCH, "", ""},
    {"hosted@a.example", DIRECTORY_MATCH, "10.0.0.2", ""},
    {"self@a.example", DIRECTORY_MATCH, "", "SELF@A.example"},
    {"selfhosted@a.example", DIRECTORY_MATCH, "10.0.0.2", "selfhosted@a.example"},
    {"tagged@a.example", DIRECTORY_MATCH, "", "tagged+box@a.example"},
    {"moved@a.example", DIRECTORY_MATCH, "", "Joe@b.example"},
    {"both@a.example", DIRECTORY_MATCH, "10.0.0.3:26", "hosted@a.example"},
    {"quoted@a.example", DIRECTORY_MATCH, "10.0.0.3", "\"a b,c\"@b.example"},
    {"extended@a.example", DIRECTORY_MATCH, "", "joe+box@b.example"},
    {"tohosted@a.example", DIRECTORY_MATCH, "", "hosted@a.example"},
    {"torouted@a.example", DIRECTORY_MATCH, "", "joe@routed.example"},
    {"tovoid@a.example", DIRECTORY_MATCH, "", "joe@void.example"},
    {"toliteral@a.example", DIRECTORY_MATCH, "", "joe@[192.0.2.1]"},
    {"tolist@a.example", DIRECTORY_MATCH, "", "list@a.example"},
    {"todown@a.example", DIRECTORY_MATCH, "", "down@a.example"},
    {"towrong@a.example", DIRECTORY_MATCH, "", "wrong@a.example"},
    {"list@a.example", DIRECTORY_MATCH, "10.0.0.2", "list@a.example\njoe@b.example"},
    {"wrong@a.example", DIRECTORY_MATCH, "10.0.0.2", "joe"},
    {"wronghost@a.example", DIRECTORY_MATCH, "no host!", "joe@b.example"},
    {"down@a.example", DIRECTORY_ERROR, "", ""},
    {"circle1@a.example", DIRECTORY_MATCH, "", "circle2@a.example"},
    {"circle2@a.example", DIRECTORY_MATCH, "", "circle1@a.example"},
    {"c6@a.example", DIRECTORY_MATCH, "", "c5@a.example"},
    {"c5@a.example", DIRECTORY_MATCH, "", "c4@a.example"},
    {"c4@a.example", DIRECTORY_MATCH, "", "c3@a.example"},
    {"c3@a.example", DIRECTORY_MATCH, "", "c2@a.example"},
    {"c2@a.example", DIRECTORY_MATCH, "", "c1@a.example"},
    {"c1@a.example", DIRECTORY_MATCH, "10.0.0.4", "c0@a.example"},
};

static unsigned asked;

static void ask(void *ctx, const struct mailaddr *recipient, struct ldap_answer *answer_out)
{
    (void)ctx;
    asked++;
    *answer_out = (struct ldap_answer){.said.class = DIRECTORY_NO_MATCH};
    for (size_t i = 0; i < ARRAY_LEN(directory); i++) {
        const struct entry *entry = &directory[i];
        if (strcmp(entry->key, recipient->key) != 0)
            continue;
        answer_out->said.class = entry->class;
        snprintf(answer_out->said.text, sizeof answer_out->said.text, "it is down");
        snprintf(answer_out->hosts, sizeof answer_out->hosts, "%s", entry->hosts);
        snprintf(answer_out->addresses, sizeof answer_out->addresses, "%s", entry->addresses);
    }
}

/* --- the world ------------------------------------------------------------------------ */

static struct table_file file;
static struct routes *routes;
static const struct ldap_keys ldap_keys = {.routing_address_attr = "mailRoutingAddress"};
static const struct directory_plan routing = {.profile = {.name = "d", .keys = &ldap_keys}};
static struct callahead_keys keys;
static const struct nexthop fixed = {.host = "static.example", .port = 25};
static struct callahead_plan plan;

static int begin(void **state)
{
    (void)state;
    table_file_new(&file, slice_of(routes_text));
    routes = routes_load(file.path, table_file_named(), &file.problems);
    plan = (struct callahead_plan){
        .profile = {.keys = &keys, .servers = &fixed, .nservers = 1},
        .routes = routes,
        .routing = &routing,
    };
    return routes != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    routes_free(routes);
    table_file_done(&file);
    return 0;
}

static bool parse(const char *text, struct arena *arena, struct rcpt_facts *rcpt)
{
    struct err err = {0};
    *rcpt = (struct rcpt_facts){.delimiters = "+"};
    return mailaddr_parse(slice_of(text), MAILADDR_STRICT, false, arena, &rcpt->to, &err) &&
           mailaddr_without_extension(&rcpt->to, rcpt->delimiters, arena, &rcpt->base);
}

static void print(const struct destination *to, char *out, size_t room)
{
    char host[300];
    switch (to->kind) {
    case PLAN_ASK:
        assert_ptr_equal(to->where.known_as, &to->base);
        snprintf(out, room, "%s as %s at %s%s", to->to.text, to->base.key,
                 to->where.nhosts > 0 ? nexthop_text(to->where.hosts, host, sizeof host)
                                      : to->where.mx_domain,
                 to->where.untrusted ? ", untrusted" : "");
        return;
    case PLAN_DISCARD:
        snprintf(out, room, "discard");
        return;
    case PLAN_LIST:
        snprintf(out, room, "list");
        return;
    case PLAN_NOWHERE:
        snprintf(out, room, "%s", to->err.text);
        return;
    }
}

/* --- what is asked about ---------------------------------------------------------------- */

struct destination_case {
    const char *recipient;
    unsigned asked; /* the directory, so often */
    const char *to;
};

#define ENDLESS                                                                                    \
    "[ldap d] mailRoutingAddress: addresses lead on to others without end, or in a circle"

static const struct destination_case cases[] = {
    /* no other address */
    {"nobody@a.example", 1, "nobody@a.example as nobody@a.example at a.example"},
    {"plain+x@a.example", 1, "plain+x@a.example as plain@a.example at a.example"},
    {"hosted+x@a.example", 1, "hosted+x@a.example as hosted@a.example at 10.0.0.2:25"},
    {"u@[192.0.2.9]", 0, "u@[192.0.2.9] as u@[192.0.2.9] at [192.0.2.9]:25"},
    /* the same one */
    {"Self@a.example", 1, "Self@a.example as self@a.example at a.example"},
    {"self+x@a.example", 1, "self+x@a.example as self@a.example at a.example"},
    {"selfhosted@a.example", 1, "selfhosted@a.example as selfhosted@a.example at 10.0.0.2:25"},
    {"tagged+box@a.example", 1, "tagged+box@a.example as tagged@a.example at a.example"},
    /* another one, with hosts and without */
    {"both@a.example", 1, "hosted@a.example as hosted@a.example at 10.0.0.3:26"},
    {"quoted@a.example", 1, "\"a b,c\"@b.example as \"a b,c\"@b.example at 10.0.0.3:25"},
    {"moved@a.example", 2, "Joe@b.example as joe@b.example at b.example"},
    {"moved+x@a.example", 2, "Joe@b.example as joe@b.example at b.example"},
    {"extended@a.example", 2, "joe+box@b.example as joe@b.example at b.example"},
    {"tagged@a.example", 2, "tagged+box@a.example as tagged@a.example at a.example"},
    {"tohosted@a.example", 2, "hosted@a.example as hosted@a.example at 10.0.0.2:25"},
    {"torouted@a.example", 2, "joe@routed.example as joe@routed.example at 10.0.0.1:2525"},
    {"tovoid@a.example", 2, "discard"},
    {"toliteral@a.example", 1, "joe@[192.0.2.1] as joe@[192.0.2.1] at [192.0.2.1]:25, untrusted"},
    /* a list */
    {"list@a.example", 1, "list"},
    {"tolist@a.example", 2, "list"},
    /* nobody can tell */
    {"down@a.example", 1, "[ldap d]: it is down"},
    {"todown@a.example", 2, "[ldap d]: it is down"},
    {"wrong@a.example", 1,
     "[ldap d] mailRoutingAddress: \"joe\" is not an address: it has no domain"},
    {"towrong@a.example", 2,
     "[ldap d] mailRoutingAddress: \"joe\" is not an address: it has no domain"},
    {"wronghost@a.example", 1, "\"no host!\" is not a host;"},
    /* the fifth address may be the last, the sixth may not */
    {"c5@a.example", 5, "c0@a.example as c0@a.example at 10.0.0.4:25"},
    {"c6@a.example", 6, ENDLESS},
    {"circle1@a.example", 6, ENDLESS},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena = arena_new(0);
        struct rcpt_facts rcpt;
        struct destination to;
        char told[600];
        assert_true(parse(cases[i].recipient, arena, &rcpt));
        const struct destination_wanted wanted = {&plan, &rcpt, true};
        asked = 0;
        destination_find(&wanted, ask, NULL, arena, &to);
        print(&to, told, sizeof told);
        if (asked != cases[i].asked || strncmp(told, cases[i].to, strlen(cases[i].to)) != 0)
            fail_msg("%s: asked %u, %s", cases[i].recipient, asked, told);
        arena_free(arena);
    }
}

/* Then the directory is not asked at all. */
static void test_without_directory(void **state)
{
    struct callahead_plan other = plan;
    struct arena *arena = arena_new(0);
    struct rcpt_facts rcpt;
    struct destination to;
    (void)state;
    assert_true(parse("both@a.example", arena, &rcpt));
    const struct destination_wanted wanted = {&other, &rcpt, false};
    asked = 0;
    other.routing = NULL;
    destination_find(&wanted, ask, NULL, NULL, &to);
    assert_int_equal(to.kind, PLAN_ASK);
    assert_string_equal(to.where.mx_domain, "a.example");
    other.routing = &routing;
    keys.type = CALLAHEAD_STATIC;
    destination_find(&wanted, ask, NULL, NULL, &to);
    keys.type = CALLAHEAD_DELIVERY_HOST;
    assert_int_equal(to.kind, PLAN_ASK);
    assert_ptr_equal(to.where.hosts, &fixed);
    assert_string_equal(to.to.text, "both@a.example");
    assert_int_equal(asked, 0);
    arena_free(arena);
}

/* --- out of memory ------------------------------------------------------------------- */

/* Whatever fails, nobody can tell; then the destination is the right one. */
static bool job(void)
{
    static const char *const recipients[] = {"both@a.example", "c5@a.example",
                                             "extended@a.example"};
    bool good = true;
    for (size_t i = 0; i < ARRAY_LEN(recipients); i++) {
        struct arena *arena = arena_new(1);
        struct rcpt_facts rcpt;
        struct destination to;
        bool asks = arena != NULL && parse(recipients[i], arena, &rcpt);
        if (asks) {
            const struct destination_wanted wanted = {&plan, &rcpt, false};
            destination_find(&wanted, ask, NULL, arena, &to);
            assert_true(to.kind == PLAN_ASK || to.kind == PLAN_NOWHERE);
            assert_int_equal(to.kind == PLAN_NOWHERE, strstr(to.err.text, "out of memory") != NULL);
        }
        good = good && asks && to.kind == PLAN_ASK;
        arena_free(arena);
    }
    return good;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    memory_fail_each(job, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_without_directory),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
