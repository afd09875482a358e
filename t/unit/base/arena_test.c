/* arena_test.c - allocations that die together (lib/base/arena.h). */
#include "lib/base/arena.h"

#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/no_memory.h"

static bool is_zero(const unsigned char *p, size_t n)
{
    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

static void pieces_are_aligned_zeroed_and_apart(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    unsigned char *p[400];
    assert_non_null(arena);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARRAY_LEN(p); i++) {
            p[i] = arena_alloc(arena, i * 7);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
            assert_true(is_zero(p[i], i * 7));
            memset(p[i], (int)(i & 0xff) | 1, i * 7);
        }
        for (size_t i = 1; i < ARRAY_LEN(p); i++) {
            assert_int_equal(p[i][0], (i & 0xff) | 1);
            assert_int_equal(p[i][i * 7 - 1], (i & 0xff) | 1);
        }
        arena_reset(arena);
    }
    arena_free(arena);
}

static void the_usual_message_allocates_once(void **state)
{
    (void)state;
    struct arena *arena = arena_new(4096);
    assert_non_null(arena);
    size_t before = arena_used(arena);
    assert_true(before >= 4096);
    for (int i = 0; i < 256; i++)
        assert_non_null(arena_alloc(arena, 16));
    assert_int_equal(arena_used(arena), before);
    assert_non_null(arena_alloc(arena, 1));
    assert_true(arena_used(arena) > before);
    arena_reset(arena);
    assert_int_equal(arena_used(arena), before);
    arena_free(arena);
}

static void a_large_piece_leaves_the_block_in_use(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1024);
    assert_non_null(arena);
    char *before = arena_alloc(arena, 16);
    char *large = arena_alloc(arena, 1000000);
    char *after = arena_alloc(arena, 16);
    assert_non_null(large);
    assert_ptr_equal(after, before + 16);
    large[999999] = 1;
    arena_free(arena);
}

static void copies_texts(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    char text[3000];
    assert_non_null(arena);
    assert_null(arena_dup(arena, NULL));
    assert_string_equal(arena_dup(arena, ""), "");
    assert_string_equal(arena_dup(arena, "abc"), "abc");
    assert_string_equal(arena_dup_slice(arena, (struct slice){"abc", 2}), "ab");
    assert_string_equal(arena_dup_slice(arena, (struct slice){NULL, 0}), "");
    assert_string_equal(arena_printf(arena, "%s-%d", "x", 7), "x-7");
    memset(text, 'a', sizeof text);
    assert_int_equal(strlen(arena_printf(arena, "%.*s", 3000, text)), 3000);
    arena_free(arena);
    arena_free(NULL);
}

static void says_when_memory_is_out(void **state)
{
    (void)state;
    struct arena *arena = arena_new(64);
    assert_non_null(arena);
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_alloc(arena, SIZE_MAX - 64));
    assert_null(arena_dup_slice(arena, (struct slice){"x", SIZE_MAX}));
    memory_allow(0);
    void *small = arena_alloc(arena, 32);
    void *next = arena_alloc(arena, 64);
    char *printed = arena_printf(arena, "%100d", 1);
    struct arena *other = arena_new(0);
    memory_allow(-1);
    assert_non_null(small);
    assert_null(next);
    assert_null(printed);
    assert_null(other);
    assert_non_null(arena_alloc(arena, 64));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(the_usual_message_allocates_once),
        cmocka_unit_test(a_large_piece_leaves_the_block_in_use),
        cmocka_unit_test(copies_texts),
        cmocka_unit_test(says_when_memory_is_out),
    };
    return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
