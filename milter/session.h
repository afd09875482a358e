/*
 * session.h - one milter session: from connect to close, without libmilter.
 *
 * filter.c translates callbacks into these calls and verdicts into replies.
 * libmilter moves a session between threads, but is in one callback of it at
 * a time, so a session needs no lock. Each call judges, writes the decision
 * line and returns the verdict; texts in it live until the next call.
 *
 * A verdict for which somebody had to be asked becomes a tempfail when the daemon
 * stops meanwhile, or when threads are so short that nobody may wait (workers.h): what
 * was not found out for such a reason is no ground for any other.
 *
 * session_close() only gives its leases back and puts the session on a lock-free
 * stack (libmilter may hold its pool lock); session_reap(), in the main thread from time to time,
 * writes the close lines and frees.
 */
#ifndef MILTER_SESSION_H
#define MILTER_SESSION_H

#include <stdatomic.h>
#include "lib/gate/verdict.h"
#include "milter/blocks.h"
#include "milter/engine.h"
#include "milter/guard.h"
#include "milter/limits.h"
#include "milter/numbers.h"
#include "milter/snapshot.h"

struct session;

/* What all sessions of the daemon share. */
struct house {
    struct snapshot_store snapshots;
    struct engine *engine;
    struct wake *wake; /* called before a callback waits */
    struct limits *limits;
    struct blocks blocks;
    struct guard *guard;  /* of reloads; NULL: none */
    struct stats *tally;  /* of decisions (tally.h); NULL: not counted */
    void (*closed)(void); /* called by session_close(): wake the reaper */
    struct numbers numbers;
    _Atomic(struct session *) closing; /* stack */
    atomic_uint open;                  /* sessions not yet reaped */
    atomic_uint busy;                  /* callbacks under way */
    atomic_bool stopping; /* callbacks that begin now only tempfail; those under way, too */
};

/* What the MTA says at connect. Strings borrowed for the call; NULL: not told. */
struct session_told {
    bool no_address; /* client means nothing */
    struct ip client;
    const char *daemon_name, *local_address, *local_port;
    const char *client_name, *client_resolve;
};

/* NULL: out of memory, and it stands in the log; a tempfail is to be spoken. */
struct session *session_open(struct house *house, const struct session_told *told,
                             struct verdict *verdict_out);

struct session_mail_told {
    const char *sender;           /* argv[0] */
    const char *const *arguments; /* ESMTP parameters, NULL-terminated */
    const char *helo, *tls_version, *auth_user, *queue_id;
    /* Of the client's certificate. Sendmail says whether it is good (OK), Postfix names
     * subject and issuer of a good one only. */
    const char *verify, *cert_subject, *cert_issuer;
};
void session_mail(struct session *session, const struct session_mail_told *told,
                  struct verdict *verdict_out);

void session_rcpt(struct session *session, const char *recipient, const char *queue_id,
                  struct verdict *verdict_out);
/* A header field of the message, by its name. */
void session_header(struct session *session, const char *name);
void session_body(struct session *session, size_t bytes);

/* What is done to the header of a message that is accepted. */
struct session_mark {
    const char *name;  /* of the field, forged or ours; NULL: nothing is done */
    const char *value; /* of ours */
    uint64_t forged;   /* how many fields of that name to take out, the last ones */
};
/* Judges; what is to be done to the header is then up to the caller. Nothing is written
 * down before session_eom_done(), since it may fail. */
void session_eom(struct session *session, const char *queue_id, struct session_mark *mark_out,
                 struct verdict *verdict_out);
/* Ends the message with that verdict, and writes the line. done: the header is as mark
 * wants it; else the verdict becomes a tempfail. */
void session_eom_done(struct session *session, bool done, struct verdict *verdict);
void session_close(struct session *session);

/* mode = monitor: verdicts are logged, but none is to be spoken. */
bool session_monitors(const struct session *session);

/* A line about the session that is no decision: an error, in words. */
void session_trouble(const struct session *session, const char *event, const char *detail);

/* Is connect still what is answered: has there been no MAIL? */
bool session_greets(const struct session *session);

/* Will a session that begins now want to see header fields and change them? */
bool session_reads_headers(struct house *house);

/* Main thread: finish what session_close() left. */
void session_reap(struct house *house);

#endif
