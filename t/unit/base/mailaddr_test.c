/* mailaddr_test.c - envelope addresses as clients write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/base/mailaddr.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(0);
    return arena != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static bool parse(const char *text, enum mailaddr_mode mode, struct mailaddr *addr)
{
    struct err err = {.kind = ERR_NONE};
    bool good = mailaddr_parse(slice_of(text), mode, true, arena, addr, &err);
    if (!good)
        assert_true(err.kind != ERR_NONE && err.text[0] != '\0');
    return good;
}

static const char *result(const char *text, enum mailaddr_mode mode)
{
    struct mailaddr addr;
    return parse(text, mode, &addr) ? addr.text : NULL;
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What each mode makes of it; NULL: refused. */
static const struct {
    const char *text, *strict, *loose;
} both_modes[] = {
    {"<joe@example.com>", "joe@example.com", "joe@example.com"},
    {"joe@example.com", "joe@example.com", "joe@example.com"},
    {"<Joe.Doe@Example.COM.>", "Joe.Doe@example.com", "Joe.Doe@example.com"},
    {" <joe@a_b.com>", "joe@a_b.com", "joe@a_b.com"},
    {"   <joe@a.b>", "joe@a.b", "joe@a.b"},
    {"<joe@host>", "joe@host", "joe@host"},
    {"<joe>", "joe", "joe"},
    {"<joe@>", "joe", "joe"},
    {"<postmaster>", "postmaster", "postmaster"},
    {"<>", "", ""},
    {" <>", "", ""},
    {"<user%other@a.b>", "user%other@a.b", "user%other@a.b"},
    {"<a!b@c.d>", "a!b@c.d", "a!b@c.d"},
    {"<!#$%&'*+-/=?^_`{|}~@a.b>", "!#$%&'*+-/=?^_`{|}~@a.b", "!#$%&'*+-/=?^_`{|}~@a.b"},
    /* dots anywhere, quoted where the grammar wants it */
    {"<a..b@c.d>", "\"a..b\"@c.d", "\"a..b\"@c.d"},
    {"<.a@c.d>", "\".a\"@c.d", "\".a\"@c.d"},
    {"<a.@c.d>", "\"a.\"@c.d", "\"a.\"@c.d"},
    {"<.>", "\".\"", "\".\""},
    /* quoting only where needed */
    {"<\"joe\"@a.b>", "joe@a.b", "joe@a.b"},
    {"<\"j\\o\\e\"@a.b>", "joe@a.b", "joe@a.b"},
    {"<\"j.o\"@a.b>", "j.o@a.b", "j.o@a.b"},
    {"<\"joe doe\"@a.b>", "\"joe doe\"@a.b", "\"joe doe\"@a.b"},
    {"<\"a@b\"@c.d>", "\"a@b\"@c.d", "\"a@b\"@c.d"},
    {"<\"a\\\"b\\\\c\"@d>", "\"a\\\"b\\\\c\"@d", "\"a\\\"b\\\\c\"@d"},
    {"<\"a>b<c(d)\"@e.f>", "\"a>b<c(d)\"@e.f", "\"a>b<c(d)\"@e.f"},
    {"<\"\"@a.b>", "\"\"@a.b", "\"\"@a.b"},
    {"\"joe doe\"", "\"joe doe\"", "\"joe doe\""},
    /* source routes */
    {"<@a.b:joe@c.d>", "joe@c.d", "joe@c.d"},
    {"<@a.b,@c,@[192.0.2.1],@[IPv6:::1]:joe@d.e>", "joe@d.e", "joe@d.e"},
    {"<@a.b:joe>", "joe", "joe"},
    {"<@a.b:>", NULL, NULL},
    {"<@a.b>", NULL, NULL},
    {"<@>", NULL, NULL},
    {"<@:joe@a.b>", NULL, NULL},
    {"<@a.b,joe@c.d>", NULL, NULL},
    {"<@a.b,,@c:joe@c.d>", NULL, NULL},
    {"<@[:joe@c.d>", NULL, NULL},
    {"<@[IPv6:::1]<\":joe@c.d>", NULL, NULL},
    {"<@[192.0.2.1]x:joe@c.d>", NULL, NULL},
    {"<@a b:joe@c.d>", NULL, NULL},
    /* literals */
    {"<joe@[192.0.2.1]>", "joe@[192.0.2.1]", "joe@[192.0.2.1]"},
    {"<joe@[iPV6:2001:DB8:0::1]>", "joe@[ipv6:2001:db8::1]", "joe@[ipv6:2001:db8::1]"},
    {"<joe@[IPv6:::]>", "joe@[ipv6:::]", "joe@[ipv6:::]"},
    {"<joe@[IPv6:::ffff:192.0.2.1]>", "joe@[192.0.2.1]", "joe@[192.0.2.1]"},
    {"<joe@[]>", NULL, NULL},
    {"<joe@[>", NULL, NULL},
    {"<joe@[192.0.2.1>", NULL, NULL},
    {"<joe@[192.0.2.1].>", NULL, NULL},
    {"<joe@[192.0.2.256]>", NULL, NULL},
    {"<joe@[192.0.2]>", NULL, NULL},
    {"<joe@[::1]>", NULL, NULL},
    {"<joe@[IPv6:192.0.2.1]>", NULL, NULL},
    {"<joe@[IPv6:]>", NULL, NULL},
    {"<joe@[X400:c=de]>", NULL, NULL},
    {"<joe@[example.com]>", NULL, NULL},
    /* UTF-8 */
    {"<müller@bücher.test>", "müller@xn--bcher-kva.test", "müller@xn--bcher-kva.test"},
    {"<\"mü ller\"@a.b>", "\"mü ller\"@a.b", "\"mü ller\"@a.b"},
    {"<m\xfcller@a.b>", NULL, NULL},
    {"<joe@b\xfc.de>", NULL, NULL},
    {"<\"a\\ü\"@b.c>", NULL, NULL},
    /* refused by both */
    {"", NULL, NULL},
    {" ", NULL, NULL},
    {"<@a.b:joe@c@d>", NULL, NULL},
    {"<joe@a..b>", NULL, NULL},
    {"<joe@-a.b>", NULL, NULL},
    {"<joe@.>", NULL, NULL},
    {"<joe@a.b..>", NULL, NULL},
    {"<a b@c.d>", NULL, NULL},
    {"<a@b c>", NULL, NULL},
    {"<a@b@c>", NULL, NULL},
    {"<a,b@c>", NULL, NULL},
    {"<a:b@c>", NULL, NULL},
    {"<a;b@c>", NULL, NULL},
    {"<a[b@c>", NULL, NULL},
    {"<a\\b@c>", NULL, NULL},
    {"<a\"b\"@c>", NULL, NULL},
    {"<\"a\"b@c>", NULL, NULL},
    {"<\"a\".b@c>", NULL, NULL},
    {"<\"a@c>", NULL, NULL},
    {"<\"a\\\"@c>", NULL, NULL},
    {"<\"a\\", NULL, NULL},
    {"<joe\t@a.b>", NULL, NULL},
    {"<joe\r\n@a.b>", NULL, NULL},
    {"<\"joe\x7f\"@a.b>", NULL, NULL},
    {"<\"joe\\\x01\"@a.b>", NULL, NULL},
    {"<joe@a.b/c>", NULL, NULL},
    {"a@b>", NULL, NULL},
    {"<a)b@c>", NULL, NULL},
    /* salvaged by loose alone */
    {"<a@c>>", NULL, "a@c"},
    {"<<a@c>>", NULL, "a@c"},
    {"<<a@c>", NULL, "a@c"},
    {"<a@c", NULL, "a@c"},
    {"<x <a@c> y>", NULL, "a@c"},
    {"<a@b><c@d>", NULL, "a@b"},
    {"<a@b> <<c@d>>", NULL, "c@d"},
    {"Joe Doe <joe@a.b>", NULL, "joe@a.b"},
    {"\"Joe <x@y>\" <joe@a.b>", NULL, "joe@a.b"},
    {"\"Joe \\\" <x@y>\" <joe@a.b>", NULL, "joe@a.b"},
    {"<joe@a.b> ", NULL, "joe@a.b"},
    {"< joe@a.b >", NULL, "joe@a.b"},
    {"<joe @ a.b>", NULL, "joe@a.b"},
    {"(x)<joe@a.b>", NULL, "joe@a.b"},
    {"<joe(x)@(y)a.b(z)>", NULL, "joe@a.b"},
    {"<joe@a(x).b>", NULL, "joe@a.b"},
    {"joe@a.b (a (nested) one, with \\) and \" in it)", NULL, "joe@a.b"},
    {"<()>", NULL, ""},
    {"< >", NULL, ""},
    {"<<>>", NULL, ""},
    {"<joe@a.b (>", NULL, NULL},
    {"(", NULL, NULL},
    {"()", NULL, NULL},
    {"<>>", NULL, ""},
    /* would be another address than the MTA's */
    {"<joe(x)doe@a.b>", NULL, NULL},
    {"<joe@a(x)b.c>", NULL, NULL},
};

static void test_both_modes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(both_modes); i++) {
        const char *strict = result(both_modes[i].text, MAILADDR_STRICT);
        const char *loose = result(both_modes[i].text, MAILADDR_LOOSE);
        if (!same(strict, both_modes[i].strict) || !same(loose, both_modes[i].loose))
            fail_msg("\"%s\" gave strict %s, loose %s", both_modes[i].text,
                     strict ? strict : "(no)", loose ? loose : "(no)");
        /* A canonical text is its own canonical text. */
        if (strict != NULL && strict[0] != '\0')
            assert_true(same(result(strict, MAILADDR_STRICT), strict));
    }
}

static void test_fields(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum mailaddr_kind kind;
        const char *local, *domain, *unicode, *key;
        bool utf8;
    } rows[] = {
        {"<>", MAILADDR_NULL, "", "", NULL, "", false},
        {"<Joe>", MAILADDR_LOCAL, "Joe", "", NULL, "joe", false},
        {"<Joe@>", MAILADDR_LOCAL, "Joe", "", NULL, "joe", false},
        {"<Joe@A.b>", MAILADDR_DOMAIN, "Joe", "a.b", NULL, "joe@a.b", false},
        {"<\"J D\"@A.b>", MAILADDR_DOMAIN, "J D", "a.b", NULL, "\"j d\"@a.b", false},
        {"<A@[192.0.2.1]>", MAILADDR_LITERAL, "A", "[192.0.2.1]", NULL, "a@[192.0.2.1]", false},
        {"<A@xn--bcher-kva.test>", MAILADDR_DOMAIN, "A", "xn--bcher-kva.test", NULL,
         "a@xn--bcher-kva.test", false},
        {"<A@Bücher.TEST.>", MAILADDR_DOMAIN, "A", "xn--bcher-kva.test", "bücher.test",
         "a@xn--bcher-kva.test", true},
        {"<MÜ@a.b>", MAILADDR_DOMAIN, "MÜ", "a.b", NULL, "mÜ@a.b", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mailaddr addr;
        assert_true(parse(rows[i].text, MAILADDR_STRICT, &addr));
        assert_int_equal(addr.kind, rows[i].kind);
        assert_string_equal(addr.local, rows[i].local);
        assert_string_equal(addr.domain, rows[i].domain);
        assert_true(same(addr.unicode_domain, rows[i].unicode));
        assert_string_equal(addr.key, rows[i].key);
        assert_int_equal(addr.utf8, rows[i].utf8);
    }
    struct mailaddr addr;
    struct ip ip = ip_from_v4(0xc0000201);
    assert_true(parse("<a@[192.0.2.1]>", MAILADDR_STRICT, &addr));
    assert_true(ip_equal(&addr.literal, &ip));
}

static void test_null_only_where_allowed(void **state)
{
    (void)state;
    struct mailaddr addr;
    struct err err;
    for (int mode = MAILADDR_STRICT; mode <= MAILADDR_LOOSE; mode++)
        assert_false(
            mailaddr_parse(slice_of("<>"), (enum mailaddr_mode)mode, false, arena, &addr, &err));
    assert_false(mailaddr_parse(slice_of("<>"), MAILADDR_STRICT, false, arena, &addr, NULL));
}

static bool parse_lengths(size_t local, bool quoted, size_t domain)
{
    char text[2 * MAILADDR_PATH_MAX];
    size_t n = 0;
    if (quoted)
        text[n++] = '"';
    memset(text + n, 'l', local);
    n += local;
    if (quoted)
        text[n++] = '"';
    text[n++] = '@';
    for (size_t i = 0; i < domain; i++)
        text[n++] = i % 2 == 0 ? 'd' : '.';
    struct mailaddr addr;
    struct err err;
    return mailaddr_parse((struct slice){text, n}, MAILADDR_STRICT, true, arena, &addr, &err);
}

static void test_limits(void **state)
{
    (void)state;
    const size_t most = MAILADDR_LOCAL_MAX;
    assert_true(parse_lengths(most - 1, false, 1));
    assert_true(parse_lengths(most, false, 1));
    assert_false(parse_lengths(most + 1, false, 1));
    assert_true(parse_lengths(most - 2, true, 1)); /* as sent: the quotes count */
    assert_false(parse_lengths(most - 1, true, 1));
    assert_true(parse_lengths(most, false, 251));
    assert_true(parse_lengths(most, false, 253));
    assert_false(parse_lengths(most, false, 255));

    /* A long source route reaches the bound of the whole. */
    char text[MAILADDR_PATH_MAX + 1];
    for (size_t n = MAILADDR_PATH_MAX - 1; n <= MAILADDR_PATH_MAX + 1; n++) {
        struct mailaddr addr;
        struct err err = {.kind = ERR_NONE};
        for (size_t i = 0; i + 4 <= n; i++)
            text[i] = "@a,"[i % 3];
        size_t cut = (n - 4) / 3 * 3;
        memcpy(text + cut, "@a:joejoe", n - cut < 9 ? n - cut : 9);
        bool good =
            mailaddr_parse((struct slice){text, n}, MAILADDR_STRICT, true, arena, &addr, &err);
        assert_int_equal(good, n <= MAILADDR_PATH_MAX);
        assert_int_equal(err.kind, good ? ERR_NONE : ERR_RANGE);
    }
}

static void test_long_hostile_input(void **state)
{
    (void)state;
    static const char *const units[] = {"<",   ">",    "(", ")",   "\"", "\\", "@", "@a,",
                                        "(\\", "<(\"", "ü", "@ü,", "[",  ".",  " "};
    static char text[100 * MAILADDR_PATH_MAX];
    static const size_t lengths[] = {MAILADDR_PATH_MAX, sizeof text};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t n = strlen(units[i]);
        for (size_t at = 0; at + n <= sizeof text; at += n)
            memcpy(text + at, units[i], n);
        for (size_t j = 0; j < ARRAY_LEN(lengths); j++) {
            struct mailaddr addr;
            struct slice s = {text, lengths[j]};
            assert_false(mailaddr_parse(s, MAILADDR_STRICT, false, arena, &addr, NULL));
            assert_false(mailaddr_parse(s, MAILADDR_LOOSE, false, arena, &addr, NULL));
        }
    }
    struct mailaddr addr;
    assert_false(
        mailaddr_parse((struct slice){"<a\0b@c>", 7}, MAILADDR_LOOSE, true, arena, &addr, NULL));
}

static void test_with_domain(void **state)
{
    (void)state;
    struct mailaddr addr, made;
    assert_true(parse("<Joe>", MAILADDR_STRICT, &addr));
    assert_true(mailaddr_with_domain(&addr, "Example.com", arena, &made));
    assert_int_equal(made.kind, MAILADDR_DOMAIN);
    assert_string_equal(made.text, "Joe@example.com");
    assert_string_equal(made.key, "joe@example.com");
    assert_string_equal(made.domain, "example.com");
    assert_string_equal(addr.text, "Joe");
    assert_true(parse("<a..b@bücher>", MAILADDR_STRICT, &addr));
    assert_true(mailaddr_with_domain(&addr, "x.y", arena, &made));
    assert_string_equal(made.text, "\"a..b\"@x.y");
    assert_null(made.unicode_domain);
    assert_false(made.utf8);
    assert_false(mailaddr_with_domain(&addr, "a..b", arena, &made));
    assert_true(parse("<>", MAILADDR_STRICT, &addr));
    assert_false(mailaddr_with_domain(&addr, "x.y", arena, &made));
}

static void test_without_extension(void **state)
{
    (void)state;
    static const struct {
        const char *text, *delimiters, *expect;
    } rows[] = {
        {"<joe+tag@a.b>", "+", "joe@a.b"},
        {"<joe+tag+more@a.b>", "+", "joe@a.b"},
        {"<joe-tag@a.b>", "+-", "joe@a.b"},
        {"<joe-x+y@a.b>", "+", "joe-x@a.b"},
        {"<joe@a.b>", "+", "joe@a.b"},
        {"<joe+tag@a.b>", "", "joe+tag@a.b"},
        {"<joe+tag@a.b>", NULL, "joe+tag@a.b"},
        {"<+tag@a.b>", "+", "+tag@a.b"},
        {"<+tag+x@a.b>", "+", "+tag+x@a.b"},
        {"<j+@a.b>", "+", "j@a.b"},
        {"<\"joe+a b\"@a.b>", "+", "joe@a.b"},
        {"<joe+tag@[192.0.2.1]>", "+", "joe@[192.0.2.1]"},
        {"<joe+tag>", "+", "joe"},
    };
    struct mailaddr addr, made;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(parse(rows[i].text, MAILADDR_STRICT, &addr));
        assert_true(mailaddr_without_extension(&addr, rows[i].delimiters, arena, &made));
        assert_string_equal(made.text, rows[i].expect);
        assert_string_equal(made.key, rows[i].expect);
        assert_int_equal(made.kind, addr.kind);
    }
    assert_true(parse("<joe+ü@bücher.test>", MAILADDR_STRICT, &addr));
    assert_true(mailaddr_without_extension(&addr, "+", arena, &made));
    assert_true(made.utf8);
    assert_true(parse("<joe+ü@a.b>", MAILADDR_STRICT, &addr));
    assert_true(mailaddr_without_extension(&addr, "+", arena, &made));
    assert_false(made.utf8);
}

static void test_postmaster(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool expect;
    } rows[] = {
        {"<postmaster>", true},
        {"<PostMaster>", true},
        {"<\"postmaster\">", true},
        {"<postmaster@a>", false},
        {"<postmasters>", false},
        {"<postmaste>", false},
        {"<>", false},
        {"<postmaster@a.b>", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mailaddr addr;
        assert_true(parse(rows[i].text, MAILADDR_STRICT, &addr));
        assert_int_equal(mailaddr_is_postmaster(&addr), rows[i].expect);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_modes),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_null_only_where_allowed),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_long_hostile_input),
        cmocka_unit_test(test_with_domain),
        cmocka_unit_test(test_without_extension),
        cmocka_unit_test(test_postmaster),
    };
    return cmocka_run_group_tests_name("mailaddr", tests, set_up, tear_down);
}
