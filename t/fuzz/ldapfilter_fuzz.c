/*
 * ldapfilter_fuzz.c - filters and addresses. Whatever address is put into a
 * filter that passed the check, the outcome is a filter of the same shape.
 */
#include "lib/net/ldapfilter.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parentheses outside of escapes: an address must not add any. */
static size_t parentheses(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += *text == '(' || *text == ')';
    return n;
}

static void check_filled(const char *filter, struct mailaddr *recipient)
{
    struct strbuf out;
    strbuf_init(&out);
    ldapfilter_fill(filter, recipient, recipient, &out);
    CHECK(!out.failed && out.n == strlen(strbuf_text(&out)));
    CHECK(parentheses(out.p) == parentheses(filter));
    for (const char *at = out.p; *at != '\0'; at++)
        CHECK(!ascii_is_control(*at) || strchr(recipient->local, *at) != NULL);
    strbuf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    CHECK(arena);
    char *filter = arena_dup_slice(arena, (struct slice){(const char *)data, size});
    CHECK(filter);
    /* What follows the last closing parenthesis is the address. */
    char *last = strrchr(filter, ')');
    char *rest = arena_dup(arena, last != NULL ? last + 1 : "");
    struct err err = {0};
    CHECK(rest);
    if (last != NULL)
        last[1] = '\0';
    struct mailaddr recipient = {.kind = MAILADDR_DOMAIN, .local = rest, .domain = "example.com"};
    if (ldapfilter_check(filter, &err))
        check_filled(filter, &recipient);
    else
        CHECK(err.kind != ERR_NONE);
    arena_free(arena);
    return 0;
}
