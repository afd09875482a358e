/*
 * stage_verdict.h - what a stage case looks at in a verdict: what holds for every
 * one, and what it expects of this one. Tests only; one thread.
 */
#ifndef T_UNIT_GATE_STAGE_VERDICT_H
#define T_UNIT_GATE_STAGE_VERDICT_H

#include "lib/gate/verdict.h"

/* Fails the test where something is wrong that no verdict may have. */
void stage_verdict_check(const struct verdict *verdict);
/* As the step `=` has it (stage_case.h). */
void stage_verdict_print(const struct verdict *verdict, char *out, size_t room);

#endif
