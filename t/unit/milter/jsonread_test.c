/* jsonread_test.c - JSON that is right, wrong, and one value after the other. */
#include "milter/jsonread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static bool add_key(void *arg, const char *key, const struct json_t *value)
{
    struct strbuf *keys = arg;

    (void)value;
    strbuf_printf(keys, "%s ", key);
    return strcmp(key, "stop") != 0;
}

static void test_values(void **state)
{
    const char *text = "{\"b\":true,\"i\":-7,\"r\":1.5,\"s\":\"x\\u00e9\",\"n\":null,\"l\":[1,2],"
                       "\"o\":{},\"stop\":0,\"more\":0}";
    struct json_t *object = jsonread_one(slice_of(text), NULL);
    struct strbuf keys;
    (void)state;

    assert_non_null(object);
    assert_int_equal(jsonread_kind(object), JSONREAD_OBJECT);
    assert_true(jsonread_bool(jsonread_member(object, "b")));
    assert_int_equal(jsonread_integer(jsonread_member(object, "i")), -7);
    assert_true(jsonread_number(jsonread_member(object, "r")) > 1.4);
    assert_int_equal(jsonread_kind(jsonread_member(object, "r")), JSONREAD_REAL);
    assert_string_equal(jsonread_string(jsonread_member(object, "s")), "x\xc3\xa9");
    assert_null(jsonread_string(jsonread_member(object, "i")));
    assert_int_equal(jsonread_kind(jsonread_member(object, "n")), JSONREAD_NULL);
    assert_int_equal(jsonread_kind(jsonread_member(object, "absent")), JSONREAD_NULL);
    assert_int_equal(jsonread_count(jsonread_member(object, "l")), 2);
    assert_int_equal(jsonread_integer(jsonread_item(jsonread_member(object, "l"), 1)), 2);
    assert_int_equal(jsonread_count(object), 0);
    strbuf_init(&keys);
    assert_false(jsonread_each(object, add_key, &keys));
    assert_string_equal(strbuf_text(&keys), "b i r s n l o stop ");
    assert_true(jsonread_each(jsonread_member(object, "o"), add_key, &keys));
    assert_true(jsonread_each(NULL, add_key, &keys));
    strbuf_done(&keys);
    jsonread_drop(object);
}

static void test_wrong(void **state)
{
    static const char *const wrong[] = {
        "",
        "x",
        "{",
        "{}x",
        "{} {}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\\u0000\"}",
    };
    struct err err;
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        err = (struct err){.text = ""};
        assert_null(jsonread_one(slice_of(wrong[i]), &err));
        assert_int_equal(strncmp(err.text, "no JSON: ", 9), 0);
    }
    assert_null(jsonread_one(slice_of("x"), NULL));
    jsonread_drop(NULL);
}

static void test_all(void **state)
{
    static const struct {
        const char *text;
        size_t n; /* SIZE_MAX: wrong */
    } cases[] = {
        {"", 0},           {"\n \t\n", 0},        {"{}", 1},           {"{}\n", 1},
        {"{}\n[]\n{}", 3}, {"{}{}\n\n\n{\n}", 3}, {"{}\nx", SIZE_MAX}, {"{}\n{", SIZE_MAX},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {.text = ""};
        struct json_t *list = jsonread_all(slice_of(cases[i].text), &err);
        assert_int_equal(list == NULL, cases[i].n == SIZE_MAX);
        assert_int_equal(err.text[0] != '\0', cases[i].n == SIZE_MAX);
        if (list != NULL)
            assert_int_equal(jsonread_count(list), cases[i].n);
        jsonread_drop(list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
