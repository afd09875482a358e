/*
 * hat_random_test.c - the indexed table against the reference on random tables
 * and clients: the same decision, and the same questions asked for it.
 */
#include "lib/tables/hat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/tables/hat_reference.h"
#include "t/unit/tables/table_file.h"

#define TABLES 4000
#define CLIENTS 60

/* The entries from `split` on go to the group's file. */
struct written {
    struct key_item items[REFERENCE_ENTRIES_MAX];
    struct table_file file;
    bool has_file;
};

static void write_group(const struct reference_group *group, size_t split, struct written *out,
                        struct hat_group *hat_group)
{
    struct strbuf text;
    strbuf_init(&text);
    for (size_t i = 0; i < split; i++)
        out->items[i] = (struct key_item){group->entries[i].text, {.file = "test", .line = 1}};
    for (size_t i = split; i < group->n; i++)
        strbuf_printf(&text, i % 2 == 0 ? "%s," : "%s # comment\n", group->entries[i].text);
    out->has_file = split < group->n;
    if (out->has_file)
        table_file_new(&out->file, (struct slice){text.p, text.n});
    strbuf_done(&text);
    *hat_group = (struct hat_group){.name = group->name,
                                    .at = {.file = "test", .line = (unsigned)group->n + 1},
                                    .policy = group->policy,
                                    .senders = {out->items, split},
                                    .senders_file = out->has_file ? out->file.path : "",
                                    .unverified = group->unverified};
}

static struct hat *build(struct dice *dice, const struct reference *table)
{
    struct written written[REFERENCE_GROUPS_MAX];
    struct hat_group groups[REFERENCE_GROUPS_MAX];
    struct problems problems;
    problems_init(&problems);
    for (size_t i = 0; i < table->n; i++) {
        size_t n = table->groups[i].n;
        size_t split = dice_below(dice, 20) == 0 ? dice_below(dice, (uint32_t)n + 1) : n;
        write_group(&table->groups[i], split, &written[i], &groups[i]);
    }
    struct hat *hat = hat_build(groups, table->n, table->fallback, &problems);
    if (hat == NULL)
        problems_print(&problems, stdout);
    for (size_t i = 0; i < table->n; i++) {
        if (written[i].has_file)
            table_file_done(&written[i].file);
    }
    problems_done(&problems);
    return hat;
}

static void explain(const struct reference *table, const struct hat_client *client)
{
    char ip[IP_TEXT_MAX];
    for (size_t i = 0; i < table->n; i++) {
        const struct reference_group *group = &table->groups[i];
        print_message("%s -> %s, unverified %u:", group->name, group->policy->name,
                      group->unverified);
        for (size_t j = 0; j < group->n; j++)
            print_message(" %s", group->entries[j].text);
        print_message("\n");
    }
    print_message("client %s host %d %s score %d %d %g owner %u country %s zones %zu\n",
                  ip_text(&client->ip, ip), client->host != NULL ? (int)client->host->class : -1,
                  client->host != NULL ? client->host->name : "", client->score_known,
                  client->score_none, client->score, (unsigned)client->owner, client->country,
                  client->nlisted);
    for (size_t i = 0; client->host != NULL && i < client->host->n; i++)
        print_message("name %s\n", client->host->names[i]);
    for (size_t i = 0; i < client->nlisted; i++) {
        print_message("listed in %s", client->listed[i].zone);
        for (size_t k = 0; k < client->listed[i].n; k++)
            print_message(" %08x", (unsigned)client->listed[i].answers[k]);
        print_message("\n");
    }
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_match(const struct hat_match *a, const struct hat_match *b)
{
    return same_text(a->group, b->group) && same_text(a->entry, b->entry) &&
           same_text(a->host, b->host) && a->policy == b->policy && a->by_owner == b->by_owner;
}

static bool wants_zone(const struct hat_wants *wants, const char *zone)
{
    for (size_t i = 0; i < wants->nzones; i++) {
        if (strcmp(wants->zones[i], zone) == 0)
            return true;
    }
    return false;
}

static bool same_wants(const struct hat_wants *a, const struct hat_wants *b)
{
    bool same = a->score == b->score && a->owner == b->owner && a->country == b->country &&
                a->nzones == b->nzones;
    for (size_t i = 0; same && i < a->nzones; i++)
        same = wants_zone(b, a->zones[i]);
    return same;
}

/* A choice of facts, as bits; zones one by one. */
enum { SCORE = 1, OWNER = 2, COUNTRY = 4, FIRST_ZONE = 8, ALL_FACTS = 0xff };

static unsigned chosen_by(const struct hat_wants *wants, const struct hat_client *client)
{
    unsigned facts =
        (wants->score ? SCORE : 0U) | (wants->owner ? OWNER : 0U) | (wants->country ? COUNTRY : 0U);
    for (size_t i = 0; i < client->nlisted; i++)
        facts |= wants_zone(wants, client->listed[i].zone) ? (unsigned)FIRST_ZONE << i : 0U;
    return facts;
}

/* The client as somebody sees it who knows only these facts. */
static struct hat_client known(const struct hat_client *client, unsigned facts,
                               struct dnslisting listed[REFERENCE_ZONES])
{
    struct hat_client result = *client;
    result.score_known = client->score_known && (facts & SCORE) != 0;
    result.owner = (facts & OWNER) != 0 ? client->owner : 0;
    if ((facts & COUNTRY) == 0)
        result.country[0] = '\0';
    result.listed = listed;
    result.nlisted = 0;
    for (size_t i = 0; i < client->nlisted; i++) {
        if ((facts & (unsigned)FIRST_ZONE << i) != 0)
            listed[result.nlisted++] = client->listed[i];
    }
    return result;
}

/* Whatever was known before, asking what the table then wants is enough. */
static void check_client(const struct hat *hat, const struct reference *table,
                         const struct hat_client *client, unsigned given)
{
    struct hat_match expected, found, after;
    struct hat_wants expected_wants, wants;
    struct dnslisting listed[REFERENCE_ZONES], more[REFERENCE_ZONES];
    struct hat_client before = known(client, given, listed);
    reference_decide(table, client, &expected);
    hat_decide(hat, client, &found);
    reference_wants(table, &before, &expected_wants);
    hat_wants(hat, &before, &wants);
    struct hat_client asked = known(client, given | chosen_by(&wants, client), more);
    hat_decide(hat, &asked, &after);
    if (same_match(&expected, &found) && same_match(&expected, &after) &&
        same_wants(&expected_wants, &wants))
        return;
    explain(table, client);
    fail_msg("given %x: expected %s %s, found %s %s, after asking %s %s; wants score %d owner %d "
             "country %d zones %zu, expected %d %d %d %zu",
             given, expected.group, expected.entry, found.group, found.entry, after.group,
             after.entry, wants.score, wants.owner, wants.country, wants.nzones,
             expected_wants.score, expected_wants.owner, expected_wants.country,
             expected_wants.nzones);
}

static void check_walk(const struct hat *hat, const struct reference *table)
{
    size_t index = 0;
    assert_int_equal(hat_groups(hat), table->n + 1);
    for (size_t i = 0; i < table->n; i++) {
        struct hat_match match;
        hat_group_get(hat, i, &match);
        assert_string_equal(match.group, table->groups[i].name);
        assert_ptr_equal(match.policy, table->groups[i].policy);
        assert_int_equal(match.at.line, table->groups[i].n + 1);
        for (size_t j = 0; j < table->groups[i].n; j++) {
            struct hat_entry entry;
            hat_entry_get(hat, index++, &entry);
            assert_string_equal(entry.text, table->groups[i].entries[j].text);
            assert_int_equal(entry.group, i);
        }
    }
    assert_int_equal(hat_entries(hat), index);
}

static void test_random(void **state)
{
    (void)state;
    struct dice dice = dice_start(0);
    size_t decided = 0;
    for (int round = 0; round < TABLES; round++) {
        struct reference table;
        reference_make(&dice, &table);
        struct hat *hat = build(&dice, &table);
        assert_non_null(hat);
        check_walk(hat, &table);
        for (int i = 0; i < CLIENTS; i++) {
            struct reference_client client;
            struct hat_match match;
            reference_client(&dice, &client);
            check_client(hat, &table, &client.client, 0);
            check_client(hat, &table, &client.client, dice_below(&dice, ALL_FACTS + 1));
            hat_decide(hat, &client.client, &match);
            decided += match.group != NULL;
        }
        hat_free(hat);
    }
    /* The test is worth something only while most clients are matched. */
    assert_true(decided > (size_t)TABLES * CLIENTS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
