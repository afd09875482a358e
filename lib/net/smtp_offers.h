/*
 * smtp_offers.h - what a server offers in its answer to EHLO (RFC 5321 4.1.1.1),
 * as far as we use it.
 *
 * Pure functions. The text of a reply: lines separated by '\n', the first of
 * which is the server's name. Any thread.
 */
#ifndef LIB_NET_SMTP_OFFERS_H
#define LIB_NET_SMTP_OFFERS_H

#include "lib/base/str.h"

enum smtp_offer { SMTP_OFFERS_PIPELINING = 1, SMTP_OFFERS_STARTTLS = 2, SMTP_OFFERS_SMTPUTF8 = 4 };

unsigned smtp_offers(struct slice text); /* a set of them */

#define RCPT_BYTES_MAX 1000 /* of one address */

/* NULL when the address can be put into a command to a server with these offers,
 * else why not. utf8: it needs SMTPUTF8; without it smtp_offers_no_utf8. */
extern const char smtp_offers_no_utf8[];
const char *smtp_offers_refuse(unsigned offers, const char *recipient, bool utf8);

#endif
