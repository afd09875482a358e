#include "milter/destination.h"

#include <string.h>

enum step { STEP_DONE, STEP_ROUTES, STEP_AGAIN };

bool destination_is_in_directory(const struct callahead_plan *plan, const struct mailaddr *to)
{
    return plan->routing != NULL && plan->profile.keys->type == CALLAHEAD_DELIVERY_HOST &&
           to->kind == MAILADDR_DOMAIN;
}

static bool is_same(const struct mailaddr *a, const struct mailaddr *b)
{
    return strcmp(a->key, b->key) == 0;
}

/* Nobody can tell, for a reason found in the entry's addresses. */
static enum step fail(const struct callahead_plan *plan, const char *why, struct destination *out)
{
    const struct ldap_profile *profile = &plan->routing->profile;

    err_set(&out->err, ERR_PEER, "[ldap %s] %s: %s", profile->name,
            profile->keys->routing_address_attr, why);
    out->kind = PLAN_NOWHERE;
    return STEP_DONE;
}

/* An entry was found. */
static enum step follow(const struct destination_wanted *wanted, const struct ldap_answer *entry,
                        struct arena *arena, struct destination *out)
{
    const struct callahead_plan *plan = wanted->plan;
    struct mailaddr next;
    struct err err = {0};
    size_t n = 0;

    if (!plan_addresses(entry->addresses, arena, &next, &n, &err))
        return fail(plan, err.text, out);
    if (n > 1) {
        out->kind = PLAN_LIST;
        return STEP_DONE;
    }
    bool other = n == 1 && !is_same(&next, &out->to) && !is_same(&next, &out->base);
    if (other && out->moves++ == DESTINATION_MOVES_MAX)
        return fail(plan, "addresses lead on to others without end, or in a circle", out);
    if (other) {
        out->to = next;
        if (!mailaddr_without_extension(&next, wanted->rcpt->delimiters, arena, &out->base))
            return fail(plan, "out of memory", out);
    }
    if (entry->hosts[0] != '\0') {
        out->kind = plan_hosts(plan, entry->hosts, arena, &out->where, &out->err);
        return STEP_DONE;
    }
    return other ? STEP_AGAIN : STEP_ROUTES;
}

static enum step look_up(const struct destination_wanted *wanted,
                         void (*ask)(void *ctx, const struct mailaddr *recipient,
                                     struct ldap_answer *answer_out),
                         void *ctx, struct arena *arena, struct destination *out)
{
    struct ldap_answer answer;

    if (!destination_is_in_directory(wanted->plan, &out->to))
        return STEP_ROUTES;
    ask(ctx, &out->base, &answer);
    switch (answer.said.class) {
    case DIRECTORY_MATCH:
        return follow(wanted, &answer, arena, out);
    case DIRECTORY_NO_MATCH:
        return STEP_ROUTES;
    case DIRECTORY_ERROR:
        break;
    }
    out->kind = PLAN_NOWHERE;
    err_set(&out->err, ERR_PEER, "[ldap %s]: %s", wanted->plan->routing->profile.name,
            answer.said.text);
    return STEP_DONE;
}

void destination_find(const struct destination_wanted *wanted,
                      void (*ask)(void *ctx, const struct mailaddr *recipient,
                                  struct ldap_answer *answer_out),
                      void *ctx, struct arena *arena, struct destination *out)
{
    enum step step;

    *out = (struct destination){.to = wanted->rcpt->to,
                                .base = wanted->rcpt->base,
                                .err.text = "the recipient has no domain"};
    do
        step = look_up(wanted, ask, ctx, arena, out);
    while (step == STEP_AGAIN);
    if (step == STEP_ROUTES)
        out->kind = plan_where(wanted->plan, &out->to, wanted->literal_named && out->moves == 0,
                               &out->literal_hop, &out->where);
    out->where.known_as = &out->base;
    out->where.client = wanted->rcpt->client;
}
