/*
 * hat_tokens.h - a HAT text file as words and signs (SPEC 3.2).
 *
 * One token of look-ahead. Where a token stands in its line is part of it,
 * because a line that is not indented more than a statement's first begins the
 * next one. Comments in parentheses are tokens, those behind '#' are dropped.
 * One thread; blocks on the file.
 */
#ifndef LIB_TABLES_HAT_TOKENS_H
#define LIB_TABLES_HAT_TOKENS_H

#include "lib/base/lines.h"
#include "lib/tables/policy.h"
#include "lib/tables/scan.h"

enum hat_token_kind {
    HAT_TOKEN_END,     /* of the file */
    HAT_TOKEN_WORD,    /* a sender, a group's name with its colon, a key, a value */
    HAT_TOKEN_ACTION,  /* ACCEPT ...; such a word before a comma is a host's name */
    HAT_TOKEN_POLICY,  /* $NAME, without the $ */
    HAT_TOKEN_QUOTED,  /* "text", without its quotes */
    HAT_TOKEN_COMMENT, /* (text), without its parentheses: to the end of the line, or of a later one
                        */
    HAT_TOKEN_COMMA,
    HAT_TOKEN_EQUALS,
    HAT_TOKEN_OPEN, /* { */
    HAT_TOKEN_CLOSE,
    HAT_TOKEN_WRONG /* an error, already told */
};

#define HAT_COMMENT_MAX 2000 /* bytes of one that runs over several lines */

struct hat_token {
    enum hat_token_kind kind;
    struct slice text; /* of QUOTED in the arena, as a COMMENT may be; else valid until the next
                          token is read */
    enum policy_access access;
    struct place at;
    bool first; /* in its line */
};

struct hat_tokens {
    struct lines *lines;
    struct problems *problems;
    struct arena *arena; /* quoted texts; the caller's to empty */
    struct scan scan;
    struct hat_token now; /* the one to look at */
};

/* path is borrowed. false: the file cannot be read, a problem at `at`. */
NODISCARD bool hat_tokens_open(struct hat_tokens *tokens, const char *path, struct place at,
                               struct arena *arena, struct problems *problems);
void hat_tokens_close(struct hat_tokens *tokens);
void hat_tokens_next(struct hat_tokens *tokens);

#endif
