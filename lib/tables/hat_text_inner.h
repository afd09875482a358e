/*
 * hat_text_inner.h - what hat_text.c and hat_text_policy.c share: a HAT text
 * file half read. Nobody else includes this.
 *
 * Functions that read a part of a statement return false when the statement
 * cannot be used, which is a problem already. text->stopped: nor can the rest
 * (out of memory).
 */
#ifndef LIB_TABLES_HAT_TEXT_INNER_H
#define LIB_TABLES_HAT_TEXT_INNER_H

#include "lib/base/strmap.h"
#include "lib/tables/hat_builder.h"
#include "lib/tables/hat_text.h"
#include "lib/tables/hat_tokens.h"

struct hat_text {
    struct hat_tokens tokens;
    struct hat_builder builder;
    const struct policies *policies;    /* of the configuration */
    struct strmap *targets;             /* name of a policy -> its number */
    struct strmap *groups;              /* name -> line */
    uint32_t bare[POLICY_CONTINUE + 1]; /* by action: number of the target, or HAT_TEXT_NONE */
    struct hat_setting *settings;       /* owned: those of the braces at hand */
    size_t nsettings, room;
    struct place start; /* of the statement */
    struct place entry; /* the first that is no policy; line 0: none yet */
    struct place all;   /* line 0: not yet read */
    bool behind;        /* something follows ALL, which was told */
    bool comma;         /* the last token was one */
    bool stopped;
};

#define HAT_TEXT_NONE UINT32_MAX

/* Does the token at hand belong to the statement? */
bool hat_text_more(const struct hat_text *text);
void hat_text_step(struct hat_text *text);
/* An error there. Returns false. */
bool hat_text_refuse(struct hat_text *text, struct place at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
bool hat_text_stop(struct hat_text *text); /* out of memory: false */
/* Letters, digits, '_', '.' and '-', as in section names. */
bool hat_text_is_name(struct slice name);

/* The comment, if there is one; in the builder's scratch. */
NODISCARD bool hat_text_comment(struct hat_text *text, struct slice *comment_out);

/* $NAME ACTION [{...}] [(comment)]: a statement of its own. */
NODISCARD bool hat_text_policy(struct hat_text *text);
/* $NAME or ACTION [{...}], behind senders. */
NODISCARD bool hat_text_target(struct hat_text *text, uint32_t *target_out);

#endif
