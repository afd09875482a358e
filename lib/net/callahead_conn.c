/*
 * callahead_conn.c - one connection to one server: a thread that opens it,
 * takes batches from the server's queue, lets the dialogue (smtp_dialog.h) ask
 * them, hands out the answers, and replaces the connection when it is worn
 * out. See callahead_pool.h.
 */
#include "lib/net/callahead_pool.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include "lib/base/log.h"
#include "lib/base/sigmask.h"
#include "lib/net/sock.h"
#include "lib/net/tls.h"

#define STACK_BYTES (256 * 1024)
#define READ_BYTES 16384

struct conn {
    struct callahead *pool;
    struct server *server;
    struct sock *sock;
    struct smtp_dialog *dialog;
    mono_us ready_at;
    bool closed, timed_out, tls_failed, stopped; /* how the connection ended */
    size_t n;
    struct question *batch[DIALOG_BATCH_MAX];
    const char *recipients[DIALOG_BATCH_MAX];
    bool utf8[DIALOG_BATCH_MAX];
    char bytes[READ_BYTES];
};

/* --- moving bytes -------------------------------------------------------------------- */

static void tell(const struct conn *conn, enum callahead_event event, struct slice bytes)
{
    if (conn->pool->watch && bytes.n > 0)
        conn->pool->watch(event, conn->server->text, bytes, conn->pool->watch_arg);
}

static void give_up(struct conn *conn, const struct err *err, bool cut_off)
{
    conn->timed_out = err->kind == ERR_TIMEOUT;
    conn->stopped = err->kind == ERR_SYSTEM && err->sys == ECANCELED;
    tell(conn, CALLAHEAD_EVENT_NOTE, slice_of(err->text));
    dialog_give_up(conn->dialog, cut_off, conn->stopped ? "call-ahead is ending" : err->text);
}

/* Closed and reset are the same to the dialogue: what they mean depends on when. */
static void on_close(struct conn *conn)
{
    conn->closed = true;
    tell(conn, CALLAHEAD_EVENT_NOTE, slice_of("closed by the server"));
    dialog_input(conn->dialog, NULL, 0);
}

static bool is_reset(const struct err *err)
{
    return err->kind == ERR_PEER ||
           (err->kind == ERR_SYSTEM && (err->sys == ECONNRESET || err->sys == EPIPE));
}

static void lost(struct conn *conn, const struct err *err)
{
    if (is_reset(err))
        on_close(conn);
    else
        give_up(conn, err, false);
}

static bool send_output(struct conn *conn, mono_us deadline)
{
    struct err err = {0};
    struct slice out = dialog_output(conn->dialog);
    tell(conn, CALLAHEAD_EVENT_SENT, out);
    if (out.n > 0 && !sock_write(conn->sock, out.p, out.n, deadline, &err)) {
        lost(conn, &err);
        return false;
    }
    dialog_sent(conn->dialog, out.n);
    return true;
}

static void on_bytes(struct conn *conn, size_t n)
{
    tell(conn, CALLAHEAD_EVENT_RECEIVED, (struct slice){conn->bytes, n});
    if (n == 0)
        on_close(conn);
    else
        dialog_input(conn->dialog, conn->bytes, n);
}

static void start_tls(struct conn *conn, mono_us deadline)
{
    struct err err = {0};
    const struct link_settings *link = &conn->server->link;
    if (!link->tls_client)
        err_set(&err, ERR_TLS, "no TLS settings");
    else if (sock_start_tls(conn->sock, link->tls_client, link->name, link->verify, deadline, &err))
        dialog_tls_started(conn->dialog);
    if (err.kind == ERR_NONE)
        tell(conn, CALLAHEAD_EVENT_NOTE, slice_of("TLS"));
    if (err.kind != ERR_NONE)
        give_up(conn, &err, false);
    /* A reset in the handshake is as bad as a wrong word in it. */
    conn->tls_failed = err.kind != ERR_NONE && !conn->timed_out && !conn->stopped;
}

/* How long drive() waits for what. */
struct patience {
    mono_us deadline;
    mono_us silence, silent_until; /* between two replies */
    unsigned commands;             /* sent at once */
};

/* A server may offer PIPELINING and yet lose what came with the first command.
 * Silence for half of the time is enough to tell, the rest is for a second try. */
static void on_silence(struct conn *conn, struct patience *patience)
{
    static const struct err lost_commands = {
        .kind = ERR_PEER, .text = "the server offers PIPELINING, but loses commands"};
    patience->silent_until = MONO_NEVER;
    if (dialog_unanswered(conn->dialog) < patience->commands) {
        server_remember(conn->server, &conn->server->one_by_one_until);
        give_up(conn, &lost_commands, true);
    }
}

static void read_input(struct conn *conn, struct patience *patience)
{
    struct err err = {0};
    bool early = patience->commands > 1 && patience->silent_until < patience->deadline;
    ssize_t n = sock_read(conn->sock, conn->bytes, sizeof conn->bytes,
                          early ? patience->silent_until : patience->deadline, &err);
    if (n >= 0) {
        on_bytes(conn, (size_t)n);
        patience->silent_until = mono_now() + patience->silence;
    } else if (err.kind == ERR_TIMEOUT && early) {
        on_silence(conn, patience);
    } else {
        lost(conn, &err);
    }
}

/* Until the dialogue wants something of us or is over. */
static enum dialog_want drive(struct conn *conn, mono_us deadline)
{
    static const struct err late = {.kind = ERR_TIMEOUT, .text = "no answer in time"};
    mono_us now = mono_now();
    struct patience patience = {.deadline = deadline,
                                .silence = (deadline - now) / 2,
                                .silent_until = now + (deadline - now) / 2,
                                .commands = 1};
    if (dialog_has_pipelining(conn->dialog))
        patience.commands = dialog_unanswered(conn->dialog);
    for (;;) {
        enum dialog_want want = dialog_next(conn->dialog);
        if (want == DIALOG_WANT_TLS)
            start_tls(conn, deadline);
        else if (want != DIALOG_WANT_READ)
            return want;
        else if (mono_now() >= deadline)
            give_up(conn, &late, false);
        else if (send_output(conn, deadline))
            read_input(conn, &patience);
    }
}

/* --- opening and closing --------------------------------------------------------------- */

static void answer_of(const struct conn *conn, const struct dialog_answer *said,
                      struct callahead_answer *answer_out)
{
    *answer_out =
        (struct callahead_answer){.class = said->class, .stage = said->stage, .code = said->code};
    memcpy(answer_out->status, said->status, sizeof answer_out->status);
    memcpy(answer_out->text, said->text, sizeof answer_out->text);
    snprintf(answer_out->server, sizeof answer_out->server, "%s", conn->server->text);
}

static void close_all(struct conn *conn)
{
    sock_close(conn->sock);
    dialog_free(conn->dialog);
    conn->sock = NULL;
    conn->dialog = NULL;
    conn->closed = conn->timed_out = conn->tls_failed = conn->stopped = false;
}

/* A last word, without waiting for the answer. */
static void say_quit(struct conn *conn)
{
    dialog_quit(conn->dialog);
    struct slice out = dialog_output(conn->dialog);
    tell(conn, CALLAHEAD_EVENT_SENT, out);
    sock_write_some(conn->sock, out.p, out.n);
}

static struct dialog_settings settings_of(const struct conn *conn)
{
    struct server *server = conn->server;
    struct dialog_settings settings = {.hostname = conn->pool->hostname,
                                       .mail_from = server->link.mail_from,
                                       .lmtp = server->link.lmtp};
    bool plain = !server->link.tls_client || (server->link.tls == CALLAHEAD_TLS_MAY &&
                                              server_remembers(server, &server->plain_until));
    if (server->link.tls == CALLAHEAD_TLS_REQUIRE)
        settings.tls = DIALOG_TLS_REQUIRE;
    else if (server->link.tls == CALLAHEAD_TLS_MAY && !plain)
        settings.tls = DIALOG_TLS_MAY;
    settings.no_pipelining = server_remembers(server, &server->one_by_one_until);
    return settings;
}

/* TLS that is only wished for is done without where it fails, unless the
 * certificate matters: a wrong one must never lead to plain text. */
static bool can_do_without_tls(const struct conn *conn)
{
    return conn->tls_failed && conn->server->link.tls == CALLAHEAD_TLS_MAY &&
           !conn->server->link.verify;
}

static void on_open_failure(struct conn *conn, const struct callahead_answer *failure)
{
    struct server *server = conn->server;
    bool without_tls = can_do_without_tls(conn), stopped = conn->stopped;
    close_all(conn);
    if (without_tls) {
        log_note(LOG_AT_WARNING, "callahead_plain", "server %s offers STARTTLS, but: %s",
                 server->text, failure->text);
        server_remember(server, &server->plain_until);
    } else if (!stopped) {
        server_failed(server, failure);
    }
}

/* false: no connection; those who waited for it are taken care of. */
static bool open_conn(struct conn *conn)
{
    struct server *server = conn->server;
    struct callahead_answer failure = {.class = CALLAHEAD_SERVER_ILL,
                                       .stage = CALLAHEAD_AT_CONNECT};
    struct dialog_settings settings = settings_of(conn);
    struct err err = {0};
    mono_us deadline = server_open_deadline(server);
    if (deadline == 0)
        return false;
    snprintf(failure.server, sizeof failure.server, "%s", server->text);
    tell(conn, CALLAHEAD_EVENT_NOTE, slice_of("connecting"));
    conn->sock = sock_connect(&server->link.ip, server->link.port, server->link.interface,
                              conn->pool->stop_fd, deadline, &err);
    if (conn->sock)
        conn->dialog = dialog_new(&settings);
    if (conn->dialog && drive(conn, deadline) == DIALOG_READY) {
        conn->ready_at = mono_now();
        server_opened(server);
        return true;
    }
    if (conn->dialog)
        answer_of(conn, dialog_failure(conn->dialog), &failure);
    else
        snprintf(failure.text, sizeof failure.text, "%s", conn->sock ? "out of memory" : err.text);
    if (!conn->dialog)
        tell(conn, CALLAHEAD_EVENT_NOTE, slice_of(failure.text));
    conn->stopped = conn->stopped || (err.kind == ERR_SYSTEM && err.sys == ECANCELED);
    on_open_failure(conn, &failure);
    return false;
}

/* --- batches ------------------------------------------------------------------------------ */

static mono_us load_batch(struct conn *conn, struct question_list *list)
{
    mono_us deadline = 0;
    conn->n = 0;
    for (struct question *question = question_list_take(list); question;
         question = question_list_take(list)) {
        conn->batch[conn->n] = question;
        conn->recipients[conn->n] = question->recipient;
        conn->utf8[conn->n] = question->utf8;
        conn->n++;
        if (question->until > deadline)
            deadline = question->until;
    }
    return deadline;
}

/* Hands out the answers that came; the rest goes into a list. */
static void settle(struct conn *conn, struct question_list *unanswered)
{
    question_list_init(unanswered);
    for (size_t i = 0; i < conn->n; i++) {
        const struct dialog_answer *said = dialog_answer(conn->dialog, i);
        struct callahead_answer answer;
        if (!said) {
            question_list_add(unanswered, conn->batch[i]);
            continue;
        }
        answer_of(conn, said, &answer);
        server_release(conn->batch[i]);
        question_finish(conn->pool, conn->batch[i], &answer);
    }
    conn->n = 0;
}

static void finish_all(struct conn *conn, struct question_list *list,
                       const struct callahead_answer *answer)
{
    for (struct question *question = question_list_take(list); question;
         question = question_list_take(list)) {
        server_release(question);
        question_finish(conn->pool, question, answer);
    }
}

/* Those who were left unanswered the first time stay in again_out. */
static void split_retried(struct question_list *list, struct question_list *again_out)
{
    struct question_list twice;
    question_list_init(&twice);
    question_list_init(again_out);
    for (struct question *question = question_list_take(list); question;
         question = question_list_take(list)) {
        question_list_add(question->retried ? &twice : again_out, question);
        question->retried = true;
    }
    for (struct question *question = question_list_take(&twice); question;
         question = question_list_take(&twice))
        question_list_add(list, question);
}

/* The dialogue broke in a batch. The connection is closed before anything is
 * decided about the server: others may take its place. */
static void on_broken(struct conn *conn, struct question_list *unanswered)
{
    struct server *server = conn->server;
    struct callahead_answer failure;
    struct question_list again;
    bool cut_off = dialog_cut_off(conn->dialog), stopped = conn->stopped;
    bool timed_out = conn->timed_out, elsewhere = timed_out || conn->closed;
    unsigned answers = dialog_asked(conn->dialog); /* of this connection, ever */
    question_list_init(&again);
    answer_of(conn, dialog_failure(conn->dialog), &failure);
    close_all(conn);
    server_closed(server);
    if (cut_off) {
        split_retried(unanswered, &again);
        if (answers > 0)
            server_remember(server, &server->small_batches_until);
    }
    if (!stopped && (timed_out || (answers == 0 && (!cut_off || unanswered->n > 0))))
        server_failed(server, &failure);
    if (elsewhere && !stopped)
        server_elsewhere(conn->pool, unanswered, &failure);
    else
        finish_all(conn, unanswered, &failure);
    server_put_back(server, &again);
}

static struct server_room room_of(const struct conn *conn)
{
    struct server_limits limits = server_limits_of(conn->server);
    struct server_room room = {.fresh = dialog_asked(conn->dialog) == 0};
    unsigned asked = dialog_asked(conn->dialog), rejected = dialog_rejected(conn->dialog);
    if (asked >= limits.max_recipients || rejected >= limits.max_rejects)
        return room;
    room.all = limits.max_recipients - asked;
    if (room.all > DIALOG_BATCH_MAX)
        room.all = DIALOG_BATCH_MAX;
    if (!dialog_has_pipelining(conn->dialog))
        room.all = 1;
    room.small = limits.max_rejects - rejected;
    return room;
}

/* While it lay idle, or since the last answer: whatever came, nobody asked for
 * it. Right after opening the dialogue shall find that out and say so. */
static bool is_stale(const struct conn *conn)
{
    bool used = dialog_asked(conn->dialog) > 0 || mono_now() - conn->ready_at > MONO_SECONDS(1);
    return used && sock_readable(conn->sock);
}

static bool ask_batch(struct conn *conn, struct question_list *list)
{
    struct question_list unanswered;
    size_t n = list->n;
    unsigned asked = dialog_asked(conn->dialog);
    mono_us deadline = load_batch(conn, list), began = mono_now();
    dialog_batch(conn->dialog, conn->recipients, conn->utf8, conn->n);
    enum dialog_want want = drive(conn, deadline);
    server_batch_over(conn->server);
    if (dialog_asked(conn->dialog) > asked)
        server_works(conn->server);
    settle(conn, &unanswered);
    if (want == DIALOG_BATCH_DONE) {
        server_batch_took(conn->server, n, mono_now() - began);
        server_put_back(conn->server, &unanswered);
        return true;
    }
    on_broken(conn, &unanswered);
    return false;
}

/* Serves until the connection is worn out, broken or idle for too long. */
static void serve(struct conn *conn)
{
    struct question_list list;
    for (;;) {
        struct server_room room = room_of(conn);
        question_list_init(&list);
        if (room.all > 0)
            server_take(conn->server, &room, &list);
        if (list.n == 0) {
            say_quit(conn);
            break;
        }
        if (is_stale(conn)) {
            server_put_back(conn->server, &list);
            server_batch_over(conn->server);
            break;
        }
        if (!ask_batch(conn, &list))
            return;
    }
    close_all(conn);
    server_closed(conn->server);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void *run(void *arg)
{
    struct conn *conn = arg;
    do {
        if (open_conn(conn))
            serve(conn);
        conn->server = server_leave(conn->server);
    } while (conn->server);
    free(conn);
    return NULL;
}

/* Signals are for the main thread: the new one inherits them blocked. */
static bool start_blocked(struct conn *conn)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;
    if (pthread_attr_init(&attr) != 0)
        return false;
    sigmask_of_threads(&all);
    bool ok = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
              pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 &&
              pthread_sigmask(SIG_SETMASK, &all, &old) == 0;
    if (ok) {
        ok = pthread_create(&thread, &attr, run, conn) == 0;
        CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
    }
    pthread_attr_destroy(&attr);
    return ok;
}

bool conn_start(struct server *server)
{
    struct conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return false;
    conn->pool = server->pool;
    conn->server = server;
    if (start_blocked(conn))
        return true;
    free(conn);
    return false;
}
