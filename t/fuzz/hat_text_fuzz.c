/*
 * hat_text_fuzz.c - HAT text files.
 *
 * The bytes are such a file. A table that loads must come back from its own
 * export the same, down to the export, and decide the same.
 */
#include <string.h>
#include "lib/tables/hat_text.h"
#include "t/fuzz/table_memory.h"
#include "t/unit/tables/hat_same.h"

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

static void compare_client(const struct hat *a, const struct hat *b, const struct ip *ip)
{
    struct hat_client client = {.ip = *ip};
    struct hat_match x, y;
    hat_decide(a, &client, &x);
    hat_decide(b, &client, &y);
    CHECK(same_text(x.group, y.group) && strcmp(x.entry, y.entry) == 0);
}

static void compare_clients(const struct hat *a, const struct hat *b)
{
    for (size_t i = 0; i < hat_entries(a); i++) {
        struct hat_entry entry;
        hat_entry_get(a, i, &entry);
        compare_client(a, b, &entry.first);
        compare_client(a, b, &entry.last);
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
    CHECK(hat_same(hat, again));
    compare_clients(hat, again);
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
