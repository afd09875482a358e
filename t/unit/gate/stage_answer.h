/*
 * stage_answer.h - what call-ahead says in a stage case, word by word as a step
 * `callahead` has it (stage_case.h). Tests only; one thread.
 */
#ifndef T_UNIT_GATE_STAGE_ANSWER_H
#define T_UNIT_GATE_STAGE_ANSWER_H

#include "lib/base/answer.h"
#include "lib/base/str.h"

/* One word of the step `callahead` after the class; false: it is none. */
bool stage_answer_set(struct callahead_answer *answer, const char *word);

/* Who asks, as the step `asked-for` has it: bytes in hexadecimal. */
void stage_answer_show(struct slice client, char *out, size_t room);

#endif
