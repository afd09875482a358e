/*
 * smtp_words.h - the text of a reply as words that phrases can be looked for in.
 *
 * Words are in lower case and without accents, one blank after each, and "."
 * stands for the end of a sentence; an ideograph or kana is a word by itself.
 * What somebody else may have chosen is left out: addresses, links, host names
 * of three labels or more. In place of the recipient asked about, by its
 * address or its local part, stands "@". Statuses, addresses of hosts and the
 * sender we gave are told apart.
 * Pure, no allocation, no locale; any thread. Linear in the text.
 */
#ifndef LIB_NET_SMTP_WORDS_H
#define LIB_NET_SMTP_WORDS_H

#include "lib/base/str.h"
#include "lib/net/smtp_address.h"
#include "lib/net/smtp_charset.h"
#include "lib/net/smtp_reply.h"

#define SMTP_STATUSES_MAX 8
/* A byte makes two at most: an ideograph of two bytes three, and a blank. */
#define SMTP_WORDS_BYTES (2 * SMTP_TEXT_KEPT + 16)
#define SMTP_WORDS_MAX (SMTP_TEXT_KEPT + 4)

enum smtp_mark {
    SMTP_PUNCTUATED = 1, /* more than blanks stand before it */
    SMTP_LABEL = 2,      /* of a host name or link that was left out; these come last */
    /* For smtp_phrases.c: */
    SMTP_HIDDEN = 4,  /* belongs to a phrase that hides it */
    SMTP_IS_WHO = 8,  /* names a recipient */
    SMTP_IS_WHAT = 16 /* names something else */
};

struct smtp_words {
    char text[SMTP_WORDS_BYTES + 1];
    uint16_t start[SMTP_WORDS_MAX];
    uint8_t marks[SMTP_WORDS_MAX];
    size_t text_n, n;
    char statuses[SMTP_STATUSES_MAX][12]; /* in the text; further ones are dropped */
    size_t statuses_n;
    /* It has the address of a host, or a word that is the recipient's local part
     * and perhaps more: it may be about something else. */
    bool doubtful;
    bool names_sender;
};

/* Looks at the first SMTP_TEXT_KEPT bytes. */
void smtp_words_of(struct slice text, enum smtp_charset charset,
                   const struct smtp_address *recipient, const struct smtp_address *sender,
                   struct smtp_words *out);

#endif
