/*
 * Through each service of the MTA a session as of a client, up to a recipient that nobody
 * has. It never says DATA, so that nothing can be delivered.
 *
 * A refusal is ours where it is, word by word, one that the stages give for this client and this
 * recipient; whatever directory and mailbox host may say, all of their answers are tried on the
 * stages. Where nothing is refused, or the words are lost on their way, the daemon's own count of
 * decisions says whether it was asked.
 */
#include "milter/proof.h"

#include <stdarg.h>
#include <string.h>

#include "lib/base/hash.h"
#include "lib/mta/offers.h"
#include "lib/net/smtp_reply.h"
#include "lib/net/sock.h"
#include "milter/ask.h"
#include "milter/reply.h"
#include "milter/trace.h"
#include "milter/wire.h"

#define SESSION_SECONDS 60 /* call-ahead and greylisting delays of the MTA included */
#define HELO "gatehouse-doctor.invalid"
#define DOMAINS_MAX 50 /* that are looked at for one where a recipient can be refused */
#define ADDRESS_MAX 400
#define SHOWN_MAX 300  /* bytes of a reply */
#define GREYLISTED 450 /* what policy servers and access tables put clients off with */

/* --- what Gatehouse says ----------------------------------------------------------------- */

#define CLASSES (CALLAHEAD_SERVER_ILL + 1)
#define DIRECTORY_ANSWERS (DIRECTORY_ERROR + 1)
#define OUTCOMES_MAX (CLASSES * DIRECTORY_ANSWERS)

/* All that may come of one recipient. */
struct outlook {
    struct trace_result results[OUTCOMES_MAX];
    size_t n;
    bool refused; /* where nobody is called so */
    bool foreign; /* the MTA may refuse it by itself, as relaying */
};

/* A session with one service. */
struct attempt {
    struct proof *proof;
    const struct proof_service *service;
    struct sock *sock;
    mono_us deadline;
    struct smtp_parser parser;
    struct slice unread;
    char buf[4096];
    struct smtp_reply reply; /* the last one */
    struct err err;
    const char *before; /* what the daemon had counted; NULL: it does not say */
};

static bool foresee_one(const struct attempt *attempt, const char *address, uint64_t size,
                        enum callahead_class class, enum directory_class answer,
                        struct trace_result *result_out)
{
    const char *const *to = &address;
    struct proof *proof = attempt->proof;
    struct trace_query query = {.ip = attempt->service->address,
                                .listener = attempt->service->listener->name,
                                .helo = HELO,
                                .from = "<>",
                                .to = to,
                                .nto = 1,
                                .size_known = size > 0,
                                .size = size,
                                .callahead_given = true,
                                .callahead = class,
                                .ldap_given = true,
                                .ldap = answer};
    struct trace_setting setting = {.snapshot = proof->snapshot, .blocks = proof->blocks};
    struct err err = {0};
    return trace_run(&query, &setting, proof->arena, result_out, &err);
}

/* Is it, where nobody is called so? false: out of memory. */
static bool can_be_refused(const struct attempt *attempt, const char *address, bool *refused_out)
{
    struct trace_result unknown;
    if (!foresee_one(attempt, address, 0, CALLAHEAD_USER_UNKNOWN, DIRECTORY_NO_MATCH, &unknown))
        return false;
    *refused_out = unknown.overall != VERDICT_CONTINUE;
    return true;
}

/* false: out of memory. */
static bool foresee(const struct attempt *attempt, const char *address, uint64_t size,
                    struct outlook *outlook)
{
    outlook->n = 0;
    for (int class = 0; class < CLASSES; class ++)
        for (int answer = 0; answer < DIRECTORY_ANSWERS; answer++)
            if (!foresee_one(attempt, address, size, (enum callahead_class) class,
                             (enum directory_class)answer, &outlook->results[outlook->n++]))
                return false;
    return can_be_refused(attempt, address, &outlook->refused);
}

/* --- whom to ask for --------------------------------------------------------------------- */

struct choice {
    const struct attempt *attempt;
    char address[ADDRESS_MAX];
    char user[40]; /* that nobody is */
    size_t looked_at;
    bool found, failed;
};

static void try_address(struct choice *choice, const char *user, const char *domain)
{
    char address[ADDRESS_MAX];
    int n = snprintf(address, sizeof address, "<%s%s>", user, domain);
    if (choice->found || choice->failed || n < 0 || (size_t)n >= sizeof address)
        return;
    choice->failed = !can_be_refused(choice->attempt, address, &choice->found);
    if (choice->found)
        memcpy(choice->address, address, (size_t)n + 1);
}

/* A domain that the MTA lets come to Gatehouse. */
static void try_domain(struct choice *choice, const struct rat_entry *entry)
{
    if (!entry->accept || choice->looked_at++ >= DOMAINS_MAX)
        return;
    char domain[ADDRESS_MAX];
    if (entry->form != RAT_DOMAIN && entry->form != RAT_BELOW)
        return;
    snprintf(domain, sizeof domain, entry->form == RAT_BELOW ? "@x%s" : "@%s", entry->key);
    try_address(choice, choice->user, domain);
}

/* Else one that the RAT refuses by name at such a domain. It is somebody, perhaps, but never gets
 * anything. */
static void try_refused(struct choice *choice, const struct rat *rat, const struct rat_entry *entry)
{
    const char *at = strrchr(entry->address, '@');
    struct mailaddr other;
    char text[ADDRESS_MAX];
    if (entry->accept || entry->form != RAT_ADDRESS || at == NULL)
        return;
    int n = snprintf(text, sizeof text, "%s%s", choice->user, at);
    if (n < 0 || (size_t)n >= sizeof text ||
        !mailaddr_parse(slice_of(text), MAILADDR_STRICT, false, choice->attempt->proof->arena,
                        &other, NULL) ||
        !rat_lookup(rat, &other)->accept)
        return;
    try_address(choice, entry->address, "");
}

/* The address, in brackets; where no domain of the listener refuses anybody, a foreign one. false:
 * out of memory. */
static bool choose(const struct attempt *attempt, struct outlook *outlook,
                   char address_out[ADDRESS_MAX])
{
    const struct rat *rat = attempt->service->listener->rat;
    struct hash_seed seed = hash_seed_random();
    struct choice choice = {.attempt = attempt};
    size_t n = rat != NULL ? rat_entries(rat) : 0;
    snprintf(choice.user, sizeof choice.user, "gatehouse-doctor-%016llx",
             (unsigned long long)seed.a);
    for (size_t i = 0; i < n && !choice.found; i++)
        try_domain(&choice, rat_entry_get(rat, i));
    for (size_t i = 0; i < n && !choice.found; i++)
        try_refused(&choice, rat, rat_entry_get(rat, i));
    if (!choice.found)
        snprintf(choice.address, sizeof choice.address, "<%s@" HELO ">", choice.user);
    outlook->foreign = !choice.found;
    memcpy(address_out, choice.address, ADDRESS_MAX);
    return !choice.failed && foresee(attempt, choice.address, 0, outlook);
}

/* --- the conversation -------------------------------------------------------------------- */

static bool read_reply(struct attempt *attempt)
{
    for (;;) {
        const char *why = "";
        enum smtp_parse step = smtp_parser_feed(&attempt->parser, &attempt->unread, &why);
        if (step == SMTP_PARSE_MALFORMED)
            return err_set(&attempt->err, ERR_PEER, "%s", why);
        if (step == SMTP_PARSE_REPLY) {
            attempt->reply = attempt->parser.reply;
            return true;
        }
        ssize_t n = sock_read(attempt->sock, attempt->buf, sizeof attempt->buf, attempt->deadline,
                              &attempt->err);
        if (n == 0)
            return err_set(&attempt->err, ERR_PEER, "the mail server hangs up");
        if (n < 0)
            return false;
        attempt->unread = (struct slice){attempt->buf, (size_t)n};
    }
}

static bool say(struct attempt *attempt, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool say(struct attempt *attempt, const char *fmt, ...)
{
    char line[ADDRESS_MAX + 100];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line - 2, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof line - 2)
        return err_set(&attempt->err, ERR_RANGE, "the address is too long");
    memcpy(line + n, "\r\n", 2);
    return sock_write(attempt->sock, line, (size_t)n + 2, attempt->deadline, &attempt->err) &&
           read_reply(attempt);
}

static bool is_good(const struct attempt *attempt)
{
    return attempt->reply.code / 100 == 2;
}

static const char *shown(const struct attempt *attempt, char text[SHOWN_MAX])
{
    const struct smtp_reply *reply = &attempt->reply;
    snprintf(text, SHOWN_MAX, "%d%s%s %.*s", reply->code, reply->status[0] != '\0' ? " " : "",
             reply->status, (int)(reply->text_n < 200 ? reply->text_n : 200), reply->text);
    for (char *p = text; *p != '\0'; p++)
        *p = *p == '\n' ? ' ' : *p;
    return text;
}

/* --- whose word it is -------------------------------------------------------------------- */

/* Sendmail puts "<address>... " before some. */
static bool same_words(struct slice said, const char *ours)
{
    const char *dots = memmem(said.p, said.n, ">... ", 5);
    if (slice_is(said, ours))
        return true;
    if (dots == NULL || said.n == 0 || said.p[0] != '<')
        return false;
    return slice_is((struct slice){dots + 5, said.n - (size_t)(dots + 5 - said.p)}, ours);
}

static bool is_verdict(const struct smtp_reply *reply, const struct verdict *verdict)
{
    char text[REPLY_ALL_MAX];
    if (verdict->action == VERDICT_CONTINUE || reply->code != verdict->code ||
        strcmp(reply->status, verdict->status) != 0)
        return false;
    reply_said(verdict, text);
    return same_words(smtp_reply_text(reply), text);
}

/* Harvesting is counted, which the stages do not know of here. */
static bool is_of_policy(const struct smtp_reply *reply, const struct policy_keys *keys)
{
    struct verdict verdict;
    verdict_reply(&verdict, REASON_HARVEST, keys->dhap_code, keys->dhap_text);
    if (is_verdict(reply, &verdict))
        return true;
    verdict_reply(&verdict, REASON_HARVEST_BLOCKED, 0, keys->dhap_text);
    return is_verdict(reply, &verdict);
}

static bool is_ours(const struct attempt *attempt, const struct outlook *outlook)
{
    const struct smtp_reply *reply = &attempt->reply;
    for (size_t i = 0; i < outlook->n; i++) {
        const struct trace_result *result = &outlook->results[i];
        if (is_verdict(reply, &result->connect) ||
            (result->has_mail && is_verdict(reply, &result->mail)) ||
            (result->has_rcpt && is_verdict(reply, &result->recipients[0].verdict)))
            return true;
    }
    return outlook->results[0].conn.policy != NULL &&
           is_of_policy(reply, &outlook->results[0].conn.policy->keys);
}

/* --- what the daemon counts -------------------------------------------------------------- */

/* false: it does not say. */
static bool read_counts(const struct proof *proof, struct strbuf *text)
{
    struct err err = {0};
    strbuf_reset(text);
    return ask_daemon_text(proof->conf, (const char *[]){"stats"}, 1, text, &err) == WIRE_YES;
}

/* Of "rcpt reject rat/rejected 17". */
static uint64_t count_of(const char *counts, const char *stage, const struct verdict *verdict)
{
    const struct reason_row *row = &reason_rows[verdict->reason];
    char start[200];
    uint64_t number = 0;
    int n = snprintf(start, sizeof start, "%s %s %s/%s ", stage,
                     verdict_action_name(verdict->action), row->by, row->token);
    for (const char *line = counts; n > 0 && *line != '\0';) {
        size_t end = strcspn(line, "\n");
        if (end > (size_t)n && memcmp(line, start, (size_t)n) == 0 &&
            str_to_uint((struct slice){line + n, end - (size_t)n}, UINT64_MAX, &number))
            return number;
        line += end + (line[end] == '\n');
    }
    return number;
}

/* The decision that ends an attempt, and its stage. */
static const struct verdict *last_word(const struct trace_result *result, const char **stage_out)
{
    *stage_out = "connect";
    if (result->connect.action != VERDICT_CONTINUE)
        return &result->connect;
    *stage_out = "mail";
    if (result->mail.action != VERDICT_CONTINUE)
        return &result->mail;
    *stage_out = "rcpt";
    return &result->recipients[0].verdict;
}

/* All decisions that may come of it, and let the recipient pass, or refuse it. */
static uint64_t count_all(const char *counts, const struct outlook *outlook, bool pass)
{
    uint64_t all = 0;
    for (size_t i = 0; i < outlook->n; i++) {
        const char *stage;
        const struct verdict *verdict = last_word(&outlook->results[i], &stage);
        if ((verdict->action == VERDICT_CONTINUE) == pass)
            all += count_of(counts, stage, verdict);
    }
    return all;
}

/* --- judging ----------------------------------------------------------------------------- */

/* What the service offers, against what the policies want. */
static void check_offers(struct attempt *attempt)
{
    struct slice text = smtp_reply_text(&attempt->reply);
    bool tls = memmem(text.p, text.n, "STARTTLS", 8) != NULL;
    bool auth = memmem(text.p, text.n, "AUTH ", 5) != NULL;
    struct offers offers;
    offers_of(attempt->service->listener, &offers);
    if (offers.tls_required && !tls)
        proof_error(attempt->proof,
                    "%s: STARTTLS is not offered, and a policy of [listener %s] has tls = required",
                    attempt->service->name, attempt->service->listener->name);
    if (offers.auth_required && !auth && !tls)
        proof_error(attempt->proof,
                    "%s: AUTH is not offered, and a policy of [listener %s] has auth = required",
                    attempt->service->name, attempt->service->listener->name);
}

static bool offers_size(const struct smtp_reply *reply)
{
    return memmem(reply->text, reply->text_n, "SIZE", 4) != NULL;
}

/* The words were not ours: was the daemon asked? */
static void judge_by_counts(struct attempt *attempt, const struct outlook *outlook,
                            const char *address)
{
    struct proof *proof = attempt->proof;
    const char *name = attempt->service->name;
    char text[SHOWN_MAX];
    struct strbuf after;
    strbuf_init(&after);
    bool known = attempt->before != NULL && read_counts(proof, &after);
    const char *now = strbuf_text(&after), *then = attempt->before;
    bool passed = known && count_all(now, outlook, true) > count_all(then, outlook, true);
    bool refused = known && count_all(now, outlook, false) > count_all(then, outlook, false);
    bool silent = proof->input.monitor;
    if (is_good(attempt) && outlook->refused && !passed && !silent)
        proof_error(proof,
                    "%s: %s, which does not exist, is accepted (%s), and Gatehouse refuses such "
                    "recipients: %s",
                    name, address, shown(attempt, text),
                    refused ? "its refusal does not reach the client" : "it was not asked");
    else if (passed || refused)
        proof_good(proof, "%s: Gatehouse was asked for %s, by its own count (%s)", name, address,
                   shown(attempt, text));
    else if (!known)
        proof_unknown(proof,
                      "%s: whether Gatehouse was asked for %s: the answer is not its own "
                      "(%s), and the daemon does not say what it counts",
                      name, address, shown(attempt, text));
    else if (attempt->reply.code == GREYLISTED)
        proof_unknown(proof,
                      "%s: whether Gatehouse is asked: the mail server, or another filter, puts "
                      "%s off before that (%s)",
                      name, address, shown(attempt, text));
    else if (!outlook->foreign && !silent)
        proof_error(proof, "%s: %s is refused, but not by Gatehouse, which was not asked: %s", name,
                    address, shown(attempt, text));
    else
        proof_unknown(
            proof, "%s: whether Gatehouse is asked: the mail server answers for %s by itself (%s)",
            name, address, shown(attempt, text));
    strbuf_done(&after);
}

static void tell_ours(const struct attempt *attempt, const char *what)
{
    char text[SHOWN_MAX];
    proof_good(attempt->proof, "%s: Gatehouse refuses %s: %s", attempt->service->name, what,
               shown(attempt, text));
}

/* A message that is too large by the policy, and not yet so for the MTA, is announced. */
static bool try_size(struct attempt *attempt, struct outlook *outlook, const char *address)
{
    const struct policy *policy = outlook->results[0].conn.policy;
    struct outlook *large;
    bool ours = false;
    if (policy == NULL || policy->keys.max_message_size >= KEY_ANY_MAX / 2 ||
        (large = arena_alloc(attempt->proof->arena, sizeof *large)) == NULL)
        return false;
    unsigned long long size = (unsigned long long)policy->keys.max_message_size + 1;
    if (foresee(attempt, address, size, large) && say(attempt, "RSET") &&
        say(attempt, "MAIL FROM:<> SIZE=%llu", size))
        ours = is_ours(attempt, large);
    return ours;
}

/* MAIL and RCPT. false: the conversation ended, in attempt->err. */
static bool ask_for(struct attempt *attempt, const char *address)
{
    return say(attempt, "MAIL FROM:<>") &&
           (!is_good(attempt) || say(attempt, "RCPT TO:%s", address));
}

static bool converse(struct attempt *attempt, struct outlook *outlook, const char *address)
{
    if (!read_reply(attempt) || !say(attempt, "EHLO " HELO))
        return false;
    bool sized = offers_size(&attempt->reply);
    if (is_good(attempt))
        check_offers(attempt);
    if (!ask_for(attempt, address))
        return false;
    if (is_ours(attempt, outlook)) {
        tell_ours(attempt, address);
        return true;
    }
    struct smtp_reply first = attempt->reply;
    if (sized && outlook->foreign && !attempt->proof->input.monitor &&
        try_size(attempt, outlook, address)) {
        tell_ours(attempt, "a message that is too large");
        return true;
    }
    attempt->reply = first;
    judge_by_counts(attempt, outlook, address);
    return true;
}

/* Whatever has happened: no transaction stays open. */
static void take_leave(struct attempt *attempt)
{
    if (attempt->err.kind == ERR_NONE)
        (void)!(say(attempt, "RSET") && say(attempt, "QUIT"));
    sock_close(attempt->sock);
}

static bool is_wrapped(const struct attempt *attempt)
{
    return slice_is(postconf_value(&attempt->proof->postconf, &attempt->service->postfix,
                                   "smtpd_tls_wrappermode"),
                    "yes");
}

static void hold_session(struct attempt *attempt, struct outlook *outlook, const char *address)
{
    char ip[IP_TEXT_MAX];
    const char *name = attempt->service->name;
    attempt->sock = sock_connect(&attempt->service->address, attempt->service->port, "", -1,
                                 mono_now() + MONO_SECONDS(PROOF_SECONDS), &attempt->err);
    if (attempt->sock == NULL) {
        proof_error(attempt->proof, "%s: cannot connect to %s port %u: %s", name,
                    ip_text(&attempt->service->address, ip), attempt->service->port,
                    attempt->err.text);
        return;
    }
    attempt->deadline = mono_now() + MONO_SECONDS(SESSION_SECONDS);
    smtp_parser_init(&attempt->parser);
    if (!converse(attempt, outlook, address)) {
        if (attempt->reply.code >= 400) /* it hung up on us */
            judge_by_counts(attempt, outlook, address);
        else
            proof_error(attempt->proof, "%s: the attempt broke off: %s", name, attempt->err.text);
    }
    take_leave(attempt);
}

static void try_service(struct proof *proof, const struct proof_service *service)
{
    struct attempt *attempt = arena_alloc(proof->arena, sizeof *attempt);
    struct outlook *outlook = arena_alloc(proof->arena, sizeof *outlook);
    char address[ADDRESS_MAX];
    struct strbuf before;

    if (attempt == NULL || outlook == NULL) {
        proof_error(proof, "out of memory");
        return;
    }
    *attempt = (struct attempt){.proof = proof, .service = service, .unread = {"", 0}};
    if (service->port == 0 || is_wrapped(attempt)) {
        proof_unknown(proof, "%s: it cannot be tried: %s", service->name,
                      service->port == 0 ? "it has no port of its own" : "it begins with TLS");
        return;
    }
    if (!choose(attempt, outlook, address)) {
        proof_error(proof, "out of memory");
        return;
    }
    strbuf_init(&before);
    bool known = read_counts(proof, &before);
    attempt->before = known ? strbuf_text(&before) : NULL;
    hold_session(attempt, outlook, address);
    strbuf_done(&before);
}

void proof_try(struct proof *proof)
{
    struct proof_service *list;
    size_t n;

    if (!proof_services(proof, &list, &n)) {
        proof_error(proof, "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (list[i].listener != NULL)
            try_service(proof, &list[i]);
}
