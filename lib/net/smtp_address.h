/*
 * smtp_address.h - an address as it is looked for in the text of a reply.
 *
 * Letters are folded (smtp_charset.h) and the local part is without its
 * quotes, so that spellings compare equal. Pure, no allocation; any thread.
 */
#ifndef LIB_NET_SMTP_ADDRESS_H
#define LIB_NET_SMTP_ADDRESS_H

#include "lib/net/smtp_charset.h"

#define SMTP_ADDRESS_KEPT 512

struct smtp_address {
    uint16_t text[SMTP_ADDRESS_KEPT]; /* folded; local part without its quotes */
    size_t n, local_n;                /* with '@' and domain; before the '@' */
    bool plain;                       /* the local part could be a common word */
};

/* Without brackets; longer ones are nobody's. */
void smtp_address_of(struct slice address, struct smtp_address *out);

uint16_t smtp_address_key(uint16_t c); /* a character as it is in text[] */

#endif
