/* stage_memory.c - see stage_memory.h. */
#include "t/unit/gate/stage_memory.h"
#include "t/unit/no_memory.h"

void stage_memory_take(struct arena *arena)
{
    memory_allow(0);
    while (arena_alloc(arena, 1) != NULL)
        ;
}

void stage_memory_return(void)
{
    memory_allow(-1);
}
