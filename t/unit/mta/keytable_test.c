/* keytable_test.c - sorted lines, one a key, and the second form of IDN keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/mta/idnkey.h"
#include "lib/mta/keytable.h"
#include "t/unit/dice.h"

static void test_sorted_first_counts(void **state)
{
    (void)state;
    struct keytable table;
    struct strbuf out;
    keytable_init(&table);
    strbuf_init(&out);
    keytable_add(&table, "ab", "1");
    keytable_add(&table, "a.b", "2");
    keytable_add(&table, "*", "3");
    keytable_add(&table, "a", "4");
    keytable_add(&table, "\xc3\xa4", "5");
    keytable_add(&table, "ab", "6");
    keytable_add(&table, "abc", "7");
    keytable_add(&table, "ab", "0");
    assert_true(keytable_write(&table, &out));
    assert_string_equal(strbuf_text(&out), "*\t3\na\t4\na.b\t2\nab\t1\nabc\t7\n\xc3\xa4\t5\n");
    strbuf_done(&out);
    keytable_done(&table);
}

static void test_empty(void **state)
{
    (void)state;
    struct keytable table;
    struct strbuf out;
    keytable_init(&table);
    strbuf_init(&out);
    assert_true(keytable_write(&table, &out));
    assert_int_equal(out.n, 0);
    strbuf_done(&out);
    keytable_done(&table);
}

static void test_order_is_that_of_strcmp(void **state)
{
    (void)state;
    struct dice dice = dice_start(0);
    struct keytable table;
    struct strbuf out;
    keytable_init(&table);
    strbuf_init(&out);
    for (int i = 0; i < 20000; i++) {
        char key[16];
        size_t n = 1 + dice_below(&dice, 6);
        for (size_t j = 0; j < n; j++)
            key[j] = "-.0ab\xc3\xff"[dice_below(&dice, 7)];
        key[n] = '\0';
        keytable_add(&table, key, "v");
    }
    assert_true(keytable_write(&table, &out));
    char before[16] = "", *rest = out.p;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        line[strcspn(line, "\t")] = '\0';
        assert_true(strcmp(before, line) < 0);
        snprintf(before, sizeof before, "%s", line);
    }
    strbuf_done(&out);
    keytable_done(&table);
}

static const struct {
    const char *key;
    enum idnkey is;
    const char *form;
} idn_cases[] = {
    {"example.com", IDNKEY_NONE, NULL},
    {".example.com", IDNKEY_NONE, NULL},
    {"xn--mnchen-3ya.example", IDNKEY_OK, "m\xc3\xbcnchen.example"},
    {".xn--mnchen-3ya.example", IDNKEY_OK, ".m\xc3\xbcnchen.example"},
    {"a.xn--wgv71a119e", IDNKEY_OK, "a.\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
    {"xn--strae-oqa.example", IDNKEY_UNSAFE,
     "stra\xc3\x9f"
     "e.example"},
    {"xn--bla-fhb.example", IDNKEY_UNSAFE, "bla\xc7\xb0.example"},
    {"xn--3xa.example", IDNKEY_UNSAFE, "\xcf\x82.example"},
};

static void test_idn_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(idn_cases); i++) {
        char form[IDNKEY_MAX] = "";
        enum idnkey is = idnkey_form(idn_cases[i].key, form);
        if (is != idn_cases[i].is)
            fail_msg("%s: %d, %s", idn_cases[i].key, (int)is, form);
        if (is != IDNKEY_NONE)
            assert_string_equal(form, idn_cases[i].form);
    }
}

static void test_domains_get_both(void **state)
{
    (void)state;
    struct keytable table;
    struct strbuf out;
    keytable_init(&table);
    strbuf_init(&out);
    keytable_add_domain(&table, ".xn--mnchen-3ya.example", "relay:");
    keytable_add_domain(&table, "xn--strae-oqa.example", "discard:");
    keytable_add_domain(&table, "example", "OK");
    assert_true(keytable_write(&table, &out));
    assert_string_equal(strbuf_text(&out), ".m\xc3\xbcnchen.example\trelay:\n"
                                           ".xn--mnchen-3ya.example\trelay:\n"
                                           "example\tOK\n"
                                           "xn--strae-oqa.example\tdiscard:\n");
    strbuf_done(&out);
    keytable_done(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_first_counts),     cmocka_unit_test(test_empty),
        cmocka_unit_test(test_order_is_that_of_strcmp), cmocka_unit_test(test_idn_forms),
        cmocka_unit_test(test_domains_get_both),
    };
    return cmocka_run_group_tests_name("keytable", tests, NULL, NULL);
}
