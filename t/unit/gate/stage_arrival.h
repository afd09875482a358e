/*
 * stage_arrival.h - the words of the step `connect` in a stage case: an address,
 * or "unknown" for a client without one, then daemon=, local= and port=. Tests
 * only.
 */
#ifndef T_UNIT_GATE_STAGE_ARRIVAL_H
#define T_UNIT_GATE_STAGE_ARRIVAL_H

#include "lib/gate/facts.h"

/* What is not named stays as it was. false: a word is wrong. */
bool stage_arrival_read(char *words, struct conn_facts *conn);

#endif
