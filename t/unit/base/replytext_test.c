/*
 * replytext_test.c - a status in front of a reply text.
 */
#include "lib/base/replytext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct {
    const char *text, *status, *rest;
} splits[] = {
    {"5.1.1 User unknown", "5.1.1", "User unknown"},
    {"#5.1.1 User unknown", "5.1.1", "User unknown"},
    {"  4.4.3 \t Later", "4.4.3", "Later"},
    {"2.0.0", "2.0.0", ""},
    {"5.999.999 x", "5.999.999", "x"},
    {"5.0.10 x", "5.0.10", "x"},
    {"", "", ""},
    {"User unknown", "", "User unknown"},
    {"# 5.1.1 x", "", "# 5.1.1 x"},
    {"#1 reason", "", "#1 reason"},
    {"5.1000.1 x", "", "5.1000.1 x"},
    {"5.1.1000 x", "", "5.1.1000 x"},
    {"5.01.1 x", "", "5.01.1 x"},
    {"5.1.1: x", "", "5.1.1: x"},
    {"5.1.1.1 x", "", "5.1.1.1 x"},
    {"5.1 x", "", "5.1 x"},
    {"5..1 x", "", "5..1 x"},
    {"5.1.", "", "5.1."},
    {"3.1.1 x", "", "3.1.1 x"},
    {"55.1.1 x", "", "55.1.1 x"},
    {"5", "", "5"},
    {"#", "", "#"},
    {"5.7.1 one\ntwo", "5.7.1", "one\ntwo"},
    {"#5.7.1\ntwo", "5.7.1", "two"},
    {"5.7.1\n\nthree", "5.7.1", "\nthree"},
    {"one\n5.7.1 two", "", "one\n5.7.1 two"},
};

static void test_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
        char status[REPLYTEXT_STATUS_MAX];
        const char *rest;
        print_message("# %s\n", splits[i].text);
        replytext_split(splits[i].text, status, &rest);
        assert_string_equal(status, splits[i].status);
        assert_string_equal(rest, splits[i].rest);
    }
}

static const struct {
    const char *written, *text; /* text NULL: error */
    const char *error;
} reads[] = {
    {"", "", NULL},
    {"one line", "one line", NULL},
    {"one\\ntwo\\nthree", "one\ntwo\nthree", NULL},
    {"\\n", "\n", NULL},
    {"C:\\temp \\\\ \\", "C:\\temp \\\\ \\", NULL},
    {"a\\\\nb", "a\\\nb", NULL},
    {"\xc3\xa4\\n\xe2\x82\xac", "\xc3\xa4\n\xe2\x82\xac", NULL},
    {"a\tb", NULL,
     "the text holds a control character; allowed: text without tabs, and \\n for a new line of "
     "the "
     "reply"},
    {"a\nb", NULL,
     "the text holds a control character; allowed: text without tabs, and \\n for a new line of "
     "the "
     "reply"},
    {"a\xc2\x85", NULL,
     "the text holds a control character; allowed: text without tabs, and \\n for a new line of "
     "the "
     "reply"},
    {"\xe4", NULL, "the text is not UTF-8"},
    {"1\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\n9\\n10\\n11\\n12\\n13\\n14\\n15\\n16\\n17\\n18\\n19\\n20",
     "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20", NULL},
    {"1\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\n9\\n10\\n11\\n12\\n13\\n14\\n15\\n16\\n17\\n18\\n19\\n20\\n",
     NULL, "the text has 21 lines; allowed: at most 20"},
};

static void test_read(void **state)
{
    struct arena *arena = arena_new(0);
    struct strbuf printed;
    (void)state;
    strbuf_init(&printed);
    for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
        const char *text = NULL;
        struct err err = {0};
        print_message("# %s\n", reads[i].written);
        assert_int_equal(replytext_read(slice_of(reads[i].written), arena, &text, &err),
                         reads[i].text != NULL);
        if (reads[i].text == NULL) {
            assert_string_equal(err.text, reads[i].error);
            continue;
        }
        assert_string_equal(text, reads[i].text);
        strbuf_reset(&printed);
        replytext_print(text, &printed);
        assert_string_equal(strbuf_text(&printed), reads[i].written);
    }
    strbuf_done(&printed);
    arena_free(arena);
}

static const struct {
    const char *text;
    int code;
    const char *error; /* NULL: fits */
} fits[] = {
    {"5.1.1 x", 550, NULL},
    {"5.1.1 x", 500, NULL},
    {"#4.1.1 x", 499, NULL},
    {"x", 450, NULL},
    {"", 450, NULL},
    {"5.1.1 x", 499, "the status 5.1.1 does not fit the code 499: it must begin with 4"},
    {"#4.1.1", 550, "the status 4.1.1 does not fit the code 550: it must begin with 5"},
    {"5.1.1 x", 250, "the status 5.1.1 does not fit the code 250: it must begin with 2"},
};

static void test_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fits); i++) {
        struct err err = {0};
        print_message("# %d %s\n", fits[i].code, fits[i].text);
        assert_int_equal(replytext_fits(fits[i].text, fits[i].code, &err), fits[i].error == NULL);
        if (fits[i].error != NULL)
            assert_string_equal(err.text, fits[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
