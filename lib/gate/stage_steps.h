/*
 * stage_steps.h - how a stage runs; for the stage_*.c files only.
 *
 * A step looks at the facts and either decides (fills the verdict, returns
 * true) or passes. The runner stops at the first that decides and accepts with
 * `otherwise` when none does.
 */
#ifndef LIB_GATE_STAGE_STEPS_H
#define LIB_GATE_STAGE_STEPS_H

#include "lib/gate/stage.h"

struct stage {
    const struct gate *gate;
    const struct listeners *listeners; /* connect only */
    struct lease *pending;             /* connect only; given back when the stage ends */
    struct conn_facts *conn;
    struct mail_facts *mail;
    struct rcpt_facts *rcpt;
    const struct rat_entry *rat_entry; /* set by the RAT step */
    bool directory_decided;            /* the LDAP step accepted; call-ahead may still object */
    bool cut_short;                    /* the verdict is no more than a tempfail for that */
    struct verdict *verdict;
};

typedef bool stage_step(struct stage *stage);

void stage_run(struct stage *stage, stage_step *const *steps, size_t n, enum reason otherwise);

/* Where a refusal by sender group is spoken: tcprefuse is at once, whatever
 * the listener says. */
enum listener_reject_at stage_reject_at(const struct conn_facts *conn);
/* Does a refusal made at connect stand? Who authenticates has become relay, but
 * a client that was refused at connect already stays out (SPEC 4). */
bool stage_refused_at_connect(const struct conn_facts *conn);

/* All steps of SPEC 6 that look at the envelope sender, as one (stage_sender.c). */
stage_step stage_sender;

/* Refuse with the reason's reply, by a line that shall be named too, or with a policy's code
 * and text in which HAT variables are replaced. All return true: decided. */
bool stage_refuse(struct stage *stage, enum reason reason);
bool stage_refuse_by(struct stage *stage, enum reason reason, struct place rule);
bool stage_refuse_with(struct stage *stage, enum reason reason, int code, const char *text);

/* --- stage_limits.c ------------------------------------------------------------ */

stage_step stage_listener_full;     /* SPEC 4, step 2 */
stage_step stage_pending;           /* too many are being looked up */
stage_step stage_host_crowded;      /* SPEC 4, step 5 */
stage_step stage_harvester_at_mail; /* SPEC 6, DHAP block */
stage_step stage_harvester;         /* SPEC 7, step 2 */
stage_step stage_over_rates;        /* SPEC 7, step 6 */

/* The recipient was refused as invalid: it counts, and with it the client may
 * have reached its limit. The verdict is the refusal, or the harvester's. */
void stage_count_invalid(struct stage *stage);

#endif
