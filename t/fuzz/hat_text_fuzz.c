/*
 * hat_text_fuzz.c - HAT text files.
 *
 * The bytes are such a file. A table that loads must come back from its own
 * export the same, down to the export, and decide the same.
 */
#include <string.h>
#include "lib/tables/hat_text.h"
#include "t/fuzz/table_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hat *load(const struct policies *policies, const void *data, size_t size)
{
    struct table_memory file;
    struct problems problems;
    problems_init(&problems);
    table_memory_new(&file, data, size);
    struct hat *hat = hat_text_load(file.path, (struct place){0}, policies,
                                    policies_find(policies, "ACCEPTED"), &problems);
    CHECK((hat == NULL) == (problems_errors(&problems) > 0));
    table_memory_done(&file);
    problems_done(&problems);
    return hat;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void compare_group(const struct hat *a, size_t i, const struct hat *b, size_t j)
{
    struct hat_match x, y;
    hat_group_get(a, i, &x);
    hat_group_get(b, j, &y);
    CHECK(same_text(x.group, y.group) && strcmp(x.policy->name, y.policy->name) == 0);
    CHECK(same_text(hat_group_comment(a, i), hat_group_comment(b, j)));
    for (size_t row = 0; row < policy_nrows; row++)
        CHECK(key_same(&policy_rows[row], &x.policy->keys, &y.policy->keys));
}

/* The next group that is no bare entry: those may share groups in one table and
 * not in the other. */
static size_t next_named(const struct hat *hat, size_t i)
{
    struct hat_match group;
    for (; i + 1 < hat_groups(hat); i++) {
        hat_group_get(hat, i, &group);
        if (group.group != NULL)
            break;
    }
    return i;
}

static void compare_groups(const struct hat *a, const struct hat *b)
{
    size_t i = next_named(a, 0), j = next_named(b, 0);
    for (; i + 1 < hat_groups(a); i = next_named(a, i + 1), j = next_named(b, j + 1))
        compare_group(a, i, b, j);
    CHECK(j + 1 == hat_groups(b));
    compare_group(a, i, b, j);
}

static void compare_client(const struct hat *a, const struct hat *b, const struct ip *ip)
{
    struct hat_client client = {.ip = *ip};
    struct hat_match x, y;
    hat_decide(a, &client, &x);
    hat_decide(b, &client, &y);
    CHECK(same_text(x.group, y.group) && strcmp(x.entry, y.entry) == 0);
}

static void compare_entries(const struct hat *a, const struct hat *b)
{
    CHECK(hat_entries(a) == hat_entries(b));
    for (size_t i = 0; i < hat_entries(a); i++) {
        struct hat_entry x, y;
        hat_entry_get(a, i, &x);
        hat_entry_get(b, i, &y);
        CHECK(strcmp(x.text, y.text) == 0);
        compare_group(a, x.group, b, y.group);
        compare_client(a, b, &x.first);
        compare_client(a, b, &x.last);
    }
}

static void check_table(const struct policies *policies, const struct hat *hat)
{
    struct strbuf first, second;
    strbuf_init(&first);
    strbuf_init(&second);
    hat_text_export(hat, NULL, &first);
    struct hat *again = load(policies, first.p, first.n);
    CHECK(again != NULL);
    hat_text_export(again, NULL, &second);
    CHECK(strcmp(strbuf_text(&first), strbuf_text(&second)) == 0);
    compare_groups(hat, again);
    compare_entries(hat, again);
    hat_free(again);
    strbuf_done(&first);
    strbuf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    const struct policies *policies = policies_build(NULL, 0, false, arena);
    struct hat *hat = load(policies, data, size);
    if (hat != NULL)
        check_table(policies, hat);
    hat_free(hat);
    arena_free(arena);
    return 0;
}
