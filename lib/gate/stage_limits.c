/* Steps that count: connections (SPEC 4), rates and harvest protection (SPEC 7). */
#include "lib/gate/stage_steps.h"

#include <string.h>

#include "lib/gate/ratekey.h"

/* --- connections at the same time --------------------------------------------- */

/* A refusal that stands for the rest of the connection, should there be any. */
static bool turn_away(struct stage *stage, enum reason reason, struct place rule)
{
    stage_refuse_by(stage, reason, rule);
    stage->conn->refused = stage->conn->turned_away = true;
    stage->conn->refusal = *stage->verdict;
    return true;
}

/* rule: where the limit stands. */
static bool enter(struct stage *stage, enum crowd crowd, struct slice key, int64_t limit,
                  struct place rule, struct lease **lease_out, enum reason full)
{
    const struct counting *counting = &stage->gate->services->counting;

    switch (counting->enter(counting->ctx, crowd, key, (uint64_t)limit, lease_out)) {
    case LEASE_GIVEN:
        return false;
    case LEASE_REFUSED:
        return turn_away(stage, full, rule);
    case LEASE_NO_MEMORY:
        return turn_away(stage, REASON_INTERNAL, (struct place){.line = 0});
    }
    return false;
}

bool stage_listener_full(struct stage *stage)
{
    const struct listener *listener = stage->conn->listener;
    return enter(stage, CROWD_LISTENER, slice_of(listener->name), listener->keys->max_connections,
                 LISTENER_PLACE(listener, max_connections), &stage->conn->at_listener,
                 REASON_TOO_MANY_CONNECTIONS);
}

/* Without an address nothing is looked up. Whoever is refused here leaves the
 * listener at once: the MTA hangs up, and those that wait are few. */
bool stage_pending(struct stage *stage)
{
    struct conn_facts *conn = stage->conn;
    struct ratekey key = ratekey_site(&conn->client);

    if (conn->trusted || conn->no_address ||
        !enter(stage, CROWD_PENDING, ratekey_slice(&key), conn->listener->keys->max_pending_per_ip,
               LISTENER_PLACE(conn->listener, max_pending_per_ip), &stage->pending,
               REASON_TOO_MANY_PENDING))
        return false;
    stage->gate->services->counting.leave(conn->at_listener);
    conn->at_listener = NULL;
    return true;
}

bool stage_host_crowded(struct stage *stage)
{
    struct conn_facts *conn = stage->conn;
    struct ratekey key = ratekey_address(conn);
    return !conn->trusted && enter(stage, CROWD_ADDRESS, ratekey_slice(&key),
                                   conn->policy->keys.max_connections_per_ip,
                                   POLICY_PLACE(conn->policy, max_connections_per_ip),
                                   &conn->at_address, REASON_TOO_MANY_FROM_HOST);
}

/* --- recipients in a window ------------------------------------------------------ */

#define ASKS_MAX 3

struct asks {
    size_t n;
    struct rate_ask v[ASKS_MAX];
};

/* Without a limit here, but one elsewhere, it counts all the same: there is one
 * counter for the whole daemon. */
static void add_ask(struct asks *asks, bool counted, enum rate rate, struct slice key,
                    int64_t limit, mono_us window)
{
    if (counted || limit != KEY_NO_LIMIT)
        asks->v[asks->n++] = (struct rate_ask){rate, key, (uint64_t)limit, window};
}

static void ask_sender(struct stage *stage, struct asks *asks)
{
    const struct policy_keys *keys = &stage->conn->policy->keys;
    const struct listener *listener = stage->conn->listener;
    const struct mailaddr *sender = &stage->mail->sender;

    if (sender->text == NULL || sender->kind == MAILADDR_NULL ||
        lists_match(listener->lists, keys->sender_rate_exempt, sender, NULL))
        return;
    add_ask(asks, listener->counted.sender, RATE_SENDER, slice_of(sender->key),
            keys->max_sender_recipients, MONO_MS(keys->sender_rate_period));
}

/* false: out of memory. */
static bool ask_account(struct stage *stage, struct asks *asks)
{
    const struct policy_keys *keys = &stage->conn->policy->keys;

    if (stage->conn->auth == NULL)
        return true;
    char *account = arena_dup(stage->gate->arena, stage->conn->auth);
    if (account == NULL)
        return false;
    ascii_lower_in_place(account);
    add_ask(asks, stage->conn->listener->counted.account, RATE_ACCOUNT, slice_of(account),
            keys->max_auth_recipients, MONO_MS(keys->sender_rate_period));
    return true;
}

/* limit: where it stands. */
static bool refuse_by_limit(struct stage *stage, enum reason reason, struct place limit, int code,
                            const char *text)
{
    stage_refuse_with(stage, reason, code, text);
    stage->verdict->rule = limit;
    return true;
}

static void refuse_rate(struct stage *stage, enum rate rate)
{
    const struct policy *policy = stage->conn->policy;
    const struct policy_keys *keys = &policy->keys;

    switch (rate) {
    case RATE_HOST:
        refuse_by_limit(stage, REASON_HOST_RATE, POLICY_PLACE(policy, max_recipients_per_hour),
                        keys->max_recipients_per_hour_code, keys->max_recipients_per_hour_text);
        return;
    case RATE_SENDER:
        refuse_by_limit(stage, REASON_SENDER_RATE, POLICY_PLACE(policy, max_sender_recipients),
                        keys->max_sender_recipients_code, keys->max_sender_recipients_text);
        return;
    case RATE_ACCOUNT:
        refuse_by_limit(stage, REASON_ACCOUNT_RATE, POLICY_PLACE(policy, max_auth_recipients),
                        keys->max_auth_recipients_code, keys->max_auth_recipients_text);
        return;
    }
}

/* All of them count the recipient or none does. */
static bool take_all(struct stage *stage, const struct asks *asks)
{
    const struct counting *counting = &stage->gate->services->counting;
    mono_us began[ASKS_MAX];
    size_t taken = 0;

    while (taken < asks->n && counting->take(counting->ctx, &asks->v[taken], &began[taken]))
        taken++;
    if (taken == asks->n)
        return false;
    refuse_rate(stage, asks->v[taken].rate);
    while (taken-- > 0)
        counting->give_back(counting->ctx, &asks->v[taken], began[taken]);
    return true;
}

bool stage_over_rates(struct stage *stage)
{
    const struct policy_keys *keys = &stage->conn->policy->keys;
    struct ratekey host = ratekey_of(stage->conn);
    struct asks asks = {0};

    if (stage->rat_entry != NULL && (stage->rat_entry->flags & RAT_BYPASS_RATE_LIMIT) != 0)
        return false;
    if (!stage->conn->trusted)
        add_ask(&asks, stage->conn->listener->counted.host, RATE_HOST, ratekey_slice(&host),
                keys->max_recipients_per_hour, stage->gate->rate_period);
    ask_sender(stage, &asks);
    if (!ask_account(stage, &asks))
        return stage_refuse(stage, REASON_INTERNAL);
    return take_all(stage, &asks);
}

/* --- directory harvest ------------------------------------------------------------- */

static bool is_watched(const struct conn_facts *conn)
{
    return conn->policy->keys.max_invalid_recipients_per_hour != KEY_NO_LIMIT &&
           !facts_may_relay(conn) && !conn->trusted;
}

static bool is_harvester(const struct conn_facts *conn, struct invalid_count count)
{
    return count.different >= (uint64_t)conn->policy->keys.max_invalid_recipients_per_hour;
}

static bool has_harvested(struct stage *stage)
{
    const struct counting *counting = &stage->gate->services->counting;
    struct ratekey client = ratekey_of(stage->conn);
    struct invalid_ask ask = {.client = ratekey_slice(&client), .window = stage->gate->rate_period};

    return is_watched(stage->conn) &&
           is_harvester(stage->conn, counting->count_invalid(counting->ctx, &ask));
}

static bool refuse_by_count(struct stage *stage, enum reason reason, int code)
{
    const struct policy *policy = stage->conn->policy;
    return refuse_by_limit(stage, reason, POLICY_PLACE(policy, max_invalid_recipients_per_hour),
                           code, policy->keys.dhap_text);
}

bool stage_harvester_at_mail(struct stage *stage)
{
    return stage->conn->policy->keys.dhap_drop && has_harvested(stage) &&
           refuse_by_count(stage, REASON_HARVEST_BLOCKED, 0);
}

static bool refuse_harvester(struct stage *stage)
{
    return refuse_by_count(stage, REASON_HARVEST, stage->conn->policy->keys.dhap_code);
}

bool stage_harvester(struct stage *stage)
{
    return has_harvested(stage) && refuse_harvester(stage);
}

void stage_count_invalid(struct stage *stage)
{
    const struct counting *counting = &stage->gate->services->counting;
    const struct policy_keys *keys = &stage->conn->policy->keys;
    struct ratekey client = ratekey_of(stage->conn);
    struct invalid_ask ask = {.client = ratekey_slice(&client),
                              .address = slice_of(stage->rcpt->base.key),
                              .limit = (uint64_t)keys->max_invalid_recipients_per_hour,
                              .window = stage->gate->rate_period};

    if (!is_watched(stage->conn))
        return;
    struct invalid_count count = counting->note_invalid(counting->ctx, &ask);
    if (is_harvester(stage->conn, count))
        refuse_harvester(stage);
    stage->verdict->invalid = count.different;
    stage->verdict->invalid_total = count.total;
}
