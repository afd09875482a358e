/* The envelope sender at MAIL, from parse on, in the order of SPEC 6. */
#include "lib/gate/stage_steps.h"

#include <string.h>

#include "lib/base/domain.h"
#include "lib/gate/hatvars.h"

/* --- parse ---------------------------------------------------------------------- */

/* joe, joe@, joe@host. */
static bool is_partial(const struct mailaddr *addr)
{
    switch (addr->kind) {
    case MAILADDR_LOCAL:
        return true;
    case MAILADDR_DOMAIN:
        return strchr(addr->domain, '.') == NULL;
    case MAILADDR_NULL:
    case MAILADDR_LITERAL:
        return false;
    }
    return false;
}

/* A domain that is verified must be the client's own word. */
static bool partial_is_malformed(const struct conn_facts *conn)
{
    return conn->policy->keys.verify_sender || !conn->listener->keys->allow_partial_domain;
}

/* joe -> joe@default, joe@host -> joe@host.default. One that gets too long stays
 * as it is. */
static bool complete(struct stage *stage, const char *dflt)
{
    const struct mailaddr *from = &stage->mail->from;
    char domain[2 * DOMAIN_MAX], canonical[DOMAIN_MAX];

    snprintf(domain, sizeof domain, "%s%s%s", from->domain, from->domain[0] != '\0' ? "." : "",
             dflt);
    if (!domain_canon(slice_of(domain), canonical))
        return false;
    return !mailaddr_with_domain(from, canonical, stage->gate->arena, &stage->mail->sender) &&
           stage_refuse(stage, REASON_INTERNAL);
}

/* With the policy's reply, in which $EnvelopeSender is filled in. The status is
 * taken before that, from what the administrator wrote. rule: the key that wants it. */
static bool refuse(struct stage *stage, enum reason reason, struct place rule, int code,
                   const char *text, const char *sender)
{
    verdict_reply(stage->verdict, reason, code, text);
    const char *expanded =
        hatvars_expand_sender(stage->verdict->text, stage->conn, sender, stage->gate->arena);
    if (expanded == NULL)
        return stage_refuse(stage, REASON_INTERNAL);
    stage->verdict->text = expanded;
    stage->verdict->rule = rule;
    return true;
}

static bool refuse_malformed(struct stage *stage, const char *sender)
{
    const struct policy *policy = stage->conn->policy;
    struct place rule = policy->keys.verify_sender
                            ? POLICY_PLACE(policy, verify_sender)
                            : LISTENER_PLACE(stage->conn->listener, allow_partial_domain);

    return refuse(stage, REASON_SENDER_MALFORMED, rule, policy->keys.malformed_sender_code,
                  policy->keys.malformed_sender_text, sender);
}

/* No address can be made of what was sent. To who verifies senders it is one without a
 * domain as much as "joe" is. */
static bool unreadable(struct stage *stage)
{
    struct slice sent = stage->mail->sent;

    if (!stage->conn->policy->keys.verify_sender)
        return stage_refuse_by(stage, REASON_SENDER_SYNTAX,
                               LISTENER_PLACE(stage->conn->listener, address_parser));
    if (sent.n >= 2 && sent.p[0] == '<' && sent.p[sent.n - 1] == '>')
        sent = (struct slice){sent.p + 1, sent.n - 2};
    const char *shown = arena_dup_slice(stage->gate->arena, sent);
    return shown != NULL ? refuse_malformed(stage, shown) : stage_refuse(stage, REASON_INTERNAL);
}

static bool parse_sender(struct stage *stage)
{
    const struct listener_keys *keys = stage->conn->listener->keys;
    struct mail_facts *mail = stage->mail;
    struct err err = {0};

    mail->sender.text = NULL;
    if (mail->sent.p == NULL)
        return stage_refuse(stage, REASON_INTERNAL);
    if (!mailaddr_parse(mail->sent, (enum mailaddr_mode)keys->address_parser, true,
                        stage->gate->arena, &mail->from, &err)) {
        mail->from.text = NULL;
        return err.kind == ERR_MEMORY ? stage_refuse(stage, REASON_INTERNAL) : unreadable(stage);
    }
    mail->sender = mail->from;
    return is_partial(&mail->from) && keys->default_domain[0] != '\0' &&
           !partial_is_malformed(stage->conn) && complete(stage, keys->default_domain);
}

/* --- judge ---------------------------------------------------------------------- */

static bool tls_missing(struct stage *stage)
{
    const struct conn_facts *conn = stage->conn;
    const struct policy_keys *keys = &conn->policy->keys;
    struct place at;

    if (keys->tls != POLICY_PREFERRED || conn->tls ||
        !lists_match(conn->listener->lists, keys->tls_required_senders, &stage->mail->sender, &at))
        return false;
    stage_refuse(stage, REASON_TLS_REQUIRED_SENDER);
    stage->verdict->rule = at;
    return true;
}

static bool malformed(struct stage *stage)
{
    return is_partial(&stage->mail->sender) && partial_is_malformed(stage->conn) &&
           refuse_malformed(stage, stage->mail->from.text);
}

static bool in_exceptions(struct stage *stage)
{
    const struct exceptions *exceptions = stage->gate->rules->exceptions;
    const struct exceptions_entry *entry = NULL;

    if (stage->conn->policy->keys.use_exceptions && exceptions != NULL)
        entry = exceptions_lookup(exceptions, &stage->mail->sender);
    if (entry == NULL)
        return false;
    if (entry->allow)
        verdict_set(stage->verdict, REASON_SENDER_ALLOWED);
    else
        verdict_reply(stage->verdict, REASON_SENDER_REJECTED, entry->code, entry->text);
    stage->verdict->rule = entry->at;
    return true;
}

/* An address literal is no name to ask for. */
static bool domain_unknown(struct stage *stage)
{
    const struct services *services = stage->gate->services;
    const struct policy *policy = stage->conn->policy;
    const struct policy_keys *keys = &policy->keys;
    const struct mailaddr *sender = &stage->mail->sender;
    enum sender_class answer = SENDER_EXISTS;

    if (!keys->verify_sender || sender->kind != MAILADDR_DOMAIN)
        return false;
    services->sender(services->ctx, sender->domain, keys->no_mx == POLICY_NO_MX_ACCEPT_A,
                     stage->gate->deadline, &answer);
    struct place verify = POLICY_PLACE(policy, verify_sender);
    switch (answer) {
    case SENDER_EXISTS:
        return false;
    case SENDER_NONEXISTENT:
        return refuse(stage, REASON_SENDER_NONEXISTENT, verify, keys->nonexistent_sender_code,
                      keys->nonexistent_sender_text, stage->mail->from.text);
    case SENDER_NO_MX:
        return refuse(stage, REASON_SENDER_NO_MX, POLICY_PLACE(policy, no_mx),
                      keys->nonexistent_sender_code, keys->no_mx_text, stage->mail->from.text);
    case SENDER_UNRESOLVABLE:
        return refuse(stage, REASON_SENDER_UNRESOLVABLE, verify, keys->unresolvable_sender_code,
                      keys->unresolvable_sender_text, stage->mail->from.text);
    }
    return false;
}

bool stage_sender(struct stage *stage)
{
    static stage_step *const steps[] = {parse_sender, tls_missing, malformed, in_exceptions,
                                        domain_unknown};

    /* Who is refused at every RCPT comes that far, whatever sender it names: the log
     * shall say whom it wanted to reach, and nobody has to be asked. */
    bool refused = stage_refused_at_connect(stage->conn);

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (steps[i](stage))
            return !refused || stage->verdict->reason == REASON_INTERNAL;
        if (refused || stage->mail->from.kind == MAILADDR_NULL)
            return false; /* <> is let through whatever follows */
    }
    return false;
}
