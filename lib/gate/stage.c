#include "lib/gate/stage_steps.h"

#include "lib/base/mono.h"
#include "lib/gate/hatvars.h"

const char *facts_client_text(const struct conn_facts *conn, char text[IP_TEXT_MAX])
{
    if (!conn->no_address)
        return ip_text(&conn->client, text);
    snprintf(text, IP_TEXT_MAX, "%s", FACTS_NO_ADDRESS);
    return text;
}

bool facts_may_relay(const struct conn_facts *conn)
{
    return conn->auth != NULL ||
           (conn->policy != NULL && conn->policy->keys.access == POLICY_RELAY);
}

/* What is refused for another reason than its group is refused at once. */
enum listener_reject_at stage_reject_at(const struct conn_facts *conn)
{
    return !conn->turned_away && conn->policy->keys.access == POLICY_REJECT
               ? (enum listener_reject_at)conn->listener->keys->reject_at
               : REJECT_AT_CONNECT;
}

bool stage_refused_at_connect(const struct conn_facts *conn)
{
    return conn->refused && (conn->auth == NULL || stage_reject_at(conn) == REJECT_AT_CONNECT);
}

/* Whatever was decided, if by what could not be found out because of ourselves. */
static bool is_cut_short(const struct stage *stage)
{
    const struct gate *gate = stage->gate;

    switch (gate->peace != NULL ? gate->peace(gate->peace_arg) : GATE_UNDISTURBED) {
    case GATE_UNDISTURBED:
        return false;
    case GATE_STOPPING:
        verdict_set(stage->verdict, REASON_STOPPING);
        return true;
    case GATE_HURRIED:
        verdict_set(stage->verdict, REASON_INTERNAL);
        return true;
    }
    return false;
}

void stage_run(struct stage *stage, stage_step *const *steps, size_t n, enum reason otherwise)
{
    mono_us began = mono_now();
    size_t i = 0;

    while (i < n && !steps[i](stage))
        i++;
    if (i == n)
        verdict_set(stage->verdict, otherwise);
    stage->cut_short = is_cut_short(stage);
    stage->verdict->ms = (uint32_t)((mono_now() - began) / 1000);
}

bool stage_refuse(struct stage *stage, enum reason reason)
{
    verdict_set(stage->verdict, reason);
    return true;
}

bool stage_refuse_by(struct stage *stage, enum reason reason, struct place rule)
{
    verdict_set(stage->verdict, reason);
    stage->verdict->rule = rule;
    return true;
}

/* The status is taken from what the administrator wrote, before a client's name
 * stands in its place. */
bool stage_refuse_with(struct stage *stage, enum reason reason, int code, const char *text)
{
    verdict_reply(stage->verdict, reason, code, text);
    const char *expanded = hatvars_expand(stage->verdict->text, stage->conn, stage->gate->arena);
    if (expanded == NULL)
        return stage_refuse(stage, REASON_INTERNAL);
    stage->verdict->text = expanded;
    return true;
}
