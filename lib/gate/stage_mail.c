/* The MAIL stage in the order of SPEC 6, and the end of message, SPEC 11. */
#include "lib/gate/stage_steps.h"

/* No listener at connect: nothing can be judged, whatever the MTA sends on. */
static bool need_listener(struct stage *stage)
{
    return (stage->conn->listener == NULL || stage->gate->rules == NULL) &&
           stage_refuse(stage, REASON_NO_LISTENER);
}

/* With reject_at = connect a client hears it here as well: Postfix carries the
 * connect text no earlier than MAIL. */
static bool refused_at_connect(struct stage *stage)
{
    const struct conn_facts *conn = stage->conn;
    if (!stage_refused_at_connect(conn) || stage_reject_at(conn) == REJECT_AT_RCPT)
        return false;
    *stage->verdict = conn->refusal;
    return true;
}

static bool too_many_messages(struct stage *stage)
{
    const struct conn_facts *conn = stage->conn;
    return conn->messages >= (uint64_t)conn->policy->keys.max_messages_per_connection &&
           stage_refuse(stage, REASON_TOO_MANY_MESSAGES);
}

static bool auth_against_policy(struct stage *stage)
{
    const struct conn_facts *conn = stage->conn;
    switch ((enum policy_need)conn->policy->keys.auth) {
    case POLICY_OFF:
        return conn->auth != NULL && stage_refuse(stage, REASON_AUTH_NOT_ALLOWED);
    case POLICY_REQUIRED:
        return conn->auth == NULL && stage_refuse(stage, REASON_AUTH_REQUIRED);
    case POLICY_PREFERRED:
        return false;
    }
    return false;
}

static bool tls_missing(struct stage *stage)
{
    const struct conn_facts *conn = stage->conn;
    return conn->policy->keys.tls == POLICY_REQUIRED && !conn->tls &&
           stage_refuse(stage, REASON_TLS_REQUIRED);
}

static bool announced_too_large(struct stage *stage)
{
    const struct mail_facts *mail = stage->mail;
    return mail->size_known && mail->size > (uint64_t)stage->conn->policy->keys.max_message_size &&
           stage_refuse(stage, REASON_SIZE_ANNOUNCED);
}

void gate_mail(const struct gate *gate, struct conn_facts *conn, struct mail_facts *mail,
               struct verdict *verdict_out)
{
    static stage_step *const steps[] = {
        need_listener,       refused_at_connect, stage_harvester_at_mail, too_many_messages,
        auth_against_policy, tls_missing,        announced_too_large,     stage_sender,
    };
    struct stage stage = {.gate = gate, .conn = conn, .mail = mail, .verdict = verdict_out};

    stage_run(&stage, steps, ARRAY_LEN(steps), REASON_ACCEPTED);
    if (verdict_out->action != VERDICT_CONTINUE)
        return;
    conn->messages++;
    if (stage_refused_at_connect(conn)) {
        verdict_out->reason = REASON_HAT_DELAYED;
        verdict_out->rule = conn->match.at;
    }
}

void gate_eom(const struct gate *gate, const struct conn_facts *conn, uint64_t received,
              struct verdict *verdict_out)
{
    (void)gate;
    bool over = conn->policy != NULL && received > (uint64_t)conn->policy->keys.max_message_size;
    verdict_set(verdict_out, over ? REASON_SIZE_RECEIVED : REASON_ACCEPTED);
}
