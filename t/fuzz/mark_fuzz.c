/*
 * mark_fuzz.c - the header field for later filters, and the names of header fields
 * as clients send them. The bytes are, with a NUL between them, the name of the
 * field, a name that came, and a group.
 */
#include "lib/gate/mark.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One line, five words, each "key=value". */
static void check_value(const char *group, struct arena *arena)
{
    struct policy policy = {.name = group};
    const struct conn_facts conn = {.match.group = group, .policy = &policy};
    const char *value = mark_value(&conn, arena);
    size_t words = 1, equals = 0;

    CHECK(value != NULL && strlen(value) < 998 - MARK_NAME_MAX);
    for (const char *p = value; *p != '\0'; p++) {
        CHECK(*p >= ' ' && *p < 127 && *p != '"');
        words += *p == ' ';
        equals += *p == '=';
    }
    CHECK(words == 5 && equals == 5);
}

/* A copy of our field is found however it is written, and nothing else is one. */
static void check_names(const char *name, const char *field, struct arena *arena)
{
    char *other = arena_dup(arena, name);
    CHECK(other != NULL);
    for (char *p = other; *p != '\0'; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 0x20) : *p;
    if (mark_name_ok(name)) {
        CHECK(strlen(name) <= MARK_NAME_MAX);
        CHECK(mark_is_forged(name, name) && mark_is_forged(name, other));
        CHECK(mark_is_forged(name, arena_printf(arena, "%s \t ", other)));
        CHECK(!mark_is_forged(name, arena_printf(arena, "%s-", name)));
    }
    if (mark_is_forged(name, field))
        CHECK(name[0] != '\0' && strlen(field) >= strlen(name) &&
              slice_is_nocase((struct slice){field, strlen(name)}, name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    char *text =
        arena != NULL ? arena_dup_slice(arena, (struct slice){(const char *)data, size}) : NULL;
    CHECK(text != NULL);
    size_t first = strlen(text), second = first + (first < size);
    size_t third = second + strlen(text + second);

    check_names(text, text + second, arena);
    check_value(text + third + (third < size), arena);
    arena_free(arena);
    return 0;
}
