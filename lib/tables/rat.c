/*
 * rat.c - the Recipient Access Table: look-up and export. Reading the file is
 * rat_file.c.
 */
#include "lib/tables/rat_table.h"

#include <string.h>

static const struct rat_entry implied = {
    .form = RAT_ALL, .address = "ALL", .key = "ALL", .accept = false};

void rat_free(struct rat *rat)
{
    if (rat == NULL)
        return;
    strmap_free(rat->keys);
    arena_free(rat->arena);
    free(rat->list);
    free(rat);
}

bool rat_key(const char *local, const char *domain, char key[RAT_KEY_MAX])
{
    int n = snprintf(key, RAT_KEY_MAX, "%s@%s", local, domain);
    if (n < 0 || n >= RAT_KEY_MAX)
        return false;
    ascii_lower_in_place(key);
    return true;
}

/* STRMAP_NONE is the highest number, so that the lower of two is the first
 * match of both. */
static uint32_t lower(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t find_local(const struct rat *rat, const struct mailaddr *addr)
{
    char key[RAT_KEY_MAX];
    uint32_t found = STRMAP_NONE;
    if (rat_key(addr->local, "", key))
        found = strmap_get(rat->keys, slice_of(key));
    if (addr->domain[0] != '\0' && rat_key(addr->local, addr->domain, key))
        found = lower(found, strmap_get(rat->keys, slice_of(key)));
    return found;
}

const struct rat_entry *rat_lookup(const struct rat *rat, const struct mailaddr *addr)
{
    uint32_t found = rat->all;
    switch (addr->kind) {
    case MAILADDR_NULL:
        break;
    case MAILADDR_DOMAIN:
        found = lower(found, strmap_lowest_suffix(rat->keys, addr->domain));
        found = lower(found, strmap_get(rat->keys, slice_of(addr->domain)));
        found = lower(found, find_local(rat, addr));
        break;
    case MAILADDR_LITERAL:
        found = lower(found, strmap_get(rat->keys, slice_of(addr->domain)));
        found = lower(found, find_local(rat, addr));
        break;
    case MAILADDR_LOCAL:
        found = lower(found, find_local(rat, addr));
        break;
    }
    return found != STRMAP_NONE ? &rat->list[found] : &implied;
}

size_t rat_entries(const struct rat *rat)
{
    return rat->count;
}

const struct rat_entry *rat_entry_get(const struct rat *rat, size_t index)
{
    CHECK(index < rat->count);
    return &rat->list[index];
}

const struct rat_entry *rat_accepts_all(const struct rat *rat)
{
    return rat->all != STRMAP_NONE && rat->list[rat->all].accept ? &rat->list[rat->all] : NULL;
}

const char *const rat_flag_words[] = {"bypass_rate_limit", "bypass_ldap", "bypass_callahead", NULL};

static void export_flags(unsigned flags, struct strbuf *out)
{
    const char *before = " {";
    for (unsigned i = 0; rat_flag_words[i] != NULL; i++) {
        if (flags & 1u << i) {
            strbuf_printf(out, "%s%s", before, rat_flag_words[i]);
            before = ", ";
        }
    }
    strbuf_putc(out, '}');
}

static void export_reply(const struct rat_entry *entry, struct strbuf *out)
{
    strbuf_printf(out, " %d \"", entry->code);
    for (const char *p = entry->text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            strbuf_putc(out, '\\');
        strbuf_putc(out, *p);
    }
    strbuf_putc(out, '"');
}

void rat_export(const struct rat *rat, struct strbuf *out)
{
    for (size_t i = 0; i < rat->count; i++) {
        const struct rat_entry *entry = &rat->list[i];
        strbuf_printf(out, "%s %s", entry->address, entry->accept ? "ACCEPT" : "REJECT");
        if (entry->flags != 0)
            export_flags(entry->flags, out);
        if (entry->text != NULL)
            export_reply(entry, out);
        strbuf_putc(out, '\n');
    }
}
