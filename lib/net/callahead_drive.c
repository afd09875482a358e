/*
 * callahead_drive.c - moves the bytes of one connection: between its socket and its
 * dialogue (smtp_dialog.h), within deadlines, and watches how long replies take. See
 * callahead_pool.h.
 */
#include "lib/net/callahead_pool.h"

#include <errno.h>
#include <string.h>
#include "lib/net/sock.h"
#include "lib/net/tls.h"

void conn_tell(const struct conn *conn, enum callahead_event event, struct slice bytes)
{
    if (conn->pool->watch && bytes.n > 0)
        conn->pool->watch(event, conn->server->text, bytes, conn->pool->watch_arg);
}

static void give_up(struct conn *conn, const struct err *err, bool cut_off)
{
    conn->timed_out = err->kind == ERR_TIMEOUT;
    conn->stopped = err->kind == ERR_SYSTEM && err->sys == ECANCELED;
    conn->shortage = err_is_shortage(err);
    conn_tell(conn, CALLAHEAD_EVENT_NOTE, slice_of(err->text));
    dialog_give_up(conn->dialog, cut_off, conn->stopped ? "call-ahead is ending" : err->text);
}

/* Closed and reset are the same to the dialogue: what they mean depends on when. */
static void on_close(struct conn *conn)
{
    conn->closed = true;
    conn_tell(conn, CALLAHEAD_EVENT_NOTE, slice_of("closed by the server"));
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
    conn_tell(conn, CALLAHEAD_EVENT_SENT, out);
    if (out.n > 0 && !sock_write(conn->sock, out.p, out.n, deadline, &err)) {
        lost(conn, &err);
        return false;
    }
    dialog_sent(conn->dialog, out.n);
    if (out.n > 0) {
        conn->heard_at = mono_now();
        conn->spoke = true;
    }
    return true;
}

/* replies: to RCPT. One to what was just said had a round trip to make: that is no delay. */
static void note_delay(struct conn *conn, unsigned replies, bool refusals)
{
    mono_us now = mono_now(), took = now - conn->heard_at;
    if (conn->spoke && replies == 0 && (conn->trip == 0 || took < conn->trip))
        conn->trip = took;
    if (conn->spoke)
        took = took > conn->trip ? took - conn->trip : 0;
    if (refusals && replies > 0) {
        conn->refusing += replies;
        conn->refused += took;
    }
    conn->heard_at = now;
    conn->spoke = false;
}

static void on_bytes(struct conn *conn, size_t n)
{
    unsigned asked = dialog_asked(conn->dialog), rejected = dialog_rejected(conn->dialog);
    conn_tell(conn, CALLAHEAD_EVENT_RECEIVED, (struct slice){conn->bytes, n});
    if (n == 0) {
        on_close(conn);
        return;
    }
    dialog_input(conn->dialog, conn->bytes, n);
    note_delay(conn, dialog_asked(conn->dialog) - asked, dialog_rejected(conn->dialog) > rejected);
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
        conn_tell(conn, CALLAHEAD_EVENT_NOTE, slice_of("TLS"));
    if (err.kind != ERR_NONE)
        give_up(conn, &err, false);
    /* A reset in the handshake is as bad as a wrong word in it. */
    conn->tls_failed =
        err.kind != ERR_NONE && !conn->timed_out && !conn->stopped && !conn->shortage;
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
enum dialog_want conn_drive(struct conn *conn, mono_us deadline)
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
