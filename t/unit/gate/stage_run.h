/*
 * stage_run.h - runs one case of a file (stage_case.h) through the stages of
 * lib/gate, with scripted services, on a simulated clock. Tests only; one at a
 * time.
 */
#ifndef T_UNIT_GATE_STAGE_RUN_H
#define T_UNIT_GATE_STAGE_RUN_H

#include "t/unit/gate/stage_case.h"
#include "t/unit/gate/stage_world.h"

struct stage_test {
    const struct case_file *file;
    const struct world *world;
    const struct case_block *block;
    char name[200];
};

/* For cmocka: *state is a struct stage_test. */
void stage_run_case(void **state);
int stage_run_after(void **state); /* also when the case failed */

#endif
