/*
 * escape_fuzz.c - every way from foreign bytes to text.
 *
 * The first byte is the room. Whatever the input, the output ends in room, is
 * UTF-8 (ASCII for LDAP) and holds nothing a log, reply or filter obeys.
 */
#include "lib/base/escape.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice run(size_t (*escape)(struct slice, char *, size_t), struct slice in, char *out,
                        size_t room)
{
    memset(out, 1, room);
    size_t n = escape(in, out, room);
    CHECK(n < room && out[n] == '\0' && strlen(out) == n);
    struct slice text = {out, n};
    for (size_t i = 0; i < n; i++)
        CHECK(!ascii_is_control(out[i]));
    CHECK(str_is_utf8(text));
    return text;
}

static void check_log(struct slice in, struct slice out)
{
    for (size_t i = 0; i < out.n; i++) {
        CHECK(out.p[i] != '"');
        if (out.p[i] == '\\') {
            i++;
            CHECK(i < out.n && strchr("\\\"x", out.p[i]));
        }
    }
    if (!escape_log_needs_quotes(in))
        CHECK(out.n <= in.n && memcmp(out.p, in.p, out.n) == 0);
}

static void check_json(struct slice out)
{
    for (size_t i = 0; i < out.n; i++) {
        CHECK(out.p[i] != '"');
        if (out.p[i] == '\\') {
            i++;
            CHECK(i < out.n && strchr("\\\"u", out.p[i]));
        }
    }
}

static void check_ldap(struct slice out)
{
    for (size_t i = 0; i < out.n; i++)
        CHECK(!strchr("*()", out.p[i]) && (unsigned char)out.p[i] < 128);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t room = (size_t)data[0] + 1;
    struct slice in = {(const char *)data + 1, size - 1};
    char *out = malloc(room); /* of exactly that size, for AddressSanitizer */
    CHECK(out);
    check_log(in, run(escape_log, in, out, room));
    run(escape_line, in, out, room);
    check_json(run(escape_json, in, out, room));
    struct slice reply = run(escape_reply, in, out, room);
    CHECK(!memmem(reply.p, reply.n, "  ", 2));
    size_t n = escape_ldap(in, out, room);
    CHECK(n < room && out[n] == '\0');
    check_ldap((struct slice){out, n});
    free(out);
    return 0;
}
