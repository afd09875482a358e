/* strmap_test.c - the string map, also against a plain loop over its keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/base/strmap.h"
#include "t/unit/dice.h"

static void add(struct strmap *map, const char *key, uint32_t value)
{
    bool was_there = true;
    assert_true(strmap_add(map, slice_of(key), value, &was_there));
    assert_false(was_there);
}

static void test_first_wins(void **state)
{
    (void)state;
    struct strmap *map = strmap_new();
    bool was_there = false;
    assert_int_equal(strmap_get(map, slice_of("a")), STRMAP_NONE);
    add(map, "a", 7);
    assert_true(strmap_add(map, slice_of("a"), 3, &was_there));
    assert_true(was_there);
    assert_true(strmap_add(map, slice_of("a"), 3, NULL));
    assert_int_equal(strmap_get(map, slice_of("a")), 7);
    assert_int_equal(strmap_count(map), 1);
    strmap_free(map);
    strmap_free(NULL);
}

static void test_keys_are_bytes(void **state)
{
    (void)state;
    struct strmap *map = strmap_new();
    assert_true(strmap_add(map, (struct slice){"a\0b", 3}, 1, NULL));
    assert_true(strmap_add(map, (struct slice){"a\0c", 3}, 2, NULL));
    assert_true(strmap_add(map, (struct slice){NULL, 0}, 3, NULL));
    add(map, "A", 4);
    assert_int_equal(strmap_get(map, (struct slice){"a\0b", 3}), 1);
    assert_int_equal(strmap_get(map, (struct slice){"a\0c", 3}), 2);
    assert_int_equal(strmap_get(map, (struct slice){"x", 0}), 3);
    assert_int_equal(strmap_get(map, slice_of("a")), STRMAP_NONE);
    strmap_free(map);
}

/* The length is kept in one byte up to 254. */
static void test_long_keys(void **state)
{
    (void)state;
    static const size_t lengths[] = {253, 254, 255, 256, 100000};
    static char key[100000];
    memset(key, 'k', sizeof key);
    struct strmap *map = strmap_new();
    for (uint32_t i = 0; i < ARRAY_LEN(lengths); i++)
        assert_true(strmap_add(map, (struct slice){key, lengths[i]}, i, NULL));
    for (uint32_t i = 0; i < ARRAY_LEN(lengths); i++)
        assert_int_equal(strmap_get(map, (struct slice){key, lengths[i]}), i);
    assert_int_equal(strmap_get(map, (struct slice){key, 252}), STRMAP_NONE);
    strmap_free(map);
}

static void test_suffixes(void **state)
{
    (void)state;
    struct strmap *map = strmap_new();
    add(map, ".b.example.com", 5);
    add(map, ".example.com", 2);
    add(map, ".com", 9);
    add(map, "example.com", 0); /* no suffix entry */
    static const struct {
        const char *domain;
        uint32_t lowest, longest;
    } rows[] = {
        {"a.b.example.com", 2, 5},
        {"x.a.b.example.com", 2, 5},
        {"b.example.com", 2, 2},
        {"a.example.com", 2, 2},
        {"xb.example.com", 2, 2},
        {"example.com", 9, 9},
        {"xexample.com", 9, 9},
        {"com", STRMAP_NONE, STRMAP_NONE},
        {"a.example.org", STRMAP_NONE, STRMAP_NONE},
        {"", STRMAP_NONE, STRMAP_NONE},
        {".com", STRMAP_NONE, STRMAP_NONE}, /* not a proper suffix of itself */
        {"a..com", 9, 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(strmap_lowest_suffix(map, rows[i].domain), rows[i].lowest);
        assert_int_equal(strmap_longest_suffix(map, rows[i].domain), rows[i].longest);
    }
    strmap_free(map);
}

#define LOOP_KEYS 3000
#define KEY_MAX 24

/* Few letters, so that keys repeat and are suffixes of each other. */
static void roll_name(struct dice *dice, char out[KEY_MAX])
{
    size_t n = dice_below(dice, KEY_MAX - 1);
    for (size_t i = 0; i < n; i++)
        out[i] = "ab..c"[dice_below(dice, 5)];
    out[n] = '\0';
}

static uint32_t loop_get(char keys[][KEY_MAX], const char *key)
{
    for (uint32_t i = 0; i < LOOP_KEYS; i++) {
        if (strcmp(keys[i], key) == 0)
            return i;
    }
    return STRMAP_NONE;
}

static void check_name(const struct strmap *map, char keys[][KEY_MAX], const char *name)
{
    uint32_t lowest = STRMAP_NONE, longest = STRMAP_NONE;
    for (const char *p = name; *p != '\0'; p++) {
        if (p == name || *p != '.')
            continue;
        uint32_t value = loop_get(keys, p);
        if (longest == STRMAP_NONE)
            longest = value;
        lowest = value < lowest ? value : lowest;
    }
    assert_int_equal(strmap_get(map, slice_of(name)), loop_get(keys, name));
    assert_int_equal(strmap_lowest_suffix(map, name), lowest);
    assert_int_equal(strmap_longest_suffix(map, name), longest);
}

static struct slice key_of(const void *owner, uint32_t value)
{
    return slice_of((const char *)owner + (size_t)value * KEY_MAX);
}

/* over: the keys are the caller's, and not copied. */
static void compare_with_loop(uint64_t seed, bool over)
{
    static char keys[LOOP_KEYS][KEY_MAX];
    struct dice dice = dice_start(seed);
    struct strmap *map = over ? strmap_new_over(key_of, keys) : strmap_new();
    size_t distinct = 0;
    memset(keys, '?', sizeof keys);
    for (uint32_t i = 0; i < LOOP_KEYS; i++) {
        char name[KEY_MAX];
        bool was_there = false;
        roll_name(&dice, name);
        memset(keys[i], 0, KEY_MAX);
        bool known = loop_get(keys, name) < i;
        memcpy(keys[i], name, strlen(name));
        assert_true(strmap_add(map, slice_of(name), i, &was_there));
        assert_int_equal(was_there, known);
        distinct += !known;
    }
    assert_int_equal(strmap_count(map), distinct);
    for (unsigned i = 0; i < LOOP_KEYS; i++) {
        char name[KEY_MAX];
        roll_name(&dice, name);
        check_name(map, keys, name);
        check_name(map, keys, keys[i]);
    }
    strmap_free(map);
}

static void test_against_a_loop(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        compare_with_loop(1, over == 1);
        compare_with_loop(0, over == 1);
    }
}

static void test_many_keys_are_compact(void **state)
{
    (void)state;
    struct strmap *map = strmap_new();
    size_t bytes = 0;
    char key[64];
    for (uint32_t i = 0; i < 200000; i++) {
        int n = snprintf(key, sizeof key, "host%u.example.com", i);
        bytes += (size_t)n;
        assert_true(strmap_add(map, (struct slice){key, (size_t)n}, i, NULL));
    }
    assert_int_equal(strmap_count(map), 200000);
    assert_true(strmap_bytes(map) < bytes + 200000 * 20);
    for (uint32_t i = 0; i < 200000; i++) {
        int n = snprintf(key, sizeof key, "host%u.example.com", i);
        assert_int_equal(strmap_get(map, (struct slice){key, (size_t)n}), i);
    }
    strmap_free(map);
}

static struct slice number_of(const void *owner, uint32_t value)
{
    char *text = (char *)(uintptr_t)owner;
    int n = snprintf(text, 16, "%u", (unsigned)value);
    return (struct slice){text, (size_t)n};
}

/* Nothing but slots, and the highest number there is. */
static void test_keys_elsewhere(void **state)
{
    (void)state;
    char text[16] = "", key[16];
    struct strmap *map = strmap_new_over(number_of, text);
    assert_true(strmap_add(map, slice_of("4294967294"), 4294967294u, NULL));
    for (uint32_t i = 0; i < 100000; i++) {
        int n = snprintf(key, sizeof key, "%u", i);
        assert_true(strmap_add(map, (struct slice){key, (size_t)n}, i, NULL));
    }
    assert_true(strmap_bytes(map) < 100000 * 13);
    assert_int_equal(strmap_get(map, slice_of("4294967294")), 4294967294u);
    assert_int_equal(strmap_get(map, slice_of("0")), 0);
    assert_int_equal(strmap_get(map, slice_of("99999")), 99999);
    assert_int_equal(strmap_get(map, slice_of("100000")), STRMAP_NONE);
    strmap_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_wins),     cmocka_unit_test(test_keys_are_bytes),
        cmocka_unit_test(test_long_keys),      cmocka_unit_test(test_suffixes),
        cmocka_unit_test(test_against_a_loop), cmocka_unit_test(test_many_keys_are_compact),
        cmocka_unit_test(test_keys_elsewhere),
    };
    return cmocka_run_group_tests_name("strmap", tests, NULL, NULL);
}
