/*
 * descriptors.h - for tests of what happens when there are no more descriptors.
 *
 * A test program of one group: descriptors_known() first, once; descriptors_leave(n)
 * lets the process open n more and no others; descriptors_all() ends that. One thread
 * calls these; what other threads of the process close meanwhile can be opened again.
 */
#ifndef T_UNIT_DESCRIPTORS_H
#define T_UNIT_DESCRIPTORS_H

#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/base.h"

static struct rlimit descriptors_limit;

/* 0, or -1 as getrlimit(2). */
static inline int descriptors_known(void)
{
    return getrlimit(RLIMIT_NOFILE, &descriptors_limit);
}

/* n: 0...7. */
static inline void descriptors_leave(unsigned n)
{
    int next[8];
    struct rlimit few = descriptors_limit;
    assert_true(n < ARRAY_LEN(next));
    for (unsigned i = 0; i <= n; i++)
        next[i] = dup(0);
    few.rlim_cur = (rlim_t)next[n];
    assert_true(next[n] > 0);
    for (unsigned i = 0; i <= n; i++)
        close(next[i]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static inline void descriptors_all(void)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &descriptors_limit), 0);
}

#endif
