/* shortage.c - see shortage.h. */
#include "milter/shortage.h"

#include <stdatomic.h>

#include "lib/base/log.h"

#define LINE_EVERY MONO_SECONDS(60)

static struct {
    atomic_uint_fast64_t count;
    _Atomic mono_us last; /* when it was noted; 0: never */
    /* Main's own. */
    uint64_t told;
    mono_us quiet_until;
} shortages[SHORTAGES];

static const char *const what_happens[SHORTAGES] = {
    [SHORT_OF_THREADS] = "threads are short: sessions that would have to wait are tempfailed",
    [SHORT_OF_DESCRIPTORS] = "descriptors are short: new sessions are tempfailed",
};

void shortage_note(enum shortage what)
{
    atomic_fetch_add_explicit(&shortages[what].count, 1, memory_order_relaxed);
    atomic_store_explicit(&shortages[what].last, mono_now(), memory_order_relaxed);
}

bool shortage_within(enum shortage what, mono_us span)
{
    mono_us last = atomic_load_explicit(&shortages[what].last, memory_order_relaxed);
    return last != 0 && mono_now() - last < span;
}

uint64_t shortage_count(enum shortage what)
{
    return atomic_load_explicit(&shortages[what].count, memory_order_relaxed);
}

void shortage_tick(void)
{
    mono_us now = mono_now();

    for (size_t i = 0; i < SHORTAGES; i++) {
        uint64_t count = shortage_count((enum shortage)i);
        if (count == shortages[i].told || now < shortages[i].quiet_until)
            continue;
        log_note(LOG_AT_WARNING, "shortage", "%s (%llu times)", what_happens[i],
                 (unsigned long long)(count - shortages[i].told));
        shortages[i].told = count;
        shortages[i].quiet_until = now + LINE_EVERY;
    }
}
