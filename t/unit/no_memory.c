/* no_memory.c - see no_memory.h. */
#include "t/unit/no_memory.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_int left = -1; /* allocations that succeed; -1: all */
static atomic_bool once;     /* one fails, and there is memory again */
static atomic_bool failed;

static bool one_more(void)
{
    int now = atomic_load(&left), then;

    do {
        then = now > 0 ? now - 1 : now == 0 && atomic_load(&once) ? -1 : now;
    } while (!atomic_compare_exchange_weak(&left, &now, then));
    if (now == 0)
        atomic_store(&failed, true);
    return now != 0;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    /* AddressSanitizer ends the program when asked for that much. */
    return one_more() && size <= PTRDIFF_MAX ? __real_malloc(size) : NULL;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return one_more() ? __real_calloc(n, size) : NULL;
}

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size)
{
    return one_more() ? __real_realloc(p, size) : NULL;
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return one_more() ? __real_strdup(text) : NULL;
}

static void begin(int n, bool only_one)
{
    atomic_store(&once, only_one);
    atomic_store(&failed, false);
    atomic_store(&left, n);
}

void memory_allow(int n)
{
    begin(n, false);
}

void memory_fail_once(int n)
{
    begin(n - 1, true);
}

bool memory_failed(void)
{
    return atomic_load(&failed);
}

void memory_fail_each(bool (*job)(void), bool harmless)
{
    unsigned refused = 0;

    for (int n = 1;; n++) {
        memory_fail_once(n);
        bool good = job();
        bool more = memory_failed();
        memory_allow(-1);
        if (!more) {
            assert_true(good && refused > 1);
            return;
        }
        refused += !good;
        assert_true(!good || harmless);
    }
}
