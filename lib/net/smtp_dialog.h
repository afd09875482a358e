/*
 * smtp_dialog.h - the client side of a verifying SMTP dialogue, without I/O:
 * bytes in, bytes out.
 *
 * greeting -> EHLO (HELO) -> [STARTTLS -> EHLO] -> MAIL -> RCPT... -> [RSET,
 * MAIL, RCPT...] -> QUIT; DATA never. The driver (callahead_conn.c) moves
 * bytes between the dialogue and a socket and asks after each step what to do.
 * Recipients are given in batches and pipelined where the server offers
 * PIPELINING (RFC 2920); after DIALOG_TRANSACTION_MAX recipients, or where the
 * server wants no more, a new transaction begins (RSET, MAIL).
 *
 * Every answer is matched with its command by count. A surplus reply, a
 * malformed one, a reply before its command was sent, and bytes after the
 * STARTTLS answer end the dialogue (DIALOG_BROKEN), for good. Answers of a
 * batch count only once the batch is done or cut off, so that two replies to
 * one command spoil the whole batch instead of shifting the answers of others;
 * only a 421 behind them all does not.
 * Commands are built from checked addresses only: no control bytes, 8-bit only
 * with SMTPUTF8. No clock; memory only for output and answers; one thread.
 *
 *   GREETING > EHLO > (HELO) > STARTTLS > TLS > EHLO > IDLE
 *   IDLE > BATCH > IDLE             recipients in one or more transactions
 *   IDLE > QUIT > CLOSED            any state > BROKEN
 */
#ifndef LIB_NET_SMTP_DIALOG_H
#define LIB_NET_SMTP_DIALOG_H

#include "lib/base/answer.h"
#include "lib/base/str.h"
#include "lib/net/smtp_reply.h"

enum dialog_tls { DIALOG_TLS_OFF, DIALOG_TLS_MAY, DIALOG_TLS_REQUIRE };

struct dialog_settings {   /* borrowed strings, outlive the dialogue */
    const char *hostname;  /* EHLO name */
    const char *mail_from; /* "" for the null sender, else an address */
    enum dialog_tls tls;
    bool lmtp;          /* LHLO instead of EHLO (RFC 2033) */
    bool no_pipelining; /* this server offers it, but was seen not to mean it */
};

enum dialog_want {
    DIALOG_WANT_READ,  /* feed bytes (after writing out what dialog_output gives) */
    DIALOG_WANT_TLS,   /* start TLS on the socket, then dialog_tls_started() */
    DIALOG_READY,      /* idle: give a batch, or quit */
    DIALOG_BATCH_DONE, /* every recipient of the batch has its answer, or must be
                          asked again (dialog_answer() NULL); then as DIALOG_READY */
    DIALOG_BROKEN,     /* give up; dialog_failure() says what it means */
    DIALOG_CLOSED      /* after QUIT */
};

struct smtp_dialog;

struct smtp_dialog *dialog_new(const struct dialog_settings *settings); /* NULL: memory */
void dialog_free(struct smtp_dialog *dialog);

enum dialog_want dialog_next(const struct smtp_dialog *dialog);
/* Bytes to send; dialog_sent() drops n of them. */
struct slice dialog_output(const struct smtp_dialog *dialog);
void dialog_sent(struct smtp_dialog *dialog, size_t n);
/* What arrived; n 0 means the peer closed. */
void dialog_input(struct smtp_dialog *dialog, const char *bytes, size_t n);
void dialog_tls_started(struct smtp_dialog *dialog);

#define DIALOG_BATCH_MAX 200
/* RFC 5321 4.5.3.1.8: every server takes a hundred recipients. */
#define DIALOG_TRANSACTION_MAX 100
/* recipients: addresses without brackets, borrowed until the batch is done;
 * utf8[i]: needs SMTPUTF8 (answered server_ill when not offered). Only in
 * DIALOG_READY/BATCH_DONE. */
void dialog_batch(struct smtp_dialog *dialog, const char *const *recipients, const bool *utf8,
                  size_t n);
/* Answer to recipient i of the batch; NULL: none came (452/4.5.3 after an
 * accepted one, 421 or close in mid-batch, or the batch is not done). */
enum dialog_scope {
    DIALOG_OF_RECIPIENT,
    DIALOG_OF_SERVER, /* of its own trouble (smtp_reply_is_of_server()): another may know better */
    DIALOG_NO_SMTPUTF8, /* not asked: the server does not offer it */
    DIALOG_OF_US        /* this host is out of memory */
};
struct dialog_answer {
    enum callahead_class class;
    enum callahead_stage stage;
    int code;
    char status[12];
    char text[ANSWER_TEXT_MAX]; /* cleaned by escape_reply() */
    enum dialog_scope scope;
};
const struct dialog_answer *dialog_answer(const struct smtp_dialog *dialog, size_t i);

/* Why the dialogue broke: class, stage, code, text for all who wait. */
const struct dialog_answer *dialog_failure(const struct smtp_dialog *dialog);
/* Did a session that had begun well end by the server's 421, a close, a
 * refusal of a later transaction or, after the first batch, a surplus or
 * malformed reply? Who has no answer then may ask once more on a fresh
 * connection. */
bool dialog_cut_off(const struct smtp_dialog *dialog);
/* The driver gives up waiting, or cannot read or write any more: answers that
 * came count, the rest fails with these words. */
void dialog_give_up(struct smtp_dialog *dialog, bool cut_off, const char *why);
void dialog_quit(struct smtp_dialog *dialog);

bool dialog_has_pipelining(const struct smtp_dialog *dialog);
enum callahead_stage dialog_stage(const struct smtp_dialog *dialog); /* what it waits for */
unsigned dialog_rejected(const struct smtp_dialog *dialog);          /* recipients refused so far */
unsigned dialog_asked(const struct smtp_dialog *dialog);      /* recipients answered so far */
unsigned dialog_unanswered(const struct smtp_dialog *dialog); /* commands sent, no reply yet */

#endif
