/*
 * rat.c - the Recipient Access Table: look-up and export. Reading the file is
 * rat_file.c.
 */
#include "lib/tables/rat_table.h"

#include "lib/tables/rulereply.h"

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

static uint32_t find(const struct rat *rat, const struct mailaddr *addr)
{
    uint32_t found = addrkey_lowest(rat->keys, addr);
    return found < rat->all ? found : rat->all;
}

const struct rat_entry *rat_lookup(const struct rat *rat, const struct mailaddr *addr)
{
    return rat_lookup_either(rat, addr, addr);
}

const struct rat_entry *rat_lookup_either(const struct rat *rat, const struct mailaddr *addr,
                                          const struct mailaddr *base)
{
    uint32_t found = find(rat, addr), other = base != addr ? find(rat, base) : found;
    if (other < found)
        found = other;
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

void rat_export(const struct rat *rat, struct strbuf *out)
{
    for (size_t i = 0; i < rat->count; i++) {
        const struct rat_entry *entry = &rat->list[i];
        strbuf_printf(out, "%s %s", entry->address, entry->accept ? "ACCEPT" : "REJECT");
        if (entry->flags != 0)
            export_flags(entry->flags, out);
        rulereply_export(&(struct rulereply){entry->code, entry->text}, out);
        strbuf_putc(out, '\n');
    }
}
