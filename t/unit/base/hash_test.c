/* hash_test.c - the keyed hash against known results and its own promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/base/hash.h"

/* CPython's bytes hash is SipHash-1-3; with PYTHONHASHSEED=0 the seed is zero:
 * python3 -c 'print(hex(hash(b"...") % 2**64))' */
static void test_known_results(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t expect;
    } rows[] = {
        {"a", 0x407448d2b89b1813u},
        {"1234567", 0xa33d651594fdae81u},
        {"12345678", 0x3489982430560a87u},
        {"123456789", 0xfbc0f0007965fcfu},
        {"mail.example.com", 0x7291bf42478881afu},
    };
    const struct hash_seed zero = {0, 0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_true(hash_bytes(&zero, rows[i].text, strlen(rows[i].text)) == rows[i].expect);
}

static void test_every_byte_and_the_length_count(void **state)
{
    (void)state;
    const struct hash_seed seed = {1, 2};
    uint8_t bytes[40] = {0};
    for (size_t n = 1; n <= sizeof bytes; n++) {
        uint64_t plain = hash_bytes(&seed, bytes, n);
        assert_true(plain != hash_bytes(&seed, bytes, n - 1));
        for (size_t i = 0; i < n; i++) {
            bytes[i] = 0x80;
            assert_true(plain != hash_bytes(&seed, bytes, n));
            bytes[i] = 0;
        }
    }
}

static void test_seed_decides(void **state)
{
    (void)state;
    const struct hash_seed one = {1, 0}, other = {0, 1};
    struct hash_seed a = hash_seed_random(), b = hash_seed_random();
    assert_true(hash_bytes(&one, "x", 1) != hash_bytes(&other, "x", 1));
    assert_true(a.a != b.a && a.b != b.b);
    assert_true(hash_bytes(&a, "x", 1) != hash_bytes(&b, "x", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_results),
        cmocka_unit_test(test_every_byte_and_the_length_count),
        cmocka_unit_test(test_seed_decides),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
