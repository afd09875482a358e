/* The connect stage, SPEC 4. */
#include "lib/gate/stage_steps.h"

#include <string.h>

static bool choose_listener(struct stage *stage)
{
    stage->conn->listener = listener_for(stage->listeners, &stage->conn->arrival);
    return stage->conn->listener == NULL && stage_refuse(stage, REASON_NO_LISTENER);
}

static bool find_host_name(struct stage *stage)
{
    const struct services *services = stage->gate->services;
    services->host(services->ctx, stage->conn, stage->gate->deadline, &stage->conn->host);
    return false;
}

static bool classify(struct stage *stage)
{
    struct conn_facts *conn = stage->conn;
    struct hat_client client = {
        .ip = conn->client,
        .host = conn->host.class == HOST_UNKNOWN ? NULL : &conn->host,
        .score_known = conn->score_known,
        .score_none = conn->score_none,
        .score = conn->score,
        .owner = conn->owner,
        .listed = conn->listed,
        .nlisted = conn->nlisted,
    };

    snprintf(client.country, sizeof client.country, "%s", conn->country);
    hat_decide(conn->listener->hat, &client, &conn->match);
    conn->policy = conn->match.policy;
    return false;
}

/* A refusal is made here in any case; reject_at only says when it is spoken. */
static bool keep_refusal(struct stage *stage)
{
    struct conn_facts *conn = stage->conn;

    stage->verdict->rule = conn->match.at;
    conn->refused = true;
    conn->refusal = *stage->verdict;
    return stage_reject_at(conn) == REJECT_AT_CONNECT;
}

static bool act(struct stage *stage)
{
    const struct policy_keys *keys = &stage->conn->policy->keys;
    switch ((enum policy_access)keys->access) {
    case POLICY_REJECT:
        stage_refuse_with(stage, REASON_HAT_REJECTED, keys->reject_code, keys->reject_text);
        return keep_refusal(stage);
    case POLICY_TCPREFUSE:
        stage_refuse(stage, REASON_HAT_TCPREFUSED);
        return keep_refusal(stage);
    case POLICY_ACCEPT:
    case POLICY_RELAY:
    case POLICY_CONTINUE: /* hat_decide() never chooses it */
        return false;
    }
    return false;
}

void gate_connect(const struct gate *gate, const struct listeners *listeners,
                  struct conn_facts *conn, struct verdict *verdict_out)
{
    static stage_step *const steps[] = {choose_listener, find_host_name, classify, act};
    struct stage stage = {
        .gate = gate, .listeners = listeners, .conn = conn, .verdict = verdict_out};

    conn->host = (struct host_answer){.class = HOST_UNKNOWN};
    stage_run(&stage, steps, ARRAY_LEN(steps), REASON_ACCEPTED);
    if (verdict_out->reason == REASON_ACCEPTED)
        verdict_out->rule = conn->match.at;
}
