/*
 * stage_crowd.h - connections of a stage case that are open at the same time:
 * the one the steps are about, and others that only hold their leases. Tests
 * only; one thread.
 */
#ifndef T_UNIT_GATE_STAGE_CROWD_H
#define T_UNIT_GATE_STAGE_CROWD_H

#include "lib/gate/facts.h"
#include "lib/gate/services.h"

#define STAGE_CROWD_MAX 8
#define STAGE_PENDING_MAX 32

struct stage_crowd {
    struct lease *leases[STAGE_CROWD_MAX][2];
    size_t n;
    struct lease *pending[STAGE_PENDING_MAX];
    size_t npending;
};

/* The connection stays open while conn becomes another one. false: too many. */
bool stage_crowd_keep(struct stage_crowd *crowd, struct conn_facts *conn);
/* The nth of those kept ends, from 1. false: there is none. */
bool stage_crowd_leave(struct stage_crowd *crowd, uint64_t n);
/* The words of the step `pending`: as many connections as said, of the address, are
 * being looked up meanwhile, those of an earlier step are not any more. false: they are
 * wrong. */
bool stage_crowd_pend(struct stage_crowd *crowd, const struct counting *counting, char *words);
/* The connection ends; what the client is stays, for the next one. */
void stage_crowd_end(struct conn_facts *conn);

#endif
