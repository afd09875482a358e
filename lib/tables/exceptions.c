/*
 * exceptions.c - see exceptions.h. A line is
 *
 *     ADDRESS ALLOW
 *     ADDRESS REJECT [CODE "TEXT"]
 */
#include "lib/tables/exceptions.h"

#include "lib/tables/rulereply.h"

#define KEY_STRUCT struct exceptions_keys
const struct key_row exceptions_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/tables/exceptions.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t exceptions_nrows = ARRAY_LEN(exceptions_rows);

struct exceptions {
    struct arena *arena;           /* texts, the file's name */
    struct strmap *keys;           /* addrkey.h -> index */
    struct exceptions_entry *list; /* owned */
    size_t n, room;
};

struct loader {
    struct reader reader;
    struct exceptions *table;
    const char *path; /* in the table's arena: places borrow it */
};

void exceptions_free(struct exceptions *exceptions)
{
    if (exceptions == NULL)
        return;
    strmap_free(exceptions->keys);
    arena_free(exceptions->arena);
    free(exceptions->list);
    free(exceptions);
}

static struct exceptions *table_new(void)
{
    struct exceptions *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->arena = arena_new(0);
    table->keys = strmap_new();
    if (table->arena == NULL || table->keys == NULL) {
        exceptions_free(table);
        return NULL;
    }
    return table;
}

/* --- lines ------------------------------------------------------------------------ */

static bool read_address(struct loader *loader, struct scan *scan, struct exceptions_entry *entry,
                         char key[ADDRKEY_MAX])
{
    char copy[READER_SHOWN_MAX];
    struct slice utf8;
    unsigned column = scan_column(scan);
    struct slice word = scan_word(scan, "");
    if (!scan_utf8(word, loader->reader.scratch, &utf8))
        return reader_no_memory(&loader->reader);
    if (!addrkey_sender(utf8, loader->reader.scratch, &entry->form, key))
        return reader_refuse(&loader->reader, column,
                             "\"%s\" is not an address; allowed: user@example.com, user@, "
                             "@example.com, @.example.com, user@[192.0.2.1], @[192.0.2.1]",
                             reader_shown(word, copy));
    entry->at = (struct place){
        .file = loader->path, .line = reader_line(&loader->reader), .column = column};
    entry->address = arena_dup_slice(loader->table->arena, utf8);
    return entry->address != NULL || reader_no_memory(&loader->reader);
}

static bool read_reply(struct loader *loader, struct scan *scan, struct exceptions_entry *entry)
{
    struct rulereply reply;
    if (entry->allow)
        return scan_end(scan) ||
               reader_refuse(&loader->reader, scan_column(scan), "nothing may follow ALLOW");
    if (!rulereply_read(&loader->reader, scan, false, loader->table->arena, &reply))
        return false;
    entry->code = reply.code;
    entry->text = reply.text;
    return true;
}

static bool read_action(struct loader *loader, struct scan *scan, struct exceptions_entry *entry)
{
    char copy[READER_SHOWN_MAX];
    scan_blanks(scan);
    unsigned column = scan_column(scan);
    struct slice word = scan_word(scan, "");
    entry->allow = slice_is_nocase(word, "ALLOW");
    if (word.n == 0)
        return reader_refuse(&loader->reader, column, "ALLOW or REJECT is missing");
    if (!entry->allow && !slice_is_nocase(word, "REJECT"))
        return reader_refuse(&loader->reader, column,
                             "\"%s\" is not an action; allowed: ALLOW or REJECT",
                             reader_shown(word, copy));
    scan_blanks(scan);
    return read_reply(loader, scan, entry);
}

static bool append(struct exceptions *table, const struct exceptions_entry *entry)
{
    if (table->n == table->room) {
        size_t room = table->room + table->room / 2 + 64;
        struct exceptions_entry *list =
            room < UINT32_MAX ? realloc(table->list, room * sizeof *list) : NULL;
        if (list == NULL)
            return false;
        table->list = list;
        table->room = room;
    }
    table->list[table->n++] = *entry;
    return true;
}

static void add_entry(struct loader *loader, const struct exceptions_entry *entry, const char *key)
{
    struct exceptions *table = loader->table;
    uint32_t first = addrkey_wider(table->keys, entry->form, key);
    if (first != STRMAP_NONE)
        reader_warn_hidden(&loader->reader, entry->at.column, entry->address,
                           table->list[first].address, table->list[first].at.line);
    if (!append(table, entry) ||
        !strmap_add(table->keys, slice_of(key), (uint32_t)table->n - 1, NULL))
        reader_no_memory(&loader->reader);
}

static void read_line(struct loader *loader, struct scan *scan)
{
    struct exceptions_entry entry = {0};
    char key[ADDRKEY_MAX];
    bool good = read_address(loader, scan, &entry, key);
    if (read_action(loader, scan, &entry) && good)
        add_entry(loader, &entry, key);
}

struct exceptions *exceptions_load(const char *path, struct place at, struct problems *problems)
{
    size_t errors = problems_errors(problems);
    struct loader loader = {.table = table_new()};
    struct scan scan;
    if (loader.table != NULL)
        loader.path = arena_dup(loader.table->arena, path);
    if (loader.path == NULL) {
        problem_error(problems, at, "cannot read %s: out of memory", path);
    } else {
        if (reader_open(&loader.reader, loader.path, at, problems)) {
            while (reader_next(&loader.reader, &scan))
                read_line(&loader, &scan);
        }
        reader_close(&loader.reader);
    }
    if (problems_errors(problems) > errors) {
        exceptions_free(loader.table);
        return NULL;
    }
    return loader.table;
}

/* --- the table ------------------------------------------------------------------------ */

const struct exceptions_entry *exceptions_lookup(const struct exceptions *exceptions,
                                                 const struct mailaddr *addr)
{
    uint32_t found = addrkey_lowest(exceptions->keys, addr);
    return found != STRMAP_NONE ? &exceptions->list[found] : NULL;
}

size_t exceptions_count(const struct exceptions *exceptions)
{
    return exceptions->n;
}

const struct exceptions_entry *exceptions_get(const struct exceptions *exceptions, size_t index)
{
    CHECK(index < exceptions->n);
    return &exceptions->list[index];
}

void exceptions_export(const struct exceptions *exceptions, struct strbuf *out)
{
    for (size_t i = 0; i < exceptions->n; i++) {
        const struct exceptions_entry *entry = &exceptions->list[i];
        strbuf_printf(out, "%s %s", entry->address, entry->allow ? "ALLOW" : "REJECT");
        rulereply_export(&(struct rulereply){entry->code, entry->text}, out);
        strbuf_putc(out, '\n');
    }
}
