#include "milter/trace.h"

#include <string.h>

#include "lib/base/domain.h"
#include "lib/gate/stage.h"
#include "lib/net/host.h"
#include "lib/net/ldap.h"
#include "lib/net/smtp_class.h"
#include "milter/limits.h"

/* --- services: what was given beats the network ------------------------------- */

struct trace_world {
    const struct trace_query *query;
    struct engine_view view; /* engine NULL: offline */
    struct services real;
};

static void trace_host(void *ctx, const struct conn_facts *conn, struct arena *arena,
                       mono_us deadline, struct host_answer *answer_out)
{
    const struct trace_world *world = ctx;

    if (world->query->host_given)
        *answer_out = world->query->host;
    else if (world->view.engine != NULL)
        world->real.host(world->real.ctx, conn, arena, deadline, answer_out);
    else
        *answer_out = (struct host_answer){.class = HOST_UNKNOWN};
}

/* What the facts leave open. Offline a source that exists has nothing. */
static void trace_lookups(void *ctx, const struct conn_facts *conn, const struct hat_wants *wants,
                          struct arena *arena, mono_us deadline, struct lookup_answer *answer_out)
{
    const struct trace_world *world = ctx;
    const struct reputation *reputation = &world->view.snapshot->reputation;

    if (world->view.engine != NULL) {
        world->real.lookups(world->real.ctx, conn, wants, arena, deadline, answer_out);
        return;
    }
    *answer_out = (struct lookup_answer){.score = LOOKUP_NOT_ASKED};
    if (wants->score && reputation->score.kind != REPUTATION_NOWHERE)
        answer_out->score = LOOKUP_NONE;
}

/* Offline every domain exists. */
static void trace_sender(void *ctx, const char *domain, bool accept_a, mono_us deadline,
                         enum sender_class *answer_out)
{
    const struct trace_world *world = ctx;

    *answer_out = world->query->sender_given ? world->query->sender : SENDER_EXISTS;
    if (!world->query->sender_given && world->view.engine != NULL)
        world->real.sender(world->real.ctx, domain, accept_a, deadline, answer_out);
}

/* The usual reply of a server that means this class. */
static struct callahead_answer given_answer(enum callahead_class class,
                                            enum callahead_dead_end dead_end)
{
    struct callahead_answer answer = {
        .class = class, .stage = CALLAHEAD_AT_RCPT, .dead_end = dead_end};
    switch (class) {
    case CALLAHEAD_VALID:
        answer.code = 250;
        break;
    case CALLAHEAD_USER_UNKNOWN:
    case CALLAHEAD_POLICY:
        answer.code = 550;
        break;
    case CALLAHEAD_MAILBOX_FULL:
    case CALLAHEAD_GREYLISTED:
    case CALLAHEAD_TEMPORARY:
        answer.code = 450;
        break;
    case CALLAHEAD_SERVER_ILL:
        break;
    }
    return answer;
}

static void trace_callahead(void *ctx, const struct callahead_plan *plan,
                            const struct rcpt_facts *rcpt, bool literal_named, mono_us deadline,
                            struct callahead_answer *answer_out)
{
    const struct trace_world *world = ctx;

    if (world->query->callahead_given)
        *answer_out = given_answer(world->query->callahead, world->query->dead_end);
    else
        world->real.callahead(world->real.ctx, plan, rcpt, literal_named, deadline, answer_out);
}

static void trace_directory(void *ctx, const struct directory_plan *plan,
                            const struct mailaddr *recipient, const struct mailaddr *sender,
                            mono_us deadline, struct directory_answer *answer_out)
{
    const struct trace_world *world = ctx;

    if (world->query->ldap_given)
        *answer_out = (struct directory_answer){.class = world->query->ldap};
    else
        world->real.directory(world->real.ctx, plan, recipient, sender, deadline, answer_out);
}

/* --- running -------------------------------------------------------------------- */

struct trace {
    const struct trace_query *query;
    const struct snapshot *snapshot;
    const struct blocks_table *blocks; /* NULL: none */
    struct services services;
    struct arena *arena;
    bool skip_callahead, skip_directory;
    struct trace_result *result;
};

static struct gate gate_of(const struct trace *trace)
{
    int64_t budget = trace->snapshot->settings.keys->command_deadline;
    return (struct gate){.services = &trace->services,
                         .arena = trace->arena,
                         .deadline = mono_now() + MONO_MS(budget),
                         .rate_period = MONO_MS(trace->snapshot->settings.keys->rate_period)};
}

/* The listener the query means, as the only one there is, so that the stage
 * chooses it as it would by macros. Without a name, and with a single listener
 * configured, that one; else whatever needs no macros. */
static struct listeners listeners_for(const struct trace *trace,
                                      const struct listener *const *named)
{
    if (*named != NULL)
        return (struct listeners){named, 1};
    if (trace->snapshot->listeners.n == 1)
        return (struct listeners){trace->snapshot->listeners.v, 1};
    return trace->snapshot->listeners;
}

static void set_arrival(struct conn_facts *conn, const struct listeners *listeners)
{
    const struct listener *only = listeners->n == 1 ? listeners->v[0] : NULL;

    conn->arrival = (struct arrival){.daemon_name = ""};
    if (only != NULL)
        conn->arrival = (struct arrival){.daemon_name = only->keys->daemon_name,
                                         .has_local_ip = only->has_local_ip,
                                         .local_ip = only->local_ip,
                                         .local_port = (uint16_t)only->keys->local_port};
}

static void run_connect(const struct trace *trace, const struct listener *named)
{
    const struct trace_query *query = trace->query;
    struct conn_facts *conn = &trace->result->conn;
    struct listeners listeners = listeners_for(trace, &named);
    struct gate gate = gate_of(trace);

    *conn = (struct conn_facts){
        .icid = 1,
        .no_address = query->no_address,
        .client = query->ip,
        .mta_name = "",
        .mta_resolve = "",
        .helo = query->helo,
        .tls = query->tls,
        .certificate = query->tls && query->cert,
        .score_known = query->score_known,
        .score_none = query->score_none,
        .score = query->score,
        .owner_known = query->owner_given,
        .owner = query->owner,
        .country_known = query->country_given,
        .lists_known = query->listed != NULL,
        .listed = query->listed,
        .nlisted = query->nlisted,
    };
    memcpy(conn->country, query->country, sizeof conn->country);
    set_arrival(conn, &listeners);
    if (trace->blocks != NULL)
        gate.blocks = (const struct hat *const *)trace->blocks->by_type;
    gate_connect(&gate, &listeners, conn, &trace->result->connect);
    /* Comes after connect, as in a real session; "" is what an MTA says of nobody. */
    conn->auth = query->auth != NULL && query->auth[0] != '\0' ? query->auth : NULL;
}

static void run_recipients(const struct trace *trace, struct mail_facts *mail)
{
    struct trace_result *result = trace->result;
    struct listener rules = *result->conn.listener;

    if (trace->skip_callahead)
        rules.callahead = NULL;
    if (trace->skip_directory)
        rules.directory = NULL;
    result->has_rcpt = true;
    for (size_t i = 0; i < result->nrecipients; i++) {
        struct gate gate = gate_of(trace);
        struct rcpt_facts rcpt = {.rid = i, .sent = slice_of(trace->query->to[i])};
        gate.rules = &rules;
        gate_rcpt(&gate, &result->conn, mail, &rcpt, &result->recipients[i].verdict);
    }
}

static void refuse_all(struct trace_result *result, const struct verdict *verdict)
{
    for (size_t i = 0; i < result->nrecipients; i++)
        result->recipients[i].verdict = *verdict;
}

static void run_message(const struct trace *trace)
{
    struct trace_result *result = trace->result;
    struct gate gate = gate_of(trace);
    struct mail_facts mail = {.mid = 1,
                              .sent = slice_of(trace->query->from),
                              .size_known = trace->query->size_known,
                              .size = trace->query->size,
                              .queue_id = ""};

    gate.rules = result->conn.listener;
    result->has_mail = true;
    gate_mail(&gate, &result->conn, &mail, &result->mail);
    if (result->mail.action == VERDICT_CONTINUE)
        run_recipients(trace, &mail);
    else
        refuse_all(result, &result->mail);
}

/* Accept if any recipient is, else tempfail if any, else reject. */
static enum verdict_action overall(const struct trace_result *result)
{
    enum verdict_action best = VERDICT_REJECT;

    for (size_t i = 0; i < result->nrecipients; i++) {
        enum verdict_action action = result->recipients[i].verdict.action;
        if (action == VERDICT_CONTINUE)
            return VERDICT_CONTINUE;
        if (action == VERDICT_TEMPFAIL)
            best = VERDICT_TEMPFAIL;
    }
    return best;
}

static bool prepare(const struct trace_query *query, const struct snapshot *snapshot,
                    struct arena *arena, struct trace_result *result_out,
                    const struct listener **named_out, struct err *err)
{
    *named_out = NULL;
    *result_out = (struct trace_result){.nrecipients = query->nto};
    result_out->recipients = arena_alloc(arena, (query->nto + 1) * sizeof *result_out->recipients);
    if (result_out->recipients == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < query->nto; i++)
        result_out->recipients[i].address = query->to[i];
    if (query->listener == NULL)
        return true;
    *named_out = listener_named(&snapshot->listeners, query->listener);
    return *named_out != NULL ||
           err_set(err, ERR_RANGE, "there is no [listener %s]", query->listener);
}

static void run(const struct trace *trace, const struct listener *named)
{
    struct trace_result *result = trace->result;

    run_connect(trace, named);
    if (result->connect.action == VERDICT_CONTINUE)
        run_message(trace);
    else
        refuse_all(result, &result->connect);
    result->overall = overall(result);
}

bool trace_run(const struct trace_query *query, const struct trace_setting *setting,
               struct arena *arena, struct trace_result *result_out, struct err *err)
{
    struct trace_world world = {.query = query,
                                .view = {.engine = setting->engine, .snapshot = setting->snapshot}};
    struct trace trace = {
        .query = query,
        .snapshot = setting->snapshot,
        .blocks = setting->blocks,
        .services = {.ctx = &world,
                     .host = trace_host,
                     .lookups = trace_lookups,
                     .sender = trace_sender,
                     .directory = trace_directory,
                     .callahead = trace_callahead},
        .arena = arena,
        .skip_callahead = setting->engine == NULL && !query->callahead_given,
        .skip_directory = setting->engine == NULL && !query->ldap_given,
        .result = result_out,
    };
    const struct listener *named = NULL;

    if (!prepare(query, setting->snapshot, arena, result_out, &named, err))
        return false;
    /* Nothing has happened yet today: a list of recipients over a limit shows it. */
    struct limits *limits = limits_new(query->nto + 1);
    if (limits == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    world.real = engine_services(&world.view);
    trace.services.counting = limits_counting(limits);
    run(&trace, named);
    limits_free(limits);
    return true;
}

/* --- words of the command line -------------------------------------------------------- */

bool trace_parse_ip(const char *text, bool *no_address_out, struct ip *ip_out, struct err *err)
{
    *ip_out = (struct ip){.b = {0}};
    *no_address_out = strcmp(text, FACTS_NO_ADDRESS) == 0;
    return *no_address_out || ip_parse(slice_of(text), ip_out) ||
           err_set(err, ERR_SYNTAX,
                   "\"%.80s\" is not an address; allowed: IPv4, IPv6, or " FACTS_NO_ADDRESS
                   " for a client without one",
                   text);
}

static bool wrong_host(const char *text, struct err *err)
{
    return err_set(
        err, ERR_SYNTAX,
        "host \"%s\" is not a name; allowed: a host name, or %d with commas at most, none, "
        "servfail or mismatch",
        text, HOST_NAMES_MAX);
}

static bool parse_names(const char *text, struct arena *arena, struct host_answer *host_out,
                        struct err *err)
{
    char names[HOST_NAMES_MAX][DOMAIN_MAX];
    const char *list[HOST_NAMES_MAX];
    size_t n = 0;

    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");
        if (n == HOST_NAMES_MAX || !domain_canon((struct slice){at, length}, names[n]))
            return wrong_host(text, err);
        list[n] = names[n];
        n++;
        at += length;
        if (*at == '\0')
            break;
    }
    return host_verified(list, n, arena, host_out) || err_set(err, ERR_MEMORY, "out of memory");
}

bool trace_parse_host(const char *text, struct arena *arena, struct host_answer *host_out,
                      struct err *err)
{
    *host_out = (struct host_answer){.class = HOST_VERIFIED};
    if (strcmp(text, "none") == 0)
        host_out->class = HOST_NO_PTR;
    else if (strcmp(text, "servfail") == 0)
        host_out->class = HOST_PTR_TEMPFAIL;
    else if (strcmp(text, "mismatch") == 0)
        host_out->class = HOST_PTR_MISMATCH;
    else
        return parse_names(text, arena, host_out, err);
    return true;
}

bool trace_parse_score(const char *text, struct trace_query *query, struct err *err)
{
    char *end = NULL;

    query->score_known = true;
    query->score_none = strcmp(text, "none") == 0;
    if (query->score_none)
        return true;
    query->score = strtod(text, &end);
    if (end == text || *end != '\0' || !(query->score >= -10.0 && query->score <= 10.0))
        return err_set(err, ERR_RANGE, "score \"%s\"; allowed: -10.0 to 10.0, or none", text);
    return true;
}

bool trace_parse_country(const char *text, struct trace_query *query, struct err *err)
{
    query->country_given = true;
    query->country[0] = '\0';
    if (strcmp(text, "none") == 0)
        return true;
    if (strlen(text) != 2 || !ascii_is_alpha(text[0]) || !ascii_is_alpha(text[1]))
        return err_set(err, ERR_SYNTAX, "country \"%s\"; allowed: two letters as JP, or none",
                       text);
    for (size_t i = 0; i < 2; i++)
        query->country[i] = (char)(text[i] & ~0x20);
    return true;
}

bool trace_parse_sender(const char *text, struct trace_query *query, struct err *err)
{
    static const char *const words[] = {[SENDER_EXISTS] = "ok",
                                        [SENDER_NONEXISTENT] = "nonexistent",
                                        [SENDER_NO_MX] = "no_mx",
                                        [SENDER_UNRESOLVABLE] = "unresolvable"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            query->sender_given = true;
            query->sender = (enum sender_class)i;
            return true;
        }
    }
    return err_set(err, ERR_SYNTAX,
                   "sender_dns \"%.60s\"; allowed: ok, nonexistent, no_mx, unresolvable", text);
}

bool trace_parse_callahead(const char *text, struct trace_query *query, struct err *err)
{
    static const char *const dead_ends[] = {
        [CALLAHEAD_NEEDS_SMTPUTF8] = "needs_smtputf8", [CALLAHEAD_TAKES_NO_MAIL] = "null_mx"};

    query->callahead_given = true;
    query->callahead = CALLAHEAD_POLICY;
    query->dead_end = CALLAHEAD_NO_DEAD_END;
    for (size_t i = 0; i < ARRAY_LEN(dead_ends); i++) {
        if (dead_ends[i] != NULL && strcmp(text, dead_ends[i]) == 0) {
            query->dead_end = (enum callahead_dead_end)i;
            return true;
        }
    }
    return smtp_class_by_name(slice_of(text), &query->callahead) ||
           err_set(err, ERR_SYNTAX,
                   "callahead \"%.60s\"; allowed: valid, user_unknown, mailbox_full, policy, "
                   "greylisted, temporary, server_ill, null_mx, needs_smtputf8",
                   text);
}

bool trace_parse_ldap(const char *text, struct trace_query *query, struct err *err)
{
    query->ldap_given = true;
    return ldap_class_by_name(text, &query->ldap) ||
           err_set(err, ERR_SYNTAX, "ldap \"%.60s\"; allowed: match, nomatch, error", text);
}
