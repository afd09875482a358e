#include "milter/session.h"

#include <string.h>

#include "lib/base/domain.h"
#include "lib/base/log.h"
#include "lib/gate/journal.h"
#include "lib/gate/mark.h"
#include "lib/gate/stage.h"
#include "milter/tally.h"
#include "milter/wake.h"
#include "milter/workers.h"

/* While threads are short: what is at hand, and no more. */
#define HURRY MONO_MS(5)
#define CONNECTION_ARENA 1024
#define MESSAGE_ARENA 2048

struct session {
    struct house *house;
    struct session *next;        /* on the closing stack */
    struct snapshot *snapshot;   /* pinned at connect */
    struct blocks_table *blocks; /* what a match may borrow from; NULL: none */
    struct snapshot *rules;      /* pinned at MAIL; NULL before */
    struct arena *arena, *message_arena;
    struct conn_facts conn;
    struct mail_facts mail;
    bool in_message; /* MAIL was let through */
    uint64_t rid;    /* next recipient of the message */
    struct journal_totals totals;
    mono_us opened;
};

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

/* Keep what the MTA says for as long as the arena; "" when not told or when
 * memory is short, which can only make a client less privileged. */
static const char *keep(struct arena *arena, const char *text)
{
    return or_empty(arena_dup(arena, or_empty(text)));
}

/* What one callback may ask, and whether it had to wait for it. */
struct asking {
    struct house *house;
    struct engine_view view;
    struct services services;
    bool hurried, waited;
};

static void about_to_wait(void *arg)
{
    struct asking *asking = arg;

    asking->waited = true;
    wake_before_wait(asking->house->wake);
}

static enum gate_peace peace(void *arg)
{
    const struct asking *asking = arg;

    if (!asking->waited)
        return GATE_UNDISTURBED;
    if (atomic_load(&asking->house->stopping))
        return GATE_STOPPING;
    return asking->hurried ? GATE_HURRIED : GATE_UNDISTURBED;
}

/* By the rules of a snapshot, borrowed. The gate borrows from asking. */
static struct gate gate_of(const struct session *session, const struct snapshot *rules,
                           struct arena *arena, struct asking *asking)
{
    const struct settings_keys *settings = session->snapshot->settings.keys;
    struct house *house = session->house;

    *asking = (struct asking){
        .house = house,
        .view = {house->engine, rules, about_to_wait, asking},
        .hurried = workers_are_short(),
    };
    asking->services = engine_services(&asking->view);
    asking->services.counting = limits_counting(house->limits);
    return (struct gate){
        .services = &asking->services,
        .arena = arena,
        .deadline = mono_now() + (asking->hurried ? HURRY : MONO_MS(settings->command_deadline)),
        .rate_period = MONO_MS(settings->rate_period),
        .peace = peace,
        .peace_arg = asking,
    };
}

static void count(const struct session *session, enum tally_stage stage,
                  const struct verdict *verdict)
{
    if (session->house->tally != NULL)
        tally_count(session->house->tally, stage, verdict);
}

/* --- connect ------------------------------------------------------------------ */

/* Postfix says "::1" and Sendmail "IPv6:..." for the same thing. */
static bool parse_macro_address(const char *text, struct ip *ip_out)
{
    struct slice s = slice_of(text);
    if (s.n > 5 && slice_is_nocase((struct slice){s.p, 5}, "IPv6:"))
        s = (struct slice){s.p + 5, s.n - 5};
    return ip_parse(s, ip_out);
}

/* What the MTA took from the DNS is the client's choice: only a plain host name is
 * compared with sender entries. */
static bool is_host_name(const char *text)
{
    char canonical[DOMAIN_MAX];

    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p > 127)
            return false;
    }
    return domain_canon(slice_of(text), canonical) && !domain_is_numeric(canonical);
}

static void note_host_name(struct session *session, const struct session_told *told)
{
    struct conn_facts *conn = &session->conn;

    if (is_host_name(or_empty(told->client_name)))
        conn->mta_name = keep(session->arena, told->client_name);
    else
        conn->mta_name_malformed = session->snapshot->dns->host_lookup == DNS_HOST_MTA &&
                                   !told->no_address && strcmp(conn->mta_resolve, "OK") == 0;
}

static void note_connection(struct session *session, const struct session_told *told)
{
    struct conn_facts *conn = &session->conn;
    uint64_t port = 0;

    *conn = (struct conn_facts){
        .icid = numbers_icid(&session->house->numbers),
        .monitor = session->snapshot->settings.keys->mode == SETTINGS_MONITOR,
        .no_address = told->no_address,
        .client = told->client,
        .mta_name = "",
        .mta_resolve = keep(session->arena, told->client_resolve),
        .helo = "",
    };
    note_host_name(session, told);
    conn->arrival.daemon_name = keep(session->arena, told->daemon_name);
    conn->arrival.has_local_ip =
        parse_macro_address(or_empty(told->local_address), &conn->arrival.local_ip);
    if (str_to_uint(slice_of(told->local_port), UINT16_MAX, &port))
        conn->arrival.local_port = (uint16_t)port;
}

static void session_free(struct session *session)
{
    snapshot_drop(session->snapshot);
    snapshot_drop(session->rules);
    blocks_drop(session->blocks);
    arena_free(session->arena);
    arena_free(session->message_arena);
    free(session);
}

static struct session *session_new(struct house *house)
{
    struct session *session = calloc(1, sizeof *session);

    if (session == NULL)
        return NULL;
    session->house = house;
    session->snapshot = snapshot_current(&house->snapshots);
    session->blocks = blocks_take(&house->blocks);
    session->arena = arena_new(CONNECTION_ARENA);
    session->message_arena = arena_new(MESSAGE_ARENA);
    if (session->arena == NULL || session->message_arena == NULL) {
        session_free(session);
        return NULL;
    }
    session->opened = mono_now();
    atomic_fetch_add(&house->open, 1);
    return session;
}

/* As long as nothing more is known of it than who came. */
static void journal_lost(struct house *house, const struct session_told *told)
{
    struct conn_facts conn = {.icid = numbers_icid(&house->numbers),
                              .no_address = told->no_address,
                              .client = told->client,
                              .host = {.class = HOST_UNKNOWN}};
    struct verdict verdict;

    verdict_set(&verdict, REASON_INTERNAL);
    journal_connect(&conn, &verdict);
}

struct session *session_open(struct house *house, const struct session_told *told,
                             struct verdict *verdict_out)
{
    struct session *session = session_new(house);
    if (session == NULL) {
        journal_lost(house, told);
        return NULL;
    }

    struct asking asking;
    struct gate gate = gate_of(session, session->snapshot, session->arena, &asking);
    note_connection(session, told);
    if (session->blocks != NULL)
        gate.blocks = (const struct hat *const *)session->blocks->by_type;
    gate_connect(&gate, &session->snapshot->listeners, &session->conn, verdict_out);
    if (house->guard != NULL && verdict_out->action == VERDICT_CONTINUE && !session->conn.refused &&
        !session->conn.no_address)
        guard_saw(house->guard, &session->conn);
    journal_connect(&session->conn, verdict_out);
    count(session, TALLY_CONNECT, verdict_out);
    return session;
}

/* --- MAIL ----------------------------------------------------------------------- */

/* SIZE= of the ESMTP parameters (RFC 1870). A size that is no number is left
 * to the MTA, which has already judged the syntax. */
static void note_size(struct mail_facts *mail, const char *const *arguments)
{
    for (; arguments != NULL && *arguments != NULL; arguments++) {
        struct slice s = slice_of(*arguments);
        if (s.n > 5 && slice_is_nocase((struct slice){s.p, 5}, "SIZE="))
            mail->size_known =
                str_to_uint((struct slice){s.p + 5, s.n - 5}, UINT64_MAX, &mail->size);
    }
}

/* Has the MTA found the client's certificate good? */
static bool is_certified(const struct session_mail_told *told)
{
    if (told->verify != NULL)
        return strcmp(told->verify, "OK") == 0;
    return told->cert_subject != NULL || told->cert_issuer != NULL;
}

/* STARTTLS and AUTH may have come since connect; the MTA tells with MAIL. */
static void note_client(struct session *session, const struct session_mail_told *told)
{
    struct conn_facts *conn = &session->conn;

    if (or_empty(told->helo)[0] != '\0' && conn->helo[0] == '\0')
        conn->helo = keep(session->arena, told->helo);
    conn->tls = or_empty(told->tls_version)[0] != '\0';
    conn->certificate = conn->tls && is_certified(told);
    if (conn->auth == NULL && or_empty(told->auth_user)[0] != '\0')
        conn->auth = arena_dup(session->arena, told->auth_user);
}

/* A new message: nothing of the one before may leak into it, also after an
 * abort libmilter did not tell us about. */
static void begin_message(struct session *session, const struct session_mail_told *told)
{
    struct arena *arena = session->message_arena;

    arena_reset(arena);
    snapshot_drop(session->rules);
    session->rules = snapshot_current(&session->house->snapshots);
    session->rid = 0;
    session->mail = (struct mail_facts){
        .mid = numbers_mid(&session->house->numbers),
        .sent = slice_of(arena_dup(arena, told->sender)),
        .queue_id = keep(arena, told->queue_id),
    };
    note_size(&session->mail, told->arguments);
}

/* The listener by the rules pinned at MAIL; that of connect when it is gone. */
static const struct listener *message_listener(const struct session *session)
{
    const struct listener *pinned = session->conn.listener;
    if (pinned == NULL)
        return NULL;
    const struct listener *now = listener_named(&session->rules->listeners, pinned->name);
    return now != NULL ? now : pinned;
}

void session_mail(struct session *session, const struct session_mail_told *told,
                  struct verdict *verdict_out)
{
    note_client(session, told);
    begin_message(session, told);

    struct asking asking;
    struct gate gate = gate_of(session, session->rules, session->message_arena, &asking);
    gate.rules = message_listener(session);
    gate_mail(&gate, &session->conn, &session->mail, verdict_out);
    session->in_message = verdict_out->action == VERDICT_CONTINUE || session->conn.monitor;
    session->totals.messages += session->in_message;
    journal_mail(&session->conn, &session->mail, verdict_out);
    count(session, TALLY_MAIL, verdict_out);
}

/* --- RCPT and the message ---------------------------------------------------------- */

static void note_queue_id(struct session *session, const char *queue_id)
{
    if (session->mail.queue_id[0] == '\0')
        session->mail.queue_id = keep(session->message_arena, queue_id);
}

static void judge_recipient(struct session *session, struct rcpt_facts *rcpt,
                            struct verdict *verdict_out)
{
    struct asking asking;
    struct gate gate = gate_of(session, session->rules, session->message_arena, &asking);

    gate.rules = message_listener(session);
    gate_rcpt(&gate, &session->conn, &session->mail, rcpt, verdict_out);
}

void session_rcpt(struct session *session, const char *recipient, const char *queue_id,
                  struct verdict *verdict_out)
{
    struct rcpt_facts rcpt = {.rid = session->rid++, .sent = slice_of(recipient)};

    /* An MTA does not send RCPT without an accepted MAIL. */
    if (!session->in_message) {
        verdict_set(verdict_out, REASON_INTERNAL);
        return;
    }
    note_queue_id(session, queue_id);
    judge_recipient(session, &rcpt, verdict_out);
    if (verdict_out->action == VERDICT_CONTINUE)
        session->totals.accepted++;
    else
        session->totals.refused++;
    journal_rcpt(&session->conn, &session->mail, &rcpt, verdict_out);
    count(session, TALLY_RCPT, verdict_out);
}

bool session_monitors(const struct session *session)
{
    return session->conn.monitor;
}

bool session_greets(const struct session *session)
{
    return session->rules == NULL;
}

void session_trouble(const struct session *session, const char *event, const char *detail)
{
    journal_trouble(&session->conn, event, detail);
}

static const char *mark_name(const struct session *session)
{
    return session->snapshot->settings.keys->header;
}

bool session_reads_headers(struct house *house)
{
    struct snapshot *snapshot = snapshot_current(&house->snapshots);
    bool reads = snapshot->settings.keys->header[0] != '\0';
    snapshot_drop(snapshot);
    return reads;
}

void session_header(struct session *session, const char *name)
{
    session->mail.forged += mark_is_forged(mark_name(session), name);
}

void session_body(struct session *session, size_t bytes)
{
    session->mail.received += bytes;
}

/* A message that may not be marked may not pass: a forged mark would. */
static void mark(struct session *session, struct session_mark *mark_out,
                 struct verdict *verdict_out)
{
    if (mark_name(session)[0] == '\0' ||
        (verdict_out->action != VERDICT_CONTINUE && !session_monitors(session)))
        return;
    *mark_out = (struct session_mark){
        .name = mark_name(session),
        .value = mark_value(&session->conn, session->message_arena),
        .forged = session->mail.forged < MARK_FORGED_MAX ? session->mail.forged : MARK_FORGED_MAX,
    };
    if (mark_out->value != NULL)
        return;
    mark_out->name = NULL;
    verdict_set(verdict_out, REASON_INTERNAL);
}

void session_eom(struct session *session, const char *queue_id, struct session_mark *mark_out,
                 struct verdict *verdict_out)
{
    struct gate gate = {.arena = session->message_arena};

    *mark_out = (struct session_mark){.name = NULL};

    /* libmilter lets it through at any time. */
    if (!session->in_message) {
        verdict_set(verdict_out, REASON_INTERNAL);
        return;
    }
    note_queue_id(session, queue_id);
    gate_eom(&gate, &session->conn, &session->mail, verdict_out);
    mark(session, mark_out, verdict_out);
}

void session_eom_done(struct session *session, bool done, struct verdict *verdict)
{
    if (!session->in_message)
        return;
    if (!done)
        verdict_set(verdict, REASON_INTERNAL);
    journal_eom(&session->conn, &session->mail, verdict);
    count(session, TALLY_EOM, verdict);
    session->in_message = false;
}

/* --- close -------------------------------------------------------------------------- */

void session_close(struct session *session)
{
    struct house *house = session->house;
    struct session *head = atomic_load(&house->closing);

    lease_give_back(session->conn.at_address);
    lease_give_back(session->conn.at_listener);
    session->totals.ms = (uint64_t)((mono_now() - session->opened) / 1000);
    do {
        session->next = head;
    } while (!atomic_compare_exchange_weak(&house->closing, &head, session));
}

/* The stack gives the last one first; the log shall have them in order. */
static struct session *reversed(struct session *session)
{
    struct session *result = NULL;

    while (session != NULL) {
        struct session *next = session->next;
        session->next = result;
        result = session;
        session = next;
    }
    return result;
}

void session_reap(struct house *house)
{
    struct session *session = reversed(atomic_exchange(&house->closing, NULL));

    while (session != NULL) {
        struct session *next = session->next;
        journal_close(&session->conn, &session->totals);
        session_free(session);
        atomic_fetch_sub(&house->open, 1);
        session = next;
    }
}
