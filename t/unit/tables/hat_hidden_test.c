/*
 * hat_hidden_test.c - warnings of entries that no client reaches: each form, with the
 * place of both rows; random tables, in which every client there is tells which rows are
 * reached; tables of any size.
 */
#include "lib/tables/hat_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/mono.h"
#include "t/unit/dice.h"
#include "t/unit/tables/table_file.h"

static struct arena *arena;
static const struct policies *policies;

static struct hat *load(struct table_file *file, struct slice content)
{
    table_file_new(file, content);
    return hat_text_load(file->path, table_file_named(), policies,
                         policies_find(policies, "ACCEPTED"), &file->problems);
}

/* --- each form -------------------------------------------------------------------------- */

static const struct table_line cases[] = {
    /* addresses */
    {"192.0.2.0/24 REJECT\n192.0.2.7 ACCEPT",
     "F:2:1: warning: 192.0.2.7 is never reached: 192.0.2.0/24 comes first, F:1\n"},
    {"192.0.2.7 REJECT\n192.0.2.0/24 ACCEPT", ""},
    {"192.0.2.7 REJECT\n::ffff:192.0.2.7 ACCEPT",
     "F:2:1: warning: ::ffff:192.0.2.7 is never reached: 192.0.2.7 comes first, F:1\n"},
    {"10.1-9. REJECT\n10.5. ACCEPT\n10.9.0.1-9. RELAY\n10.10. RELAY",
     "F:2:1: warning: 10.5. is never reached: 10.1-9. comes first, F:1\n"
     "F:3:1: warning: 10.9.0.1-9. is never reached: 10.1-9. comes first, F:1\n"},
    {"10.0.0.0-10.0.0.9 REJECT\n10.0.0.5-10.0.0.9 ACCEPT\n10.0.0.5-10.0.0.10 RELAY",
     "F:2:1: warning: 10.0.0.5-10.0.0.9 is never reached: 10.0.0.0-10.0.0.9 comes first, F:1\n"},
    {"10.0.0.0/25 REJECT\n10.0.0.128/25 REJECT\n10.0.0. ACCEPT",
     "F:3:1: warning: 10.0.0. is never reached: 10.0.0.0/25 and others come first, F:1\n"},
    {"0/0 REJECT\n::1 ACCEPT\n192.0.2.1 ACCEPT",
     "F:3:1: warning: 192.0.2.1 is never reached: 0/0 comes first, F:1\n"},
    {"2001:db8::/32 REJECT\n2001:db8::1 ACCEPT\n2001:db8:0:0:1-f:0:0:1 ACCEPT\n2001:db9::1 ACCEPT",
     "F:2:1: warning: 2001:db8::1 is never reached: 2001:db8::/32 comes first, F:1\n"
     "F:3:1: warning: 2001:db8:0:0:1-f:0:0:1 is never reached: 2001:db8::/32 comes first, F:1\n"},
    {"2001:db8:0:0:1-f:0:0:1 REJECT\n2001:db8::5:0:0:1 ACCEPT\n2001:db8:0:0:2-3:0:0:1 ACCEPT\n"
     "2001:db8:0:0:2-3:0:0:2 ACCEPT",
     "F:2:1: warning: 2001:db8::5:0:0:1 is never reached: 2001:db8:0:0:1-f:0:0:1 comes first, "
     "F:1\n"
     "F:3:1: warning: 2001:db8:0:0:2-3:0:0:1 is never reached: 2001:db8:0:0:1-f:0:0:1 and others "
     "come first, F:1\n"},
    {"2001:db8::1 REJECT\n2001:DB8:0::1 ACCEPT",
     "F:2:1: warning: 2001:DB8:0::1 is never reached: 2001:db8::1 comes first, F:1\n"},
    /* names */
    {".example.com REJECT\nMail.Example.COM ACCEPT\n.a.example.com ACCEPT\nexample.com ACCEPT",
     "F:2:1: warning: Mail.Example.COM is never reached: .example.com comes first, F:1\n"
     "F:3:1: warning: .a.example.com is never reached: .example.com comes first, F:1\n"},
    {"mail.example.com REJECT\n.example.com ACCEPT\n", ""},
    {"Mail.Example.com REJECT\nmail.example.com. ACCEPT\n.Example.COM ACCEPT\n.example.com ACCEPT",
     "F:2:1: warning: mail.example.com. is never reached: Mail.Example.com comes first, F:1\n"
     "F:4:1: warning: .example.com is never reached: .Example.COM comes first, F:3\n"},
    /* what is looked up */
    {"SBRS[-10:0] REJECT\nSBRS[-3:-1.5] ACCEPT\nSBRS[-1:1] ACCEPT\nSBRS[none] RELAY\nsbrs[NONE] "
     "ACCEPT",
     "F:2:1: warning: SBRS[-3:-1.5] is never reached: SBRS[-10:0] comes first, F:1\n"
     "F:5:1: warning: sbrs[NONE] is never reached: SBRS[none] comes first, F:4\n"},
    {"SBRS[-10:0] REJECT\nSBRS[0:10] REJECT\nSBRS[-1:1] ACCEPT",
     "F:3:1: warning: SBRS[-1:1] is never reached: SBRS[-10:0] and others come first, F:1\n"},
    {"SBO:1 REJECT\ncountry:JP REJECT\nsbo:1 ACCEPT\nCountry:jp ACCEPT\nSBO:2 ACCEPT",
     "F:3:1: warning: sbo:1 is never reached: SBO:1 comes first, F:1\n"
     "F:4:1: warning: Country:jp is never reached: country:JP comes first, F:2\n"},
    {"dnslist[a.test] REJECT\ndnslist[b.test] REJECT\ndnslist[A.test] ACCEPT",
     "F:3:1: warning: dnslist[A.test] is never reached: dnslist[a.test] comes first, F:1\n"},
    {"A: nx.domain REJECT\nserv.fail REJECT\nNX.domain ACCEPT\nserv.fail ACCEPT\n"
     "not.double.verified ACCEPT",
     "F:3:1: warning: nx.domain is never reached: the group A comes first, F:1\n"
     "F:4:1: warning: serv.fail is never reached: serv.fail comes first, F:2\n"},
    /* static entries hide no look-ups and names no addresses */
    {"192.0.2.1 REJECT\nSBO:1 REJECT\na.example ACCEPT\nnx.domain REJECT\n", ""},
    /* groups */
    {"A: 10. , 10.1. REJECT\nB: 10.2.,\n 10.3. ACCEPT",
     "F:2:4: warning: 10.2. is never reached: 10. comes first, F:1\n"
     "F:3:2: warning: 10.3. is never reached: 10. comes first, F:1\n"},
    {"A: 10.,\n 10.1. REJECT\n", "F:2:2: warning: 10.1. is never reached: 10. comes first, F:1\n"},
    {"A: 10. CONTINUE\nB: 10.1. REJECT\nC: 10.1. CONTINUE\n", ""},
    {"A: ALL CONTINUE\nB: 10.1. REJECT\nALL ACCEPT", ""},
    {"A:\n 10., ALL,\n a.example REJECT\nB:\n 10.1., b.example ACCEPT\nC: ACCEPT\nD: 10. CONTINUE\n"
     "192.0.2.1 ACCEPT\nALL ACCEPT",
     "F:3:2: warning: a.example is never reached: ALL comes first, F:2\n"
     "F:4: warning: B is never reached: ALL comes first, F:2\n"
     "F:6: warning: C is never reached: ALL comes first, F:2\n"
     "F:8: warning: 192.0.2.1 is never reached: ALL comes first, F:2\n"
     "F:9: warning: ALL is never reached: ALL comes first, F:2\n"},
    {"A: ALL REJECT\nserv.fail REJECT\nALL ACCEPT",
     "F:2: warning: serv.fail is never reached: ALL comes first, F:1\n"
     "F:3: warning: ALL is never reached: ALL comes first, F:1\n"},
    {"ALL, REJECT\n", ""},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct table_file file;
        print_message("# %s\n", cases[i].text);
        struct hat *hat = load(&file, slice_of(cases[i].text));
        assert_non_null(hat);
        assert_string_equal(table_file_problems(&file), cases[i].expected);
        hat_free(hat);
        table_file_done(&file);
    }
}

/* --- sections --------------------------------------------------------------------------- */

static void test_sections(void **state)
{
    struct problems problems;
    const struct policy *reject = policies_bare(policies, POLICY_REJECT);
    struct table_file file;
    (void)state;
    table_file_new(&file, slice_of("10.1.\n# x\n10.2., 10.3.\n"));
    const struct key_item a[] = {{"10.", {.file = "c", .line = 2, .key = "[group A] senders"}},
                                 {"10.9.", {.file = "c", .line = 3, .key = "[group A] senders"}}};
    const struct key_item b[] = {{"10.8.", {.file = "c", .line = 6, .key = "[group B] senders"}},
                                 {"ALL", {.file = "c", .line = 6, .key = "[group B] senders"}}};
    const struct key_item d[] = {{"1.2.3.4", {.file = "c", .line = 9, .key = "[group D] senders"}}};
    struct hat_group groups[] = {
        {.name = "A",
         .at = {.file = "c", .line = 1},
         .policy = reject,
         .senders = {a, 2},
         .unverified = HAT_NO_PTR},
        {.name = "B",
         .at = {.file = "c", .line = 5},
         .policy = reject,
         .senders = {b, 2},
         .unverified = HAT_NO_PTR | HAT_PTR_TEMPFAIL,
         .senders_file = file.path},
        {.name = "C", .at = {.file = "c", .line = 7}, .policy = reject, .unverified = HAT_NO_PTR},
        {.name = "D", .at = {.file = "c", .line = 8}, .policy = reject, .senders = {d, 1}},
    };
    problems_init(&problems);
    struct hat *hat = hat_build(groups, ARRAY_LEN(groups), reject, &problems);
    assert_non_null(hat);
    static const char *const expected[] = {
        "c:3: warning: [group A] senders: 10.9. is never reached: 10. comes first, c:2",
        ("c:5: warning: [group B] unverified: nx.domain is never reached: the group A comes "
         "first, c:1"),
        "c:6: warning: [group B] senders: 10.8. is never reached: 10. comes first, c:2",
        ":1:1: warning: 10.1. is never reached: ALL comes first, c:6",
        ":3:1: warning: 10.2. is never reached: ALL comes first, c:6",
        ":3:8: warning: 10.3. is never reached: ALL comes first, c:6",
        "c:7: warning: [group C] is never reached: ALL comes first, c:6",
        "c:8: warning: [group D] is never reached: ALL comes first, c:6",
    };
    assert_int_equal(problems.count, ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        const char *line = problems.list[i].line;
        bool inside = strncmp(line, file.path, strlen(file.path)) == 0;
        assert_string_equal(inside ? line + strlen(file.path) : line, expected[i]);
    }
    hat_free(hat);
    problems_done(&problems);
    table_file_done(&file);
}

/* --- random tables ----------------------------------------------------------------------- */

static const char *const rows4[] = {"10.0.0.0",    "10.0.0.1",          "10.0.0.0-3",
                                    "10.0.0.2-5",  "10.0.0.0/30",       "10.0.0.4/30",
                                    "10.0.0.0/29", "10.0.0.6-10.0.0.7", "10.0.0.3-3."};
static const char *const rows6[] = {
    "2001:db8::1:0:0:1",      "2001:db8::1:0:0:0/126",  "2001:db8:0:0:0-1:0:0:1",
    "2001:db8:0:0:0-3:0:0:2", "2001:db8:0:0:1:0:0:0-2", "2001:db8::/64",
    "2001:db8::2:0:0:2",      "2001:db8:0:0:2-3:0:0:2", "2001:db8::-2001:db8::1:0:0:9"};
static const char *const names[] = {"a.test",     ".a.test", "b.a.test", ".b.a.test",
                                    "c.b.a.test", ".test",   "A.test",   "B.a.Test."};
static const char *const scores[] = {"SBRS[-1:0]",  "SBRS[0:1]",  "SBRS[-1:1]",    "SBRS[0.5:0.5]",
                                     "SBRS[-2:-1]", "SBRS[none]", "sbrs[-0.5:0.5]"};
static const char *const others[] = {"SBO:1",      "SBO:2",      "sbo:1",
                                     "country:JP", "Country:jp", "nx.domain",
                                     "serv.fail",  "NX.Domain",  "ALL"};

static const struct {
    const char *const *rows;
    uint32_t n;
    bool exact; /* all that is hidden is told */
} sorts[] = {{rows4, ARRAY_LEN(rows4), true},   {rows6, ARRAY_LEN(rows6), false},
             {names, ARRAY_LEN(names), true},   {scores, ARRAY_LEN(scores), true},
             {others, ARRAY_LEN(others), true}, {others, ARRAY_LEN(others) - 1, true}};

#define ROWS_MAX 12

struct world {
    const struct hat *hat;
    bool reached[ROWS_MAX + 2];
};

static void ask(struct world *world, const struct hat_client *client)
{
    struct hat_match match;
    hat_decide(world->hat, client, &match);
    if (match.at.line > 0)
        world->reached[match.at.line] = true;
}

static struct ip address(const char *text)
{
    struct ip ip;
    assert_true(ip_parse(slice_of(text), &ip));
    return ip;
}

static void ask_addresses(struct world *world)
{
    for (unsigned i = 0; i < 10; i++)
        ask(world, &(struct hat_client){.ip = ip_from_v4(0x0a000000 + i)});
    for (unsigned g = 0; g < 5; g++) {
        for (unsigned i = 0; i < 12; i++) {
            struct hat_client client = {.ip = address("2001:db8::")};
            client.ip.b[9] = (uint8_t)g;
            client.ip.b[15] = (uint8_t)i;
            ask(world, &client);
        }
    }
}

/* With an address that no entry but ALL means. */
static void ask_the_rest(struct world *world)
{
    static const char *const hosts[] = {"a.test", "b.a.test", "c.b.a.test",
                                        "x.test", "x.a.test", "x.b.a.test"};
    static const enum host_class classes[] = {HOST_NO_PTR, HOST_PTR_TEMPFAIL, HOST_PTR_MISMATCH};
    struct hat_client client = {.ip = ip_from_v4(0xc0000201)};
    ask(world, &client);
    for (size_t i = 0; i < ARRAY_LEN(hosts) + ARRAY_LEN(classes); i++) {
        struct host_answer host = {.class = HOST_VERIFIED};
        client.host = &host;
        if (i < ARRAY_LEN(hosts))
            snprintf(host.name, sizeof host.name, "%s", hosts[i]);
        else
            host.class = classes[i - ARRAY_LEN(hosts)];
        ask(world, &client);
    }
    client.host = NULL;
    for (int i = -9; i <= 9; i++) {
        client.score_known = true;
        client.score = i / 4.0;
        ask(world, &client);
    }
    client.score_none = true;
    ask(world, &client);
    client.score_known = false;
    for (uint32_t owner = 1; owner < 3; owner++) {
        client.owner = owner;
        ask(world, &client);
    }
    client.owner = 0;
    memcpy(client.country, "JP", 3);
    ask(world, &client);
}

static void test_random(void **state)
{
    struct dice dice = dice_start(0);
    (void)state;
    for (int round = 0; round < 6000; round++) {
        struct table_file file;
        struct strbuf text;
        size_t n = 1 + dice_below(&dice, ROWS_MAX);
        bool exact[ROWS_MAX + 2] = {false}, skipped[ROWS_MAX + 2] = {false};
        strbuf_init(&text);
        for (size_t i = 1; i <= n; i++) {
            uint32_t sort = dice_below(&dice, ARRAY_LEN(sorts));
            skipped[i] = dice_below(&dice, 8) == 0;
            exact[i] = sorts[sort].exact;
            /* A comment keeps bare entries apart, and a comma ALL from the end. */
            strbuf_printf(&text, "%s, %s (x)\n", sorts[sort].rows[dice_below(&dice, sorts[sort].n)],
                          skipped[i] ? "CONTINUE" : "REJECT");
        }
        struct hat *hat = load(&file, (struct slice){strbuf_text(&text), text.n});
        struct world world = {.hat = hat};
        assert_non_null(hat);
        ask_addresses(&world);
        ask_the_rest(&world);
        const char *told = table_file_problems(&file);
        for (size_t i = 1; i <= n; i++) {
            char place[16];
            snprintf(place, sizeof place, "F:%zu:", i);
            const char *at = strstr(told, place);
            bool warned = at != NULL && (at == told || at[-1] == '\n');
            if (warned ? world.reached[i] || skipped[i]
                       : !world.reached[i] && !skipped[i] && exact[i])
                fail_msg("line %zu of\n%s\n%s", i, strbuf_text(&text), told);
        }
        hat_free(hat);
        table_file_done(&file);
        strbuf_done(&text);
    }
}

/* --- many ---------------------------------------------------------------------------------- */

/* Rows are three numbers with these words around and between them. */
static size_t load_many(const char *first, size_t n, const char *const words[4], mono_us *took_out)
{
    struct table_file file;
    struct strbuf text;
    strbuf_init(&text);
    strbuf_printf(&text, "%s REJECT\n", first);
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&text, "%s%u%s%u%s%u%s\n", words[0], (unsigned)(i >> 16 & 255), words[1],
                      (unsigned)(i >> 8 & 255), words[2], (unsigned)(i & 255), words[3]);
    mono_us start = mono_now();
    struct hat *hat = load(&file, (struct slice){strbuf_text(&text), text.n});
    *took_out = mono_now() - start;
    assert_non_null(hat);
    size_t told = file.problems.warnings;
    hat_free(hat);
    table_file_done(&file);
    strbuf_done(&text);
    return told;
}

/* So many that nobody reads them are counted; and ten times as many take about ten times
 * as long. */
static void test_many(void **state)
{
    static const struct {
        const char *first, *words[4];
    } kinds[] = {{"10.", {"10.", ".", ".", " REJECT (x)"}},
                 {".test", {"a", ".b", ".c", ".test REJECT (x)"}},
                 {"2001:db8::/32", {"2001:db8::", ":", ":", " REJECT (x)"}},
                 {"SBO:1", {"SBO:1 REJECT (", " ", " ", ")"}},
                 {"ALL,", {"10.", ".", ".", " REJECT (x)"}}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        mono_us few, many;
        assert_int_equal(load_many(kinds[i].first, 100, kinds[i].words, &few), 100);
        assert_int_equal(load_many(kinds[i].first, 10000, kinds[i].words, &few), 101);
        assert_int_equal(load_many(kinds[i].first, 100000, kinds[i].words, &many), 101);
        assert_true(many < 50 * few + MONO_MS(1000));
    }
}

static int make_policies(void **state)
{
    (void)state;
    arena = arena_new(0);
    policies = policies_build(NULL, 0, false, arena);
    return policies == NULL;
}

static int drop_policies(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, make_policies, drop_policies);
}
