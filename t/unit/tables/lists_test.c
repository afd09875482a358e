/* lists_test.c - address lists: entries of a key and of a file, kinds, matches. */
#include "lib/tables/lists.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/tables/table_file.h"

#define ITEMS_MAX 20

/* A section, its places, and what was complained of. */
struct section {
    struct key_item items[ITEMS_MAX];
    struct lists_keys keys;
    struct table_file file; /* of addresses_file */
    struct lists *lists;
};

/* addresses: words separated by single blanks; file NULL: none. */
static void build(struct section *section, enum lists_kind kind, const char *addresses,
                  const char *file, struct arena *arena)
{
    char *words = arena_dup(arena, addresses), *word, *rest = words;
    size_t n = 0;
    while ((word = strsep(&rest, " ")) != NULL) {
        if (word[0] == '\0')
            continue;
        section->items[n].text = word;
        section->items[n].at =
            (struct place){.file = "conf", .line = (unsigned)n + 1, .key = "[k] a"};
        n++;
    }
    table_file_new(&section->file, slice_of(file));
    section->keys = (struct lists_keys){.kind = (int)kind,
                                        .addresses = {section->items, n},
                                        .addresses_file = file != NULL ? section->file.path : ""};
    section->lists = lists_new();
    assert_non_null(section->lists);
    lists_add(section->lists, &(struct lists_written){"k", &section->keys, table_file_named()},
              &section->file.problems);
}

static void done(struct section *section)
{
    lists_free(section->lists);
    table_file_done(&section->file);
}

static struct mailaddr address(const char *text, struct arena *arena)
{
    struct mailaddr addr;
    struct err err = {0};
    if (!mailaddr_parse(slice_of(text), MAILADDR_STRICT, true, arena, &addr, &err))
        fail_msg("%s: %s", text, err.text);
    return addr;
}

/* --- what may stand in a list ------------------------------------------------------- */

#define MIXED "allowed: user@example.com, user@, @example.com, @.example.com, @[192.0.2.1]\n"
#define FULL "allowed: user@example.com\n"
#define DOMAIN "allowed: @example.com, @.example.com\n"
#define IP "allowed: @[192.0.2.1], @[IPv6:2001:db8::1]\n"

static const struct {
    enum lists_kind kind;
    const char *addresses, *file, *problems;
    size_t entries;
} sections[] = {
    {LISTS_MIXED, "", NULL, "", 0},
    {LISTS_MIXED, "u@a.example u@ @a.example @.a.example @[192.0.2.1] u@[192.0.2.1]", NULL, "", 6},
    {LISTS_MIXED, "@[IPv6:2001:db8::1] u@[ipv6:2001:DB8::1] \"u\"@a.example @a_b.example", NULL, "",
     4},
    {LISTS_FULL, "u@a.example u@[192.0.2.1]", NULL, "", 2},
    {LISTS_DOMAIN, "@a.example @.a.example @localhost", NULL, "", 3},
    {LISTS_IP, "@[192.0.2.1] @[IPv6:::1]", NULL, "", 2},
    /* the same again is one */
    {LISTS_MIXED, "U@A.example \"u\"@a.example. @A.example", "@a.EXAMPLE u@a.example b@c.example",
     "", 3},
    {LISTS_MIXED, "", "# nothing\n\n a@b.example,@c.example ; # x\n",
     "F:3:25: \";\" is not an address; " MIXED, 2},
    {LISTS_MIXED, "", "\"a b\"@c.example,,u@\r\n,@m\xfcller.example,\n@\xc3\xbc.example", "", 4},
    {LISTS_FULL, "u@ @a.example", "@.a.example\n@[192.0.2.1] u@b.example\n",
     "conf:1: [k] a: \"u@\" does not belong in a list of kind = full; " FULL
     "conf:2: [k] a: \"@a.example\" does not belong in a list of kind = full; " FULL
     "F:1:1: \"@.a.example\" does not belong in a list of kind = full; " FULL
     "F:2:1: \"@[192.0.2.1]\" does not belong in a list of kind = full; " FULL,
     1},
    {LISTS_DOMAIN, "u@a.example u@ @[192.0.2.1]", NULL,
     "conf:1: [k] a: \"u@a.example\" does not belong in a list of kind = domain; " DOMAIN
     "conf:2: [k] a: \"u@\" does not belong in a list of kind = domain; " DOMAIN
     "conf:3: [k] a: \"@[192.0.2.1]\" does not belong in a list of kind = domain; " DOMAIN,
     0},
    {LISTS_IP, "u@[192.0.2.1] u@a.example @a.example @.a.example u@", NULL,
     "conf:1: [k] a: \"u@[192.0.2.1]\" does not belong in a list of kind = ip; " IP
     "conf:2: [k] a: \"u@a.example\" does not belong in a list of kind = ip; " IP
     "conf:3: [k] a: \"@a.example\" does not belong in a list of kind = ip; " IP
     "conf:4: [k] a: \"@.a.example\" does not belong in a list of kind = ip; " IP
     "conf:5: [k] a: \"u@\" does not belong in a list of kind = ip; " IP,
     0},
    {LISTS_MIXED, "a.example @ @. u@@a.example <u@a.example> u", NULL,
     "conf:1: [k] a: \"a.example\" is not an address; " MIXED
     "conf:2: [k] a: \"@\" is not an address; " MIXED
     "conf:3: [k] a: \"@.\" is not an address; " MIXED
     "conf:4: [k] a: \"u@@a.example\" is not an address; " MIXED
     "conf:5: [k] a: \"<u@a.example>\" is not an address; " MIXED
     "conf:6: [k] a: \"u\" is not an address; " MIXED,
     0},
    {LISTS_IP, "@192.0.2.1 @[192.0.2.256] @[192.0.2.1 [192.0.2.1] @[2001:db8::1]", NULL,
     "conf:1: [k] a: \"@192.0.2.1\" is not an address; " IP
     "conf:2: [k] a: \"@[192.0.2.256]\" is not an address; " IP
     "conf:3: [k] a: \"@[192.0.2.1\" is not an address; " IP
     "conf:4: [k] a: \"[192.0.2.1]\" is not an address; " IP
     "conf:5: [k] a: \"@[2001:db8::1]\" is not an address; " IP,
     0},
};

static void test_entries(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        struct section section;
        struct arena *arena = arena_new(0);
        print_message("# %s\n", sections[i].addresses);
        build(&section, sections[i].kind, sections[i].addresses, sections[i].file, arena);
        assert_string_equal(table_file_problems(&section.file), sections[i].problems);
        assert_int_equal(lists_entries(section.lists, "k"), sections[i].entries);
        done(&section);
        arena_free(arena);
    }
}

static void test_no_file(void **state)
{
    (void)state;
    struct problems problems;
    struct lists_keys keys = {.addresses_file = "/"};
    struct lists *lists = lists_new();
    problems_init(&problems);
    lists_add(lists, &(struct lists_written){"k", &keys, table_file_named()}, &problems);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].line,
                        "gatehouse.conf:7: cannot read /: it is a folder, not a file");
    problems_done(&problems);
    lists_free(lists);
}

/* --- matches ------------------------------------------------------------------------- */

static const struct {
    const char *addr;
    unsigned line; /* 0: no match */
} matches[] = {
    {"<joe@first.example>", 1},
    {"<JOE@First.Example.>", 1},
    {"<\"joe\"@first.example>", 1},
    {"<jim@first.example>", 0},
    {"<joe@sub.first.example>", 0},
    {"<abuse@anywhere.example>", 2},
    {"<Abuse>", 2},
    {"<abuse@[192.0.2.9]>", 2},
    {"<abuse+x@anywhere.example>", 0},
    {"<x@whole.example>", 3},
    {"<x@a.whole.example>", 4},
    {"<x@b.a.whole.example>", 4},
    {"<x@awhole.example>", 0},
    {"<x@[192.0.2.1]>", 5},
    {"<x@[192.0.2.2]>", 0},
    {"<x@[IPv6:2001:db8:0::1]>", 6},
    {"<x@m\xc3\xbcller.example>", 7},
    {"<x@xn--mller-kva.example>", 7},
    {"<x@in.file.example>", 8}, /* the file's first line */
    {"<x>", 0},
    {"<>", 0},
};

static const char *const entries[] = {
    "joe@first.example",      "abuse@",           "@whole.example",
    "@.whole.example",        "@[192.0.2.1]",     "@[IPv6:2001:db8::1]",
    "@m\xc3\xbcller.example", "@in.file.example",
};

static void test_matches(void **state)
{
    (void)state;
    struct section section;
    struct arena *arena = arena_new(0);
    build(&section, LISTS_MIXED,
          "joe@first.example abuse@ @whole.example @.whole.example @[192.0.2.1] "
          "@[IPv6:2001:db8::1] @m\xc3\xbcller.example",
          "@in.file.example\n@whole.example\n", arena);
    assert_string_equal(table_file_problems(&section.file), "");
    for (size_t i = 0; i < ARRAY_LEN(matches); i++) {
        struct mailaddr addr = address(matches[i].addr, arena);
        struct place at = {.line = 0};
        print_message("# %s\n", matches[i].addr);
        assert_int_equal(lists_match(section.lists, "k", &addr, &at), matches[i].line > 0);
        assert_int_equal(lists_match(section.lists, "k", &addr, NULL), matches[i].line > 0);
        assert_int_equal(at.line, matches[i].line == 8 ? 1 : matches[i].line);
        if (matches[i].line > 0)
            assert_string_equal(at.file, matches[i].line == 8 ? section.file.path : "conf");
        const char *entry = lists_lookup(section.lists, "k", &addr);
        assert_int_equal(entry != NULL, matches[i].line > 0);
        if (entry != NULL)
            assert_string_equal(entry, entries[matches[i].line - 1]);
        assert_false(lists_match(section.lists, "", &addr, NULL));
        assert_false(lists_match(section.lists, "none", &addr, NULL));
        assert_false(lists_match(NULL, "k", &addr, NULL));
        assert_null(lists_lookup(section.lists, "none", &addr));
    }
    done(&section);
    arena_free(arena);
}

/* Many lists, each with its own members; one of them large. */
static void test_many(void **state)
{
    (void)state;
    struct lists *lists = lists_new();
    struct problems problems;
    struct arena *arena = arena_new(0);
    problems_init(&problems);
    for (unsigned i = 0; i < 100; i++) {
        char name[20];
        size_t n = i == 50 ? 20000 : 2;
        struct key_item *items = arena_alloc(arena, n * sizeof *items);
        for (size_t k = 0; k < n; k++)
            items[k].text = arena_printf(arena, "u%u@d%zu.example", i, k);
        struct lists_keys keys = {.addresses = {items, n}, .addresses_file = ""};
        snprintf(name, sizeof name, "list%u", i);
        lists_add(lists, &(struct lists_written){.name = name, .keys = &keys}, &problems);
        assert_int_equal(lists_entries(lists, name), n);
    }
    assert_int_equal(problems.count, 0);
    struct mailaddr seven = address("<u7@d1.example>", arena);
    struct mailaddr fifty = address("<u50@d19999.example>", arena);
    assert_true(lists_match(lists, "list7", &seven, NULL));
    assert_false(lists_match(lists, "list8", &seven, NULL));
    assert_true(lists_match(lists, "list50", &fifty, NULL));
    assert_false(lists_match(lists, "list7", &fifty, NULL));
    problems_done(&problems);
    lists_free(lists);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
