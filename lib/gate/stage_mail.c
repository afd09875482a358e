/* The MAIL stage in the order of SPEC 6, and the end of message, SPEC 11. */
#include "lib/gate/stage_steps.h"

#include "lib/gate/mark.h"

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
           stage_refuse_by(stage, REASON_TOO_MANY_MESSAGES,
                           POLICY_PLACE(conn->policy, max_messages_per_connection));
}

static bool auth_in_clear(const struct conn_facts *conn)
{
    const struct policy_keys *keys = &conn->policy->keys;
    return conn->auth != NULL && !conn->tls && keys->auth_requires_tls && keys->tls != POLICY_OFF;
}

static bool auth_against_policy(struct stage *stage)
{
    const struct conn_facts *conn = stage->conn;
    switch ((enum policy_need)conn->policy->keys.auth) {
    case POLICY_OFF:
        return conn->auth != NULL &&
               stage_refuse_by(stage, REASON_AUTH_NOT_ALLOWED, POLICY_PLACE(conn->policy, auth));
    case POLICY_REQUIRED:
        if (conn->auth == NULL)
            return stage_refuse_by(stage, REASON_AUTH_REQUIRED, POLICY_PLACE(conn->policy, auth));
        break;
    case POLICY_PREFERRED:
        break;
    }
    return auth_in_clear(conn) && stage_refuse_by(stage, REASON_AUTH_IN_CLEAR,
                                                  POLICY_PLACE(conn->policy, auth_requires_tls));
}

static bool tls_missing(struct stage *stage)
{
    const struct conn_facts *conn = stage->conn;
    const struct policy_keys *keys = &conn->policy->keys;

    if (keys->tls != POLICY_REQUIRED)
        return false;
    if (!conn->tls)
        return stage_refuse_by(stage, REASON_TLS_REQUIRED, POLICY_PLACE(conn->policy, tls));
    return keys->tls_verify_client && !conn->certificate &&
           stage_refuse_by(stage, REASON_CERTIFICATE_REQUIRED,
                           POLICY_PLACE(conn->policy, tls_verify_client));
}

static bool announced_too_large(struct stage *stage)
{
    const struct mail_facts *mail = stage->mail;
    const struct policy *policy = stage->conn->policy;
    return mail->size_known && mail->size > (uint64_t)policy->keys.max_message_size &&
           stage_refuse_by(stage, REASON_SIZE_ANNOUNCED, POLICY_PLACE(policy, max_message_size));
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

/* --- end of message -------------------------------------------------------------- */

static bool received_too_large(struct stage *stage)
{
    const struct policy *policy = stage->conn->policy; /* NULL: let through by monitor only */
    return policy != NULL && stage->mail->received > (uint64_t)policy->keys.max_message_size &&
           stage_refuse_by(stage, REASON_SIZE_RECEIVED, POLICY_PLACE(policy, max_message_size));
}

/* Each is taken out by a command of its own, for which the MTA looks through all of them. */
static bool too_many_forged(struct stage *stage)
{
    return stage->mail->forged > MARK_FORGED_MAX && stage_refuse(stage, REASON_TOO_MANY_MARKS);
}

void gate_eom(const struct gate *gate, struct conn_facts *conn, struct mail_facts *mail,
              struct verdict *verdict_out)
{
    static stage_step *const steps[] = {received_too_large, too_many_forged};
    struct stage stage = {.gate = gate, .conn = conn, .mail = mail, .verdict = verdict_out};

    stage_run(&stage, steps, ARRAY_LEN(steps), REASON_ACCEPTED);
}
