/*
 * policy_test.c - rows, predefined policies, inheritance, and the rules
 * across keys.
 */
#include "lib/tables/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* One written policy: pairs of key and value, ended by NULL. Its line in the
 * file is 10, 20 ... by position, a key's is one more. */
struct source {
    const char *name;
    const char *pairs[9];
};

#define SOURCES_MAX 4

struct scene {
    struct arena *arena;
    struct problems problems;
    struct policy_keys keys[SOURCES_MAX];
    struct place origins[SOURCES_MAX][100];
    struct policy_written written[SOURCES_MAX];
    size_t n;
    const struct policies *policies;
};

static void write_pair(struct scene *scene, size_t i, const char *key, const char *value)
{
    struct err err = {0};
    size_t row = key_find(policy_rows, policy_nrows, slice_of(key));
    assert_true(row < policy_nrows);
    char *title = arena_printf(scene->arena, "[policy %s] %s", scene->written[i].name, key);
    struct place at = {.file = "F", .line = (unsigned)(10 * (i + 1) + 1), .key = title};
    struct key_source source = {.value = slice_of(value), .at = at, .folder = "/"};
    if (!key_set(&policy_rows[row], &scene->keys[i], &source, scene->arena, &err))
        fail_msg("%s: %s", key, err.text);
    scene->origins[i][row] = at;
}

static void begin(struct scene *scene, const struct source *sources, bool private_listener)
{
    memset(scene, 0, sizeof *scene);
    scene->arena = arena_new(0);
    problems_init(&scene->problems);
    assert_true(policy_nrows <= ARRAY_LEN(scene->origins[0]));
    for (; sources != NULL && sources[scene->n].name != NULL; scene->n++) {
        size_t i = scene->n;
        scene->written[i] =
            (struct policy_written){.name = sources[i].name,
                                    .at = {.file = "F", .line = (unsigned)(10 * (i + 1))},
                                    .keys = &scene->keys[i],
                                    .origins = scene->origins[i]};
        for (const char *const *pair = sources[i].pairs; *pair != NULL; pair += 2)
            write_pair(scene, i, pair[0], pair[1]);
    }
    scene->policies = policies_build(scene->written, scene->n, private_listener, scene->arena);
    assert_non_null(scene->policies);
}

static void end(struct scene *scene)
{
    problems_done(&scene->problems);
    arena_free(scene->arena);
}

static void assert_value(const struct policy *policy, const char *key, const char *expected)
{
    struct strbuf value;
    size_t row = key_find(policy_rows, policy_nrows, slice_of(key));
    strbuf_init(&value);
    assert_non_null(policy);
    assert_true(row < policy_nrows);
    key_print(&policy_rows[row], &policy->keys, &value);
    print_message("# %s %s\n", policy->name, key);
    assert_string_equal(strbuf_text(&value), expected);
    strbuf_done(&value);
}

/* --- what SPEC 2 lists ------------------------------------------------------------------ */

static const char *const spec_order[][2] = {
    {"access", "accept"},
    {"max_message_size", "10M"},
    {"max_connections_per_ip", "10"},
    {"max_messages_per_connection", "10"},
    {"max_recipients_per_message", "50"},
    {"banner_code", "220"},
    {"banner_text", ""},
    {"reject_code", "554"},
    {"reject_text", "5.7.1 Access denied"},
    {"banner_hostname", "auto"},
    {"max_recipients_per_hour", "unlimited"},
    {"max_recipients_per_hour_code", "452"},
    {"max_recipients_per_hour_text", "Too many recipients received this hour"},
    {"max_sender_recipients", "unlimited"},
    {"max_sender_recipients_code", "452"},
    {"max_sender_recipients_text", "Too many recipients received from the sender"},
    {"sender_rate_period", "1h"},
    {"sender_rate_exempt", ""},
    {"max_auth_recipients", "unlimited"},
    {"max_auth_recipients_code", "452"},
    {"max_auth_recipients_text", "Too many recipients from this account"},
    {"use_reputation", "yes"},
    {"significant_bits", "32"},
    {"significant_bits6", "64"},
    {"max_invalid_recipients_per_hour", "25"},
    {"dhap_drop", "yes"},
    {"dhap_code", "550"},
    {"dhap_text", "Too many invalid recipients"},
    {"spam_scan", "yes"},
    {"virus_scan", "yes"},
    {"tls", "off"},
    {"tls_required_senders", ""},
    {"tls_verify_client", "no"},
    {"auth", "preferred"},
    {"auth_requires_tls", "yes"},
    {"verify_sender", "no"},
    {"malformed_sender_code", "553"},
    {"malformed_sender_text", "#5.5.4 Domain required for sender address"},
    {"nonexistent_sender_code", "553"},
    {"nonexistent_sender_text", "#5.1.8 Domain of sender address <$EnvelopeSender> does not exist"},
    {"unresolvable_sender_code", "451"},
    {"unresolvable_sender_text",
     "#4.1.8 Domain of sender address <$EnvelopeSender> does not resolve"},
    {"no_mx", "reject"},
    {"no_mx_text", "#5.1.8 Domain of sender address <$EnvelopeSender> does not accept mail"},
    {"use_exceptions", "no"},
};

static void test_rows(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, NULL, false);
    assert_int_equal(policy_nrows, ARRAY_LEN(spec_order));
    for (size_t i = 0; i < policy_nrows; i++) {
        assert_string_equal(policy_rows[i].name, spec_order[i][0]);
        assert_value(policies_find(scene.policies, "DEFAULT"), spec_order[i][0], spec_order[i][1]);
        assert_value(policies_find(scene.policies, "ACCEPTED"), spec_order[i][0], spec_order[i][1]);
    }
    end(&scene);
}

struct value_case {
    const char *policy, *key, *expected;
};

static const struct value_case predefined_values[] = {
    {"TRUSTED", "access", "accept"},
    {"TRUSTED", "max_messages_per_connection", "1000"},
    {"TRUSTED", "max_recipients_per_message", "1000"},
    {"TRUSTED", "max_message_size", "100M"},
    {"TRUSTED", "max_connections_per_ip", "1000"},
    {"TRUSTED", "max_invalid_recipients_per_hour", "unlimited"},
    {"TRUSTED", "max_recipients_per_hour", "unlimited"},
    {"TRUSTED", "spam_scan", "no"},
    {"TRUSTED", "virus_scan", "no"},
    {"ACCEPTED", "spam_scan", "yes"},
    {"ACCEPTED", "virus_scan", "yes"},
    {"THROTTLED", "spam_scan", "yes"},
    {"THROTTLED", "virus_scan", "yes"},
    {"THROTTLED", "access", "accept"},
    {"THROTTLED", "max_messages_per_connection", "10"},
    {"THROTTLED", "max_recipients_per_message", "20"},
    {"THROTTLED", "max_message_size", "1M"},
    {"THROTTLED", "max_connections_per_ip", "10"},
    {"THROTTLED", "max_recipients_per_hour", "20"},
    {"THROTTLED", "max_invalid_recipients_per_hour", "25"},
    {"BLOCKED", "access", "reject"},
    {"BLOCKED", "max_message_size", "10M"},
    {"RELAYED", "access", "relay"},
    {"RELAYED", "max_recipients_per_hour", "unlimited"},
    {"RELAYED", "max_messages_per_connection", "10"},
    {"RELAYED", "spam_scan", "no"},
    {"RELAYED", "virus_scan", "no"},
};

static void test_predefined(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, NULL, false);
    for (size_t i = 0; i < ARRAY_LEN(predefined_values); i++) {
        const struct value_case *c = &predefined_values[i];
        assert_value(policies_find(scene.policies, c->policy), c->key, c->expected);
    }
    assert_null(policies_find(scene.policies, "throttled"));
    assert_null(policies_find(scene.policies, ""));
    assert_null(policies_find(scene.policies, "TRUSTED")->at.file);
    end(&scene);
}

/* --- inheritance -------------------------------------------------------------------------- */

static const struct source inheriting[] = {
    {"MINE", {"max_messages_per_connection", "3"}},
    {"DEFAULT",
     {"max_messages_per_connection", "7", "max_recipients_per_hour", "100", "reject_code", "550",
      "access", "reject"}},
    {"THROTTLED", {"max_recipients_per_hour", "5"}},
    {NULL, {NULL}},
};

static const struct value_case inherited_values[] = {
    {"MINE", "max_messages_per_connection", "3"},
    {"MINE", "max_recipients_per_hour", "100"},
    {"MINE", "reject_code", "550"},
    {"MINE", "access", "reject"},
    {"MINE", "max_message_size", "10M"},
    {"DEFAULT", "max_messages_per_connection", "7"},
    /* What a predefined policy says beats DEFAULT, what it is told beats both. */
    {"THROTTLED", "access", "accept"},
    {"THROTTLED", "max_messages_per_connection", "10"},
    {"THROTTLED", "max_recipients_per_hour", "5"},
    {"THROTTLED", "reject_code", "550"},
    {"TRUSTED", "max_recipients_per_hour", "unlimited"},
    {"ACCEPTED", "max_messages_per_connection", "7"},
    {"ACCEPTED", "access", "accept"},
};

static void test_inheritance(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, inheriting, false);
    for (size_t i = 0; i < ARRAY_LEN(inherited_values); i++) {
        const struct value_case *c = &inherited_values[i];
        assert_value(policies_find(scene.policies, c->policy), c->key, c->expected);
    }
    assert_int_equal(policies_find(scene.policies, "MINE")->at.line, 10);
    assert_int_equal(policies_find(scene.policies, "THROTTLED")->at.line, 30);
    const struct policy *bare = policies_bare(scene.policies, POLICY_RELAY);
    assert_string_equal(bare->name, "");
    assert_value(bare, "access", "relay");
    assert_value(bare, "max_messages_per_connection", "7");
    policies_check(scene.policies, scene.written, scene.n, &scene.problems);
    assert_int_equal(scene.problems.count, 0);
    end(&scene);
}

static void test_private(void **state)
{
    (void)state;
    static const struct source written[] = {
        {"DEFAULT", {"max_invalid_recipients_per_hour", "9"}},
        {NULL, {NULL}},
    };
    struct scene scene;
    begin(&scene, NULL, true);
    assert_value(policies_find(scene.policies, "RELAYED"), "max_invalid_recipients_per_hour",
                 "unlimited");
    end(&scene);
    begin(&scene, written, true);
    assert_value(policies_find(scene.policies, "RELAYED"), "max_invalid_recipients_per_hour", "9");
    end(&scene);
}

static void test_words(void **state)
{
    (void)state;
    static const char *const words[] = {"accept", "reject", "tcprefuse", "relay", "continue"};
    struct scene scene;
    begin(&scene, NULL, false);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        enum policy_access access;
        char upper[16];
        assert_true(policy_access_word(slice_of(words[i]), &access));
        assert_int_equal(access, i);
        assert_string_equal(policy_access_name(access), words[i]);
        for (size_t j = 0; j <= strlen(words[i]); j++)
            upper[j] = (char)(words[i][j] > 'Z' ? words[i][j] - 'a' + 'A' : words[i][j]);
        assert_ptr_equal(policies_target(scene.policies, upper),
                         policies_bare(scene.policies, access));
    }
    enum policy_access access;
    assert_false(policy_access_word(slice_of("accepted"), &access));
    assert_false(policy_access_word(slice_of(""), &access));
    assert_ptr_equal(policies_target(scene.policies, "ACCEPTED"),
                     policies_find(scene.policies, "ACCEPTED"));
    assert_null(policies_target(scene.policies, "NOBODY"));
    end(&scene);
}

/* --- rules across keys ---------------------------------------------------------------------- */

struct rule_case {
    struct source sources[SOURCES_MAX];
    const char *problem; /* NULL: none */
};

static const struct rule_case rules[] = {
    {{{"X", {"reject_text", "5.7.1 Go away"}}}, NULL},
    {{{"X", {"reject_text", "Go away", "reject_code", "450"}}}, NULL},
    /* The default's own status follows the code. */
    {{{"X", {"reject_code", "450"}}}, NULL},
    {{{"X", {"reject_text", "#4.7.1 Later", "reject_code", "450"}}}, NULL},
    {{{"X", {"no_mx_text", "#4.1.8 Later", "nonexistent_sender_code", "450"}}}, NULL},
    {{{"X", {"no_mx_text", "#4.1.8 Later"}}},
     "F:11: [policy X] no_mx_text: the status 4.1.8 does not fit the code 553: it must begin with "
     "5"},
    {{{"X", {"reject_text", "4.7.1 Later"}}},
     "F:11: [policy X] reject_text: the status 4.7.1 does not fit the code 554: it must begin "
     "with 5"},
    {{{"X", {"dhap_text", "#4.7.1 Later"}}},
     "F:11: [policy X] dhap_text: the status 4.7.1 does not fit the code 550: it must begin with "
     "5"},
    /* Written in DEFAULT, broken by the code of another. */
    {{{"DEFAULT", {"reject_text", "5.7.1 Go away"}}, {"X", {"reject_code", "450"}}},
     "F:21: [policy X] reject_code: the status 5.7.1 does not fit the code 450: it must begin "
     "with 4"},
    {{{"DEFAULT", {"reject_code", "450"}}, {"X", {"reject_text", "5.7.1 Go"}}},
     "F:21: [policy X] reject_text: the status 5.7.1 does not fit the code 450: it must begin "
     "with 4"},
    {{{"DEFAULT", {"sender_rate_period", "2h"}}}, NULL},
    {{{"X", {"sender_rate_period", "2h"}}},
     "F:11: [policy X] sender_rate_period: allowed in [policy DEFAULT] only, because all policies "
     "share its counters"},
    {{{"Continue", {"max_message_size", "2M"}}},
     "F:10: [policy Continue] \"Continue\" is an action, and a group that names it would mean one "
     "or the other; allowed: any other name"},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct scene scene;
        begin(&scene, rules[i].sources, false);
        policies_check(scene.policies, scene.written, scene.n, &scene.problems);
        assert_int_equal(scene.problems.count, rules[i].problem != NULL);
        if (rules[i].problem != NULL)
            assert_string_equal(scene.problems.list[0].line, rules[i].problem);
        end(&scene);
    }
}

/* The nearest line that says it: the policy's own, that of DEFAULT; what a predefined
 * policy has of its own, or nobody wrote, stands nowhere. */
static void test_places(void **state)
{
    static const struct source sources[] = {
        {"THROTTLED", {"max_message_size", "2M"}},
        {"DEFAULT",
         {"max_recipients_per_message", "9", "max_message_size", "3M", "tls", "required"}},
        {"MINE", {"access", "accept"}},
        {NULL, {NULL}},
    };
    struct scene scene;
    (void)state;
    begin(&scene, sources, false);
    const struct policy *throttled = policies_find(scene.policies, "THROTTLED");
    const struct policy *mine = policies_find(scene.policies, "MINE");
    const struct policy *bare = policies_bare(scene.policies, POLICY_RELAY);
    const struct place places[] = {
        POLICY_PLACE(throttled, max_message_size),
        POLICY_PLACE(throttled, tls),
        POLICY_PLACE(mine, max_message_size),
        POLICY_PLACE(mine, access),
        POLICY_PLACE(bare, tls),
    };
    static const unsigned lines[ARRAY_LEN(places)] = {11, 21, 21, 31, 21};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        assert_string_equal(places[i].file, "F");
        assert_int_equal(places[i].line, lines[i]);
        assert_null(places[i].key);
    }
    const struct place nowhere[] = {
        POLICY_PLACE(throttled, max_recipients_per_message),
        POLICY_PLACE(mine, auth),
        key_place(policy_rows, policy_nrows, NULL, offsetof(struct policy_keys, auth)),
    };
    for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
        assert_string_equal(nowhere[i].file, KEY_DEFAULT);
        assert_int_equal(nowhere[i].line, 0);
    }
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),        cmocka_unit_test(test_predefined),
        cmocka_unit_test(test_inheritance), cmocka_unit_test(test_private),
        cmocka_unit_test(test_words),       cmocka_unit_test(test_rules),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
