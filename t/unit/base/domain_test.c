/* domain_test.c - canonical domain names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/base/domain.h"

static void test_canon(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expect; /* NULL: refused */
    } rows[] = {
        {"example.com", "example.com"},
        {"Example.COM.", "example.com"},
        {"localhost", "localhost"},
        {"a_b.c-d.e1", "a_b.c-d.e1"},
        {"_dmarc.example.com", "_dmarc.example.com"},
        {"1.2.3.4", "1.2.3.4"},
        {"XN--BCHER-KVA.test", "xn--bcher-kva.test"},
        {"xn--not-punycode-at-all.test", "xn--not-punycode-at-all.test"},
        {"bücher.test", "xn--bcher-kva.test"},
        {"BÜCHER.TEST", "xn--bcher-kva.test"},
        {"bu\xcc\x88"
         "cher.test.",
         "xn--bcher-kva.test"}, /* u and a combining diaeresis */
        {"straße.test", "xn--strae-oqa.test"},
        {"例え。テスト", "xn--r8jz45g.xn--zckzah"},
        {"_dmarc.bücher.test", "_dmarc.xn--bcher-kva.test"},
        {"ｅｘａｍｐｌｅ.com", "example.com"},
        {"", NULL},
        {".", NULL},
        {"..", NULL},
        {".example.com", NULL},
        {"example..com", NULL},
        {"example.com..", NULL},
        {"-a.com", NULL},
        {"a-.com", NULL},
        {"a.-", NULL},
        {"a b.com", NULL},
        {" example.com", NULL},
        {"a@b.com", NULL},
        {"a/b.com", NULL},
        {"a\n.com", NULL},
        {"[192.0.2.1]", NULL},
        {"b\xfc"
         "cher.test",
         NULL}, /* Latin-1 */
        {"bücher..test", NULL},
        {".bücher.test", NULL},
        {"-bücher.test", NULL},
        {"a℀b.test", NULL},  /* maps to a/cb */
        {"a＠b.test", NULL}, /* maps to a@b */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[DOMAIN_MAX] = "?";
        bool good = domain_canon(slice_of(rows[i].text), out);
        if (good != (rows[i].expect != NULL) || (good && strcmp(out, rows[i].expect) != 0))
            fail_msg("\"%s\" gave %d \"%s\"", rows[i].text, good, out);
    }
    char out[DOMAIN_MAX];
    assert_false(domain_canon((struct slice){"a\0b.com", 7}, out));
    assert_false(domain_canon((struct slice){"ü\0b.com", 8}, out));
    assert_true(domain_canon((struct slice){"a.comX", 5}, out));
    assert_string_equal(out, "a.com");
}

/* Labels of 'a', of the given lengths, with dots. */
static size_t make_name(char *out, const size_t *labels, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            out[n++] = '.';
        memset(out + n, 'a', labels[i]);
        n += labels[i];
    }
    out[n] = '\0';
    return n;
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        size_t labels[4], count, length;
        bool good;
    } rows[] = {
        {{62, 3}, 2, 66, true},           {{63, 3}, 2, 67, true},
        {{64, 3}, 2, 68, false},          {{63, 63, 63, 60}, 4, 252, true},
        {{63, 63, 63, 61}, 4, 253, true}, {{63, 63, 63, 62}, 4, 254, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[300], out[DOMAIN_MAX];
        size_t n = make_name(name, rows[i].labels, rows[i].count);
        assert_int_equal(n, rows[i].length);
        assert_int_equal(domain_canon((struct slice){name, n}, out), rows[i].good);
        name[n] = '.'; /* the final dot does not count */
        assert_int_equal(domain_canon((struct slice){name, n + 1}, out), rows[i].good);
    }
}

static void test_long_input(void **state)
{
    (void)state;
    static char huge[100000];
    char out[DOMAIN_MAX];
    memset(huge, 'a', sizeof huge);
    assert_false(domain_canon((struct slice){huge, sizeof huge}, out));
    for (size_t i = 0; i + 1 < sizeof huge; i += 2)
        memcpy(huge + i, "\xc3\xbc", 2);
    assert_false(domain_canon((struct slice){huge, sizeof huge}, out));
    assert_false(domain_canon((struct slice){huge, 1014}, out));
    assert_false(domain_canon((struct slice){huge, 300}, out));
    assert_true(domain_canon((struct slice){huge, 20}, out));
}

static void test_to_unicode(void **state)
{
    (void)state;
    static const struct {
        const char *name, *expect;
    } rows[] = {
        {"example.com", "example.com"},
        {"xn--bcher-kva.test", "bücher.test"},
        {"a.xn--bcher-kva.xn--zckzah", "a.bücher.テスト"},
        {"axn--bcher-kva.test", "axn--bcher-kva.test"},
        {"xn--bcher-2pa.test", NULL}, /* "bÜcher" is spelled with a small letter */
        {"xn--x-6q0i.test", NULL},    /* a wide "e" in front of "x" */
        {"xn--zz.test", NULL},
        {"xn--a.test", NULL},
        {"xn--.test", NULL},
        {"xn--abc-.test", NULL}, /* decodes to plain "abc" */
    };
    char out[DOMAIN_MAX];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool good = domain_to_unicode(rows[i].name, out, sizeof out);
        if (good != (rows[i].expect != NULL) || (good && strcmp(out, rows[i].expect) != 0))
            fail_msg("%s gave %d \"%s\"", rows[i].name, good, out);
    }
    assert_true(domain_to_unicode("a.b", out, 4));
    assert_false(domain_to_unicode("a.b", out, 3));
    assert_false(domain_to_unicode("a.b", out, 0));
    assert_true(domain_to_unicode("xn--bcher-kva.test", out, 13));
    assert_false(domain_to_unicode("xn--bcher-kva.test", out, 12));
}

static void test_parent(void **state)
{
    (void)state;
    const char *name = "a.b.c";
    assert_ptr_equal(domain_parent(name), name + 2);
    assert_ptr_equal(domain_parent(name + 2), name + 4);
    assert_null(domain_parent(name + 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canon),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_long_input), cmocka_unit_test(test_to_unicode),
        cmocka_unit_test(test_parent),
    };
    return cmocka_run_group_tests_name("domain", tests, NULL, NULL);
}
