/*
 * hatvars_fuzz.c - HAT variables in reply texts. The bytes are, with NUL between
 * them, the text of an administrator and what comes from elsewhere: group, host
 * name, entry, envelope sender.
 */
#include "lib/gate/hatvars.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VALUE_MAX 300 /* bytes that one variable may become */

static bool is_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (ascii_is_control(s.p[i]))
            return false;
    return str_is_utf8(s);
}

static size_t dollars(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += *text == '$';
    return n;
}

/* What is the administrator's stays; what is foreign can neither end the line nor
 * make it long without end. */
static void check(const char *text, const struct conn_facts *conn, const char *sender,
                  struct arena *arena)
{
    struct conn_facts other = *conn;
    const char *plain = hatvars_expand(text, conn, arena);
    const char *more = hatvars_expand_sender(text, conn, sender, arena);

    CHECK(plain != NULL && more != NULL);
    CHECK(strlen(plain) <= strlen(text) + dollars(text) * VALUE_MAX);
    CHECK(strlen(more) <= strlen(text) + dollars(text) * VALUE_MAX);
    if (strchr(text, '$') == NULL)
        CHECK(plain == text && more == text);
    if (is_text(slice_of(text)))
        CHECK(is_text(slice_of(plain)) && is_text(slice_of(more)));
    other.owner = conn->owner + 1;
    const char *with_other = hatvars_expand(text, &other, arena);
    CHECK(with_other != NULL);
    CHECK((strcmp(plain, with_other) != 0) == hatvars_needs_owner(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *words[5];
    struct conn_facts conn = {.owner = 64500};
    struct arena *arena = arena_new(0);
    char *text =
        arena != NULL ? arena_dup_slice(arena, (struct slice){(const char *)data, size}) : NULL;

    CHECK(text != NULL);
    for (size_t i = 0, at = 0; i < ARRAY_LEN(words); i++) {
        words[i] = text + at;
        at += strlen(words[i]);
        at += at < size; /* behind the last one there is nothing */
    }
    conn.match.group = words[1][0] != '\0' ? words[1] : NULL;
    conn.match.entry = words[3][0] != '\0' ? words[3] : NULL;
    conn.host.class = words[2][0] != '\0' ? HOST_VERIFIED : HOST_UNKNOWN;
    snprintf(conn.host.name, sizeof conn.host.name, "%s", words[2]);
    check(words[0], &conn, words[4], arena);
    arena_free(arena);
    return 0;
}
