/* Query templates: what is refused, and what an address may look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/net/ldapfilter.h"

static void good_templates(void **state)
{
    static const char *const good[] = {
        "(mail={a})",
        "(mail=*)",
        "(mail=)",
        "(|(mail={a})(proxyAddresses=smtp:{a}))",
        "(|(|(mail={a})(uid={u}))(cn={u}))",
        "(&(objectClass=person)(!(disabled=TRUE))(mail={a}))",
        "(uidNumber>=1)",
        "(cn~={u})",
        "(cn:caseExactMatch:={u})",
        "(:dn:2.4.8.10:={u})",
        "(cn;lang-de=x\\2a\\28{u}})",
        "(mail={u}@{d})",
        "(from={f})",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct err err = {0};
        if (!ldapfilter_check(good[i], &err))
            fail_msg("%s: %s", good[i], err.text);
    }
}

static void bad_templates(void **state)
{
    static const struct {
        const char *filter, *why;
    } bad[] = {
        {"", "\"(\" is missing"},
        {"mail={a}", "\"(\" is missing before \"mail={a}\""},
        {"{mail={a}}", "\"(\" is missing before \"{mail={a}}\""},
        {"(mail={a}", "a closing \")\" is missing"},
        {"(|(mail={a})", "a closing \")\" is missing"},
        {"(mail={a}))", "\")\" comes after the last \")\""},
        {"(mail={a})(uid={u})", "\"(uid={u})\" comes after the last \")\""},
        {"(mail={x})", "\"{x})\" is not a token; allowed: {a}, {u}, {d} and {f}"},
        {"(mail={a", "\"{a\" is not a token; allowed: {a}, {u}, {d} and {f}"},
        {"(mail={", "\"{\" is not a token; allowed: {a}, {u}, {d} and {f}"},
        {"({a}=x)", "an attribute is missing before \"{a}=x)\""},
        {"(ma{a}il=x)", "\"=\" is missing before \"{a}il=x)\""},
        {"()", "an attribute is missing before \")\""},
        {"(&)", "\"(\" is missing before \")\""},
        {"(!(a=b)(c=d))", "\"!\" takes one filter only"},
        {"(mail)", "\"=\" is missing before \")\""},
        {"(mail=a(b)", "\"(\" in a value must be written \\28"},
        {"(mail=a\\2)", "\"\\\" in a value must be followed by two hexadecimal digits"},
        {"(mail=a\\", "\"\\\" in a value must be followed by two hexadecimal digits"},
        {"(mail=a\tb)", "a control byte in a value"},
        {"(mail=\xff)", "not in UTF-8"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        if (ldapfilter_check(bad[i].filter, &err))
            fail_msg("%s is taken", bad[i].filter);
        assert_string_equal(err.text, bad[i].why);
    }
}

/* n negations around one test. */
static bool nested(unsigned n)
{
    char filter[LDAPFILTER_MAX + 1] = "";
    size_t at = 0;
    struct err err = {0};
    for (unsigned i = 0; i + 1 < n; i++)
        at += (size_t)snprintf(filter + at, sizeof filter - at, "(!");
    at += (size_t)snprintf(filter + at, sizeof filter - at, "(a=b)");
    for (unsigned i = 0; i + 1 < n; i++)
        at += (size_t)snprintf(filter + at, sizeof filter - at, ")");
    return ldapfilter_check(filter, &err);
}

static bool long_one(size_t n)
{
    char filter[LDAPFILTER_MAX + 2];
    struct err err = {0};
    memset(filter, 'x', sizeof filter);
    memcpy(filter, "(a=", 3);
    filter[n - 1] = ')';
    filter[n] = '\0';
    return ldapfilter_check(filter, &err);
}

static void limits(void **state)
{
    (void)state;
    assert_true(nested(LDAPFILTER_DEPTH_MAX - 1));
    assert_true(nested(LDAPFILTER_DEPTH_MAX));
    assert_false(nested(LDAPFILTER_DEPTH_MAX + 1));
    assert_true(long_one(LDAPFILTER_MAX - 1));
    assert_true(long_one(LDAPFILTER_MAX));
    assert_false(long_one(LDAPFILTER_MAX + 1));
}

static void fills(const char *filter, const char *recipient, const char *sender,
                  const char *expected)
{
    struct arena *arena = arena_new(0);
    struct mailaddr to, from;
    struct strbuf out;
    struct err err = {0};
    strbuf_init(&out);
    assert_true(ldapfilter_check(filter, &err));
    assert_true(mailaddr_parse(slice_of(recipient), MAILADDR_STRICT, false, arena, &to, &err));
    assert_true(mailaddr_parse(slice_of(sender), MAILADDR_STRICT, true, arena, &from, &err));
    ldapfilter_fill(filter, &to, &from, &out);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_done(&out);
    arena_free(arena);
}

static void filled_in(void **state)
{
    (void)state;
    fills("(mail={a})", "<Joe@Example.COM>", "<>", "(mail=Joe@example.com)");
    fills("(&(u={u})(d={d})(f={f}))", "<joe@example.com>", "<a@b.example>",
          "(&(u=joe)(d=example.com)(f=a@b.example))");
    fills("(f={f})", "<joe@example.com>", "<>", "(f=)");
    /* Unquoted, so that the value is the name as the directory has it. */
    fills("(u={u})", "<\"a b\"@example.com>", "<>", "(u=a b)");
    fills("(a={a})", "<\"*)(uid=*\"@example.com>", "<>", "(a=\\2a\\29\\28uid=\\2a@example.com)");
    fills("(a={u}\\2a{d})", "<*@example.com>", "<>", "(a=\\2a\\2aexample.com)");
    fills("(a={u})", "<\"\\\\\"@example.com>", "<>", "(a=\\5c)");
    fills("(a={u})", "<{a}@example.com>", "<>", "(a={a})");
    fills("(a={u})", "<j\xc3\xbcrg@example.com>", "<>", "(a=j\\c3\\bcrg)");
    fills("(a={d})", "<joe@[192.0.2.1]>", "<>", "(a=[192.0.2.1])");
}

static void long_local_part(void **state)
{
    char stars[200 + 1], expected[3 * 200 + 10] = "(u=";
    struct mailaddr to = {.kind = MAILADDR_DOMAIN, .local = stars, .domain = "example.com"};
    struct strbuf out;
    (void)state;
    memset(stars, '*', sizeof stars - 1);
    stars[sizeof stars - 1] = '\0';
    for (size_t i = 0; i < sizeof stars - 1; i++)
        memcpy(expected + 3 + 3 * i, "\\2a", 4);
    memcpy(expected + strlen(expected), ")", 2);
    strbuf_init(&out);
    ldapfilter_fill("(u={u})", &to, NULL, &out);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_templates),  cmocka_unit_test(bad_templates),
        cmocka_unit_test(limits),          cmocka_unit_test(filled_in),
        cmocka_unit_test(long_local_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
