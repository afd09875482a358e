/* smtp_address.c - see smtp_address.h. */
#include "lib/net/smtp_address.h"

#include <string.h>

uint16_t smtp_address_key(uint16_t c)
{
    uint16_t second = 0;
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? (uint16_t)(c + ('a' - 'A')) : c;
    uint16_t folded = smtp_fold(c, &second);
    return folded == 0 || folded == ' ' ? c : folded;
}

/* Letters, blanks and hyphens only, as words of a sentence. */
static bool is_plain(const uint16_t *local, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (local[i] < 0x80 && !ascii_is_alpha((char)local[i]) && local[i] != '-' &&
            local[i] != ' ')
            return false;
    }
    return true;
}

static size_t unquote(uint16_t *local, size_t n)
{
    size_t kept = 0;
    if (n < 2 || local[0] != '"' || local[n - 1] != '"')
        return n;
    for (size_t i = 1; i + 1 < n; i++) {
        if (local[i] == '\\' && i + 2 < n)
            i++;
        local[kept++] = local[i];
    }
    return kept;
}

void smtp_address_of(struct slice address, struct smtp_address *out)
{
    uint16_t raw[SMTP_ADDRESS_KEPT];
    out->n = 0;
    out->local_n = 0;
    out->plain = false;
    if (address.n == 0 || address.n > SMTP_ADDRESS_KEPT)
        return;
    size_t n = smtp_decode(SMTP_UTF_8, address, raw), at = n;
    for (size_t i = 0; i < n; i++) {
        raw[i] = smtp_address_key(raw[i]);
        if (raw[i] == '@')
            at = i;
    }
    out->local_n = unquote(raw, at);
    memcpy(out->text, raw, out->local_n * sizeof raw[0]);
    memcpy(out->text + out->local_n, raw + at, (n - at) * sizeof raw[0]);
    out->n = out->local_n + (n - at);
    out->plain = is_plain(out->text, out->local_n);
}
