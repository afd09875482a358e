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
#include "lib/base/replytext.h"
#include "lib/tables/reader.h"

#define TEXT_MAX 900 /* bytes of a reply text (SPEC 2) */

struct loader {
    struct reader reader;
    struct rat *rat;
    const char *path; /* in the table's arena: places borrow it */
    bool told_of_all; /* that entries after ALL never match */
};

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
                         "\"%s\" is no flag; allowed: bypass_rate_limit, bypass_ldap, "
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

static bool read_code(struct loader *loader, struct scan *scan, struct rat_entry *rule)
{
    char copy[READER_SHOWN_MAX];
    unsigned column = scan_column(scan);
    uint64_t code = 0, least = rule->accept ? 200 : 400, most = rule->accept ? 299 : 599;
    if (scan_next_is(scan, '"'))
        return reader_refuse(&loader->reader, column,
                             "a code of three digits is missing before the text");
    struct slice word = scan_word(scan, "");
    if (word.n != 3 || !str_to_uint(word, most, &code) || code < least)
        return reader_refuse(&loader->reader, column,
                             "\"%s\" is no code for %s; allowed: %u to %u, then a text in double "
                             "quotes",
                             reader_shown(word, copy), rule->accept ? "ACCEPT" : "REJECT",
                             (unsigned)least, (unsigned)most);
    rule->code = (int)code;
    return true;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        bool c1 = (uint8_t)text[0] == 0xc2 && (uint8_t)text[1] < 0xa0;
        if (ascii_is_control(*text) || c1)
            return true;
    }
    return false;
}

static bool read_text(struct loader *loader, struct scan *scan, struct rat_entry *rule)
{
    unsigned column = scan_column(scan);
    struct err err;
    if (!scan_next_is(scan, '"'))
        return reader_refuse(&loader->reader, column,
                             "a text in double quotes is missing after the code %d", rule->code);
    if (!scan_quoted(scan, loader->rat->arena, &rule->text, &err))
        return reader_refuse(&loader->reader, column, "%s", err.text);
    if (rule->text[0] == '\0' || strlen(rule->text) > TEXT_MAX || has_control(rule->text))
        return reader_refuse(&loader->reader, column,
                             "the text must have 1 to %d bytes and no control characters",
                             TEXT_MAX);
    if (!replytext_fits(rule->text, rule->code, &err))
        return reader_refuse(&loader->reader, column, "%s", err.text);
    return true;
}

static bool read_reply(struct loader *loader, struct scan *scan, struct rat_entry *rule)
{
    unsigned column = scan_column(scan);
    if (scan_end(scan))
        return true;
    if (!read_code(loader, scan, rule))
        return false;
    scan_blanks(scan);
    if (!read_text(loader, scan, rule))
        return false;
    scan_blanks(scan);
    if (!scan_end(scan))
        return reader_refuse(&loader->reader, scan_column(scan),
                             "nothing may follow the reply text");
    if (rule->accept)
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
    if (word.n == 0)
        return reader_refuse(&loader->reader, column, "ACCEPT or REJECT is missing");
    if (!rule->accept && !slice_is_nocase(word, "REJECT"))
        return reader_refuse(&loader->reader, column,
                             "\"%s\" is no action; allowed: ACCEPT or REJECT",
                             reader_shown(word, copy));
    scan_blanks(scan);
    if (!read_flags(loader, scan, rule))
        return false;
    scan_blanks(scan);
    return read_reply(loader, scan, rule);
}

/* --- addresses ------------------------------------------------------------------ */

static bool parse_address(struct slice text, struct arena *scratch, struct mailaddr *addr_out)
{
    /* The reader of envelopes forgives brackets and routes; here they would be
     * slips of the pen. */
    if (text.p[0] == '<' || text.p[0] == '@' ||
        !mailaddr_parse(text, MAILADDR_STRICT, false, scratch, addr_out, NULL))
        return false;
    if (addr_out->kind == MAILADDR_LOCAL && text.p[text.n - 1] != '@')
        return false;
    return addr_out->kind != MAILADDR_DOMAIN || !domain_is_numeric(addr_out->domain);
}

static bool user_form(struct slice text, struct arena *scratch, enum rat_form *form_out,
                      char key[RAT_KEY_MAX])
{
    struct mailaddr addr;
    if (!parse_address(text, scratch, &addr))
        return false;
    *form_out = addr.kind == MAILADDR_LOCAL ? RAT_USER : RAT_ADDRESS;
    return rat_key(addr.local, addr.domain, key);
}

/* As the domain of an address, so that both are written the same way. */
static bool literal_form(struct slice text, struct arena *scratch, char key[RAT_KEY_MAX])
{
    struct mailaddr addr;
    const char *address = arena_printf(scratch, "x@%.*s", (int)text.n, text.p);
    if (address == NULL || !parse_address(slice_of(address), scratch, &addr) ||
        addr.kind != MAILADDR_LITERAL)
        return false;
    snprintf(key, RAT_KEY_MAX, "%s", addr.domain);
    return true;
}

static bool domain_form(struct slice text, enum rat_form *form_out, char key[RAT_KEY_MAX])
{
    bool dot = text.p[0] == '.';
    *form_out = dot ? RAT_BELOW : RAT_DOMAIN;
    key[0] = '.';
    return domain_canon((struct slice){text.p + dot, text.n - dot}, key + dot) &&
           !domain_is_numeric(key + dot);
}

static bool parse_form(struct slice text, struct arena *scratch, enum rat_form *form_out,
                       char key[RAT_KEY_MAX])
{
    if (text.n > MAILADDR_PATH_MAX)
        return false;
    if (slice_is_nocase(text, "ALL")) {
        *form_out = RAT_ALL;
        memcpy(key, "ALL", 4);
        return true;
    }
    if (memchr(text.p, '@', text.n) != NULL)
        return user_form(text, scratch, form_out, key);
    if (text.p[0] == '[') {
        *form_out = RAT_LITERAL;
        return literal_form(text, scratch, key);
    }
    return domain_form(text, form_out, key);
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

static void warn_if_hidden(struct loader *loader, const struct rat_entry *entry, uint32_t first)
{
    const struct rat *rat = loader->rat;
    unsigned column = entry->at.column;
    if (first != STRMAP_NONE) {
        reader_warn(&loader->reader, column, "%s never matches: it stands in line %u already",
                    entry->address, rat->list[first].at.line);
    } else if (rat->all != STRMAP_NONE && !loader->told_of_all) {
        loader->told_of_all = true;
        reader_warn(&loader->reader, column,
                    "%s never matches, nor does anything below it: ALL in line %u comes first",
                    entry->address, rat->list[rat->all].at.line);
    }
}

static bool add_entry(struct loader *loader, const struct rat_entry *entry)
{
    struct rat *rat = loader->rat;
    uint32_t first = rat->all, next = (uint32_t)rat->count;
    bool all = entry->form == RAT_ALL;
    if (!all)
        first = strmap_get(rat->keys, slice_of(entry->key));
    warn_if_hidden(loader, entry, first);
    if (append(loader, entry) == NULL)
        return reader_no_memory(&loader->reader);
    if (first != STRMAP_NONE)
        return true;
    if (all)
        rat->all = next;
    else if (!strmap_add(rat->keys, slice_of(entry->key), next, NULL))
        return reader_no_memory(&loader->reader);
    return true;
}

static bool read_address(struct loader *loader, struct scan *scan, struct rat_entry *entry)
{
    char copy[READER_SHOWN_MAX], key[RAT_KEY_MAX];
    struct slice utf8;
    struct arena *arena = loader->rat->arena;
    unsigned column = scan_column(scan);
    struct slice word = scan_word(scan, ",");
    if (!scan_utf8(word, loader->reader.scratch, &utf8))
        return reader_no_memory(&loader->reader);
    if (!parse_form(utf8, loader->reader.scratch, &entry->form, key))
        return reader_refuse(&loader->reader, column,
                             "\"%s\" is no address; allowed: example.com, .example.com, "
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
