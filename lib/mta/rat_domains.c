#include "lib/mta/rat_domains.h"

#include <string.h>

#include "lib/base/strmap.h"

/* Whole domains the RAT has refused in lines read so far. */
struct refused {
    struct strmap *keys; /* owned: "example.com", ".example.com" */
    bool all;
};

static bool is_refused(const struct refused *refused, const char *domain)
{
    return refused->all || strmap_get(refused->keys, slice_of(domain)) != STRMAP_NONE ||
           strmap_longest_suffix(refused->keys, domain) != STRMAP_NONE;
}

/* false: out of memory. */
static bool refuse(struct refused *refused, const struct rat_entry *entry)
{
    switch (entry->form) {
    case RAT_ALL:
        refused->all = true;
        return true;
    case RAT_DOMAIN:
    case RAT_BELOW:
    case RAT_LITERAL:
        return strmap_add(refused->keys, slice_of(entry->key), 1, NULL);
    case RAT_ADDRESS:
    case RAT_USER:
        return true;
    }
    return true;
}

/* The domain the MTA must let through for the milter to judge the recipient;
 * NULL when the entry names none. */
static const char *domain_of(const struct rat_entry *entry)
{
    switch (entry->form) {
    case RAT_DOMAIN:
    case RAT_BELOW:
    case RAT_LITERAL:
        return entry->key;
    case RAT_ADDRESS: {
        const char *at = strrchr(entry->key, '@');
        return at == NULL ? NULL : at + 1;
    }
    case RAT_USER:
    case RAT_ALL:
        return NULL;
    }
    return NULL;
}

bool rat_domains_each(const struct rat *rat,
                      void (*take)(void *arg, const char *domain, struct place at), void *arg)
{
    struct refused refused = {.keys = strmap_new()};
    bool ok = refused.keys != NULL;
    for (size_t i = 0; ok && i < rat_entries(rat); i++) {
        const struct rat_entry *entry = rat_entry_get(rat, i);
        const char *domain = domain_of(entry);
        if (!entry->accept)
            ok = refuse(&refused, entry);
        else if (domain != NULL && !is_refused(&refused, domain))
            take(arg, domain, entry->at);
    }
    strmap_free(refused.keys);
    return ok;
}

static void add(void *arg, const char *domain, struct place at)
{
    (void)at;
    keytable_add_domain(arg, domain, "OK");
}

bool rat_domains_add(const struct rat *rat, struct keytable *table)
{
    return rat_domains_each(rat, add, table);
}
