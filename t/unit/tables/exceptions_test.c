/*
 * exceptions_test.c - the exception table line by line, look-ups by hand, and
 * random tables against a plain loop over the list.
 */
#include "lib/tables/exceptions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/dice.h"
#include "t/unit/tables/table_file.h"

static struct exceptions *load(struct table_file *file)
{
    return exceptions_load(file->path, table_file_named(), &file->problems);
}

static bool read_table(struct table_file *file, struct strbuf *out)
{
    struct exceptions *table = load(file);
    if (table != NULL)
        exceptions_export(table, out);
    exceptions_free(table);
    return table != NULL;
}

/* --- lines: what is read, as an export shows it ------------------------------------- */

static const struct table_line good_lines[] = {
    {"u@a.example ALLOW", "u@a.example ALLOW\n"},
    {"  u@\tallow  # why", "u@ ALLOW\n"},
    {"@a.example Reject", "@a.example REJECT\n"},
    {"@.a.example REJECT\r", "@.a.example REJECT\n"},
    {"u@[192.0.2.1] ALLOW", "u@[192.0.2.1] ALLOW\n"},
    {"@[192.0.2.1] ALLOW\n@[IPv6:2001:db8::1] REJECT",
     "@[192.0.2.1] ALLOW\n@[IPv6:2001:db8::1] REJECT\n"},
    {"\"a # b\"@a.example ALLOW", "\"a # b\"@a.example ALLOW\n"},
    {"@localhost ALLOW", "@localhost ALLOW\n"},
    {"@a REJECT 550 \"5.7.1 Not \\\"here\\\" # or \\\\ there\"",
     "@a REJECT 550 \"5.7.1 Not \\\"here\\\" # or \\\\ there\"\n"},
    {"@a REJECT 450 \"#4.7.1 Later\"", "@a REJECT 450 \"#4.7.1 Later\"\n"},
    {"@m\xfcller.example REJECT 599 \"gr\xfc\xdf\"",
     "@m\xc3\xbcller.example REJECT 599 \"gr\xc3\xbc\xc3\x9f\"\n"},
    {"# nothing\n\n", ""},
};

static void test_good_lines(void **state)
{
    (void)state;
    table_lines_good(good_lines, ARRAY_LEN(good_lines), read_table);
}

#define FORMS                                                                                      \
    "is not an address; allowed: user@example.com, user@, @example.com, @.example.com, "           \
    "user@[192.0.2.1], @[192.0.2.1]\n"

static const struct table_line bad_lines[] = {
    {"@a", "F:1:3: ALLOW or REJECT is missing\n"},
    {"@a OK", "F:1:4: \"OK\" is not an action; allowed: ALLOW or REJECT\n"},
    {"@a ACCEPT", "F:1:4: \"ACCEPT\" is not an action; allowed: ALLOW or REJECT\n"},
    {"@a, @b ALLOW",
     "F:1:1: \"@a,\" " FORMS "F:1:5: \"@b\" is not an action; allowed: ALLOW or REJECT\n"},
    {"@a ALLOW 250 \"x\"", "F:1:10: nothing may follow ALLOW\n"},
    {"a.example ALLOW", "F:1:1: \"a.example\" " FORMS},
    {"u ALLOW", "F:1:1: \"u\" " FORMS},
    {"ALL REJECT", "F:1:1: \"ALL\" " FORMS},
    {"@ ALLOW", "F:1:1: \"@\" " FORMS},
    {"@.. ALLOW", "F:1:1: \"@..\" " FORMS},
    {"<> ALLOW", "F:1:1: \"<>\" " FORMS},
    {"<u@a> ALLOW", "F:1:1: \"<u@a>\" " FORMS},
    {"@192.0.2.1 ALLOW", "F:1:1: \"@192.0.2.1\" " FORMS},
    {"u@192.0.2.1 ALLOW", "F:1:1: \"u@192.0.2.1\" " FORMS},
    {"[192.0.2.1] ALLOW", "F:1:1: \"[192.0.2.1]\" " FORMS},
    {"@[192.0.2.256] ALLOW", "F:1:1: \"@[192.0.2.256]\" " FORMS},
    {"*@a ALLOW\n@*.a REJECT", "F:2:1: \"@*.a\" " FORMS},
    {"@a REJECT 250 \"x\"", "F:1:11: \"250\" is not a code for REJECT; allowed: 400 to 599, then a "
                            "text in double quotes\n"},
    {"@a REJECT 399 \"x\"", "F:1:11: \"399\" is not a code for REJECT; allowed: 400 to 599, then a "
                            "text in double quotes\n"},
    {"@a REJECT 600 \"x\"", "F:1:11: \"600\" is not a code for REJECT; allowed: 400 to 599, then a "
                            "text in double quotes\n"},
    {"@a REJECT \"x\"", "F:1:11: a code of three digits is missing before the text\n"},
    {"@a REJECT 550", "F:1:14: a text in double quotes is missing after the code 550\n"},
    {"@a REJECT 550 \"x", "F:1:15: the closing double quote is missing\n"},
    {"@a REJECT 550 \"\"", "F:1:15: the text is empty; allowed: 1 to 900 bytes\n"},
    {"@a REJECT 550 \"4.7.1 x\"",
     "F:1:15: the status 4.7.1 does not fit the code 550: it must begin with 5\n"},
    {"@a REJECT 550 \"x\" y", "F:1:19: nothing may follow the reply text\n"},
};

static void test_bad_lines(void **state)
{
    (void)state;
    table_lines_bad(bad_lines, ARRAY_LEN(bad_lines), read_table);
}

static void test_said_twice(void **state)
{
    (void)state;
    struct table_file file;
    table_file_new(&file, slice_of("u@a ALLOW\n@b REJECT\n\"U\"@A. REJECT\nx@B REJECT\n"
                                   "@.a ALLOW\n@c.a ALLOW\n"));
    struct exceptions *table = load(&file);
    assert_non_null(table);
    assert_string_equal(table_file_problems(&file),
                        "F:3:1: warning: \"U\"@A. is never reached: u@a comes first, F:1\n"
                        "F:4:1: warning: x@B is never reached: @b comes first, F:2\n"
                        "F:6:1: warning: @c.a is never reached: @.a comes first, F:5\n");
    assert_int_equal(exceptions_count(table), 6);
    exceptions_free(table);
    table_file_done(&file);
}

static void test_no_file(void **state)
{
    (void)state;
    struct problems problems;
    problems_init(&problems);
    assert_null(exceptions_load("/", table_file_named(), &problems));
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].line,
                        "gatehouse.conf:7: cannot read /: it is a folder, not a file");
    problems_done(&problems);
}

static void test_entry(void **state)
{
    (void)state;
    struct table_file file;
    struct arena *arena = arena_new(0);
    table_file_new(&file, slice_of("# head\n u@ REJECT 450 \"#4.7.1 Later\"\n@a.example ALLOW\n"));
    struct exceptions *table = load(&file);
    struct mailaddr addr = table_address("<U@a.example>", arena);
    const struct exceptions_entry *entry = exceptions_lookup(table, &addr);
    assert_ptr_equal(entry, exceptions_get(table, 0));
    assert_int_equal(entry->form, ADDRKEY_USER);
    assert_false(entry->allow);
    assert_int_equal(entry->code, 450);
    assert_string_equal(entry->text, "#4.7.1 Later");
    assert_string_equal(entry->at.file, file.path);
    assert_int_equal(entry->at.line, 2);
    assert_int_equal(entry->at.column, 2);
    entry = exceptions_get(table, 1);
    assert_true(entry->allow);
    assert_int_equal(entry->code, 0);
    assert_null(entry->text);
    addr = table_address("<>", arena);
    assert_null(exceptions_lookup(table, &addr));
    exceptions_free(table);
    table_file_done(&file);
    arena_free(arena);
}

/* --- against a plain loop -------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && ascii_casecmp(text + n - m, end) == 0;
}

/* As SPEC 2 reads; all words of these tables are plain ASCII, so comparing as
 * written is enough. */
static bool matches(const struct exceptions_entry *entry, const struct mailaddr *addr)
{
    const char *at = strchr(entry->address, '@');
    char local[100];
    switch (entry->form) {
    case ADDRKEY_DOMAIN:
    case ADDRKEY_LITERAL:
        return ascii_casecmp(addr->domain, at + 1) == 0;
    case ADDRKEY_BELOW:
        return ends_with(addr->domain, at + 1);
    case ADDRKEY_USER:
    case ADDRKEY_ADDRESS:
        snprintf(local, sizeof local, "%.*s", (int)(at - entry->address), entry->address);
        return ascii_casecmp(local, addr->local) == 0 &&
               (entry->form == ADDRKEY_USER || ascii_casecmp(at + 1, addr->domain) == 0);
    }
    return false;
}

static const struct exceptions_entry *plain_lookup(const struct exceptions *table,
                                                   const struct mailaddr *addr)
{
    for (size_t i = 0; i < exceptions_count(table); i++) {
        if (matches(exceptions_get(table, i), addr))
            return exceptions_get(table, i);
    }
    return NULL;
}

static void random_domain(struct dice *dice, struct strbuf *out)
{
    static const char *const words[] = {"a", "B", "example", "x-y"};
    for (uint32_t n = 1 + dice_below(dice, 3); n > 0; n--)
        strbuf_printf(out, "%s%s", words[dice_below(dice, 4)], n > 1 ? "." : "");
}

static void random_host(struct dice *dice, struct strbuf *out)
{
    if (dice_below(dice, 6) == 0)
        strbuf_printf(out, "[192.0.2.%u]", (unsigned)dice_below(dice, 3));
    else
        random_domain(dice, out);
}

static void random_local(struct dice *dice, struct strbuf *out)
{
    strbuf_putc(out, "uVw"[dice_below(dice, 3)]);
}

static void random_entry(struct dice *dice, struct strbuf *out)
{
    uint32_t form = dice_below(dice, 10);
    if (form >= 5)
        random_local(dice, out);
    strbuf_putc(out, '@');
    if (form < 3) {
        strbuf_putc(out, '.');
        random_domain(dice, out);
    } else if (form < 9) {
        random_host(dice, out);
    }
    strbuf_puts(out, dice_below(dice, 2) == 0 ? " ALLOW\n" : " REJECT\n");
}

static void random_address(struct dice *dice, struct strbuf *out)
{
    random_local(dice, out);
    if (dice_below(dice, 8) > 0) {
        strbuf_putc(out, '@');
        random_host(dice, out);
    }
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
        struct exceptions *table = load(&file);
        assert_non_null(table);
        for (int i = 0; i < 100; i++) {
            struct arena *arena = arena_new(0);
            strbuf_reset(&text);
            random_address(&dice, &text);
            struct mailaddr addr = table_address(strbuf_text(&text), arena);
            assert_ptr_equal(exceptions_lookup(table, &addr), plain_lookup(table, &addr));
            arena_free(arena);
        }
        strbuf_done(&text);
        exceptions_free(table);
        table_file_done(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_lines), cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_said_twice), cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_entry),      cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
