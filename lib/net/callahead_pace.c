/* callahead_pace.c - see callahead_pace.h. */
#include "lib/net/callahead_pace.h"

#include "lib/net/smtp_dialog.h"

#define MEMORY 0.9 /* weight of what was, at each new batch */

void pace_init(struct pace *pace)
{
    *pace = (struct pace){.most = PACE_FIRST};
}

static void learn(struct pace *pace, double n, double us)
{
    pace->count = pace->count * MEMORY + 1;
    pace->n = pace->n * MEMORY + n;
    pace->us = pace->us * MEMORY + us;
    pace->nn = pace->nn * MEMORY + n * n;
    pace->n_us = pace->n_us * MEMORY + n * us;
    double spread = pace->count * pace->nn - pace->n * pace->n;
    if (spread < pace->count * pace->count / 10)
        return; /* batches of one size tell nothing new */
    double each = (pace->count * pace->n_us - pace->n * pace->us) / spread;
    double fixed = (pace->us - each * pace->n) / pace->count;
    /* Noise can tip the line over: neither of them is ever below nothing. */
    if (each < 0) {
        each = 0;
        fixed = pace->us / pace->count;
    } else if (fixed < 0) {
        fixed = 0;
        each = pace->us / pace->n;
    }
    pace->each = each;
    pace->fixed = fixed;
    pace->known = true;
}

void pace_add(struct pace *pace, size_t n, mono_us took)
{
    learn(pace, (double)n, (double)took);
    bool slow = !pace->known && took > PACE_SLOW;
    if (n >= pace->most) /* a little more when in doubt: another size tells something */
        pace->most += slow ? (n + 3) / 4 : pace->most;
    if (pace->known && pace->each * (double)pace->most > (double)PACE_SLOW)
        pace->most = (size_t)((double)PACE_SLOW / pace->each);
    if (pace->most > DIALOG_BATCH_MAX)
        pace->most = DIALOG_BATCH_MAX;
    if (pace->most == 0)
        pace->most = 1;
}

size_t pace_part(const struct pace *pace, size_t waiting, size_t connections, size_t available)
{
    size_t part = (waiting + connections - 1) / connections;
    size_t larger = (waiting + available - 1) / available;
    if (larger > pace->most)
        larger = pace->most;
    /* As long as it costs less than half a round trip. */
    if (pace->known && pace->each * (double)larger <= pace->fixed / 2)
        part = larger;
    if (part > pace->most)
        part = pace->most;
    return part > 0 ? part : 1;
}

void pace_add_trip(struct pace *pace, mono_us took)
{
    if (took > 0 && (pace->trip == 0 || took < pace->trip))
        pace->trip = took;
}

void pace_add_refusals(struct pace *pace, size_t replies, mono_us took, mono_us now)
{
    mono_us each = took / (mono_us)replies;
    bool known = now < pace->refusal_until;
    if (!known)
        pace->refusal = each;
    else if (each > pace->refusal) /* what tires is believed soon, that it is over later */
        pace->refusal = (pace->refusal + each) / 2;
    else
        pace->refusal = (9 * pace->refusal + each) / 10;
    pace->refusal_until = now + PACE_REFUSAL_KNOWN;
}

bool pace_may_tire(const struct pace *pace, mono_us now)
{
    return now >= pace->refusal_until || pace->refusal > PACE_SLOW;
}

size_t pace_bearable(const struct pace *pace, size_t waiting, size_t connections, bool shared,
                     mono_us now)
{
    mono_us part;
    if (now < pace->refusal_until) {
        part = PACE_SLOW / (pace->refusal + 1);
    } else {
        mono_us soon = (mono_us)connections * (shared ? PACE_SHARED : PACE_ALONE);
        part = ((mono_us)waiting * pace->trip + soon - 1) / soon;
    }
    if (part > DIALOG_BATCH_MAX)
        part = DIALOG_BATCH_MAX;
    return part > 0 ? (size_t)part : 1;
}
