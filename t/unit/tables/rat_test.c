/*
 * rat_test.c - the RAT file line by line, look-ups by hand, and random tables
 * against a plain loop over the list.
 */
#include "lib/tables/rat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/domain.h"
#include "t/unit/dice.h"
#include "t/unit/tables/table_file.h"

static struct rat *load(struct table_file *file)
{
    return rat_load(file->path, table_file_named(), &file->problems);
}

static bool read_table(struct table_file *file, struct strbuf *out)
{
    struct rat *table = load(file);
    if (table != NULL)
        rat_export(table, out);
    rat_free(table);
    return table != NULL;
}

/* --- lines: what is read, as an export shows it ------------------------------------ */

#define WARN_ACCEPT                                                                                \
    "warning: the reply to an accepted recipient is the MTA's own: 250 and its text are kept, "    \
    "but never sent\n"

static const struct table_line good_lines[] = {
    {"example.com ACCEPT", "example.com ACCEPT\n"},
    {"Example.COM accept", "Example.COM ACCEPT\n"},
    {"  .example.com\tReject  ", ".example.com REJECT\n"},
    {"a.example, .a.example ,u@a.example,u@ ACCEPT",
     "a.example ACCEPT\n.a.example ACCEPT\nu@a.example ACCEPT\nu@ ACCEPT\n"},
    {"u@[192.0.2.1] ACCEPT", "u@[192.0.2.1] ACCEPT\n"},
    {"[192.0.2.1], [IPv6:2001:db8::1] ACCEPT", "[192.0.2.1] ACCEPT\n[IPv6:2001:db8::1] ACCEPT\n"},
    {"ALL REJECT", "ALL REJECT\n"},
    {"\"john smith, # jr\"@a.example ACCEPT", "\"john smith, # jr\"@a.example ACCEPT\n"},
    {"a ACCEPT {bypass_ldap}", "a ACCEPT {bypass_ldap}\n"},
    {"a ACCEPT{bypass_callahead,Bypass_Rate_Limit}",
     "a ACCEPT {bypass_rate_limit, bypass_callahead}\n"},
    {"a ACCEPT { bypass_ldap bypass_callahead , bypass_rate_limit } ",
     "a ACCEPT {bypass_rate_limit, bypass_ldap, bypass_callahead}\n"},
    {"a ACCEPT {}", "a ACCEPT\n"},
    {"a REJECT 550 \"5.7.1 Not \\\"here\\\" # or \\\\ there\"",
     "a REJECT 550 \"5.7.1 Not \\\"here\\\" # or \\\\ there\"\n"},
    {"a REJECT 450 \"#4.2.0 Later\"", "a REJECT 450 \"#4.2.0 Later\"\n"},
    {"a REJECT {bypass_ldap} 599 \"x\" # comment", "a REJECT {bypass_ldap} 599 \"x\"\n"},
    {"a REJECT 550 \"gr\xfc\xdf\"", "a REJECT 550 \"gr\xc3\xbc\xc3\x9f\"\n"},
    {"m\xfcller.example ACCEPT", "m\xc3\xbcller.example ACCEPT\n"},
    {"# nothing", ""},
    {"", ""},
};

static void test_good_lines(void **state)
{
    (void)state;
    table_lines_good(good_lines, ARRAY_LEN(good_lines), read_table);
}

#define FLAG "is a flag, which must be in braces after the action; allowed: "
#define FORMS                                                                                      \
    "is not an address; allowed: example.com, .example.com, user@example.com, user@, "             \
    "user@[192.0.2.1], [192.0.2.1], [IPv6:2001:db8::1], ALL\n"

static const struct table_line bad_lines[] = {
    {"example.com", "F:1:12: ACCEPT or REJECT is missing\n"},
    {"example.com OK", "F:1:13: \"OK\" is not an action; allowed: ACCEPT or REJECT\n"},
    {"a b ACCEPT", "F:1:3: \"b\" is not an action; allowed: ACCEPT or REJECT\n"},
    {", a ACCEPT", "F:1:1: an address is missing\n"},
    {"a,, b ACCEPT", "F:1:3: an address is missing\n"},
    {"a..b ACCEPT", "F:1:1: \"a..b\" " FORMS},
    {"a, @b ACCEPT", "F:1:4: \"@b\" " FORMS},
    {"<u@b> ACCEPT", "F:1:1: \"<u@b>\" " FORMS},
    {"u@192.0.2.1 ACCEPT", "F:1:1: \"u@192.0.2.1\" " FORMS},
    {"192.0.2.1 ACCEPT", "F:1:1: \"192.0.2.1\" " FORMS},
    {"[192.0.2.256] ACCEPT", "F:1:1: \"[192.0.2.256]\" " FORMS},
    {"[192.0.2.1 ACCEPT", "F:1:1: \"[192.0.2.1\" " FORMS},
    {"@ ACCEPT", "F:1:1: \"@\" " FORMS},
    {". ACCEPT", "F:1:1: \".\" " FORMS},
    {"\"u@b\" ACCEPT", "F:1:1: \"\"u@b\"\" " FORMS},
    {"u@.b ACCEPT", "F:1:1: \"u@.b\" " FORMS},
    {"*@b, *.b ACCEPT", "F:1:6: \"*.b\" " FORMS},
    {"a ACCEPT {bypass}", "F:1:11: \"bypass\" is not a flag; allowed: bypass_rate_limit, "
                          "bypass_ldap, bypass_callahead\n"},
    {"example.com, bypass_ldap ACCEPT",
     "F:1:14: \"bypass_ldap\" " FLAG "example.com ACCEPT {bypass_ldap}\n"},
    {"example.com ACCEPT bypass_ldap",
     "F:1:20: \"bypass_ldap\" " FLAG "example.com ACCEPT {bypass_ldap}\n"},
    {"a.example, u@b.example accept BYPASS_LDAP, bypass_rate_limit",
     "F:1:31: \"BYPASS_LDAP\" " FLAG
     "a.example, u@b.example ACCEPT {bypass_ldap, bypass_rate_limit}\n"},
    {"example.com bypass_callahead",
     "F:1:13: \"bypass_callahead\" " FLAG "example.com ACCEPT {bypass_callahead}\n"},
    {"example.com {bypass_ldap} ACCEPT",
     "F:1:13: \"bypass_ldap\" " FLAG "example.com ACCEPT {bypass_ldap}\n"},
    {"bypass_ldap ACCEPT", "F:1:1: \"bypass_ldap\" " FLAG "ADDRESS ACCEPT {bypass_ldap}\n"},
    {"a.example, bypass-ldap REJECT 550 \"no\"",
     "F:1:12: \"bypass-ldap\" " FLAG "a.example REJECT {bypass_ldap} 550 \"no\"\n"},
    {"a ACCEPT {bypass_ldap", "F:1:10: the closing \"}\" is missing\n"},
    {"a REJECT 250 \"x\"", "F:1:10: \"250\" is not a code for REJECT; allowed: 400 to 599, then a "
                           "text in double quotes\n"},
    {"a REJECT 399 \"x\"", "F:1:10: \"399\" is not a code for REJECT; allowed: 400 to 599, then a "
                           "text in double quotes\n"},
    {"a REJECT 600 \"x\"", "F:1:10: \"600\" is not a code for REJECT; allowed: 400 to 599, then a "
                           "text in double quotes\n"},
    {"a ACCEPT 550 \"x\"", "F:1:10: \"550\" is not a code for ACCEPT; allowed: 200 to 299, then a "
                           "text in double quotes\n"},
    {"a REJECT \"x\"", "F:1:10: a code of three digits is missing before the text\n"},
    {"a REJECT 550", "F:1:13: a text in double quotes is missing after the code 550\n"},
    {"a REJECT 550 x", "F:1:14: a text in double quotes is missing after the code 550\n"},
    {"a REJECT 550 \"x", "F:1:14: the closing double quote is missing\n"},
    {"a REJECT 550 \"x\\\"", "F:1:14: the closing double quote is missing\n"},
    {"a REJECT 550 \"\"", "F:1:14: the text is empty; allowed: 1 to 900 bytes\n"},
    {"a REJECT 550 \"a\tb\"",
     "F:1:14: the text holds a control character; allowed: text without tabs, and \\n for a new "
     "line of the reply\n"},
    {"a REJECT 550 \"a\x9b b\"",
     "F:1:14: the text holds a control character; allowed: text without tabs, and \\n for a new "
     "line of the reply\n"},
    {"a REJECT 550 \"4.7.1 x\"",
     "F:1:14: the status 4.7.1 does not fit the code 550: it must begin with 5\n"},
    {"a REJECT 450 \"#5.7.1 x\"",
     "F:1:14: the status 5.7.1 does not fit the code 450: it must begin with 4\n"},
    {"a REJECT 550 \"x\" y", "F:1:18: nothing may follow the reply text\n"},
    {"a..b, c..d OK\n e..f ACCEPT",
     "F:1:12: \"OK\" is not an action; allowed: ACCEPT or REJECT\nF:1:1: \"a..b\" " FORMS
     "F:1:7: \"c..d\" " FORMS "F:2:2: \"e..f\" " FORMS},
};

static void test_bad_lines(void **state)
{
    (void)state;
    table_lines_bad(bad_lines, ARRAY_LEN(bad_lines), read_table);
}

static const struct table_line warnings[] = {
    {"a ACCEPT 250 \"2.1.5 Fine\"", "F:1:10: " WARN_ACCEPT},
    {"a ACCEPT\nb, A. REJECT", "F:2:4: warning: A. is never reached: a comes first, F:1\n"},
    {"\"u\"@b ACCEPT\nU@B REJECT",
     "F:2:1: warning: U@B is never reached: \"u\"@b comes first, F:1\n"},
    {"ALL REJECT\na ACCEPT\nall ACCEPT",
     "F:2:1: warning: a is never reached: ALL comes first, F:1\n"
     "F:3:1: warning: all is never reached: ALL comes first, F:1\n"},
    {"\nexample.com ACCEPT\njoe@example.com REJECT",
     "F:3:1: warning: joe@example.com is never reached: example.com comes first, F:2\n"},
    {"joe@ ACCEPT\njoe@example.com, joe@[192.0.2.1] REJECT",
     "F:2:1: warning: joe@example.com is never reached: joe@ comes first, F:1\n"
     "F:2:18: warning: joe@[192.0.2.1] is never reached: joe@ comes first, F:1\n"},
    {"[IPv6:2001:db8:0::1] ACCEPT\njoe@[IPv6:2001:DB8::1] REJECT",
     "F:2:1: warning: joe@[IPv6:2001:DB8::1] is never reached: [IPv6:2001:db8:0::1] comes first, "
     "F:1\n"},
    {".com ACCEPT\n.a.com ACCEPT\nA.Com REJECT\nx@b.a.com REJECT",
     "F:2:1: warning: .a.com is never reached: .com comes first, F:1\n"
     "F:3:1: warning: A.Com is never reached: .com comes first, F:1\n"
     "F:4:1: warning: x@b.a.com is never reached: .com comes first, F:1\n"},
    {".b.a ACCEPT\nx@ ACCEPT\n.a ACCEPT\nx@c.b.a REJECT\nx@b.a REJECT",
     "F:4:1: warning: x@c.b.a is never reached: .b.a comes first, F:1\n"
     "F:5:1: warning: x@b.a is never reached: x@ comes first, F:2\n"},
};

static void test_warnings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(warnings); i++) {
        struct table_file file;
        table_file_new(&file, slice_of(warnings[i].text));
        struct rat *rat = load(&file);
        assert_string_equal(table_file_problems(&file), warnings[i].expected);
        assert_non_null(rat);
        rat_free(rat);
        table_file_done(&file);
    }
}

/* Which rows are told of as hidden is which rows no address gets, whatever the
 * table. */
static void test_hidden(void **state)
{
    static const char *const rows[] = {
        "a",   "b.a",  ".a",     ".b.a",    "x@a",           "x@b.a",
        "x@",  "y@",   ".c.b.a", "c.b.a",   "[192.0.2.1]",   "y@c.b.a",
        "x@d", "B.a.", "ALL",    "X@C.b.a", "x@[192.0.2.1]", "\"y\"@"};
    static const char *const hosts[] = {"@a",   "@b.a",         "@c.b.a", "@z.c.b.a", "@d",
                                        "@z.a", "@[192.0.2.1]", "@z.b.a", ""};
    static const char *const locals[] = {"x", "y", "z"};
    struct dice dice = dice_start(0);
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct table_file file;
        struct arena *arena = arena_new(0);
        struct strbuf text;
        bool reached[12] = {false};
        size_t n = 1 + dice_below(&dice, ARRAY_LEN(reached));
        strbuf_init(&text);
        for (size_t i = 0; i < n; i++)
            strbuf_printf(&text, "%s ACCEPT\n", rows[dice_below(&dice, ARRAY_LEN(rows))]);
        table_file_new(&file, (struct slice){strbuf_text(&text), text.n});
        struct rat *rat = load(&file);
        assert_non_null(rat);
        for (size_t i = 0; i < ARRAY_LEN(hosts) * ARRAY_LEN(locals); i++) {
            const char *sent = arena_printf(arena, "<%s%s>", locals[i % ARRAY_LEN(locals)],
                                            hosts[i / ARRAY_LEN(locals)]);
            struct mailaddr addr = table_address(sent, arena);
            const struct rat_entry *entry = rat_lookup(rat, &addr);
            if (entry->at.line > 0)
                reached[entry->at.line - 1] = true;
        }
        const char *told = table_file_problems(&file);
        for (size_t i = 0; i < n; i++) {
            char place[16];
            snprintf(place, sizeof place, "F:%zu:1:", i + 1);
            if (reached[i] != (strstr(told, place) == NULL))
                fail_msg("line %zu of\n%s\n%s", i + 1, strbuf_text(&text), told);
        }
        rat_free(rat);
        table_file_done(&file);
        strbuf_done(&text);
        arena_free(arena);
    }
}

/* So many that nobody reads them are counted. */
static void test_many_hidden(void **state)
{
    struct table_file file;
    struct strbuf text;
    (void)state;
    strbuf_init(&text);
    strbuf_puts(&text, "a ACCEPT\n");
    for (int i = 0; i < 102; i++)
        strbuf_printf(&text, "u%d@a REJECT\n", i);
    table_file_new(&file, (struct slice){strbuf_text(&text), text.n});
    struct rat *rat = load(&file);
    assert_non_null(rat);
    assert_int_equal(file.problems.warnings, 101);
    assert_non_null(strstr(table_file_problems(&file), "F:101:1: warning: u99@a is never reached"));
    assert_non_null(
        strstr(table_file_problems(&file), "F: warning: 2 more rows are never reached"));
    rat_free(rat);
    table_file_done(&file);
    strbuf_done(&text);
}

static void test_long_text(void **state)
{
    (void)state;
    for (int n = 899; n <= 901; n++) {
        char line[1000];
        struct table_file file;
        snprintf(line, sizeof line, "a REJECT 550 \"%0*d\"", n, 0);
        table_file_new(&file, slice_of(line));
        struct rat *rat = load(&file);
        assert_int_equal(rat != NULL, n <= 900);
        rat_free(rat);
        table_file_done(&file);
    }
}

static void test_no_file(void **state)
{
    (void)state;
    struct problems problems;
    problems_init(&problems);
    assert_null(rat_load("/", table_file_named(), &problems));
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].line,
                        "gatehouse.conf:7: cannot read /: it is a folder, not a file");
    problems_done(&problems);
}

/* --- look-ups ------------------------------------------------------------------------ */

static const char table[] = "special@first.example REJECT 550 \"5.1.1 Gone\"\n"
                            "first.example ACCEPT {bypass_ldap}\n"
                            "late@first.example REJECT\n"
                            ".sub.example, sub.example ACCEPT\n"
                            "x.sub.example REJECT\n"
                            "abuse@ ACCEPT {bypass_rate_limit}\n"
                            "\"odd one\"@q.example ACCEPT\n"
                            "u@[192.0.2.1] ACCEPT\n"
                            "[192.0.2.1] REJECT\n"
                            "[IPv6:2001:DB8:0::1] ACCEPT\n"
                            "[192.0.2.7] ACCEPT\n"
                            "m\xc3\xbcller.example ACCEPT\n";

static const struct table_line lookups[] = {
    {"<joe@first.example>", "first.example"},
    {"<SPECIAL@First.Example>", "special@first.example"},
    {"<late@first.example>", "first.example"},
    {"<a@y.sub.example>", ".sub.example"},
    {"<a@sub.example>", "sub.example"},
    {"<a@x.sub.example>", ".sub.example"},
    {"<a@badsub.example>", "ALL"},
    {"<Abuse@other.example>", "abuse@"},
    {"<abuse>", "abuse@"},
    {"<abuse@[192.0.2.9]>", "abuse@"},
    {"<joe>", "ALL"},
    {"<\"Odd One\"@q.example>", "\"odd one\"@q.example"},
    {"<u@[192.0.2.1]>", "u@[192.0.2.1]"},
    {"<\"u\"@[192.0.2.1]>", "u@[192.0.2.1]"},
    {"<v@[192.0.2.1]>", "[192.0.2.1]"},
    {"<v@[IPv6:2001:db8::1]>", "[IPv6:2001:DB8:0::1]"},
    {"<v@xn--mller-kva.example>", "m\xc3\xbcller.example"},
    {"<v@M\xc3\xbcller.example>", "m\xc3\xbcller.example"},
    {"<joe@none.example>", "ALL"},
    {"<>", "ALL"},
};

static void test_lookups(void **state)
{
    (void)state;
    struct table_file file;
    table_file_new(&file, slice_of(table));
    struct rat *rat = load(&file);
    assert_non_null(rat);
    for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
        struct arena *arena = arena_new(0);
        struct mailaddr addr = table_address(lookups[i].text, arena);
        print_message("# %s\n", lookups[i].text);
        assert_string_equal(rat_lookup(rat, &addr)->address, lookups[i].expected);
        arena_free(arena);
    }
    rat_free(rat);
    table_file_done(&file);
}

static void test_either(void **state)
{
    (void)state;
    static const struct {
        const char *addr, *base, *expected;
    } rows[] = {
        {"<special+x@first.example>", "<special@first.example>", "special@first.example"},
        {"<late@first.example>", "<special@first.example>", "special@first.example"},
        {"<abuse+x@other.example>", "<abuse@other.example>", "abuse@"},
        {"<abuse@other.example>", "<abuse@other.example>", "abuse@"},
        {"<abuse>", "<joe@none.example>", "abuse@"},
        {"<a@none.example>", "<b@none.example>", "ALL"},
    };
    struct table_file file;
    struct arena *arena = arena_new(0);
    table_file_new(&file, slice_of(table));
    struct rat *rat = load(&file);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mailaddr addr = table_address(rows[i].addr, arena),
                        base = table_address(rows[i].base, arena);
        print_message("# %s\n", rows[i].addr);
        assert_string_equal(rat_lookup_either(rat, &addr, &base)->address, rows[i].expected);
        assert_string_equal(rat_lookup_either(rat, &base, &addr)->address, rows[i].expected);
    }
    rat_free(rat);
    table_file_done(&file);
    arena_free(arena);
}

static void test_entry(void **state)
{
    (void)state;
    struct table_file file;
    table_file_new(&file, slice_of(table));
    struct rat *rat = load(&file);
    assert_int_equal(rat_entries(rat), 13);
    const struct rat_entry *entry = rat_entry_get(rat, 0);
    assert_int_equal(entry->form, RAT_ADDRESS);
    assert_false(entry->accept);
    assert_int_equal(entry->code, 550);
    assert_string_equal(entry->text, "5.1.1 Gone");
    assert_string_equal(entry->at.file, file.path);
    assert_int_equal(entry->at.line, 1);
    entry = rat_entry_get(rat, 1);
    assert_int_equal(entry->flags, RAT_BYPASS_LDAP);
    assert_int_equal(entry->code, 0);
    assert_null(entry->text);
    assert_string_equal(rat_entry_get(rat, 12)->key, "xn--mller-kva.example");
    struct mailaddr null = {.kind = MAILADDR_NULL, .local = "", .domain = ""};
    entry = rat_lookup(rat, &null);
    assert_null(entry->at.file);
    assert_int_equal(entry->form, RAT_ALL);
    assert_false(entry->accept);
    assert_null(rat_accepts_all(rat));
    rat_free(rat);
    table_file_done(&file);
}

static void test_accepts_all(void **state)
{
    (void)state;
    static const struct {
        const char *table;
        unsigned line; /* 0: no */
    } cases[] = {
        {"", 0},
        {"a ACCEPT\n", 0},
        {"ALL REJECT\n", 0},
        {"a REJECT\nall ACCEPT\n", 2},
        {"ALL REJECT\nALL ACCEPT\n", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct table_file file;
        table_file_new(&file, slice_of(cases[i].table));
        struct rat *rat = load(&file);
        const struct rat_entry *entry = rat_accepts_all(rat);
        assert_int_equal(entry != NULL ? entry->at.line : 0, cases[i].line);
        rat_free(rat);
        table_file_done(&file);
    }
}

/* --- against a plain loop -------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && ascii_casecmp(text + n - m, end) == 0;
}

/* As SPEC 3.3 reads: the first in written order. All words of these tables
 * are plain ASCII, so comparing as written is enough. */
static bool matches(const struct rat_entry *entry, const struct mailaddr *addr)
{
    const char *at = strchr(entry->address, '@');
    switch (entry->form) {
    case RAT_DOMAIN:
    case RAT_LITERAL:
        return ascii_casecmp(addr->domain, entry->address) == 0;
    case RAT_BELOW:
        return ends_with(addr->domain, entry->address);
    case RAT_USER:
    case RAT_ADDRESS: {
        char local[100];
        snprintf(local, sizeof local, "%.*s", (int)(at - entry->address), entry->address);
        return ascii_casecmp(local, addr->local) == 0 &&
               (entry->form == RAT_USER || ascii_casecmp(at + 1, addr->domain) == 0);
    }
    case RAT_ALL:
        return true;
    }
    return false;
}

static const struct rat_entry *plain_lookup(const struct rat *rat, const struct mailaddr *addr)
{
    for (size_t i = 0; i < rat_entries(rat); i++) {
        if (matches(rat_entry_get(rat, i), addr))
            return rat_entry_get(rat, i);
    }
    return NULL;
}

static void random_domain(struct dice *dice, struct strbuf *out)
{
    static const char *const labels[] = {"a", "B", "c", "example"};
    if (dice_below(dice, 10) == 0) {
        strbuf_printf(out, "[192.0.2.%u]", dice_below(dice, 3));
        return;
    }
    for (unsigned n = dice_below(dice, 3);; n--) {
        strbuf_puts(out, labels[dice_below(dice, ARRAY_LEN(labels))]);
        if (n == 0)
            return;
        strbuf_putc(out, '.');
    }
}

static void random_address(struct dice *dice, struct strbuf *out)
{
    strbuf_printf(out, "%c@", "uvW"[dice_below(dice, 3)]);
    random_domain(dice, out);
}

static void random_entry(struct dice *dice, struct strbuf *out)
{
    switch (dice_below(dice, 20)) {
    case 0:
        strbuf_printf(out, "%c@", "uV"[dice_below(dice, 2)]);
        break;
    case 1:
        strbuf_puts(out, dice_below(dice, 5) == 0 ? "ALL" : "d");
        break;
    case 2:
    case 3:
    case 4:
        strbuf_puts(out, ".example");
        break;
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
        random_domain(dice, out);
        break;
    default:
        random_address(dice, out);
        break;
    }
    strbuf_puts(out, dice_below(dice, 2) == 0 ? " ACCEPT\n" : " REJECT\n");
}

static void test_random(void **state)
{
    (void)state;
    struct dice dice = dice_start(0);
    for (int round = 0; round < 100; round++) {
        struct table_file file;
        struct strbuf text;
        strbuf_init(&text);
        for (uint32_t n = dice_below(&dice, 30); n > 0; n--)
            random_entry(&dice, &text);
        table_file_new(&file, (struct slice){text.p, text.n});
        struct rat *rat = load(&file);
        assert_non_null(rat);
        for (int i = 0; i < 100; i++) {
            struct arena *arena = arena_new(0);
            strbuf_reset(&text);
            random_address(&dice, &text);
            struct mailaddr addr = table_address(strbuf_text(&text), arena);
            const struct rat_entry *expected = plain_lookup(rat, &addr);
            const struct rat_entry *found = rat_lookup(rat, &addr);
            if (expected != NULL)
                assert_ptr_equal(found, expected);
            else
                assert_null(found->at.file);
            arena_free(arena);
        }
        strbuf_done(&text);
        rat_free(rat);
        table_file_done(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_lines),  cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_warnings),    cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_many_hidden), cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_no_file),     cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_either),      cmocka_unit_test(test_entry),
        cmocka_unit_test(test_accepts_all), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
