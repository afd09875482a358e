/* ldapvalue_test.c - kinds of addresses in a directory. */
#include "lib/net/ldapvalue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_kinds(void **state)
{
    static const struct {
        const char *value;
        enum ldapvalue_kind kind;
        const char *rest;
    } rows[] = {
        {"joe@example.com", LDAPVALUE_PLAIN, "joe@example.com"},
        {" joe@example.com\t", LDAPVALUE_PLAIN, "joe@example.com"},
        {"SMTP:joe@example.com", LDAPVALUE_PRIMARY, "joe@example.com"},
        {" SMTP: joe@example.com ", LDAPVALUE_PRIMARY, "joe@example.com"},
        {"smtp:joe@example.com", LDAPVALUE_SMTP, "joe@example.com"},
        {"Smtp:joe@example.com", LDAPVALUE_SMTP, "joe@example.com"},
        {"SMTP:\"a:b\"@example.com", LDAPVALUE_PRIMARY, "\"a:b\"@example.com"},
        {"SMTP:", LDAPVALUE_PRIMARY, ""},
        {"X400:C=US;A= ;P=Org;O=Exchange;S=Doe;G=Jo;", LDAPVALUE_FOREIGN, NULL},
        {"x500:/o=Org/ou=First/cn=Recipients/cn=joe@example.com", LDAPVALUE_FOREIGN, NULL},
        {"sip:joe@example.com", LDAPVALUE_FOREIGN, NULL},
        {"SIP:joe@example.com", LDAPVALUE_FOREIGN, NULL},
        {"eum:10001;phone-context=plan.example.com", LDAPVALUE_FOREIGN, NULL},
        {"SPO:SPO_1@SPO_2", LDAPVALUE_FOREIGN, NULL},
        {"mailto:joe@example.com", LDAPVALUE_FOREIGN, NULL},
        {"MS_MAIL:NET/PO/JOE", LDAPVALUE_FOREIGN, NULL},
        {"SMTPX:joe@example.com", LDAPVALUE_FOREIGN, NULL},
        {"smt:joe@example.com", LDAPVALUE_FOREIGN, NULL},
        {"\"a:b\"@example.com", LDAPVALUE_PLAIN, "\"a:b\"@example.com"},
        {"\"smtp:joe\"@example.com", LDAPVALUE_PLAIN, "\"smtp:joe\"@example.com"},
        {"\"sip:joe\"@example.com", LDAPVALUE_PLAIN, "\"sip:joe\"@example.com"},
        {"joe@[IPv6:2001:db8::1]", LDAPVALUE_PLAIN, "joe@[IPv6:2001:db8::1]"},
        {"a b:c@example.com", LDAPVALUE_PLAIN, "a b:c@example.com"},
        {":joe@example.com", LDAPVALUE_PLAIN, ":joe@example.com"},
        {"smtp", LDAPVALUE_PLAIN, "smtp"},
        {"", LDAPVALUE_PLAIN, ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice rest;
        enum ldapvalue_kind kind = ldapvalue_kind(slice_of(rows[i].value), &rest);
        if (kind != rows[i].kind || (rows[i].rest != NULL && !slice_is(rest, rows[i].rest)))
            fail_msg("%s: %d \"%.*s\"", rows[i].value, (int)kind, (int)rest.n, rest.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
