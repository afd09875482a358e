#include "lib/gate/stage_steps.h"

#include "lib/base/mono.h"
#include "lib/gate/hatvars.h"

bool facts_may_relay(const struct conn_facts *conn)
{
    return conn->auth != NULL ||
           (conn->policy != NULL && conn->policy->keys.access == POLICY_RELAY);
}

void stage_run(struct stage *stage, stage_step *const *steps, size_t n, enum reason otherwise)
{
    mono_us began = mono_now();
    size_t i = 0;

    while (i < n && !steps[i](stage))
        i++;
    if (i == n)
        verdict_set(stage->verdict, otherwise);
    stage->verdict->ms = (uint32_t)((mono_now() - began) / 1000);
}

bool stage_refuse(struct stage *stage, enum reason reason)
{
    verdict_set(stage->verdict, reason);
    return true;
}

bool stage_refuse_with(struct stage *stage, enum reason reason, int code, const char *text)
{
    const char *expanded = hatvars_expand(text, stage->conn, stage->gate->arena);
    if (expanded == NULL)
        return stage_refuse(stage, REASON_INTERNAL);
    verdict_reply(stage->verdict, reason, code, expanded);
    return true;
}
