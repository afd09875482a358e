/*
 * hat_form_test.c - HAT text files with the names of the vendor's form: what they mean,
 * what is wrong, what is kept without effect.
 */
#include "lib/tables/hat_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/tables/table_file.h"

struct scene {
    struct arena *arena;
    struct table_file file;
    struct strbuf out;
    struct hat *hat;
};

static void begin(struct scene *scene, const char *content)
{
    memset(scene, 0, sizeof *scene);
    scene->arena = arena_new(0);
    strbuf_init(&scene->out);
    const struct policies *policies = policies_build(NULL, 0, false, scene->arena);
    assert_non_null(policies);
    table_file_new(&scene->file, slice_of(content));
    scene->hat = hat_text_load(scene->file.path, table_file_named(), policies,
                               policies_find(policies, "ACCEPTED"), &scene->file.problems);
}

static const char *exported(struct scene *scene)
{
    assert_non_null(scene->hat);
    strbuf_reset(&scene->out);
    hat_text_export(scene->hat, NULL, &scene->out);
    return strbuf_text(&scene->out);
}

static void end(struct scene *scene)
{
    hat_free(scene->hat);
    table_file_done(&scene->file);
    strbuf_done(&scene->out);
    arena_free(scene->arena);
}

static void assert_policy(const struct scene *scene, const char *key, const char *value)
{
    bool own;
    struct strbuf text;
    assert_non_null(scene->hat);
    const struct policy *policy = hat_policy_get(scene->hat, 0, &own);
    size_t row = key_find(policy_rows, policy_nrows, slice_of(key));
    assert_true(own && row < policy_nrows);
    strbuf_init(&text);
    key_print(&policy_rows[row], &policy->keys, &text);
    assert_string_equal(strbuf_text(&text), value);
    strbuf_done(&text);
}

/* The names and words of the vendor's form: a setting, a key of ours, its value. */
static const struct form_case {
    const char *setting, *key, *value;
} form[] = {
    {"smtpauth_allow = \"on\"", "auth", "preferred"},
    {"smtpauth_allow = \"Preferred\"", "auth", "preferred"},
    {"smtpauth_allow = yes", "auth", "preferred"},
    {"smtpauth_allow = \"off\"", "auth", "off"},
    {"smtpauth_allow = no", "auth", "off"},
    {"smtpauth_allow = \"required\"", "auth", "required"},
    {"SMTPAuth_RequireTLS = \"off\"", "auth_requires_tls", "no"},
    {"smtpauth_requiretls = \"on\"", "auth_requires_tls", "yes"},
    {"tls = \"required\" tls_verify = \"on\"", "tls_verify_client", "yes"},
    {"TLS = \"Required\"", "tls", "required"},
    {"tls_exceptions = \"partners\"", "tls_required_senders", "partners"},
    {"dhap_action = \"drop\"", "dhap_drop", "yes"},
    {"dhap_action = \"on\"", "dhap_drop", "yes"},
    {"dhap_action = \"Code\"", "dhap_drop", "no"},
    {"dhap_action = \"off\"", "dhap_drop", "no"},
    {"dhap_message = \"bye\"", "dhap_text", "bye"},
    {"dhap_code = 551", "dhap_code", "551"},
    {"dhap_limit = 5", "max_invalid_recipients_per_hour", "5"},
    {"sender_vrfy = \"on\"", "verify_sender", "yes"},
    {"sender_vrfy = \"off\"", "verify_sender", "no"},
    {"sender_vrfy_bad_domain_smtp_code = 450", "malformed_sender_code", "450"},
    {"sender_vrfy_bad_domain_smtp_text = \"a\"", "malformed_sender_text", "a"},
    {"sender_vrfy_nxdomain_smtp_code = 450", "nonexistent_sender_code", "450"},
    {"sender_vrfy_nxdomain_smtp_text = \"a\"", "nonexistent_sender_text", "a"},
    {"sender_vrfy_servfail_smtp_code = 450", "unresolvable_sender_code", "450"},
    {"sender_vrfy_servfail_smtp_text = \"a\"", "unresolvable_sender_text", "a"},
    {"domain_exception = \"on\"", "use_exceptions", "yes"},
    {"env_sender_rate_limit = 20", "max_sender_recipients", "20"},
    {"env_sender_rate_limit = -1", "max_sender_recipients", "unlimited"},
    {"env_sender_rate_limit_code = 450", "max_sender_recipients_code", "450"},
    {"env_sender_rate_limit_text = \"a\"", "max_sender_recipients_text", "a"},
    {"env_sender_rate_limit_exceptions = \"ours\"", "sender_rate_exempt", "ours"},
    {"reject_banner_code = 550", "reject_code", "550"},
    {"reject_banner_text = \"a\\nb\"", "reject_text", "a\\nb"},
    {"override_hostname = \"mx.example\"", "banner_hostname", "mx.example"},
    {"override_hostname = \"\"", "banner_hostname", ""},
    {"use_override_hostname = \"on\" override_hostname = \"mx\"", "banner_hostname", "mx"},
    {"override_hostname = \"mx\" use_override_hostname = \"off\"", "banner_hostname", "auto"},
    {"use_significant_bits = \"on\" significant_bits = 24", "significant_bits", "24"},
    {"use_significant_bits = \"on\"", "use_reputation", "no"},
    {"use_significant_bits = \"on\" use_sb = \"on\"", "use_reputation", "yes"},
    {"use_sb = \"on\" use_significant_bits = \"on\"", "use_reputation", "yes"},
    {"use_significant_bits = \"off\" significant_bits = 24", "significant_bits", "32"},
    {"significant_bits = 24 use_significant_bits = \"off\"", "significant_bits", "32"},
    {"use_significant_bits = \"off\"", "use_reputation", "yes"},
};

static void test_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(form); i++) {
        struct scene scene;
        char text[200];
        print_message("# %s\n", form[i].setting);
        snprintf(text, sizeof text, "$P ACCEPT { %s }\nALL $P\n", form[i].setting);
        begin(&scene, text);
        assert_string_equal(table_file_problems(&scene.file), "");
        assert_policy(&scene, form[i].key, form[i].value);
        /* As it was written, and so it reads again. */
        char *once = strdup(exported(&scene));
        end(&scene);
        begin(&scene, once);
        assert_string_equal(table_file_problems(&scene.file), "");
        assert_policy(&scene, form[i].key, form[i].value);
        assert_string_equal(exported(&scene), once);
        free(once);
        end(&scene);
    }
}

static const struct table_line wrong_form[] = {
    {"smtpauth_allow = \"maybe\"", "F:1:30: smtpauth_allow: \"maybe\" is unknown; allowed: off, "
                                   "preferred or required\n"},
    {"dhap_action = \"bounce\"", "F:1:27: dhap_action: \"bounce\" is wrong; allowed: yes or no\n"},
    {"tls_verify = on tls_verify_client = on", "F:1:49: tls_verify_client is given twice\n"},
    {"use_significant_bits = on USE_significant_bits = on",
     "F:1:62: USE_significant_bits is given twice\n"},
    {"use_significant_bits = 24", "F:1:36: use_significant_bits is wrong; allowed: on or off\n"},
};

static void test_wrong_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong_form); i++) {
        struct scene scene;
        char text[200];
        snprintf(text, sizeof text, "$P ACCEPT { %s }\nALL $P\n", wrong_form[i].text);
        begin(&scene, text);
        assert_null(scene.hat);
        assert_string_equal(table_file_problems(&scene.file), wrong_form[i].expected);
        end(&scene);
    }
}

/* What is kept without effect: told of, in other words where it may have been a
 * restriction, which an import then refuses. */
static void test_unknown(void **state)
{
    static const char *const restricting[] = {
        "tls_x", "SMTPAUTH_x", "auth_x", "sender_vrfy_x", "dhap_x", "max_x", "env_sender_x"};
    static const char *const others[] = {"accept_untagged_bounces", "dkim_signing", "amp_check",
                                         "xtls", "maximum"};
    struct scene scene;
    char text[100];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(restricting) + ARRAY_LEN(others); i++) {
        bool harmless = i >= ARRAY_LEN(restricting);
        const char *key = harmless ? others[i - ARRAY_LEN(restricting)] : restricting[i];
        print_message("# %s\n", key);
        snprintf(text, sizeof text, "192.0.2.1 REJECT { %s = \"on\" }\nALL RELAY\n", key);
        begin(&scene, text);
        assert_non_null(scene.hat);
        assert_non_null(strstr(table_file_problems(&scene.file), "kept, but without effect"));
        assert_int_equal(strstr(table_file_problems(&scene.file), "a restriction") == NULL,
                         harmless);
        assert_non_null(strstr(exported(&scene), key));
        hat_text_refuse_unknown(scene.hat, &scene.file.problems);
        assert_int_equal(problems_errors(&scene.file.problems), harmless ? 0 : 1);
        if (!harmless)
            assert_non_null(strstr(table_file_problems(&scene.file), "restricts clients"));
        end(&scene);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_wrong_form),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
