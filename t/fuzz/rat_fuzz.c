/*
 * rat_fuzz.c - RAT files. One that loads must export as a file that loads to
 * the same table, and its entries must answer for themselves.
 */
#include "lib/tables/rat.h"
#include "t/fuzz/table_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void export(const void *data, size_t size, bool must_load, struct strbuf *out)
{
    struct table_memory file;
    struct problems problems;
    problems_init(&problems);
    table_memory_new(&file, data, size);
    struct rat *rat = rat_load(file.path, (struct place){0}, &problems);
    CHECK((rat == NULL) == (problems_errors(&problems) > 0));
    CHECK(rat != NULL || !must_load);
    if (rat != NULL)
        rat_export(rat, out);
    rat_free(rat);
    table_memory_done(&file);
    problems_done(&problems);
}

static void look_up_all(const struct rat *rat)
{
    for (size_t i = 0; i < rat_entries(rat); i++) {
        const struct rat_entry *entry = rat_entry_get(rat, i);
        struct mailaddr addr;
        struct arena *arena = arena_new(0);
        bool whole = entry->form == RAT_ADDRESS || entry->form == RAT_USER;
        const char *text = arena_printf(arena, "%s%s", whole ? "" : "a@", entry->key);
        /* The first entry with the same key, or an earlier and wider one. */
        if (mailaddr_parse(slice_of(text), MAILADDR_STRICT, false, arena, &addr, NULL) &&
            entry->form != RAT_BELOW && entry->form != RAT_ALL)
            CHECK(rat_lookup(rat, &addr) <= entry);
        arena_free(arena);
    }
}

static void load_and_look_up(const uint8_t *data, size_t size)
{
    struct table_memory file;
    struct problems problems;
    problems_init(&problems);
    table_memory_new(&file, data, size);
    struct rat *rat = rat_load(file.path, (struct place){0}, &problems);
    if (rat != NULL)
        look_up_all(rat);
    rat_free(rat);
    table_memory_done(&file);
    problems_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    table_memory_round_trip(data, size, export);
    load_and_look_up(data, size);
    return 0;
}
