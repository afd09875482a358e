/*
 * stage_crowd.h - connections of a stage case that are open at the same time:
 * the one the steps are about, and others that only hold their leases. Tests
 * only; one thread.
 */
#ifndef T_UNIT_GATE_STAGE_CROWD_H
#define T_UNIT_GATE_STAGE_CROWD_H

#include "lib/gate/facts.h"

#define STAGE_CROWD_MAX 8

struct stage_crowd {
    struct lease *leases[STAGE_CROWD_MAX][2];
    size_t n;
};

/* The connection stays open while conn becomes another one. false: too many. */
bool stage_crowd_keep(struct stage_crowd *crowd, struct conn_facts *conn);
/* The nth of those kept ends, from 1. false: there is none. */
bool stage_crowd_leave(struct stage_crowd *crowd, uint64_t n);
/* The connection ends; what the client is stays, for the next one. */
void stage_crowd_end(struct conn_facts *conn);

#endif
