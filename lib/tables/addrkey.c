/* addrkey.c - see addrkey.h. */
#include "lib/tables/addrkey.h"

#include <string.h>

/* --- reading ------------------------------------------------------------------- */

/* false: it does not fit. domain may be "". */
static bool make_key(const char *local, const char *domain, char key[ADDRKEY_MAX])
{
    int n = snprintf(key, ADDRKEY_MAX, "%s@%s", local, domain);
    if (n < 0 || n >= ADDRKEY_MAX)
        return false;
    ascii_lower_in_place(key);
    return true;
}

static bool parse_address(struct slice text, struct arena *scratch, struct mailaddr *addr_out)
{
    /* The reader of envelopes forgives brackets and routes; here they would be
     * slips of the pen. */
    if (text.n == 0 || text.n > MAILADDR_PATH_MAX || text.p[0] == '<' || text.p[0] == '@' ||
        !mailaddr_parse(text, MAILADDR_STRICT, false, scratch, addr_out, NULL))
        return false;
    if (addr_out->kind == MAILADDR_LOCAL && text.p[text.n - 1] != '@')
        return false;
    return addr_out->kind != MAILADDR_DOMAIN || !domain_is_numeric(addr_out->domain);
}

bool addrkey_user(struct slice text, struct arena *scratch, enum addrkey_form *form_out,
                  char key_out[ADDRKEY_MAX])
{
    struct mailaddr addr;
    if (!parse_address(text, scratch, &addr))
        return false;
    *form_out = addr.kind == MAILADDR_LOCAL ? ADDRKEY_USER : ADDRKEY_ADDRESS;
    return make_key(addr.local, addr.domain, key_out);
}

/* As the domain of an address, so that both are written the same way. */
static bool literal_key(struct slice text, struct arena *scratch, char key[ADDRKEY_MAX])
{
    struct mailaddr addr;
    const char *address = arena_printf(scratch, "x@%.*s", (int)text.n, text.p);
    if (address == NULL || !parse_address(slice_of(address), scratch, &addr) ||
        addr.kind != MAILADDR_LITERAL)
        return false;
    snprintf(key, ADDRKEY_MAX, "%s", addr.domain);
    return true;
}

bool addrkey_host(struct slice text, struct arena *scratch, enum addrkey_form *form_out,
                  char key_out[ADDRKEY_MAX])
{
    if (text.n == 0 || text.n > MAILADDR_PATH_MAX)
        return false;
    if (text.p[0] == '[') {
        *form_out = ADDRKEY_LITERAL;
        return literal_key(text, scratch, key_out);
    }
    bool dot = text.p[0] == '.';
    *form_out = dot ? ADDRKEY_BELOW : ADDRKEY_DOMAIN;
    key_out[0] = '.';
    return domain_canon((struct slice){text.p + dot, text.n - dot}, key_out + dot) &&
           !domain_is_numeric(key_out + dot);
}

bool addrkey_sender(struct slice text, struct arena *scratch, enum addrkey_form *form_out,
                    char key_out[ADDRKEY_MAX])
{
    if (text.n > 0 && text.p[0] == '@')
        return addrkey_host((struct slice){text.p + 1, text.n - 1}, scratch, form_out, key_out);
    return addrkey_user(text, scratch, form_out, key_out);
}

/* --- looking up ------------------------------------------------------------------- */

/* STRMAP_NONE is the highest number, so that the lower of two is the first
 * match of both. */
static uint32_t lower(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t find_local(const struct strmap *keys, const struct mailaddr *addr)
{
    char key[ADDRKEY_MAX];
    uint32_t found = STRMAP_NONE;
    if (make_key(addr->local, "", key))
        found = strmap_get(keys, slice_of(key));
    if (addr->domain[0] != '\0' && make_key(addr->local, addr->domain, key))
        found = lower(found, strmap_get(keys, slice_of(key)));
    return found;
}

/* user@domain is met by user@ and by what meets the domain, but a literal has no
 * suffixes. */
static uint32_t wider_address(const struct strmap *keys, const char *key)
{
    const char *at = strrchr(key, '@');
    const char *host = at + 1;
    uint32_t found = strmap_get(keys, (struct slice){key, (size_t)(host - key)});
    found = lower(found, strmap_get(keys, slice_of(host)));
    return host[0] == '[' ? found : lower(found, strmap_lowest_suffix(keys, host));
}

uint32_t addrkey_wider(const struct strmap *keys, enum addrkey_form form, const char *key)
{
    uint32_t found = strmap_get(keys, slice_of(key));
    switch (form) {
    case ADDRKEY_DOMAIN:
        return lower(found, strmap_lowest_suffix(keys, key));
    case ADDRKEY_BELOW:
        return lower(found, strmap_lowest_suffix(keys, key + 1));
    case ADDRKEY_ADDRESS:
        return lower(found, wider_address(keys, key));
    case ADDRKEY_USER:
    case ADDRKEY_LITERAL:
        break;
    }
    return found;
}

uint32_t addrkey_lowest(const struct strmap *keys, const struct mailaddr *addr)
{
    uint32_t found = STRMAP_NONE;
    switch (addr->kind) {
    case MAILADDR_NULL:
        break;
    case MAILADDR_DOMAIN:
        found = strmap_lowest_suffix(keys, addr->domain);
        found = lower(found, strmap_get(keys, slice_of(addr->domain)));
        found = lower(found, find_local(keys, addr));
        break;
    case MAILADDR_LITERAL:
        found = strmap_get(keys, slice_of(addr->domain));
        found = lower(found, find_local(keys, addr));
        break;
    case MAILADDR_LOCAL:
        found = find_local(keys, addr);
        break;
    }
    return found;
}
