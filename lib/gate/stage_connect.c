/* The connect stage, SPEC 4. */
#include "lib/gate/stage_steps.h"

#include <string.h>

#include "lib/gate/hatvars.h"

static bool choose_listener(struct stage *stage)
{
    struct conn_facts *conn = stage->conn;

    conn->listener = listener_for(stage->listeners, &conn->arrival);
    if (conn->listener == NULL)
        return stage_refuse(stage, REASON_NO_LISTENER);
    conn->trusted = !conn->no_address && listener_trusts(conn->listener, &conn->client);
    return false;
}

static bool find_host_name(struct stage *stage)
{
    const struct services *services = stage->gate->services;

    if (stage->conn->no_address)
        return false;
    services->host(services->ctx, stage->conn, stage->gate->arena, stage->gate->deadline,
                   &stage->conn->host);
    return false;
}

/* The name that matched is the one to show. */
static void keep_match(struct conn_facts *conn, const struct hat_match *match)
{
    conn->match = *match;
    conn->policy = match->policy;
    if (match->host != NULL && conn->host.n > 0)
        snprintf(conn->host.name, sizeof conn->host.name, "%s", match->host);
}

/* It stands in no file. Best effort: without memory the log does not name it. */
static struct place place_of_block(const struct stage *stage, const struct hat_match *match)
{
    return (struct place){.file = arena_printf(stage->gate->arena, "block:%s", match->entry)};
}

/* Static entries only: nothing has to be asked. */
static bool match_block(struct stage *stage)
{
    struct conn_facts *conn = stage->conn;
    struct hat_client client = {
        .no_address = conn->no_address,
        .ip = conn->client,
        .host = conn->host.class == HOST_UNKNOWN ? NULL : &conn->host,
    };
    struct hat_match match;

    if (stage->gate->blocks == NULL)
        return false;
    hat_decide(stage->gate->blocks[conn->listener->keys->type], &client, &match);
    if (match.fallback)
        return false;
    match.at = place_of_block(stage, &match);
    keep_match(conn, &match);
    conn->by_block = true;
    return false;
}

/* --- look-ups ------------------------------------------------------------------------ */

/* Do score, owner and DNS lists of this client count? Those of our own front
 * hosts would judge what others sent through them (SPEC 2, trusted_hops). */
static bool has_reputation(const struct conn_facts *conn)
{
    return listener_uses_reputation(conn->listener) && !conn->trusted;
}

static struct hat_client client_of(const struct conn_facts *conn)
{
    bool reputation = has_reputation(conn);
    struct hat_client client = {
        .no_address = conn->no_address,
        .ip = conn->client,
        .host = conn->host.class == HOST_UNKNOWN ? NULL : &conn->host,
        .score_known = conn->score_known && reputation,
        .score_none = conn->score_none,
        .score = conn->score,
        .owner = reputation ? conn->owner : 0,
        .listed = conn->listed,
        .nlisted = conn->trusted ? 0 : conn->nlisted,
    };

    memcpy(client.country, conn->country, sizeof client.country);
    return client;
}

/* Takes out what is known, or not to be asked on this listener; is any left? */
static bool still_wanted(const struct conn_facts *conn, struct hat_wants *wants)
{
    bool reputation = has_reputation(conn);

    wants->score = wants->score && reputation && !conn->score_known;
    wants->owner = wants->owner && reputation && !conn->owner_known;
    wants->country = wants->country && !conn->country_known;
    if (conn->lists_known || conn->trusted)
        wants->nzones = 0;
    return wants->score || wants->owner || wants->country || wants->nzones > 0;
}

/* A failure is as good as nothing known; nothing asked changes nothing. */
static void keep_reputation(struct conn_facts *conn, const struct lookup_answer *answer)
{
    if (answer->score != LOOKUP_NOT_ASKED) {
        conn->score_known = true;
        conn->score_none = answer->score != LOOKUP_FOUND;
        conn->score = answer->value;
    }
    if (answer->owner != LOOKUP_NOT_ASKED) {
        conn->owner_known = true;
        conn->owner = answer->owner == LOOKUP_FOUND ? answer->owner_number : 0;
    }
    if (answer->country != LOOKUP_NOT_ASKED) {
        conn->country_known = true;
        if (answer->country == LOOKUP_FOUND)
            memcpy(conn->country, answer->country_code, sizeof conn->country);
    }
    conn->score_failed |= answer->score == LOOKUP_FAILED;
    conn->owner_failed |= answer->owner == LOOKUP_FAILED;
    conn->country_failed |= answer->country == LOOKUP_FAILED;
}

/* Without memory no list has the client: better than refusing it for that. */
static void keep_listed(struct stage *stage, const struct lookup_answer *answer)
{
    size_t size = answer->nlisted * sizeof *answer->listed;
    struct dnslisting *listed = size > 0 ? arena_alloc(stage->gate->arena, size) : NULL;

    if (listed == NULL)
        return;
    memcpy(listed, answer->listed, size);
    stage->conn->listed = listed;
    stage->conn->nlisted = answer->nlisted;
}

static void ask(struct stage *stage, struct hat_wants *wants)
{
    const struct services *services = stage->gate->services;
    struct lookup_answer answer;

    if (stage->conn->no_address || !still_wanted(stage->conn, wants))
        return;
    services->lookups(services->ctx, stage->conn, wants, stage->gate->arena, stage->gate->deadline,
                      &answer);
    keep_reputation(stage->conn, &answer);
    keep_listed(stage, &answer);
}

static bool look_up(struct stage *stage)
{
    struct hat_client client = client_of(stage->conn);
    struct hat_wants wants;

    if (stage->conn->policy != NULL)
        return false;
    hat_wants(stage->conn->listener->hat, &client, &wants);
    ask(stage, &wants);
    return false;
}

/* --- classification -------------------------------------------------------------------- */

static bool classify(struct stage *stage)
{
    struct conn_facts *conn = stage->conn;
    struct hat_client client = client_of(conn);
    struct hat_match match;

    if (conn->policy != NULL)
        return false;
    hat_decide(conn->listener->hat, &client, &match);
    if (match.at.file == NULL)
        match.at = LISTENER_PLACE(conn->listener, default_policy);
    keep_match(conn, &match);
    return false;
}

/* May the client come to hear $OrgID? Who is rejected and authenticates hears the
 * later texts, too. */
static bool tells_owner(const struct policy_keys *keys)
{
    const char *const texts[] = {
        keys->access == POLICY_REJECT ? keys->reject_text : "",
        keys->max_recipients_per_hour_text,
        keys->max_sender_recipients_text,
        keys->max_auth_recipients_text,
        keys->dhap_text,
        keys->malformed_sender_text,
        keys->nonexistent_sender_text,
        keys->no_mx_text,
        keys->unresolvable_sender_text,
    };
    for (size_t i = 0; keys->access != POLICY_TCPREFUSE && i < ARRAY_LEN(texts); i++) {
        if (hatvars_needs_owner(texts[i]))
            return true;
    }
    return false;
}

/* While no entry had to know the owner. */
static bool find_owner(struct stage *stage)
{
    struct hat_wants wants = {.owner = true};

    if (tells_owner(&stage->conn->policy->keys))
        ask(stage, &wants);
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
    static stage_step *const steps[] = {
        choose_listener,    stage_listener_full,
        stage_pending,      find_host_name,
        match_block,        look_up,
        classify,           find_owner,
        stage_host_crowded, act,
    };
    struct stage stage = {
        .gate = gate, .listeners = listeners, .conn = conn, .verdict = verdict_out};

    conn->host = (struct host_answer){.class = HOST_UNKNOWN};
    conn->policy = NULL;
    conn->by_block = false;
    stage_run(&stage, steps, ARRAY_LEN(steps), REASON_ACCEPTED);
    if (stage.cut_short) { /* a class not found out may not serve for later commands either */
        conn->refused = conn->turned_away = true;
        conn->refusal = *verdict_out;
    }
    gate->services->counting.leave(stage.pending);
    if (verdict_out->reason != REASON_ACCEPTED)
        return;
    verdict_out->rule = conn->match.at;
    if (conn->refused)
        verdict_out->reason = REASON_HAT_DELAYED;
}
