/*
 * lists.c - see lists.h.
 */
#include "lib/tables/lists.h"

#include "lib/tables/addrkey.h"
#include "lib/tables/reader.h"

static const char *const lists_kind_words[] = {"mixed", "full", "domain", "ip", NULL};

#define KEY_STRUCT struct lists_keys
const struct key_row lists_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/tables/lists.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t lists_nrows = ARRAY_LEN(lists_rows);

struct entry {
    struct place at;  /* the file belongs to the arena or the configuration */
    const char *text; /* arena; as written */
};

struct list {
    struct strmap *keys;   /* owned: addrkey.h -> index in entries */
    struct entry *entries; /* owned */
    size_t n, room;
};

struct lists {
    struct arena *arena;  /* names of files, texts of entries */
    struct strmap *names; /* owned: name -> index in v */
    struct list *v;       /* owned */
    size_t n, room;
};

struct lists *lists_new(void)
{
    struct lists *lists = calloc(1, sizeof *lists);
    if (lists == NULL)
        return NULL;
    lists->arena = arena_new(0);
    lists->names = strmap_new();
    if (lists->arena == NULL || lists->names == NULL) {
        lists_free(lists);
        return NULL;
    }
    return lists;
}

void lists_free(struct lists *lists)
{
    if (lists == NULL)
        return;
    for (size_t i = 0; i < lists->n; i++) {
        strmap_free(lists->v[i].keys);
        free(lists->v[i].entries);
    }
    strmap_free(lists->names);
    arena_free(lists->arena);
    free(lists->v);
    free(lists);
}

/* --- building ---------------------------------------------------------------------- */

/* What is being read: one section. */
struct adding {
    struct list *list;
    struct arena *texts; /* that of the lists */
    const struct lists_written *written;
    struct arena *scratch;
    struct problems *problems;
};

static bool fits(enum lists_kind kind, enum addrkey_form form)
{
    switch (form) {
    case ADDRKEY_DOMAIN:
    case ADDRKEY_BELOW:
        return kind == LISTS_MIXED || kind == LISTS_DOMAIN;
    case ADDRKEY_ADDRESS:
        return kind == LISTS_MIXED || kind == LISTS_FULL;
    case ADDRKEY_USER:
        return kind == LISTS_MIXED;
    case ADDRKEY_LITERAL:
        return kind == LISTS_MIXED || kind == LISTS_IP;
    }
    return false;
}

static const char *allowed(enum lists_kind kind)
{
    switch (kind) {
    case LISTS_MIXED:
        return "user@example.com, user@, @example.com, @.example.com, @[192.0.2.1]";
    case LISTS_FULL:
        return "user@example.com";
    case LISTS_DOMAIN:
        return "@example.com, @.example.com";
    case LISTS_IP:
        return "@[192.0.2.1], @[IPv6:2001:db8::1]";
    }
    return "";
}

static bool append(struct adding *adding, const char *key, struct slice text, struct place at)
{
    struct list *list = adding->list;
    if (strmap_get(list->keys, slice_of(key)) != STRMAP_NONE)
        return true;
    if (list->n == list->room) {
        size_t room = list->room + list->room / 2 + 16;
        struct entry *entries =
            room < UINT32_MAX ? realloc(list->entries, room * sizeof *entries) : NULL;
        if (entries == NULL)
            return false;
        list->entries = entries;
        list->room = room;
    }
    struct entry entry = {at, arena_dup_slice(adding->texts, text)};
    if (entry.text == NULL || !strmap_add(list->keys, slice_of(key), (uint32_t)list->n, NULL))
        return false;
    list->entries[list->n++] = entry;
    return true;
}

/* place: for an entry of the configuration with the name of its key. */
static void add_entry(struct adding *adding, struct slice word, struct place at)
{
    enum lists_kind kind = (enum lists_kind)adding->written->keys->kind;
    char key[ADDRKEY_MAX], copy[READER_SHOWN_MAX];
    enum addrkey_form form;
    struct slice utf8;

    if (!scan_utf8(word, adding->scratch, &utf8)) {
        problem_error(adding->problems, at, "out of memory");
        return;
    }
    if (!addrkey_sender(utf8, adding->scratch, &form, key))
        problem_error(adding->problems, at, "\"%s\" is not an address; allowed: %s",
                      reader_shown(word, copy), allowed(kind));
    else if (!fits(kind, form))
        problem_error(adding->problems, at,
                      "\"%s\" does not belong in a list of kind = %s; allowed: %s",
                      reader_shown(word, copy), lists_kind_words[kind], allowed(kind));
    else if (!append(adding, key, utf8, at))
        problem_error(adding->problems, at, "out of memory");
}

static void read_line(struct adding *adding, struct reader *reader, struct scan *scan)
{
    while (!scan_end(scan)) {
        unsigned column = scan_column(scan);
        struct slice word = scan_word(scan, ",");
        if (word.n > 0)
            add_entry(adding, word, lines_place(reader->lines, column));
        scan_blanks(scan);
        scan_take(scan, ',');
        scan_blanks(scan);
    }
}

static void read_file(struct adding *adding, struct arena *names)
{
    struct reader reader = {0};
    struct scan scan;
    const char *path = arena_dup(names, adding->written->keys->addresses_file);
    if (path == NULL) {
        problem_error(adding->problems, adding->written->file_at, "out of memory");
        return;
    }
    if (reader_open(&reader, path, adding->written->file_at, adding->problems)) {
        adding->scratch = reader.scratch; /* emptied before every line */
        while (reader_next(&reader, &scan))
            read_line(adding, &reader, &scan);
    }
    reader_close(&reader);
}

static void read_entries(struct adding *adding)
{
    const struct key_list *list = &adding->written->keys->addresses;
    for (size_t i = 0; i < list->n; i++) {
        arena_reset(adding->scratch);
        add_entry(adding, slice_of(list->v[i].text), list->v[i].at);
    }
}

/* The list of that name, new unless a section was written twice. */
static struct list *obtain(struct lists *lists, const char *name)
{
    uint32_t known = strmap_get(lists->names, slice_of(name));
    if (known != STRMAP_NONE)
        return &lists->v[known];
    if (lists->n == lists->room) {
        size_t room = lists->room + lists->room / 2 + 8;
        struct list *v = realloc(lists->v, room * sizeof *v);
        if (v == NULL)
            return NULL;
        lists->v = v;
        lists->room = room;
    }
    struct list *list = &lists->v[lists->n];
    *list = (struct list){.keys = strmap_new()};
    if (list->keys == NULL)
        return NULL;
    lists->n++; /* from here it is freed with the others */
    return strmap_add(lists->names, slice_of(name), (uint32_t)lists->n - 1, NULL) ? list : NULL;
}

void lists_add(struct lists *lists, const struct lists_written *written, struct problems *problems)
{
    struct arena *scratch = arena_new(0);
    struct adding adding = {.list = scratch != NULL ? obtain(lists, written->name) : NULL,
                            .texts = lists->arena,
                            .written = written,
                            .scratch = scratch,
                            .problems = problems};
    if (adding.list == NULL) {
        problem_error(problems, written->file_at, "out of memory");
    } else {
        read_entries(&adding);
        if (written->keys->addresses_file[0] != '\0')
            read_file(&adding, lists->arena);
    }
    arena_free(scratch);
}

/* --- matching ----------------------------------------------------------------------- */

static const struct list *find(const struct lists *lists, const char *name)
{
    uint32_t found = strmap_get(lists->names, slice_of(name));
    return found != STRMAP_NONE ? &lists->v[found] : NULL;
}

static const struct entry *match(const struct lists *lists, const char *name,
                                 const struct mailaddr *addr)
{
    const struct list *list = lists != NULL ? find(lists, name) : NULL;
    uint32_t found = list != NULL ? addrkey_lowest(list->keys, addr) : STRMAP_NONE;
    return found != STRMAP_NONE ? &list->entries[found] : NULL;
}

bool lists_match(const struct lists *lists, const char *name, const struct mailaddr *addr,
                 struct place *at_out)
{
    const struct entry *entry = match(lists, name, addr);
    if (entry != NULL && at_out != NULL)
        *at_out = entry->at;
    return entry != NULL;
}

const char *lists_lookup(const struct lists *lists, const char *name, const struct mailaddr *addr)
{
    const struct entry *entry = match(lists, name, addr);
    return entry != NULL ? entry->text : NULL;
}

size_t lists_entries(const struct lists *lists, const char *name)
{
    const struct list *list = find(lists, name);
    return list != NULL ? list->n : 0;
}
