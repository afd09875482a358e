/*
 * exceptions_fuzz.c - exception tables. One that loads must export as a file
 * that loads to the same table, and its entries must answer for themselves.
 */
#include "lib/tables/exceptions.h"
#include "t/fuzz/table_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first entry with the same key, or an earlier and wider one. */
static void look_up_all(const struct exceptions *table)
{
    for (size_t i = 0; i < exceptions_count(table); i++) {
        const struct exceptions_entry *entry = exceptions_get(table, i);
        struct mailaddr addr;
        struct arena *arena = arena_new(0);
        bool host = entry->address[0] == '@';
        bool below = entry->form == ADDRKEY_BELOW;
        const char *text = arena_printf(arena, "%s%s", host ? "a" : "", entry->address);
        if (below)
            text = arena_printf(arena, "a@b%s", entry->address + 1);
        if (mailaddr_parse(slice_of(text), MAILADDR_STRICT, false, arena, &addr, NULL)) {
            const struct exceptions_entry *found = exceptions_lookup(table, &addr);
            CHECK(found != NULL && found <= entry);
        }
        arena_free(arena);
    }
}

static void load(const void *data, size_t size, bool must_load, struct strbuf *out)
{
    struct table_memory file;
    struct problems problems;
    problems_init(&problems);
    table_memory_new(&file, data, size);
    struct exceptions *table = exceptions_load(file.path, (struct place){0}, &problems);
    CHECK((table == NULL) == (problems_errors(&problems) > 0));
    CHECK(table != NULL || !must_load);
    if (table != NULL) {
        exceptions_export(table, out);
        look_up_all(table);
    }
    exceptions_free(table);
    table_memory_done(&file);
    problems_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    table_memory_round_trip(data, size, load);
    return 0;
}
