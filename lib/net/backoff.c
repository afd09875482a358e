/* backoff.c - see backoff.h. */
#include "lib/net/backoff.h"

#include <stdio.h>
#include <string.h>

bool backoff_is_on(const struct backoff *backoff, mono_us now)
{
    return now < backoff->until;
}

static void keep_cause(struct backoff *backoff, const char *cause)
{
    size_t n = strlen(cause);

    if (n >= BACKOFF_CAUSE_MAX) {
        n = BACKOFF_CAUSE_MAX - 1;
        while (n > 0 && ((unsigned char)cause[n] & 0xC0) == 0x80)
            n--;
    }
    memcpy(backoff->cause, cause, n);
    backoff->cause[n] = '\0';
}

mono_us backoff_failed(struct backoff *backoff, mono_us now, const char *cause)
{
    if (backoff_is_on(backoff, now))
        return 0;
    mono_us pause = backoff->pause > 0 ? 2 * backoff->pause : BACKOFF_FIRST;
    *backoff = (struct backoff){.pause = pause < BACKOFF_LONGEST ? pause : BACKOFF_LONGEST};
    backoff->until = now + backoff->pause;
    keep_cause(backoff, cause);
    return backoff->pause;
}

bool backoff_worked(struct backoff *backoff)
{
    bool was_ill = backoff->pause > 0;
    *backoff = (struct backoff){0};
    return was_ill;
}

void backoff_describe(const struct backoff *backoff, const char *host, const char *profile,
                      mono_us now, struct backoff_pause *pause_out)
{
    *pause_out = (struct backoff_pause){.left = backoff->until - now};
    snprintf(pause_out->host, sizeof pause_out->host, "%s", host);
    snprintf(pause_out->profile, sizeof pause_out->profile, "%s", profile);
    memcpy(pause_out->cause, backoff->cause, sizeof pause_out->cause);
}
