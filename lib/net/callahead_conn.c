/*
 * callahead_conn.c - one connection to one server: a thread that opens it,
 * takes batches from the server's queue, lets the dialogue (smtp_dialog.h) ask
 * them, hands out the answers, replaces the connection when it is worn out, and
 * waits until the server has closed it as well. See callahead_pool.h.
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

/* Nothing more is said. The server may still be working on what was: it counts this
 * connection until it has closed it, and so do we. */
static void part(struct conn *conn, bool ready)
{
    if (conn->sock)
        sock_finish(conn->sock);
    dialog_free(conn->dialog);
    conn->dialog = NULL;
    conn->closed = conn->timed_out = conn->tls_failed = conn->stopped = conn->shortage = false;
    server_parted(conn->server, ready);
}

static void await_close(struct conn *conn)
{
    mono_us now = mono_now();
    if (conn->sock && !sock_await_close(conn->sock, now)) {
        server_refill(conn->server);
        if (!sock_await_close(conn->sock, now + CONN_CLOSE_PATIENCE))
            conn_tell(conn, CALLAHEAD_EVENT_NOTE, slice_of("not closed by the server"));
    }
    sock_close(conn->sock);
    conn->sock = NULL;
}

/* A last word, without waiting for the answer. */
static void say_quit(struct conn *conn)
{
    dialog_quit(conn->dialog);
    struct slice out = dialog_output(conn->dialog);
    conn_tell(conn, CALLAHEAD_EVENT_SENT, out);
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
    bool shortage = conn->shortage;
    part(conn, false);
    if (without_tls) {
        log_note(LOG_AT_WARNING, "callahead_plain", "server %s offers STARTTLS, but: %s",
                 server->text, failure->text);
        server_remember(server, &server->plain_until);
    } else if (shortage) {
        server_short(server, failure);
    } else if (!stopped) {
        server_failed(server, failure);
    }
}

/* false: no connection; says why. */
static bool connect_and_greet(struct conn *conn, mono_us deadline,
                              struct callahead_answer *failure_out)
{
    const struct link_settings *link = &conn->server->link;
    struct dialog_settings settings = settings_of(conn);
    struct err err = {0};
    conn_tell(conn, CALLAHEAD_EVENT_NOTE, slice_of("connecting"));
    conn->sock =
        sock_connect(&link->ip, link->port, link->interface, conn->pool->stop_fd, deadline, &err);
    if (conn->sock && !(conn->dialog = dialog_new(&settings)))
        err_set(&err, ERR_MEMORY, "out of memory");
    if (conn->dialog && conn_drive(conn, deadline) == DIALOG_READY)
        return true;
    if (conn->dialog) {
        answer_of(conn, dialog_failure(conn->dialog), failure_out);
        conn->shortage = conn->shortage || dialog_failure(conn->dialog)->scope == DIALOG_OF_US;
    } else {
        snprintf(failure_out->text, sizeof failure_out->text, "%s", err.text);
        conn_tell(conn, CALLAHEAD_EVENT_NOTE, slice_of(err.text));
    }
    conn->stopped = conn->stopped || (err.kind == ERR_SYSTEM && err.sys == ECANCELED);
    conn->shortage = conn->shortage || err_is_shortage(&err);
    return false;
}

/* false: no connection; those who waited for it are taken care of. */
static bool open_conn(struct conn *conn)
{
    struct server *server = conn->server;
    struct callahead_answer failure = {.class = CALLAHEAD_SERVER_ILL,
                                       .stage = CALLAHEAD_AT_CONNECT};
    mono_us deadline = server_open_deadline(server);
    if (deadline == 0) {
        part(conn, false);
        return false;
    }
    snprintf(failure.server, sizeof failure.server, "%s", server->text);
    conn->trip = 0;
    conn->spoke = false;
    if (connect_and_greet(conn, deadline, &failure)) {
        conn->ready_at = mono_now();
        server_opened(server, conn->trip);
        return true;
    }
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

/* Another server may know better than one that said this. */
static void note_for_others(struct question *question, const struct dialog_answer *said,
                            const struct callahead_answer *answer)
{
    question->without_utf8 += said->scope == DIALOG_NO_SMTPUTF8;
    if (said->scope == DIALOG_OF_SERVER) {
        pthread_mutex_lock(&question->lock);
        question->has_excuse = true;
        question->excuse = *answer;
        pthread_mutex_unlock(&question->lock);
    }
}

/* Before they are handed out: who asks next meets the server as it is known then. */
static void note_answers(const struct conn *conn)
{
    size_t answers = 0, of_itself = 0;
    for (size_t i = 0; i < conn->n; i++) {
        const struct dialog_answer *said = dialog_answer(conn->dialog, i);
        const struct question *question = conn->batch[i];
        bool more = question->at + 1 < question->naddresses;
        answers += said && said->code != 0;
        of_itself += said && said->scope == DIALOG_OF_SERVER && more;
    }
    if (answers > 0)
        server_works(conn->server, answers, of_itself);
}

/* Hands out the answers that came; the rest goes into a list. */
static void settle(struct conn *conn, struct question_list *unanswered)
{
    struct callahead_answer answer, failure = {.class = CALLAHEAD_SERVER_ILL};
    struct question_list elsewhere;
    note_answers(conn);
    question_list_init(unanswered);
    question_list_init(&elsewhere);
    for (size_t i = 0; i < conn->n; i++) {
        const struct dialog_answer *said = dialog_answer(conn->dialog, i);
        struct question *question = conn->batch[i];
        if (!said) {
            question_list_add(unanswered, question);
            continue;
        }
        answer_of(conn, said, &answer);
        if (said->scope != DIALOG_OF_RECIPIENT) {
            note_for_others(question, said, &answer);
            if (said->scope == DIALOG_NO_SMTPUTF8)
                failure = answer; /* the others have an excuse, each its own */
            question_list_add(&elsewhere, question);
            continue;
        }
        server_release(question);
        question_finish(conn->pool, question, &answer);
    }
    conn->n = 0;
    server_elsewhere(conn->pool, &elsewhere, &failure);
}

static void finish_all(struct conn *conn, struct question_list *list,
                       const struct callahead_answer *answer)
{
    for (struct question *question = question_list_take(list); question;
         question = question_list_take(list)) {
        server_release(question);
        question_fail(conn->pool, question, answer);
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
        question->not_before = mono_now();
    }
    for (struct question *question = question_list_take(&twice); question;
         question = question_list_take(&twice))
        question_list_add(list, question);
}

/* The dialogue broke in a batch. We have parted before anything is decided about the
 * server: others may take the place. */
static void on_broken(struct conn *conn, struct question_list *unanswered)
{
    struct server *server = conn->server;
    struct callahead_answer failure;
    struct question_list again;
    struct dialog_answer said = *dialog_failure(conn->dialog);
    bool cut_off = dialog_cut_off(conn->dialog), stopped = conn->stopped;
    bool shortage = conn->shortage || said.scope == DIALOG_OF_US, timed_out = conn->timed_out;
    bool elsewhere = timed_out || conn->closed || said.scope == DIALOG_OF_SERVER;
    unsigned answers = dialog_asked(conn->dialog); /* of this connection, ever */
    question_list_init(&again);
    answer_of(conn, &said, &failure);
    part(conn, true);
    if (cut_off) {
        split_retried(unanswered, &again);
        server_remember(server, &server->small_batches_until);
    }
    if (shortage)
        pool_tell_shortage(conn->pool, server->text, failure.text);
    else if (!stopped && (timed_out || (answers == 0 && (!cut_off || unanswered->n > 0))))
        server_failed(server, &failure);
    for (struct question *question = unanswered->first; question; question = question->queue_next)
        note_for_others(question, &said, &failure);
    if (elsewhere && !stopped && !shortage)
        server_elsewhere(conn->pool, unanswered, &failure);
    else
        finish_all(conn, unanswered, &failure);
    server_put_back(server, &again);
}

static struct server_room room_of(const struct conn *conn)
{
    struct server_limits limits = server_limits_of(conn->server);
    struct server_room room = {.fresh = dialog_asked(conn->dialog) == 0, .since = conn->ready_at};
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
    mono_us deadline = load_batch(conn, list), began = mono_now();
    conn->refusing = 0;
    conn->refused = 0;
    dialog_batch(conn->dialog, conn->recipients, conn->utf8, conn->n);
    enum dialog_want want = conn_drive(conn, deadline);
    server_batch_over(conn->server);
    if (conn->refusing > 0)
        server_refused(conn->server, conn->refusing, conn->refused);
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
        conn->gives = room.gives;
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
    part(conn, true);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void *run(void *arg)
{
    struct conn *conn = arg;
    do {
        if (open_conn(conn))
            serve(conn);
        await_close(conn);
        conn->server = server_leave(conn->server, conn->gives);
        conn->gives = false;
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
