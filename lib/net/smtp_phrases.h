/*
 * smtp_phrases.h - what the words of a reply speak of: a table of phrases.
 *
 * Each row has a language, a topic and the phrase (smtp_phrases_*.def, which
 * say what kind of host writes it). Phrases are made of whole words; '*' at
 * the end of one stands for any ending. That a recipient does not exist is
 * said by a phrase of its own ("not our customer"), or by a word for a
 * recipient near one for not existing, with no other subject between them:
 * "the account ... does not exist", but not "the account's domain does not
 * exist". Pure, no allocation, no locale; any thread.
 */
#ifndef LIB_NET_SMTP_PHRASES_H
#define LIB_NET_SMTP_PHRASES_H

#include "lib/net/smtp_words.h"

enum smtp_language {
    SMTP_EN,
    SMTP_DE,
    SMTP_FR,
    SMTP_ES,
    SMTP_PT,
    SMTP_IT,
    SMTP_NL,
    SMTP_PL,
    SMTP_RU,
    SMTP_JA,
    SMTP_ZH
};
#define SMTP_LANGUAGES 11

enum smtp_topic {
    SMTP_NOTHING = 0,    /* only hides what it holds */
    SMTP_NO_USER = 1,    /* the recipient does not exist */
    SMTP_REJECTED = 2,   /* "recipient address rejected": says so with some statuses only */
    SMTP_OUTLOOK = 4,    /* "recipient address rejected: access denied" */
    SMTP_GREYLIST = 8,   /* come back later */
    SMTP_FULL = 16,      /* quota */
    SMTP_RATE = 32,      /* too many, too fast */
    SMTP_SENDER = 64,    /* the envelope sender */
    SMTP_CLIENT = 128,   /* the asking host, its name and address */
    SMTP_BLOCK = 256,    /* blocking, lists, reputation */
    SMTP_DENIED = 512,   /* "denied", no more */
    SMTP_POLICY = 1024,  /* rules, relaying, authentication, encryption */
    SMTP_CONTENT = 2048, /* what the message would hold */
    SMTP_TROUBLE = 4096, /* the server's own */
    SMTP_NO_HOST = 8192, /* a domain or host that does not exist */
    SMTP_LIST = 16384,   /* the name of a block list; in host names and links, too */
    /* Parts of SMTP_NO_USER: who does not exist ... */
    SMTP_WHO = 1 << 16,
    SMTP_WHAT = 1 << 17, /* ... somebody or something else */
    /* ... and that he does not: before him as a rule ("unknown user"), behind
     * him ("user not found"), or only right beside him ("invalid user"). */
    SMTP_IS_NOT_BEFORE = 1 << 18,
    SMTP_IS_NOT_BEHIND = 1 << 19,
    SMTP_IS_NOT_BESIDE = 1 << 20
};

struct smtp_phrase {
    enum smtp_language language;
    enum smtp_topic topic;
    bool hides; /* the words it is made of count for nothing else */
    const char *words;
};

extern const struct smtp_phrase smtp_phrases[];
extern const size_t smtp_phrases_n;

/* All topics up to SMTP_LIST. Sets marks of the words. */
unsigned smtp_topics_of(struct smtp_words *words);

#endif
