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
