/* stage_memory.c - see stage_memory.h. */
#include "t/unit/gate/stage_memory.h"

static bool memory_is_out;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return memory_is_out ? NULL : __real_malloc(size);
}

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size)
{
    return memory_is_out ? NULL : __real_realloc(p, size);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return memory_is_out ? NULL : __real_calloc(n, size);
}

void stage_memory_take(struct arena *arena)
{
    memory_is_out = true;
    while (arena_alloc(arena, 1) != NULL)
        ;
}

void stage_memory_return(void)
{
    memory_is_out = false;
}
