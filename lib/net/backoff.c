/* backoff.c - see backoff.h. */
#include "lib/net/backoff.h"

bool backoff_is_on(const struct backoff *backoff, mono_us now)
{
    return now < backoff->until;
}

mono_us backoff_failed(struct backoff *backoff, mono_us now)
{
    if (backoff_is_on(backoff, now))
        return 0;
    mono_us pause = backoff->pause > 0 ? 2 * backoff->pause : BACKOFF_FIRST;
    *backoff = (struct backoff){.pause = pause < BACKOFF_LONGEST ? pause : BACKOFF_LONGEST};
    backoff->until = now + backoff->pause;
    return backoff->pause;
}

bool backoff_worked(struct backoff *backoff)
{
    bool was_ill = backoff->pause > 0;
    *backoff = (struct backoff){0};
    return was_ill;
}
