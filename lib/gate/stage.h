/*
 * stage.h - the decision: connect, mail, rcpt, end of message.
 *
 * Pure functions of facts, configuration and services (DESIGN 1): the daemon,
 * `gatehousectl trace` and the tests call these very functions. Each stage is
 * an array of steps in the order of SPEC 4, 6 and 7; the first step that
 * decides ends it. A stage blocks only in services, until gate->deadline.
 * Any thread; facts belong to one session at a time.
 */
#ifndef LIB_GATE_STAGE_H
#define LIB_GATE_STAGE_H

#include "lib/base/arena.h"
#include "lib/gate/facts.h"
#include "lib/gate/services.h"

/* Could what was asked for during this callback be asked for in peace? */
enum gate_peace {
    GATE_UNDISTURBED,
    GATE_STOPPING, /* the daemon stops, and nobody waited any more */
    GATE_HURRIED   /* threads are short, and nobody might wait */
};

struct gate {
    const struct services *services;
    struct arena *arena; /* texts of the verdict; lives as long as they are used */
    mono_us deadline;    /* of this callback */
    mono_us rate_period; /* window of what is counted per hour */
    /* RAT, exceptions and call-ahead of this message: the listener of the snapshot
     * pinned at MAIL (DESIGN 3). Not used at connect. */
    const struct listener *rules;
    /* Entries made at run time, which come before all groups, by listener_type;
     * NULL: none. At connect only; conn->match borrows from them. */
    const struct hat *const *blocks;
    /* NULL: undisturbed. Asked once a stage, at its end: what we kept from being found out is
     * no ground for any verdict but a tempfail. */
    enum gate_peace (*peace)(void *arg);
    void *peace_arg;
};

/* Chooses the listener, finds the host name, classifies. With reject_at later
 * than connect a refusal is kept in conn->refusal and the verdict is continue. */
void gate_connect(const struct gate *gate, const struct listeners *listeners,
                  struct conn_facts *conn, struct verdict *verdict_out);

void gate_mail(const struct gate *gate, struct conn_facts *conn, struct mail_facts *mail,
               struct verdict *verdict_out);

void gate_rcpt(const struct gate *gate, struct conn_facts *conn, struct mail_facts *mail,
               struct rcpt_facts *rcpt, struct verdict *verdict_out);

/* The part of gate_rcpt() that says what an answer of call-ahead means for the
 * recipient. Texts go into arena. */
void gate_judge_callahead(const struct callahead_rules *rules,
                          const struct callahead_answer *answer, struct arena *arena,
                          struct verdict *verdict_out);

void gate_eom(const struct gate *gate, struct conn_facts *conn, struct mail_facts *mail,
              struct verdict *verdict_out);

#endif
