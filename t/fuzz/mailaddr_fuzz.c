/*
 * mailaddr_fuzz.c - any words as an address in both modes: a canonical text is
 * taken by strict and stays what it is; what strict takes, loose takes the same way.
 */
#include <string.h>
#include "lib/base/mailaddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_result(const struct mailaddr *addr, struct arena *arena)
{
    struct mailaddr again, made;
    struct err err;
    for (const char *p = addr->text; *p != '\0'; p++)
        CHECK(!ascii_is_control(*p));
    if (addr->kind == MAILADDR_NULL)
        return;
    /* Quoting may have made a local part of just the right length too long. */
    if (strlen(addr->local) <= MAILADDR_LOCAL_MAX / 2 - 2) {
        CHECK(mailaddr_parse(slice_of(addr->text), MAILADDR_STRICT, false, arena, &again, &err));
        CHECK(strcmp(again.text, addr->text) == 0 && strcmp(again.local, addr->local) == 0);
    }
    CHECK(mailaddr_without_extension(addr, "+-", arena, &made));
    CHECK(mailaddr_with_domain(addr, "example.com", arena, &made));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct arena *arena = arena_new(0);
    struct mailaddr strict, loose;
    struct err err;
    if (arena == NULL)
        return 0;
    bool in_strict = mailaddr_parse(text, MAILADDR_STRICT, true, arena, &strict, &err);
    bool in_loose = mailaddr_parse(text, MAILADDR_LOOSE, true, arena, &loose, &err);
    if (in_loose)
        check_result(&loose, arena);
    if (in_strict) {
        check_result(&strict, arena);
        CHECK(in_loose && strcmp(strict.text, loose.text) == 0);
    }
    arena_free(arena);
    return 0;
}
