#include "lib/gate/journal.h"

#include <string.h>

#include "lib/base/log.h"

static void put_verdict(struct logline *line, const struct conn_facts *conn,
                        const struct verdict *verdict)
{
    bool spoken = !conn->monitor || verdict->action == VERDICT_CONTINUE;

    log_word(line, "verdict", verdict_action_name(spoken ? verdict->action : VERDICT_CONTINUE));
    log_word(line, "would", spoken ? NULL : verdict_action_name(verdict->action));
    if (verdict->action != VERDICT_CONTINUE) {
        log_uint(line, "code", (uint64_t)verdict->code);
        log_word(line, "status", verdict->status);
    }
    log_word(line, "by", reason_rows[verdict->reason].by);
    log_text(line, "detail", slice_of(reason_rows[verdict->reason].token));
}

/* An entry made at run time has nothing else that says why it is there. */
static void put_rule(struct logline *line, const struct conn_facts *conn,
                     const struct verdict *verdict)
{
    char text[VERDICT_RULE_MAX];
    const char *rule = verdict_rule_text(verdict, text), *comment = conn->match.comment;

    if (rule == NULL)
        return;
    log_text(line, "rule", slice_of(rule));
    if (conn->by_block && comment != NULL && verdict->rule.file == conn->match.at.file)
        log_text(line, "comment", slice_of(comment));
}

/* <address>, or what was sent where it is none. */
static void put_address(struct logline *line, const char *key, const struct mailaddr *addr,
                        struct slice sent)
{
    char text[LOG_VALUE_MAX];
    if (addr->text == NULL) {
        log_text(line, key, sent);
        return;
    }
    snprintf(text, sizeof text, "<%s>", addr->text);
    log_text(line, key, slice_of(text));
}

/* Why a host name is not verified; NULL when it is. */
static const char *unverified_word(const struct conn_facts *conn)
{
    switch (conn->host.class) {
    case HOST_VERIFIED:
        return NULL;
    case HOST_NO_PTR:
        return conn->mta_name_malformed ? "no_host_name" : "no_ptr";
    case HOST_PTR_TEMPFAIL:
        return "ptr_tempfail";
    case HOST_PTR_MISMATCH:
        return "ptr_mismatch";
    case HOST_UNKNOWN:
        return "not_looked_up";
    }
    return NULL;
}

static void put_host(struct logline *line, const struct conn_facts *conn)
{
    log_text(line, "host", slice_of(conn->host.name));
    log_word(line, "verified", conn->host.class == HOST_VERIFIED ? "yes" : "no");
}

/* A look-up without an answer counts as none, and is told apart here; host: beside the
 * names that are verified there are others. */
static void put_failed(struct logline *line, const struct conn_facts *conn)
{
    char failed[40];

    snprintf(failed, sizeof failed, "%s%s%s%s", conn->host.partial ? ",host" : "",
             conn->score_failed ? ",score" : "", conn->owner_failed ? ",owner" : "",
             conn->country_failed ? ",country" : "");
    if (failed[0] != '\0')
        log_word(line, "failed", failed + 1);
}

static void put_class(struct logline *line, const struct conn_facts *conn)
{
    char score[16] = "none";
    if (conn->policy == NULL)
        return;
    if (conn->score_known && !conn->score_none)
        snprintf(score, sizeof score, "%.1f", conn->score);
    log_text(line, "group", slice_of(conn->match.group != NULL ? conn->match.group : "None"));
    log_quoted(line, "entry", slice_of(conn->match.entry));
    log_text(line, "policy", slice_of(conn->policy->name));
    log_word(line, "access", policy_access_name((enum policy_access)conn->policy->keys.access));
    log_word(line, "score", score);
    if (conn->owner_known && conn->owner != 0)
        log_uint(line, "owner", conn->owner);
    else if (conn->owner_known)
        log_word(line, "owner", "none");
    if (conn->country_known)
        log_word(line, "country", conn->country[0] != '\0' ? conn->country : "none");
    put_failed(line, conn);
    if (conn->trusted)
        log_word(line, "trusted", "yes");
}

/* mail, rcpt: NULL where the line is not about one. */
static void begin_at(enum log_level level, struct logline *line, const char *event,
                     const struct conn_facts *conn, const struct mail_facts *mail,
                     const struct rcpt_facts *rcpt)
{
    char ip[IP_TEXT_MAX];

    log_begin(line, level);
    log_uint(line, "icid", conn->icid);
    if (mail != NULL)
        log_uint(line, "mid", mail->mid);
    if (rcpt != NULL)
        log_uint(line, "rid", rcpt->rid);
    log_word(line, "event", event);
    log_text(line, "listener", slice_of(conn->listener != NULL ? conn->listener->name : ""));
    log_word(line, "ip", facts_client_text(conn, ip));
}

static void begin(struct logline *line, const char *event, const struct conn_facts *conn,
                  const struct mail_facts *mail, const struct rcpt_facts *rcpt)
{
    begin_at(LOG_AT_INFO, line, event, conn, mail, rcpt);
}

void journal_connect(const struct conn_facts *conn, const struct verdict *verdict)
{
    struct logline line;
    begin(&line, "connect", conn, NULL, NULL);
    put_host(&line, conn);
    put_class(&line, conn);
    put_verdict(&line, conn, verdict);
    log_uint(&line, "ms", verdict->ms);
    put_rule(&line, conn, verdict);
    log_word(&line, "why", unverified_word(conn));
    log_end(&line);
}

static void put_queue_id(struct logline *line, const struct mail_facts *mail)
{
    if (mail->queue_id[0] != '\0')
        log_text(line, "qid", slice_of(mail->queue_id));
}

void journal_mail(const struct conn_facts *conn, const struct mail_facts *mail,
                  const struct verdict *verdict)
{
    struct logline line;
    begin(&line, "mail", conn, mail, NULL);
    put_address(&line, "from", &mail->from, mail->sent);
    put_verdict(&line, conn, verdict);
    log_uint(&line, "ms", verdict->ms);
    put_rule(&line, conn, verdict);
    put_queue_id(&line, mail);
    log_end(&line);
}

void journal_rcpt(const struct conn_facts *conn, const struct mail_facts *mail,
                  const struct rcpt_facts *rcpt, const struct verdict *verdict)
{
    struct logline line;
    begin(&line, "rcpt", conn, mail, rcpt);
    put_address(&line, "from", &mail->from, mail->sent);
    put_address(&line, "to", &rcpt->to, rcpt->sent);
    put_verdict(&line, conn, verdict);
    if (verdict->asked) {
        log_text(&line, "server", slice_of(verdict->server));
        log_word(&line, "cached", verdict->cached ? "yes" : "no");
    }
    log_uint(&line, "ms", verdict->ms);
    put_rule(&line, conn, verdict);
    put_queue_id(&line, mail);
    if (verdict->invalid_total != 0) {
        log_uint(&line, "invalid", verdict->invalid);
        log_uint(&line, "attempts", verdict->invalid_total);
    }
    if (verdict->remote[0] != '\0' && verdict->reason != REASON_CALLAHEAD_VALID)
        log_text(&line, "said", slice_of(verdict->remote));
    log_end(&line);
}

void journal_eom(const struct conn_facts *conn, const struct mail_facts *mail,
                 const struct verdict *verdict)
{
    struct logline line;
    begin(&line, "eom", conn, mail, NULL);
    put_address(&line, "from", &mail->from, mail->sent);
    log_uint(&line, "recipients", mail->recipients);
    log_uint(&line, "bytes", mail->received);
    put_verdict(&line, conn, verdict);
    put_rule(&line, conn, verdict);
    put_queue_id(&line, mail);
    if (mail->forged != 0)
        log_uint(&line, "forged", mail->forged);
    log_end(&line);
}

void journal_close(const struct conn_facts *conn, const struct journal_totals *totals)
{
    struct logline line;
    begin(&line, "close", conn, NULL, NULL);
    log_uint(&line, "messages", totals->messages);
    log_uint(&line, "accepted", totals->accepted);
    log_uint(&line, "refused", totals->refused);
    log_uint(&line, "ms", totals->ms);
    log_end(&line);
}

void journal_trouble(const struct conn_facts *conn, const char *event, const char *detail)
{
    struct logline line;
    begin_at(LOG_AT_ERROR, &line, event, conn, NULL, NULL);
    log_text(&line, "detail", slice_of(detail));
    log_end(&line);
}
