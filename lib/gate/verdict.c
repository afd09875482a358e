#include "lib/gate/verdict.h"

#include <string.h>

const struct reason_row reason_rows[REASON_COUNT] = {
#define REASON(name, by, token, action, code, status, text, doc)                                   \
    [REASON_##name] = {#name, by, token, VERDICT_##action, code, status, text, doc},
#include "lib/gate/reasons.def"
#undef REASON
};

const struct reason_row *reason_named(struct slice by, struct slice token,
                                      enum verdict_action action)
{
    const struct reason_row *found = NULL;

    for (size_t i = 0; i < REASON_COUNT; i++) {
        const struct reason_row *row = &reason_rows[i];
        if (slice_is(by, row->by) && slice_is(token, row->token) &&
            (found == NULL || row->action == action))
            found = row;
    }
    return found;
}

const char *verdict_action_name(enum verdict_action action)
{
    switch (action) {
    case VERDICT_CONTINUE:
        return "accept";
    case VERDICT_REJECT:
        return "reject";
    case VERDICT_TEMPFAIL:
        return "tempfail";
    }
    return "tempfail";
}

const char *verdict_rule_text(const struct verdict *verdict, char text[VERDICT_RULE_MAX])
{
    const struct place *rule = &verdict->rule;

    if (rule->file == NULL)
        return NULL;
    if (rule->line != 0)
        snprintf(text, VERDICT_RULE_MAX, "%s:%u", rule->file, rule->line);
    else
        snprintf(text, VERDICT_RULE_MAX, "%s", rule->file);
    return text;
}

void verdict_set(struct verdict *verdict, enum reason reason)
{
    verdict_reply(verdict, reason, 0, NULL);
}

/* libmilter and Postfix drop a reply whose status is of another class than its
 * code, so the code always wins. */
static void take_status(struct verdict *verdict, const char *status)
{
    snprintf(verdict->status, sizeof verdict->status, "%s", status);
    verdict->status[0] = (char)('0' + verdict->code / 100);
}

void verdict_reply(struct verdict *verdict, enum reason reason, int code, const char *text)
{
    const struct reason_row *row = &reason_rows[reason];
    char written[REPLYTEXT_STATUS_MAX] = "";

    *verdict = (struct verdict){
        .reason = reason,
        .action = row->action,
        .code = code != 0 ? code : row->code,
        .text = row->text,
        .server = "",
        .remote = "",
    };
    if (row->action != VERDICT_CONTINUE)
        verdict->action = verdict->code / 100 == 4 ? VERDICT_TEMPFAIL : VERDICT_REJECT;
    if (text != NULL)
        replytext_split(text, written, &verdict->text);
    if (verdict->text[0] == '\0')
        verdict->text = row->text;
    take_status(verdict, written[0] != '\0' ? written : row->status);
}
