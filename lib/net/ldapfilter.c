/* ldapfilter.c - see ldapfilter.h. */
#include "lib/net/ldapfilter.h"

#include <string.h>

#include "lib/base/escape.h"

/* --- checking ---------------------------------------------------------------------- */

/* What the next character may be. */
enum expect {
    EXPECT_OPEN,     /* "(" */
    EXPECT_INSIDE,   /* just after "(" */
    EXPECT_OPERATOR, /* in the attribute, before "=" */
    EXPECT_VALUE,    /* after "=" */
    EXPECT_MORE      /* "(" or ")" */
};

struct check {
    const char *at;
    enum expect expect;
    unsigned depth;
    struct {
        bool single; /* "!": one filter only */
        unsigned n;
    } level[LDAPFILTER_DEPTH_MAX + 1];
    struct err *err;
};

static bool is_hex(char c)
{
    return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

static bool is_token(const char *at)
{
    return strchr("audf", at[1] != '\0' ? at[1] : '?') != NULL && at[2] == '}';
}

static bool open_one(struct check *check)
{
    if (*check->at != '(')
        return err_set(check->err, ERR_SYNTAX, "\"(\" is missing before \"%.20s\"", check->at);
    if (check->depth == LDAPFILTER_DEPTH_MAX)
        return err_set(check->err, ERR_SYNTAX, "more than %d parentheses in each other",
                       LDAPFILTER_DEPTH_MAX);
    if (check->level[check->depth].single && check->level[check->depth].n > 0)
        return err_set(check->err, ERR_SYNTAX, "\"!\" takes one filter only");
    check->level[check->depth++].n++;
    check->level[check->depth].n = 0;
    check->level[check->depth].single = false;
    check->expect = EXPECT_INSIDE;
    check->at++;
    return true;
}

static bool close_one(struct check *check)
{
    check->depth--;
    check->expect = check->depth == 0 ? EXPECT_OPEN : EXPECT_MORE;
    check->at++;
    return true;
}

static bool inside(struct check *check)
{
    char c = *check->at;
    if (c == '&' || c == '|' || c == '!') {
        check->level[check->depth].single = c == '!';
        check->expect = EXPECT_OPEN;
        check->at++;
        return true;
    }
    if (!ascii_is_alnum(c) && c != ':')
        return err_set(check->err, ERR_SYNTAX, "an attribute is missing before \"%.20s\"",
                       check->at);
    check->expect = EXPECT_OPERATOR;
    return true;
}

/* The attribute with all that stands before "=". */
static bool attribute(struct check *check)
{
    char c = *check->at;
    if (c == '=')
        check->expect = EXPECT_VALUE;
    else if (!ascii_is_alnum(c) && strchr("-_.;:<>~", c) == NULL)
        return err_set(check->err, ERR_SYNTAX, "\"=\" is missing before \"%.20s\"", check->at);
    check->at++;
    return true;
}

static bool value(struct check *check)
{
    switch (*check->at) {
    case ')':
        return close_one(check);
    case '(':
        return err_set(check->err, ERR_SYNTAX, "\"(\" in a value must be written \\28");
    case '\\':
        if (!is_hex(check->at[1]) || !is_hex(check->at[2]))
            return err_set(check->err, ERR_SYNTAX,
                           "\"\\\" in a value must be followed by two hexadecimal digits");
        check->at += 3;
        return true;
    case '{':
        if (!is_token(check->at))
            return err_set(check->err, ERR_SYNTAX,
                           "\"%.10s\" is not a token; allowed: {a}, {u}, {d} and {f}", check->at);
        check->at += 3;
        return true;
    default:
        if (ascii_is_control(*check->at))
            return err_set(check->err, ERR_SYNTAX, "a control byte in a value");
        check->at++;
        return true;
    }
}

static bool more(struct check *check)
{
    return *check->at == ')' ? close_one(check) : open_one(check);
}

static bool step(struct check *check)
{
    switch (check->expect) {
    case EXPECT_OPEN:
        return open_one(check);
    case EXPECT_INSIDE:
        return inside(check);
    case EXPECT_OPERATOR:
        return attribute(check);
    case EXPECT_VALUE:
        return value(check);
    case EXPECT_MORE:
        return more(check);
    }
    return false;
}

bool ldapfilter_check(const char *filter, struct err *err)
{
    struct check check = {.at = filter, .err = err};

    if (strlen(filter) > LDAPFILTER_MAX)
        return err_set(err, ERR_RANGE, "longer than %d bytes", LDAPFILTER_MAX);
    if (!str_is_utf8(slice_of(filter)))
        return err_set(err, ERR_SYNTAX, "not in UTF-8");
    do {
        if (*check.at == '\0')
            return err_set(err, ERR_SYNTAX,
                           check.depth == 0 ? "\"(\" is missing" : "a closing \")\" is missing");
        if (!step(&check))
            return false;
    } while (check.depth > 0);
    return *check.at == '\0' ||
           err_set(err, ERR_SYNTAX, "\"%.20s\" comes after the last \")\"", check.at);
}

/* --- filling in -------------------------------------------------------------------- */

/* In pieces, since a local part can be long and each byte may become three. */
static void add_escaped(struct strbuf *out, const char *text)
{
    char piece[64 * ESCAPE_WORST + 1];
    struct slice rest = slice_of(text);

    while (rest.n > 0) {
        struct slice part = {rest.p, rest.n < 64 ? rest.n : 64};
        strbuf_add(out, piece, escape_ldap(part, piece, sizeof piece));
        rest.p += part.n;
        rest.n -= part.n;
    }
}

static void add_address(struct strbuf *out, const struct mailaddr *addr)
{
    if (addr == NULL || addr->kind == MAILADDR_NULL)
        return;
    add_escaped(out, addr->local);
    if (addr->domain[0] == '\0')
        return;
    add_escaped(out, "@");
    add_escaped(out, addr->domain);
}

void ldapfilter_fill(const char *filter, const struct mailaddr *recipient,
                     const struct mailaddr *sender, struct strbuf *out)
{
    for (const char *at = filter; *at != '\0'; at++) {
        if (*at != '{') {
            strbuf_putc(out, *at);
            continue;
        }
        CHECK(is_token(at));
        if (at[1] == 'a')
            add_address(out, recipient);
        else if (at[1] == 'f')
            add_address(out, sender);
        else
            add_escaped(out, at[1] == 'u' ? recipient->local : recipient->domain);
        at += 2;
    }
}
