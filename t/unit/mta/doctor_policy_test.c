/* doctor_policy_test.c - what the doctor makes of TLS, AUTH and mode = monitor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/mta/doctor.h"
#include "t/unit/mta/tables.h"

/* --- TLS and AUTH -------------------------------------------------------------------- */

static const char *missing; /* a file that is not there */

static bool readable(const char *path)
{
    return missing == NULL || strcmp(path, missing) != 0;
}

static bool same_place(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static unsigned permissions(const char *folder)
{
    (void)folder;
    return 0755;
}

static const struct doctor_host with_files = {
    .same_place = same_place, .permissions = permissions, .readable = readable};

/* What is said of one listener whose policy has these needs. */
static bool security_says(enum policy_need tls, enum policy_need auth, bool careless, bool verify,
                          const char *main_cf, const char *sendmail_cf, const char *wanted)
{
    struct scene scene;
    char text[2000];
    snprintf(text, sizeof text, "smtpd_milters = unix:/run/gatehouse/milter.sock\n%s", main_cf);
    struct postconf found = {text, "smtp inet n - n - - smtpd\n", ""};
    scene_new(&scene);
    struct policy all = *policies_find(scene.policies, "ACCEPTED");
    all.keys.tls = (int)tls;
    all.keys.auth = (int)auth;
    all.keys.auth_requires_tls = !careless;
    all.keys.tls_verify_client = verify;
    struct hat *hat = hat_build(NULL, 0, &all, &scene.problems);
    struct maps_listener listener = {
        .name = "in", .daemon_name = "", .local_address = "", .hat = hat};
    scene.input.listeners = &listener;
    scene.input.nlisteners = 1;
    if (sendmail_cf == NULL)
        doctor_postfix(&scene.input, "/maps", &found, &with_files, &scene.problems);
    else
        doctor_sendmail(&scene.input, "/maps", sendmail_cf, &with_files, &scene.problems);
    bool said = strstr(scene_problems(&scene), wanted) != NULL;
    scene_done(&scene);
    hat_free(hat);
    return said;
}

#define CHAIN "smtpd_tls_chain_files = /etc/mx.pem\n"
#define MAY "smtpd_tls_security_level = may\n"
#define SASL "smtpd_sasl_auth_enable = yes\n"
#define ONLY "smtpd_tls_auth_only = yes\n"

static void test_postfix_security(void **state)
{
    (void)state;
    static const char no_tls[] = "master.cf: smtp: smtpd_tls_security_level offers no TLS, and",
                      less_tls[] = "master.cf: warning: smtp: smtpd_tls_security_level offers no",
                      no_cert[] = "master.cf: smtp: TLS without a certificate",
                      less_cert[] = "master.cf: warning: smtp: TLS without a certificate",
                      no_sasl[] = "smtpd_sasl_auth_enable is not yes, and a policy has auth",
                      clear[] = "smtpd_tls_auth_only is not yes", nobody[] = "nobody can authent",
                      ccert[] = "smtpd_tls_ask_ccert is not yes",
                      gone[] = "smtpd_tls_chain_files names /etc/mx.pem, which cannot be read";
    static const struct {
        enum policy_need tls, auth;
        bool careless, verify;
        const char *main_cf, *wanted;
        bool said;
    } cases[] = {
        {POLICY_REQUIRED, POLICY_OFF, false, false, "", no_tls, true},
        {POLICY_REQUIRED, POLICY_OFF, false, false, MAY CHAIN, no_tls, false},
        {POLICY_REQUIRED, POLICY_OFF, false, false, "smtpd_tls_security_level = none\n", no_tls,
         true},
        {POLICY_REQUIRED, POLICY_OFF, false, false, "smtpd_use_tls = yes\n" CHAIN, no_tls, false},
        {POLICY_REQUIRED, POLICY_OFF, false, false, "smtpd_tls_wrappermode = yes\n", no_tls, false},
        {POLICY_PREFERRED, POLICY_OFF, false, false, "", less_tls, true},
        {POLICY_OFF, POLICY_OFF, false, false, "", less_tls, false},
        {POLICY_REQUIRED, POLICY_OFF, false, false, MAY, no_cert, true},
        {POLICY_PREFERRED, POLICY_OFF, false, false, MAY, less_cert, true},
        {POLICY_REQUIRED, POLICY_OFF, false, false, MAY CHAIN, no_cert, false},
        {POLICY_REQUIRED, POLICY_OFF, false, false, MAY "smtpd_tls_cert_file = /c\n", no_cert,
         false},
        {POLICY_REQUIRED, POLICY_OFF, false, false, MAY "smtpd_tls_cert_file = none\n", no_cert,
         true},
        {POLICY_REQUIRED, POLICY_OFF, false, false, MAY "smtpd_tls_eccert_file = /c\n", no_cert,
         false},
        {POLICY_OFF, POLICY_REQUIRED, true, false, "", no_sasl, true},
        {POLICY_OFF, POLICY_REQUIRED, true, false, SASL, no_sasl, false},
        {POLICY_OFF, POLICY_PREFERRED, true, false, "", no_sasl, false},
        {POLICY_OFF, POLICY_PREFERRED, false, false, SASL, clear, true},
        {POLICY_OFF, POLICY_PREFERRED, true, false, SASL, clear, false},
        {POLICY_OFF, POLICY_PREFERRED, false, false, SASL ONLY, clear, false},
        {POLICY_OFF, POLICY_PREFERRED, false, false, SASL "smtpd_tls_security_level = encrypt\n",
         clear, false},
        {POLICY_OFF, POLICY_PREFERRED, false, false, "", clear, false},
        {POLICY_OFF, POLICY_REQUIRED, false, false, SASL ONLY, nobody, true},
        {POLICY_OFF, POLICY_REQUIRED, false, false, SASL ONLY MAY CHAIN, nobody, false},
        {POLICY_REQUIRED, POLICY_OFF, false, true, MAY CHAIN, ccert, true},
        {POLICY_REQUIRED, POLICY_OFF, false, true, MAY CHAIN "smtpd_tls_ask_ccert = yes\n", ccert,
         false},
        {POLICY_REQUIRED, POLICY_OFF, false, true, MAY CHAIN "smtpd_tls_req_ccert = yes\n", ccert,
         false},
        {POLICY_REQUIRED, POLICY_OFF, false, false, MAY CHAIN, gone, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (security_says(cases[i].tls, cases[i].auth, cases[i].careless, cases[i].verify,
                          cases[i].main_cf, NULL, cases[i].wanted) != cases[i].said)
            fail_msg("case %zu: %s: %s", i, cases[i].main_cf, cases[i].wanted);
    missing = "/etc/mx.pem";
    assert_true(security_says(POLICY_OFF, POLICY_OFF, false, false, MAY CHAIN, NULL, gone));
    missing = NULL;
}

#define PORT "O DaemonPortOptions=Name=in, Port=25\n"
#define CERT "O ServerCertFile=/etc/mx.pem\nO ServerKeyFile=/etc/mx.pem\n"

static void test_sendmail_security(void **state)
{
    (void)state;
    static const char no_cert[] = "sendmail.cf: in: confSERVER_CERT and confSERVER_KEY name no",
                      less_cert[] = "sendmail.cf: warning: in: confSERVER_CERT",
                      no_tls[] = "in: M=S offers no TLS", no_auth[] = "in: M=A offers no AUTH",
                      clear[] = "in: AuthOptions has no p", ccert[] = "in: TLSSrvOptions=V",
                      gone[] = "ServerCertFile names /etc/mx.pem, which cannot be read";
    static const struct {
        enum policy_need tls, auth;
        bool careless, verify;
        const char *cf, *wanted;
        bool said;
    } cases[] = {
        {POLICY_REQUIRED, POLICY_OFF, false, false, PORT, no_cert, true},
        {POLICY_REQUIRED, POLICY_OFF, false, false, PORT CERT, no_cert, false},
        {POLICY_REQUIRED, POLICY_OFF, false, false, PORT "O ServerCertFile=/c\n", no_cert, true},
        {POLICY_PREFERRED, POLICY_OFF, false, false, PORT, less_cert, true},
        {POLICY_OFF, POLICY_OFF, false, false, PORT, less_cert, false},
        {POLICY_REQUIRED, POLICY_OFF, false, false,
         "O DaemonPortOptions=Name=in, Port=25, M=S\n" CERT, no_tls, true},
        {POLICY_OFF, POLICY_REQUIRED, true, false, "O DaemonPortOptions=Name=in, Port=25, M=A\n",
         no_auth, true},
        {POLICY_OFF, POLICY_REQUIRED, true, false, "O DaemonPortOptions=Name=in, Port=25, M=a\n",
         no_auth, false},
        {POLICY_OFF, POLICY_PREFERRED, false, false, PORT, clear, true},
        {POLICY_OFF, POLICY_PREFERRED, false, false, PORT "O AuthOptions=A\n", clear, true},
        {POLICY_OFF, POLICY_PREFERRED, false, false, PORT "O AuthOptions=A p\n", clear, false},
        {POLICY_OFF, POLICY_PREFERRED, true, false, PORT, clear, false},
        {POLICY_OFF, POLICY_PREFERRED, false, false, "O DaemonPortOptions=Name=in, Port=465, M=s\n",
         clear, false},
        {POLICY_REQUIRED, POLICY_OFF, false, true, PORT CERT "O TLSSrvOptions=V\n", ccert, true},
        {POLICY_REQUIRED, POLICY_OFF, false, true, PORT CERT, ccert, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (security_says(cases[i].tls, cases[i].auth, cases[i].careless, cases[i].verify, "",
                          cases[i].cf, cases[i].wanted) != cases[i].said)
            fail_msg("case %zu: %s: %s", i, cases[i].cf, cases[i].wanted);
    missing = "/etc/mx.pem";
    assert_true(security_says(POLICY_OFF, POLICY_OFF, false, false, "", PORT CERT, gone));
    missing = NULL;
}

/* Who exists is for the MTA to say as long as Gatehouse refuses nobody. */
static void test_monitor(void **state)
{
    (void)state;
    static const struct {
        const char *main_cf, *sendmail_cf, *wanted;
        bool enforced, monitored; /* is it said? */
    } cases[] = {
        {"relay_recipient_maps = \n", NULL, "relay_recipient_maps is empty", false, true},
        {"relay_recipient_maps = lmdb:/x\n", NULL, "relay_recipient_maps is empty", false, false},
        {"relay_recipient_maps = lmdb:/x\n", NULL, "before Gatehouse is asked", true, false},
        {"local_recipient_maps = \n", NULL, "local_recipient_maps is empty", false, true},
        {"", NULL, "local_recipient_maps is empty", false, false},
        {"smtpd_reject_unlisted_recipient = no\n", NULL, "unlisted_recipient = no", false, true},
        {"mydestination = a.example\n", NULL, "mydestination names", true, false},
        {"smtpd_milters = unix:/run/gatehouse/milter.sock\n"
         "smtpd_recipient_restrictions = reject_unlisted_recipient\n",
         NULL, "reject_unlisted_recipient refuses", true, false},
        {"", "R... unresolvable OK\n", "accept_unresolvable_domains", false, true},
        {"", "RDomain name required for sender address\n", "accept_un", false, false},
        {"", "", "accept_unqualified_senders", false, true},
        {"", "Cwa.example\n", "class {w} holds", true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int monitor = 0; monitor < 2; monitor++) {
            struct scene scene;
            struct postconf found = {cases[i].main_cf, "smtp inet n - n - - smtpd\n", ""};
            scene_new(&scene);
            scene.input.monitor = monitor;
            scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\n");
            if (cases[i].sendmail_cf == NULL)
                doctor_postfix(&scene.input, "/maps", &found, NULL, &scene.problems);
            else
                doctor_sendmail(&scene.input, "/maps", cases[i].sendmail_cf, NULL, &scene.problems);
            bool said = strstr(scene_problems(&scene), cases[i].wanted) != NULL;
            if (said != (monitor ? cases[i].monitored : cases[i].enforced))
                fail_msg("case %zu, monitor %d: %s", i, monitor, scene_problems(&scene));
            scene_done(&scene);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_postfix_security),
                                       cmocka_unit_test(test_sendmail_security),
                                       cmocka_unit_test(test_monitor)};
    return cmocka_run_group_tests_name("doctor_policy", tests, NULL, NULL);
}
