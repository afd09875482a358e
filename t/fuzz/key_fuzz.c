/*
 * key_fuzz.c - values of configuration keys.
 *
 * The first byte chooses the row, the rest is the value. What parses must
 * print as something that parses to the same; what does not must leave a
 * printable error.
 */
#include "t/unit/base/key_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct key_row *row, const struct key_test *first,
                             struct arena *arena)
{
    struct key_test again = {0};
    struct strbuf printed;
    strbuf_init(&printed);
    key_print(row, first, &printed);
    CHECK(!printed.failed);
    struct key_source source = {
        {strbuf_text(&printed), printed.n}, {.file = "f", .line = 1}, "/etc"};
    if (!(row->flags & KEY_SECRET)) {
        CHECK(key_set(row, &again, &source, arena, NULL));
        CHECK(key_same(row, first, &again));
    }
    strbuf_done(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_test section = {0};
    struct err err = {0};
    if (size == 0)
        return 0;
    struct slice value = {(const char *)data + 1, size - 1};
    const struct key_row *row = &key_test_rows[(data[0] - ' ') % ARRAY_LEN(key_test_rows)];
    struct key_source source = {value, {.file = "f", .line = 1}, "/etc"};
    struct arena *arena = arena_new(0);
    CHECK(arena);
    if (key_set(row, &section, &source, arena, &err))
        check_round_trip(row, &section, arena);
    else
        CHECK(err.kind != ERR_NONE && str_is_utf8(slice_of(err.text)));
    const char *near = key_nearest(key_test_rows, ARRAY_LEN(key_test_rows), value);
    if (key_find(key_test_rows, ARRAY_LEN(key_test_rows), value) != SIZE_MAX)
        CHECK(near && slice_is(value, near));
    arena_free(arena);
    return 0;
}
