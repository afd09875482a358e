/*
 * verdict.h - what is answered to one SMTP command, and why.
 *
 * Filled by a stage (stage.h), spoken by milter/reply.c, logged by journal.h,
 * printed by `gatehousectl trace`. Replies, log tokens and the manual's table
 * all come from reasons.def. Plain data; texts live in the arena of the
 * connection or message. Per command only continue, reject and tempfail
 * exist: a milter's ACCEPT would hide later recipients (SPEC 4).
 */
#ifndef LIB_GATE_VERDICT_H
#define LIB_GATE_VERDICT_H

#include "lib/base/answer.h"
#include "lib/base/arena.h"
#include "lib/base/problem.h"
#include "lib/base/replytext.h"

enum verdict_action { VERDICT_CONTINUE, VERDICT_REJECT, VERDICT_TEMPFAIL };

enum reason {
#define REASON(name, by, token, action, code, status, text, doc) REASON_##name,
#include "lib/gate/reasons.def"
#undef REASON
    REASON_COUNT
};

struct reason_row {
    const char *name, *by, *token;
    enum verdict_action action;
    int code;
    const char *status, *text, *doc;
};
extern const struct reason_row reason_rows[REASON_COUNT];

/* The row that by= and detail= of a log line name; of several that of this action. NULL: none. */
const struct reason_row *reason_named(struct slice by, struct slice token,
                                      enum verdict_action action);

struct verdict {
    enum verdict_action action;
    enum reason reason;
    int code;
    char status[REPLYTEXT_STATUS_MAX]; /* always of the code's class */
    const char *text;                  /* without code and status; "" when continuing */
    /* What decided: a line of the configuration or of a table; without a line "default", where
     * nobody wrote the key, or "block:ENTRY", an entry made at run time. file NULL: none. */
    struct place rule;
    /* What directory or call-ahead said: was asked; the answer was in the cache. */
    bool asked, cached;
    const char *server;              /* who was asked; "" nobody */
    const char *remote;              /* what it said, cleaned; "" nothing */
    uint32_t invalid, invalid_total; /* this client's invalid recipients, where one was counted */
    uint32_t ms;                     /* spent in this stage */
};

/* "FILE:LINE", or the word that stands for it; NULL: none. Returns text or NULL. */
#define VERDICT_RULE_MAX 4200 /* a path, a line, and the NUL */
const char *verdict_rule_text(const struct verdict *verdict, char text[VERDICT_RULE_MAX]);

const char *verdict_action_name(enum verdict_action action); /* accept, reject, tempfail */

/* The reason's default reply; clears everything else. */
void verdict_set(struct verdict *verdict, enum reason reason);

/* With the administrator's code and text. code 0 and text NULL or without
 * words: the reason's own. A status in front of text is used; any status takes
 * the class of the code. text must outlive the verdict. */
void verdict_reply(struct verdict *verdict, enum reason reason, int code, const char *text);

#endif
