/*
 * hat_text_random_test.c - random tables, written as HAT text files in random
 * layout: they decide as the specification reads, and come back from their own
 * export the same. So do the files that the vendor's documents print.
 */
#include "lib/tables/hat_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/tables/hat_reference.h"
#include "t/unit/tables/hat_same.h"
#include "t/unit/tables/table_file.h"

#define TABLES 1500
#define CLIENTS 30

/* --- writing a table ------------------------------------------------------------------------ */

static const char *pick(struct dice *dice, const char *const *words, size_t n)
{
    return words[dice_below(dice, (uint32_t)n)];
}

/* A separator that does not end the statement. */
static const char *gap(struct dice *dice)
{
    static const char *const gaps[] = {
        " ", "\t", "  ", "\n ", "\n\t\t", " # x\n ", "\r\n    ", "\n # (y)\n   ", "\n\n  \n "};
    return pick(dice, gaps, ARRAY_LEN(gaps));
}

static void put_settings(struct dice *dice, struct strbuf *out)
{
    static const char *const settings[] = {"max_concurrency = 5",
                                           "max_msgs_per_session=1",
                                           "max_rcpts_per_msg =\"7\"",
                                           "x-unknown = 12",
                                           "reject_text = \"a \\\"b\\\" # {c}\"",
                                           "TLS = required",
                                           "max_message_size=2M",
                                           "use_sb = \"off\"",
                                           "dhap_limit = 0",
                                           "unknown = \"(x) } \\\\\""};
    strbuf_puts(out, "{");
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        if (dice_below(dice, 4) == 0)
            strbuf_printf(out, "%s%s%s", gap(dice), settings[i],
                          dice_below(dice, 3) == 0 ? "," : "");
    }
    strbuf_printf(out, "%s}", gap(dice));
}

static void put_end(struct dice *dice, struct strbuf *out)
{
    static const char *const ends[] = {
        "\n",   "\n\n",   " (a comment)\n",          "(\"quoted\" (twice))\r\n",
        " #\n", " () \n", "\n   (on its own) # c\n", " ( # no comment )\n"};
    strbuf_puts(out, pick(dice, ends, ARRAY_LEN(ends)));
}

static void put_policies(struct dice *dice, struct strbuf *out)
{
    static const char *const policies[] = {"$A%sACCEPT", "$R%sreject", "$C%scontinue",
                                           "$F%sAccept"};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        const char *action = strchr(policies[i], '%') + 2;
        strbuf_printf(out, "%.2s%s%s", policies[i], gap(dice), action);
        if (dice_below(dice, 2) == 0) {
            strbuf_puts(out, gap(dice));
            put_settings(dice, out);
        }
        put_end(dice, out);
    }
}

/* By name, or, where the group is bare, sometimes by an action. */
static void put_target(struct dice *dice, const struct policy *policy, struct strbuf *out)
{
    enum policy_access access = (enum policy_access)policy->keys.access;
    if (dice_below(dice, 3) > 0) {
        strbuf_printf(out, "$%s", policy->name);
        return;
    }
    strbuf_puts(out, policy_access_name(access));
    if (dice_below(dice, 3) == 0)
        put_settings(dice, out);
}

static void put_senders(struct dice *dice, const struct reference_group *group, struct strbuf *out)
{
    for (size_t i = 0; i < group->n; i++) {
        bool last = i + 1 == group->n;
        const char *comma =
            dice_below(dice, 2) == 0 || (last && dice_below(dice, 4) == 0) ? "," : "";
        /* ALL alone is the end of the table. */
        if (group->n == 1 && group->name[0] == '\0')
            comma = ",";
        strbuf_printf(out, "%s%s%s", group->entries[i].text, comma, gap(dice));
    }
    for (unsigned bit = 0; bit < 3; bit++) {
        if (group->unverified & 1u << bit)
            strbuf_printf(out, "%s%s",
                          bit == 0   ? "nx.domain"
                          : bit == 1 ? "serv.fail"
                                     : "not.double.verified",
                          gap(dice));
    }
}

static void put_group(struct dice *dice, const struct reference_group *group, struct strbuf *out)
{
    if (group->name[0] != '\0')
        strbuf_printf(out, "%s:%s", group->name, gap(dice));
    put_senders(dice, group, out);
    put_target(dice, group->policy, out);
    put_end(dice, out);
}

/* A list of bare senders, most of them with one target. */
static void make_list(struct dice *dice, struct reference *table)
{
    for (size_t i = 0; i < table->n; i++) {
        struct reference_group *group = &table->groups[i];
        if (group->n == 0)
            continue;
        group->n = 1;
        group->name[0] = '\0';
        group->unverified = 0;
        if (dice_below(dice, 4) > 0)
            group->policy = table->groups[0].policy;
    }
}

/* Some groups become bare senders; a group of none cannot. */
static void write_table(struct dice *dice, struct reference *table, struct strbuf *out)
{
    put_policies(dice, out);
    if (dice_below(dice, 3) == 0)
        make_list(dice, table);
    for (size_t i = 0; i < table->n; i++) {
        struct reference_group *group = &table->groups[i];
        if (group->n > 0 && dice_below(dice, 3) == 0)
            group->name[0] = '\0';
        put_group(dice, group, out);
    }
    strbuf_printf(out, "ALL%s%s", dice_below(dice, 2) == 0 ? ":" : "", gap(dice));
    strbuf_puts(out, "$F");
    put_end(dice, out);
}

/* --- comparing ---------------------------------------------------------------------------------
 */

static struct hat *load(struct slice text, const struct policies *policies)
{
    struct table_file file;
    table_file_new(&file, text);
    struct hat *hat = hat_text_load(file.path, table_file_named(), policies,
                                    policies_find(policies, "ACCEPTED"), &file.problems);
    if (hat == NULL)
        fail_msg("%.*s\n%s", (int)text.n, text.p, table_file_problems(&file));
    table_file_done(&file);
    return hat;
}

static bool same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return (a == NULL || a[0] == '\0') && (b == NULL || b[0] == '\0');
    return strcmp(a, b) == 0;
}

static bool same_decision(const struct hat_match *a, const struct hat_match *b)
{
    return same_text(a->group, b->group) && same_text(a->entry, b->entry) &&
           a->policy->keys.access == b->policy->keys.access && a->by_owner == b->by_owner;
}

static void check_clients(struct dice *dice, const struct hat *hat, const struct hat *again,
                          const struct reference *table, const struct strbuf *text)
{
    for (int i = 0; i < CLIENTS; i++) {
        struct reference_client client;
        struct hat_match expected, found, found_again;
        reference_client(dice, &client);
        reference_decide(table, &client.client, &expected);
        hat_decide(hat, &client.client, &found);
        hat_decide(again, &client.client, &found_again);
        if (!same_decision(&expected, &found) || !same_decision(&expected, &found_again))
            fail_msg("%s\nexpected %s %s, found %s %s, then %s %s", strbuf_text(text),
                     expected.group, expected.entry, found.group, found.entry, found_again.group,
                     found_again.entry);
    }
}

/* The table its export makes; the export of that is the same text. */
static struct hat *again(const struct hat *hat, const struct policies *policies)
{
    struct strbuf first, second;
    strbuf_init(&first);
    strbuf_init(&second);
    hat_text_export(hat, NULL, &first);
    struct hat *result = load((struct slice){first.p, first.n}, policies);
    hat_text_export(result, NULL, &second);
    assert_string_equal(strbuf_text(&first), strbuf_text(&second));
    assert_true(hat_same(hat, result));
    strbuf_done(&first);
    strbuf_done(&second);
    return result;
}

static void test_random(void **state)
{
    (void)state;
    struct dice dice = dice_start(0);
    struct arena *arena = arena_new(0);
    const struct policies *policies = policies_build(NULL, 0, false, arena);
    for (int i = 0; i < TABLES; i++) {
        struct reference table;
        struct strbuf text;
        strbuf_init(&text);
        reference_make(&dice, &table);
        write_table(&dice, &table, &text);
        struct hat *hat = load((struct slice){text.p, text.n}, policies);
        struct hat *hat_again = again(hat, policies);
        check_clients(&dice, hat, hat_again, &table, &text);
        hat_free(hat);
        hat_free(hat_again);
        strbuf_done(&text);
    }
    arena_free(arena);
}

/* --- the vendor's own ----------------------------------------------------------------------------
 */

static void read_sample(const char *name, struct strbuf *out)
{
    char path[512], chunk[4096];
    const char *top = getenv("srcdir");
    size_t n;
    snprintf(path, sizeof path, "%s/t/fuzz/corpus/hat_text/%s", top != NULL ? top : ".", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s: cannot be opened", path);
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        strbuf_add(out, chunk, n);
    fclose(file);
}

static const struct sample {
    const char *name;
    size_t groups, entries, own;
} samples[] = {
    {"printed", 9, 4, 4},      {"one_line", 8, 4, 0}, {"private", 2, 0, 0},
    {"empty_braces", 1, 0, 1}, {"filled", 5, 13, 2},  {"latin1", 3, 2, 1},
};

static void test_samples(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    const struct policies *policies = policies_build(NULL, 0, false, arena);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct strbuf text;
        size_t own = 0;
        print_message("# %s\n", samples[i].name);
        strbuf_init(&text);
        read_sample(samples[i].name, &text);
        struct hat *hat = load((struct slice){text.p, text.n}, policies);
        assert_int_equal(hat_groups(hat), samples[i].groups);
        assert_int_equal(hat_entries(hat), samples[i].entries);
        for (size_t j = 0; j < hat_policies(hat); j++) {
            bool is_own;
            hat_policy_get(hat, j, &is_own);
            own += is_own;
        }
        assert_int_equal(own, samples[i].own);
        hat_free(again(hat, policies));
        hat_free(hat);
        strbuf_done(&text);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_samples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
