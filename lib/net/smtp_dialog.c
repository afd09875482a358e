/*
 * smtp_dialog.c - see smtp_dialog.h.
 *
 * Two halves. Writing: what the batch still needs is put out command by
 * command (emit_...), all at once where the server pipelines, else one at a
 * time; each command notes where it ends in the stream. Reading: each reply is
 * given to the oldest command without one (on_...), which must have been sent.
 */
#include "lib/net/smtp_dialog.h"

#include <string.h>
#include "lib/base/escape.h"
#include "lib/net/smtp_class.h"
#include "lib/net/smtp_offers.h"

enum state {
    STATE_GREETING, /* up to the end of EHLO, HELO or STARTTLS */
    STATE_TLS,      /* the driver is to start TLS */
    STATE_IDLE,
    STATE_BATCH,
    STATE_DONE, /* as IDLE, with answers to take */
    STATE_QUIT,
    STATE_CLOSED,
    STATE_BROKEN
};

enum command {
    COMMAND_CONNECT, /* its reply is the greeting */
    COMMAND_EHLO,
    COMMAND_HELO,
    COMMAND_STARTTLS,
    COMMAND_RSET,
    COMMAND_MAIL,
    COMMAND_RCPT,
    COMMAND_QUIT
};

static const enum callahead_stage command_stage[] = {
    [COMMAND_CONNECT] = CALLAHEAD_AT_GREETING,  [COMMAND_EHLO] = CALLAHEAD_AT_EHLO,
    [COMMAND_HELO] = CALLAHEAD_AT_EHLO,         [COMMAND_RSET] = CALLAHEAD_AT_MAIL,
    [COMMAND_STARTTLS] = CALLAHEAD_AT_STARTTLS, [COMMAND_MAIL] = CALLAHEAD_AT_MAIL,
    [COMMAND_RCPT] = CALLAHEAD_AT_RCPT,         [COMMAND_QUIT] = CALLAHEAD_AT_RCPT,
};

/* A command without a reply. */
struct expected {
    enum command command;
    uint64_t ends_at; /* in the stream of all bytes written */
    size_t recipient;
};

/* RSET and MAIL before each recipient of a batch, and QUIT. */
#define EXPECTED_MAX (3 * DIALOG_BATCH_MAX + 1)

struct slot {
    bool given;
    struct dialog_answer answer;
};

struct smtp_dialog {
    struct dialog_settings settings;
    enum state state;
    struct smtp_parser parser;
    unsigned offers;
    bool tls_done;

    struct strbuf out;
    size_t out_at; /* sent of out */
    uint64_t written, sent;
    struct expected expected[EXPECTED_MAX];
    size_t expected_first, expected_n;

    const char *const *recipients; /* borrowed while a batch runs */
    const bool *utf8;
    size_t n, next; /* recipients of the batch; the next one to put out */
    struct slot *slots;
    size_t slots_room;

    /* The transaction as put out ... */
    bool open, open_utf8;
    bool full; /* the server wants no more in it */
    unsigned in_transaction, transaction_max;
    /* ... and as answered. */
    unsigned accepted; /* recipients of it */
    bool began;        /* some MAIL was accepted in this session */
    bool served;       /* a batch before the present one was answered */

    bool cut_off;
    struct dialog_answer failure;
    unsigned rejected, asked;
};

struct smtp_dialog *dialog_new(const struct dialog_settings *settings)
{
    struct smtp_dialog *dialog = calloc(1, sizeof *dialog);
    if (!dialog)
        return NULL;
    dialog->settings = *settings;
    dialog->transaction_max = DIALOG_TRANSACTION_MAX;
    dialog->expected[0].command = COMMAND_CONNECT;
    dialog->expected_n = 1;
    strbuf_init(&dialog->out);
    smtp_parser_init(&dialog->parser);
    return dialog;
}

void dialog_free(struct smtp_dialog *dialog)
{
    if (!dialog)
        return;
    strbuf_done(&dialog->out);
    free(dialog->slots);
    free(dialog);
}

/* --- ending ------------------------------------------------------------------- */

enum callahead_stage dialog_stage(const struct smtp_dialog *dialog)
{
    if (dialog->state == STATE_TLS)
        return CALLAHEAD_AT_STARTTLS;
    if (dialog->expected_n == 0)
        return CALLAHEAD_AT_RCPT;
    return command_stage[dialog->expected[dialog->expected_first].command];
}

static void break_off(struct smtp_dialog *dialog)
{
    dialog->state = STATE_BROKEN;
    strbuf_reset(&dialog->out);
    dialog->out_at = 0;
}

static const char no_memory[] = "out of memory";

/* With our own words. */
static void fail(struct smtp_dialog *dialog, const char *why)
{
    dialog->failure =
        (struct dialog_answer){.class = CALLAHEAD_SERVER_ILL,
                               .stage = dialog_stage(dialog),
                               .scope = why == no_memory ? DIALOG_OF_US : DIALOG_OF_RECIPIENT};
    escape_reply(slice_of(why), dialog->failure.text, sizeof dialog->failure.text);
    break_off(dialog);
}

/* Nobody knows any more which reply belongs to which command: no answer of
 * this batch is worth anything. Where it may all be due to the batch before,
 * they deserve a second try. */
static void fail_protocol(struct smtp_dialog *dialog, const char *why)
{
    char text[ANSWER_TEXT_MAX];
    for (size_t i = 0; i < dialog->n; i++)
        dialog->slots[i].given = false;
    snprintf(text, sizeof text, "protocol error: %s", why);
    fail(dialog, text);
    dialog->cut_off = dialog->served;
}

static const char no_command[] = "a reply to no command";

/* Some of a reply came that no command has asked for. */
static bool in_surplus(const struct smtp_dialog *dialog)
{
    return dialog->expected_n == 0 && !smtp_parser_at_start(&dialog->parser);
}

void dialog_give_up(struct smtp_dialog *dialog, bool cut_off, const char *why)
{
    if (dialog->state == STATE_BROKEN || dialog->state == STATE_CLOSED)
        return;
    if (in_surplus(dialog)) {
        fail_protocol(dialog, no_command);
        return;
    }
    fail(dialog, why);
    dialog->cut_off = cut_off;
}

/* --- writing ------------------------------------------------------------------ */

static void put(struct smtp_dialog *dialog, enum command command, size_t recipient)
{
    size_t at = (dialog->expected_first + dialog->expected_n) % EXPECTED_MAX;
    CHECK(dialog->expected_n < EXPECTED_MAX);
    dialog->written = dialog->sent + (dialog->out.n - dialog->out_at);
    dialog->expected[at] = (struct expected){command, dialog->written, recipient};
    dialog->expected_n++;
    if (dialog->out.failed)
        fail(dialog, no_memory);
}

static void put_ehlo(struct smtp_dialog *dialog)
{
    strbuf_printf(&dialog->out, "%s %s\r\n", dialog->settings.lmtp ? "LHLO" : "EHLO",
                  dialog->settings.hostname);
    put(dialog, COMMAND_EHLO, 0);
}

static bool must_renew(const struct smtp_dialog *dialog, size_t recipient)
{
    return dialog->full || dialog->in_transaction >= dialog->transaction_max ||
           (dialog->utf8[recipient] && !dialog->open_utf8);
}

static void emit_mail(struct smtp_dialog *dialog, bool utf8)
{
    dialog->open = true;
    dialog->open_utf8 = utf8;
    dialog->full = false;
    dialog->in_transaction = 0;
    strbuf_printf(&dialog->out, "MAIL FROM:<%s>%s\r\n", dialog->settings.mail_from,
                  utf8 ? " SMTPUTF8" : "");
    put(dialog, COMMAND_MAIL, 0);
}

/* The next command the batch needs. */
static void emit_next(struct smtp_dialog *dialog)
{
    size_t i = dialog->next;
    if (dialog->open && must_renew(dialog, i)) {
        dialog->open = false;
        strbuf_puts(&dialog->out, "RSET\r\n");
        put(dialog, COMMAND_RSET, 0);
    } else if (!dialog->open) {
        emit_mail(dialog, dialog->utf8[i]);
    } else {
        dialog->in_transaction++;
        strbuf_printf(&dialog->out, "RCPT TO:<%s>\r\n", dialog->recipients[i]);
        put(dialog, COMMAND_RCPT, i);
    }
}

static bool given_already(const struct smtp_dialog *dialog)
{
    return dialog->slots[dialog->next].given;
}

static void emit(struct smtp_dialog *dialog)
{
    bool all = dialog_has_pipelining(dialog);
    if (in_surplus(dialog))
        return;
    while (dialog->state == STATE_BATCH && (all || dialog->expected_n == 0)) {
        while (dialog->next < dialog->n && given_already(dialog))
            dialog->next++;
        if (dialog->next == dialog->n)
            break;
        bool rcpt = dialog->open && !must_renew(dialog, dialog->next);
        emit_next(dialog);
        dialog->next += rcpt;
    }
    if (dialog->state == STATE_BATCH && dialog->expected_n == 0)
        dialog->state = STATE_DONE;
}

static bool make_slots(struct smtp_dialog *dialog, size_t n)
{
    if (n > dialog->slots_room) {
        struct slot *slots = realloc(dialog->slots, n * sizeof *slots);
        if (!slots)
            return false;
        dialog->slots = slots;
        dialog->slots_room = n;
    }
    return true;
}

void dialog_batch(struct smtp_dialog *dialog, const char *const *recipients, const bool *utf8,
                  size_t n)
{
    CHECK(dialog->state == STATE_IDLE || dialog->state == STATE_DONE);
    CHECK(n > 0 && n <= DIALOG_BATCH_MAX);
    dialog->served = dialog->state == STATE_DONE;
    dialog->n = 0;
    if (!make_slots(dialog, n)) {
        fail(dialog, no_memory);
        return;
    }
    dialog->recipients = recipients;
    dialog->utf8 = utf8;
    dialog->n = n;
    dialog->next = 0;
    for (size_t i = 0; i < n; i++) {
        struct slot *slot = &dialog->slots[i];
        const char *why = smtp_offers_refuse(dialog->offers, recipients[i], utf8[i]);
        slot->given = why != NULL;
        slot->answer =
            (struct dialog_answer){.class = CALLAHEAD_SERVER_ILL, .stage = CALLAHEAD_AT_RCPT};
        if (why == smtp_offers_no_utf8)
            slot->answer.scope = DIALOG_NO_SMTPUTF8;
        if (why)
            snprintf(slot->answer.text, sizeof slot->answer.text, "%s", why);
    }
    dialog->state = STATE_BATCH;
    emit(dialog);
}

void dialog_quit(struct smtp_dialog *dialog)
{
    if (dialog->state != STATE_IDLE && dialog->state != STATE_DONE)
        return;
    dialog->state = STATE_QUIT;
    strbuf_puts(&dialog->out, "QUIT\r\n");
    put(dialog, COMMAND_QUIT, 0);
}

struct slice dialog_output(const struct smtp_dialog *dialog)
{
    return (struct slice){strbuf_text(&dialog->out) + dialog->out_at,
                          dialog->out.n - dialog->out_at};
}

void dialog_sent(struct smtp_dialog *dialog, size_t n)
{
    CHECK(n <= dialog->out.n - dialog->out_at);
    dialog->out_at += n;
    dialog->sent += n;
    if (dialog->out_at == dialog->out.n) {
        strbuf_reset(&dialog->out);
        dialog->out_at = 0;
    }
}

/* --- reading ------------------------------------------------------------------ */

/* recipient: NULL for answers to anything but RCPT. */
static void take_answer(const struct smtp_dialog *dialog, enum callahead_stage stage,
                        const char *recipient, struct dialog_answer *answer_out)
{
    char line[SMTP_TEXT_KEPT];
    const struct smtp_reply *reply = &dialog->parser.reply;
    struct slice text = smtp_reply_text(reply);
    for (size_t i = 0; i < text.n; i++)
        line[i] = text.p[i] == '\n' ? ' ' : text.p[i];
    answer_out->class = smtp_classify_reply(stage, reply, recipient, dialog->settings.mail_from);
    answer_out->stage = stage;
    answer_out->code = reply->code;
    snprintf(answer_out->status, sizeof answer_out->status, "%s", reply->status);
    escape_reply((struct slice){line, text.n}, answer_out->text, sizeof answer_out->text);
    answer_out->scope = smtp_reply_is_of_server(reply) ? DIALOG_OF_SERVER : DIALOG_OF_RECIPIENT;
}

/* With the server's words, about a command that must succeed. */
static void fail_reply(struct smtp_dialog *dialog, enum command command, bool cut_off)
{
    take_answer(dialog, command_stage[command], NULL, &dialog->failure);
    dialog->cut_off = cut_off;
    break_off(dialog);
}

static bool is_success(const struct smtp_dialog *dialog)
{
    return dialog->parser.reply.code / 100 == 2;
}

static void on_greeting(struct smtp_dialog *dialog)
{
    if (dialog->parser.reply.code == 220)
        put_ehlo(dialog);
    else
        fail_reply(dialog, COMMAND_CONNECT, false);
}

static void on_hello_done(struct smtp_dialog *dialog)
{
    bool wanted = dialog->settings.tls != DIALOG_TLS_OFF && !dialog->tls_done;
    if (wanted && (dialog->offers & SMTP_OFFERS_STARTTLS)) {
        strbuf_puts(&dialog->out, "STARTTLS\r\n");
        put(dialog, COMMAND_STARTTLS, 0);
    } else if (wanted && dialog->settings.tls == DIALOG_TLS_REQUIRE) {
        fail(dialog, "the server does not offer STARTTLS, which tls = require wants");
        dialog->failure.stage = CALLAHEAD_AT_STARTTLS;
    } else {
        dialog->state = STATE_IDLE;
    }
}

static void on_ehlo(struct smtp_dialog *dialog)
{
    const struct smtp_reply *reply = &dialog->parser.reply;
    dialog->offers = 0;
    if (is_success(dialog)) {
        dialog->offers = smtp_offers(smtp_reply_text(reply));
        on_hello_done(dialog);
    } else if (reply->code / 100 == 5 && !dialog->settings.lmtp && !dialog->tls_done) {
        strbuf_printf(&dialog->out, "HELO %s\r\n", dialog->settings.hostname);
        put(dialog, COMMAND_HELO, 0);
    } else {
        fail_reply(dialog, COMMAND_EHLO, false);
    }
}

static void on_helo(struct smtp_dialog *dialog)
{
    if (is_success(dialog))
        on_hello_done(dialog);
    else
        fail_reply(dialog, COMMAND_HELO, false);
}

static void on_starttls(struct smtp_dialog *dialog)
{
    if (dialog->parser.reply.code == 220)
        dialog->state = STATE_TLS;
    else if (dialog->parser.reply.code != 421 && dialog->settings.tls == DIALOG_TLS_MAY)
        dialog->state = STATE_IDLE;
    else
        fail_reply(dialog, COMMAND_STARTTLS, false);
}

/* RSET or MAIL. A refusal in a session that has served before says less about
 * the server than about the session. */
static void on_transaction(struct smtp_dialog *dialog, enum command command)
{
    if (!is_success(dialog)) {
        fail_reply(dialog, command, dialog->began);
        return;
    }
    dialog->accepted = 0;
    dialog->began = dialog->began || command == COMMAND_MAIL;
}

/* The server takes no more recipients in this transaction: says nothing about
 * the one that was too many. */
static bool is_too_many(const struct smtp_dialog *dialog)
{
    return dialog->accepted > 0 && smtp_reply_is_too_many(&dialog->parser.reply);
}

static void on_rcpt(struct smtp_dialog *dialog, size_t recipient)
{
    const struct smtp_reply *reply = &dialog->parser.reply;
    if (reply->code == 421) {
        fail_reply(dialog, COMMAND_RCPT, true);
        return;
    }
    dialog->asked++;
    if (is_too_many(dialog)) {
        dialog->full = true;
        if (dialog->accepted < dialog->transaction_max)
            dialog->transaction_max = dialog->accepted;
        return;
    }
    struct slot *slot = &dialog->slots[recipient];
    take_answer(dialog, CALLAHEAD_AT_RCPT, dialog->recipients[recipient], &slot->answer);
    slot->given = true;
    dialog->accepted += is_success(dialog);
    dialog->rejected += !is_success(dialog);
}

static bool is_in_batch(const struct smtp_dialog *dialog)
{
    return dialog->state == STATE_BATCH || dialog->state == STATE_DONE;
}

/* May a reply begin now with this byte? It must come after its command, or be
 * a 421 behind all replies of a batch. */
static const char *refuse_reply(const struct smtp_dialog *dialog, char first)
{
    if (dialog->state == STATE_TLS)
        return "bytes after the answer to STARTTLS";
    if (dialog->expected_n == 0)
        return is_in_batch(dialog) && first == '4' ? NULL : no_command;
    if (dialog->expected[dialog->expected_first].ends_at > dialog->sent)
        return "a reply before its command";
    return NULL;
}

/* Behind the last reply of a batch. A server whose patience ends with it says so
 * at once (RFC 5321 3.8): the answers before that are good. */
static void on_surplus(struct smtp_dialog *dialog)
{
    if (dialog->parser.reply.code == 421)
        fail_reply(dialog, COMMAND_RCPT, true);
    else
        fail_protocol(dialog, no_command);
}

static void on_reply(struct smtp_dialog *dialog)
{
    const struct expected *first = &dialog->expected[dialog->expected_first];
    switch (first->command) {
    case COMMAND_RSET:
    case COMMAND_MAIL:
        on_transaction(dialog, first->command);
        break;
    case COMMAND_RCPT:
        on_rcpt(dialog, first->recipient);
        break;
    case COMMAND_CONNECT:
        on_greeting(dialog);
        break;
    case COMMAND_EHLO:
        on_ehlo(dialog);
        break;
    case COMMAND_HELO:
        on_helo(dialog);
        break;
    case COMMAND_STARTTLS:
        on_starttls(dialog);
        break;
    case COMMAND_QUIT:
        dialog->state = STATE_CLOSED;
        break;
    }
    dialog->expected_first = (dialog->expected_first + 1) % EXPECTED_MAX;
    dialog->expected_n--;
}

static void on_close(struct smtp_dialog *dialog)
{
    if (dialog->state == STATE_QUIT)
        dialog->state = STATE_CLOSED;
    else if (dialog->state != STATE_BROKEN && dialog->state != STATE_CLOSED)
        dialog_give_up(dialog, dialog->began, "the server closed the connection");
}

void dialog_input(struct smtp_dialog *dialog, const char *bytes, size_t n)
{
    struct slice in = {bytes, n};
    const char *why = NULL;
    if (n == 0)
        on_close(dialog);
    while (in.n > 0 && dialog->state != STATE_BROKEN && dialog->state != STATE_CLOSED) {
        enum smtp_parse parse = SMTP_PARSE_MALFORMED;
        if (smtp_parser_at_start(&dialog->parser))
            why = refuse_reply(dialog, in.p[0]);
        if (!why)
            parse = smtp_parser_feed(&dialog->parser, &in, &why);
        if (parse == SMTP_PARSE_MALFORMED)
            fail_protocol(dialog, why);
        else if (parse == SMTP_PARSE_REPLY && dialog->expected_n == 0)
            on_surplus(dialog);
        else if (parse == SMTP_PARSE_REPLY)
            on_reply(dialog);
    }
    if (in_surplus(dialog) && dialog->state == STATE_DONE)
        dialog->state = STATE_BATCH; /* not done before it is known what this is */
    emit(dialog);
}

void dialog_tls_started(struct smtp_dialog *dialog)
{
    CHECK(dialog->state == STATE_TLS);
    dialog->tls_done = true;
    dialog->offers = 0;
    dialog->state = STATE_GREETING;
    smtp_parser_init(&dialog->parser);
    put_ehlo(dialog);
}

/* --- asking ------------------------------------------------------------------- */

enum dialog_want dialog_next(const struct smtp_dialog *dialog)
{
    static const enum dialog_want wants[] = {
        [STATE_GREETING] = DIALOG_WANT_READ, [STATE_TLS] = DIALOG_WANT_TLS,
        [STATE_IDLE] = DIALOG_READY,         [STATE_BATCH] = DIALOG_WANT_READ,
        [STATE_DONE] = DIALOG_BATCH_DONE,    [STATE_QUIT] = DIALOG_WANT_READ,
        [STATE_CLOSED] = DIALOG_CLOSED,      [STATE_BROKEN] = DIALOG_BROKEN,
    };
    return wants[dialog->state];
}

const struct dialog_answer *dialog_answer(const struct smtp_dialog *dialog, size_t i)
{
    bool over = dialog->state == STATE_DONE || dialog->state == STATE_BROKEN;
    return over && i < dialog->n && dialog->slots[i].given ? &dialog->slots[i].answer : NULL;
}

const struct dialog_answer *dialog_failure(const struct smtp_dialog *dialog)
{
    return &dialog->failure;
}

bool dialog_cut_off(const struct smtp_dialog *dialog)
{
    return dialog->cut_off;
}

bool dialog_has_pipelining(const struct smtp_dialog *dialog)
{
    return (dialog->offers & SMTP_OFFERS_PIPELINING) && !dialog->settings.no_pipelining;
}

unsigned dialog_rejected(const struct smtp_dialog *dialog)
{
    return dialog->rejected;
}

unsigned dialog_asked(const struct smtp_dialog *dialog)
{
    return dialog->asked;
}

unsigned dialog_unanswered(const struct smtp_dialog *dialog)
{
    return (unsigned)dialog->expected_n;
}
