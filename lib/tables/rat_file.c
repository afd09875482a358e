/*
 * rat_file.c - read a RAT file (SPEC 3.3):
 *
 *     ADDRESS[, ADDRESS...] ACCEPT|REJECT [{flag, flag}] [CODE "TEXT"]
 *
 * The rule behind the addresses is read first, then each address becomes an
 * entry with it.
 */
#include "lib/tables/rat_table.h"

#include <string.h>
#include "lib/base/escape.h"
#include "lib/base/key.h"
#include "lib/tables/reader.h"
#include "lib/tables/rulereply.h"

struct loader {
    struct reader reader;
    struct rat *rat;
    const char *path; /* in the table's arena: places borrow it */
};

/* --- flags out of their place ----------------------------------------------------- */

/* The flag that a word of letters and '_' is, or is meant for; NULL: none. */
static const char *near_flag(struct slice word)
{
    struct key_row rows[8] = {{.name = NULL}};
    size_t n = 0;
    for (size_t i = 0; i < word.n; i++)
        if (strchr(".@:[", word.p[i]) != NULL)
            return NULL;
    for (; rat_flag_words[n] != NULL && n < ARRAY_LEN(rows); n++) {
        if (slice_is_nocase(word, rat_flag_words[n]))
            return rat_flag_words[n];
        rows[n].name = rat_flag_words[n];
    }
    return key_nearest(rows, n, word);
}

static void add_word(struct strbuf *out, struct slice word, const char *separator)
{
    strbuf_puts(out, out->n > 0 ? separator : "");
    strbuf_add(out, word.p, word.n);
}

/* The words of a line, each in its place. */
static void put_in_order(struct slice line, struct strbuf *out)
{
    struct scan scan = {.line = line};
    struct strbuf addresses, flags;
    bool accept = true, acted = false;
    strbuf_init(&addresses);
    strbuf_init(&flags);
    for (scan_blanks(&scan); !scan_end(&scan); scan_blanks(&scan)) {
        struct scan before = scan;
        struct slice word = scan_word(&scan, ",{}");
        bool reject = slice_is_nocase(word, "REJECT");
        const char *flag = near_flag(word);
        if (word.n == 0) {
            scan.at++;
        } else if (flag != NULL) {
            add_word(&flags, slice_of(flag), ", ");
        } else if (reject || slice_is_nocase(word, "ACCEPT")) {
            acted = true;
            accept = !reject;
        } else if (acted) {
            scan = before;
            break;
        } else {
            add_word(&addresses, word, ", ");
        }
    }
    add_word(out, slice_of(addresses.n > 0 ? strbuf_text(&addresses) : "ADDRESS"), "");
    strbuf_printf(out, " %s {%s}", accept ? "ACCEPT" : "REJECT", strbuf_text(&flags));
    if (!scan_end(&scan))
        add_word(out, scan_rest(&scan), " ");
    strbuf_done(&addresses);
    strbuf_done(&flags);
}

/* Is the word a flag? It is none where it stands, which is told. */
static bool refuse_flag(struct loader *loader, const struct scan *scan, unsigned column,
                        struct slice word)
{
    char copy[READER_SHOWN_MAX], shown[PROBLEM_TEXT_MAX / 2];
    struct strbuf right;
    if (near_flag(word) == NULL)
        return false;
    strbuf_init(&right);
    put_in_order(scan->line, &right);
    escape_line(slice_trim(slice_of(strbuf_text(&right))), shown, sizeof shown);
    reader_refuse(&loader->reader, column,
                  "\"%s\" is a flag, which must be in braces after the action; allowed: %s",
                  reader_shown(word, copy), shown);
    strbuf_done(&right);
    return true;
}

/* --- the rule ------------------------------------------------------------------- */

static bool read_flag(struct loader *loader, struct slice word, unsigned column,
                      struct rat_entry *rule)
{
    char copy[READER_SHOWN_MAX];
    for (unsigned i = 0; rat_flag_words[i] != NULL; i++) {
        if (slice_is_nocase(word, rat_flag_words[i])) {
            rule->flags |= 1u << i;
            return true;
        }
    }
    return reader_refuse(&loader->reader, column,
                         "\"%s\" is not a flag; allowed: bypass_rate_limit, bypass_ldap, "
                         "bypass_callahead",
                         reader_shown(word, copy));
}

static bool read_flags(struct loader *loader, struct scan *scan, struct rat_entry *rule)
{
    unsigned opened = scan_column(scan);
    if (!scan_take(scan, '{'))
        return true;
    for (;;) {
        scan_blanks(scan);
        if (scan_take(scan, '}'))
            return true;
        if (scan_end(scan))
            return reader_refuse(&loader->reader, opened, "the closing \"}\" is missing");
        unsigned column = scan_column(scan);
        struct slice word = scan_word(scan, ",}");
        if (!read_flag(loader, word, column, rule))
            return false;
        scan_blanks(scan);
        scan_take(scan, ',');
    }
}

static bool read_reply(struct loader *loader, struct scan *scan, struct rat_entry *rule)
{
    unsigned column = scan_column(scan);
    struct rulereply reply;
    struct scan ahead = *scan;
    if (refuse_flag(loader, scan, column, scan_word(&ahead, ",")))
        return false;
    if (!rulereply_read(&loader->reader, scan, rule->accept, loader->rat->arena, &reply))
        return false;
    rule->code = reply.code;
    rule->text = reply.text;
    if (rule->accept && rule->text != NULL)
        reader_warn(&loader->reader, column,
                    "the reply to an accepted recipient is the MTA's own: %d and its text are "
                    "kept, but never sent",
                    rule->code);
    return true;
}

static bool read_rule(struct loader *loader, struct scan *scan, struct rat_entry *rule)
{
    char copy[READER_SHOWN_MAX];
    unsigned column = scan_column(scan);
    struct slice word = scan_word(scan, "{");
    rule->accept = slice_is_nocase(word, "ACCEPT");
    struct scan inside = *scan;
    if (word.n == 0 && scan_take(&inside, '{'))
        scan_blanks(&inside);
    if (refuse_flag(loader, scan, column, word.n > 0 ? word : scan_word(&inside, ",}")))
        return false;
    if (word.n == 0)
        return reader_refuse(&loader->reader, column, "ACCEPT or REJECT is missing");
    if (!rule->accept && !slice_is_nocase(word, "REJECT"))
        return reader_refuse(&loader->reader, column,
                             "\"%s\" is not an action; allowed: ACCEPT or REJECT",
                             reader_shown(word, copy));
    scan_blanks(scan);
    if (!read_flags(loader, scan, rule))
        return false;
    scan_blanks(scan);
    return read_reply(loader, scan, rule);
}

/* --- addresses ------------------------------------------------------------------ */

static bool parse_form(struct slice text, struct arena *scratch, enum rat_form *form_out,
                       char key[ADDRKEY_MAX])
{
    enum addrkey_form form;
    if (slice_is_nocase(text, "ALL")) {
        *form_out = RAT_ALL;
        memcpy(key, "ALL", 4);
        return true;
    }
    bool user = memchr(text.p, '@', text.n) != NULL;
    if (!(user ? addrkey_user(text, scratch, &form, key) : addrkey_host(text, scratch, &form, key)))
        return false;
    *form_out = (enum rat_form)form;
    return true;
}

/* --- entries -------------------------------------------------------------------- */

static struct rat_entry *append(struct loader *loader, const struct rat_entry *entry)
{
    struct rat *rat = loader->rat;
    if (rat->count == rat->room) {
        size_t room = rat->room + rat->room / 2 + 64;
        struct rat_entry *list = room < UINT32_MAX ? realloc(rat->list, room * sizeof *list) : NULL;
        if (list == NULL)
            return NULL;
        rat->list = list;
        rat->room = room;
    }
    rat->list[rat->count] = *entry;
    return &rat->list[rat->count++];
}

/* The addresses of one line are one row. */
static void warn_if_hidden(struct loader *loader, const struct rat_entry *entry)
{
    const struct rat *rat = loader->rat;
    uint32_t first = rat->all;
    if (entry->form != RAT_ALL) {
        uint32_t wider = addrkey_wider(rat->keys, (enum addrkey_form)entry->form, entry->key);
        first = wider < first ? wider : first;
    }
    if (first != STRMAP_NONE && rat->list[first].at.line != entry->at.line)
        reader_warn_hidden(&loader->reader, entry->at.column, entry->address,
                           rat->list[first].address, rat->list[first].at.line);
}

static bool add_entry(struct loader *loader, const struct rat_entry *entry)
{
    struct rat *rat = loader->rat;
    uint32_t next = (uint32_t)rat->count;
    warn_if_hidden(loader, entry);
    if (append(loader, entry) == NULL)
        return reader_no_memory(&loader->reader);
    if (entry->form == RAT_ALL && rat->all == STRMAP_NONE)
        rat->all = next;
    if (entry->form != RAT_ALL && !strmap_add(rat->keys, slice_of(entry->key), next, NULL))
        return reader_no_memory(&loader->reader);
    return true;
}

static bool read_address(struct loader *loader, struct scan *scan, struct rat_entry *entry)
{
    char copy[READER_SHOWN_MAX], key[ADDRKEY_MAX];
    struct slice utf8;
    struct arena *arena = loader->rat->arena;
    unsigned column = scan_column(scan);
    struct slice word = scan_word(scan, ",");
    if (!scan_utf8(word, loader->reader.scratch, &utf8))
        return reader_no_memory(&loader->reader);
    if (refuse_flag(loader, scan, column, word))
        return false;
    if (!parse_form(utf8, loader->reader.scratch, &entry->form, key))
        return reader_refuse(&loader->reader, column,
                             "\"%s\" is not an address; allowed: example.com, .example.com, "
                             "user@example.com, user@, user@[192.0.2.1], [192.0.2.1], "
                             "[IPv6:2001:db8::1], ALL",
                             reader_shown(word, copy));
    entry->at = (struct place){
        .file = loader->path, .line = reader_line(&loader->reader), .column = column};
    entry->address = arena_dup_slice(arena, utf8);
    entry->key = arena_dup(arena, key);
    if (entry->address == NULL || entry->key == NULL)
        return reader_no_memory(&loader->reader);
    return true;
}

/* The end of the list of addresses; what they are is looked at later. */
static bool skip_addresses(struct loader *loader, struct scan *scan)
{
    do {
        scan_blanks(scan);
        unsigned column = scan_column(scan);
        if (scan_word(scan, ",").n == 0)
            return reader_refuse(&loader->reader, column, "an address is missing");
        scan_blanks(scan);
    } while (scan_take(scan, ','));
    return true;
}

static void read_line(struct loader *loader, struct scan scan)
{
    struct rat_entry rule = {0};
    struct scan addresses = scan;
    if (!skip_addresses(loader, &scan))
        return;
    bool good = read_rule(loader, &scan, &rule);
    do {
        struct rat_entry entry = rule;
        scan_blanks(&addresses);
        if (read_address(loader, &addresses, &entry) && good)
            good = add_entry(loader, &entry);
        scan_blanks(&addresses);
    } while (scan_take(&addresses, ','));
}

static struct rat *rat_new(void)
{
    struct rat *rat = calloc(1, sizeof *rat);
    if (rat == NULL)
        return NULL;
    rat->all = STRMAP_NONE;
    rat->arena = arena_new(0);
    rat->keys = strmap_new();
    if (rat->arena == NULL || rat->keys == NULL) {
        rat_free(rat);
        return NULL;
    }
    return rat;
}

struct rat *rat_load(const char *path, struct place at, struct problems *problems)
{
    size_t errors = problems_errors(problems);
    struct loader loader = {.rat = rat_new()};
    struct scan scan;
    if (loader.rat != NULL)
        loader.path = arena_dup(loader.rat->arena, path);
    if (loader.path == NULL) {
        problem_error(problems, at, "cannot read %s: out of memory", path);
    } else {
        if (reader_open(&loader.reader, loader.path, at, problems)) {
            while (reader_next(&loader.reader, &scan))
                read_line(&loader, scan);
        }
        reader_close(&loader.reader);
    }
    if (problems_errors(problems) > errors) {
        rat_free(loader.rat);
        return NULL;
    }
    return loader.rat;
}
