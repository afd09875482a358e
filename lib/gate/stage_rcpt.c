/* The RCPT stage in the order of SPEC 7. */
#include "lib/gate/ratekey.h"
#include "lib/gate/stage_steps.h"

static bool need_listener(struct stage *stage)
{
    return (stage->conn->listener == NULL || stage->gate->rules == NULL) &&
           stage_refuse(stage, REASON_NO_LISTENER);
}

/* Delayed rejection, or an earlier one the MTA went past. */
static bool refused_at_connect(struct stage *stage)
{
    if (!stage_refused_at_connect(stage->conn))
        return false;
    *stage->verdict = stage->conn->refusal;
    return true;
}

static bool too_many_recipients(struct stage *stage)
{
    const struct policy *policy = stage->conn->policy;
    return stage->mail->recipients >= (uint64_t)policy->keys.max_recipients_per_message &&
           stage_refuse_by(stage, REASON_TOO_MANY_RECIPIENTS,
                           POLICY_PLACE(policy, max_recipients_per_message));
}

static bool parse_recipient(struct stage *stage)
{
    const struct listener_keys *keys = stage->conn->listener->keys;
    enum mailaddr_mode mode = (enum mailaddr_mode)keys->address_parser;
    struct err err = {0};

    struct rcpt_facts *rcpt = stage->rcpt;

    rcpt->delimiters = keys->recipient_delimiter;
    if (mailaddr_parse(rcpt->sent, mode, false, stage->gate->arena, &rcpt->to, &err))
        return !mailaddr_without_extension(&rcpt->to, keys->recipient_delimiter, stage->gate->arena,
                                           &rcpt->base) &&
               stage_refuse(stage, REASON_INTERNAL);
    rcpt->to.text = NULL;
    return err.kind == ERR_MEMORY
               ? stage_refuse(stage, REASON_INTERNAL)
               : stage_refuse_by(stage, REASON_RECIPIENT_SYNTAX,
                                 LISTENER_PLACE(stage->conn->listener, address_parser));
}

/* Every host must take mail for it (RFC 5321 4.5.1), so nobody is asked whether it
 * exists. Who sends too much hears to come back, even where the policy's own code
 * would be a refusal for good. */
static bool bare_postmaster(struct stage *stage)
{
    if (!mailaddr_is_postmaster(&stage->rcpt->to))
        return false;
    if (stage_over_rates(stage)) {
        struct place rule = stage->verdict->rule;
        if (stage->verdict->action == VERDICT_REJECT)
            verdict_set(stage->verdict, stage->verdict->reason);
        stage->verdict->rule = rule;
        return true;
    }
    verdict_set(stage->verdict, REASON_POSTMASTER);
    return true;
}

static bool may_relay(struct stage *stage)
{
    const struct conn_facts *conn = stage->conn;
    if (!facts_may_relay(conn))
        return false;
    if (stage_over_rates(stage))
        return true;
    verdict_set(stage->verdict, conn->auth != NULL ? REASON_AUTHENTICATED : REASON_RELAYED);
    stage->verdict->rule = conn->match.at;
    return true;
}

static bool private_listener(struct stage *stage)
{
    const struct listener *listener = stage->conn->listener;
    return listener->keys->type == LISTENER_PRIVATE &&
           stage_refuse_by(stage, REASON_RELAYING_DENIED, LISTENER_PLACE(listener, type));
}

static bool refused_by_rat(struct stage *stage)
{
    const struct rat *rat = stage->gate->rules->rat;
    const struct rcpt_facts *rcpt = stage->rcpt;
    const struct rat_entry *entry =
        rat != NULL ? rat_lookup_either(rat, &rcpt->to, &rcpt->base) : NULL;

    stage->rat_entry = entry;
    if (entry != NULL && entry->accept)
        return false;
    if (entry != NULL)
        verdict_reply(stage->verdict, REASON_RAT_REJECTED, entry->code, entry->text);
    else
        verdict_set(stage->verdict, REASON_RAT_REJECTED);
    stage->verdict->rule = entry != NULL ? entry->at : LISTENER_PLACE(stage->gate->rules, rat);
    stage_count_invalid(stage);
    return true;
}

/* What the log and trace tell about a question. Best effort: without memory
 * the line is shorter, the verdict the same. */
static void note_answer(struct stage *stage, const char *server, const char *text, bool cached)
{
    stage->verdict->asked = true;
    stage->verdict->cached = cached;
    stage->verdict->server = arena_dup(stage->gate->arena, server);
    stage->verdict->remote = arena_dup(stage->gate->arena, text);
    if (stage->verdict->server == NULL)
        stage->verdict->server = "";
    if (stage->verdict->remote == NULL)
        stage->verdict->remote = "";
    if (stage->verdict->rule.file == NULL) /* else it is the harvester's */
        stage->verdict->rule = stage->rat_entry->at;
}

/* --- directory ------------------------------------------------------------- */

static enum reason directory_reason(const struct directory_rules *rules, enum directory_class class)
{
    switch (class) {
    case DIRECTORY_MATCH:
        return REASON_DIRECTORY_MATCH;
    case DIRECTORY_NO_MATCH:
        return REASON_DIRECTORY_NO_MATCH;
    case DIRECTORY_ERROR:
        break;
    }
    return rules->error_accepts ? REASON_DIRECTORY_EXCUSED : REASON_DIRECTORY_FAILED;
}

static bool ask_directory(struct stage *stage)
{
    const struct services *services = stage->gate->services;
    const struct directory_rules *rules = stage->gate->rules->directory;

    if (rules == NULL || (stage->rat_entry->flags & RAT_BYPASS_LDAP) != 0)
        return false;

    struct directory_answer answer;
    services->directory(services->ctx, rules->plan, &stage->rcpt->base, &stage->mail->sender,
                        stage->gate->deadline, &answer);
    verdict_set(stage->verdict, directory_reason(rules, answer.class));
    if (answer.class == DIRECTORY_NO_MATCH)
        stage_count_invalid(stage);
    note_answer(stage, answer.server, answer.text, answer.cached);
    stage->directory_decided = stage->verdict->action == VERDICT_CONTINUE;
    return !stage->directory_decided;
}

/* --- call-ahead ------------------------------------------------------------ */

/* A temporary answer is the recipient's; anything else that is neither yes nor
 * "user unknown" says nothing about the recipient (SPEC 8). */
static bool is_temporary(const struct callahead_answer *answer)
{
    switch (answer->class) {
    case CALLAHEAD_GREYLISTED:
    case CALLAHEAD_TEMPORARY:
        return true;
    case CALLAHEAD_MAILBOX_FULL:
    case CALLAHEAD_POLICY:
        return answer->code / 100 == 4;
    case CALLAHEAD_VALID:
    case CALLAHEAD_USER_UNKNOWN:
    case CALLAHEAD_SERVER_ILL:
        return false;
    }
    return false;
}

/* The server's words instead of ours, with its status where it gave one. */
static const char *refusal_text(struct stage *stage, const struct callahead_rules *rules,
                                const struct callahead_answer *answer, const char *own)
{
    if (!rules->server_text || answer->code < 400 || answer->text[0] == '\0')
        return own;
    const char *text = answer->status[0] == '\0' ? arena_dup(stage->gate->arena, answer->text)
                                                 : arena_printf(stage->gate->arena, "%s %s",
                                                                answer->status, answer->text);
    return text != NULL ? text : own;
}

static void judge_temporary(struct stage *stage, const struct callahead_rules *rules,
                            const struct callahead_answer *answer)
{
    if (rules->temporary_accepts)
        verdict_set(stage->verdict, REASON_CALLAHEAD_EXCUSED);
    else
        verdict_reply(stage->verdict, REASON_CALLAHEAD_TEMPORARY, rules->temporary_code,
                      refusal_text(stage, rules, answer, rules->temporary_text));
}

static void judge_failure(struct stage *stage, const struct callahead_rules *rules,
                          const struct callahead_answer *answer)
{
    if (rules->failure_accepts)
        verdict_set(stage->verdict, REASON_CALLAHEAD_EXCUSED);
    else
        verdict_reply(stage->verdict, REASON_CALLAHEAD_FAILED, rules->failure_code,
                      refusal_text(stage, rules, answer, rules->failure_text));
}

/* No server will ever take it, so that no setting for doubt applies. */
static bool judge_dead_end(struct stage *stage, const struct callahead_answer *answer)
{
    switch (answer->dead_end) {
    case CALLAHEAD_NO_DEAD_END:
        return false;
    case CALLAHEAD_NEEDS_SMTPUTF8:
        verdict_set(stage->verdict, REASON_NEEDS_SMTPUTF8);
        return true;
    case CALLAHEAD_TAKES_NO_MAIL:
        verdict_set(stage->verdict, REASON_TAKES_NO_MAIL);
        return true;
    }
    return false;
}

static void judge(struct stage *stage, const struct callahead_rules *rules,
                  const struct callahead_answer *answer)
{
    if (judge_dead_end(stage, answer))
        return;
    if (answer->class == CALLAHEAD_VALID)
        verdict_set(stage->verdict, REASON_CALLAHEAD_VALID);
    else if (answer->class == CALLAHEAD_USER_UNKNOWN)
        verdict_reply(stage->verdict, REASON_USER_UNKNOWN, rules->unknown_code,
                      refusal_text(stage, rules, answer, rules->unknown_text));
    else if (is_temporary(answer))
        judge_temporary(stage, rules, answer);
    else
        judge_failure(stage, rules, answer);
}

void gate_judge_callahead(const struct callahead_rules *rules,
                          const struct callahead_answer *answer, struct arena *arena,
                          struct verdict *verdict_out)
{
    struct gate gate = {.arena = arena};
    struct stage stage = {.gate = &gate, .verdict = verdict_out};

    judge(&stage, rules, answer);
}

static bool ask_mailbox_host(struct stage *stage)
{
    const struct services *services = stage->gate->services;
    const struct callahead_rules *rules = stage->gate->rules->callahead;
    const struct rat_entry *entry = stage->rat_entry;

    if (rules == NULL || (entry->flags & RAT_BYPASS_CALLAHEAD) != 0)
        return stage->directory_decided;

    bool literal_named = stage->rcpt->to.kind == MAILADDR_LITERAL &&
                         (entry->form == RAT_LITERAL || entry->form == RAT_ADDRESS);
    /* Behind one of our own front hosts is everybody: there each connection is a client. */
    struct ratekey client = ratekey_of(stage->conn);
    stage->rcpt->client = stage->conn->trusted ? (struct slice){(const char *)&stage->conn->icid,
                                                                sizeof stage->conn->icid}
                                               : ratekey_slice(&client);
    struct callahead_answer answer;
    services->callahead(services->ctx, rules->plan, stage->rcpt, literal_named,
                        stage->gate->deadline, &answer);
    stage->rcpt->client = (struct slice){"", 0};
    judge(stage, rules, &answer);
    if (answer.class == CALLAHEAD_USER_UNKNOWN)
        stage_count_invalid(stage);
    note_answer(stage, answer.server, answer.text, answer.cached);
    return true;
}

void gate_rcpt(const struct gate *gate, struct conn_facts *conn, struct mail_facts *mail,
               struct rcpt_facts *rcpt, struct verdict *verdict_out)
{
    static stage_step *const steps[] = {
        need_listener,   refused_at_connect, too_many_recipients, stage_harvester,
        parse_recipient, bare_postmaster,    may_relay,           private_listener,
        refused_by_rat,  stage_over_rates,   ask_directory,       ask_mailbox_host,
    };
    struct stage stage = {
        .gate = gate, .conn = conn, .mail = mail, .rcpt = rcpt, .verdict = verdict_out};

    stage_run(&stage, steps, ARRAY_LEN(steps), REASON_RAT_ACCEPTED);
    if (verdict_out->reason == REASON_RAT_ACCEPTED && stage.rat_entry != NULL)
        verdict_out->rule = stage.rat_entry->at;
    if (verdict_out->action == VERDICT_CONTINUE)
        mail->recipients++;
}
