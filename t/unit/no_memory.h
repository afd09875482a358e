/*
 * no_memory.h - allocations that fail, for programs linked with $(NO_MEMORY).
 * Any thread; what threads ask for counts together.
 */
#ifndef T_UNIT_NO_MEMORY_H
#define T_UNIT_NO_MEMORY_H

#include "lib/base/base.h"

/* n more allocations succeed, after them none does; -1: no limit again. */
void memory_allow(int n);
/* The n-th allocation from now on fails, the first is 1; no other does. */
void memory_fail_once(int n);
/* Has one failed since memory_allow() or memory_fail_once()? */
bool memory_failed(void);

/* Runs job with the first, the second ... allocation failing until it has no
 * more of them. job returns whether all went well: it must not after a failure,
 * unless that may be harmless. The test fails where no two failures were told. */
void memory_fail_each(bool (*job)(void), bool harmless);

#endif
