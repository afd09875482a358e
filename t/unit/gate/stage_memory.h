/*
 * stage_memory.h - memory that runs out for one command of a stage case. Linked
 * with --wrap of malloc, calloc and realloc. Tests only; one thread.
 */
#ifndef T_UNIT_GATE_STAGE_MEMORY_H
#define T_UNIT_GATE_STAGE_MEMORY_H

#include "lib/base/arena.h"

/* From here on nothing can be allocated, in this arena either. */
void stage_memory_take(struct arena *arena);
void stage_memory_return(void);

#endif
