/*
 * guard_sample.h - clients that were accepted in the last day, for guard.c: a
 * bounded sample, kept over restarts in the file "accepted" of the state folder.
 *
 * A line a client: "LISTENER ADDRESS UNTIL CLASS SCORE OWNER NAME[,NAME]...", UNTIL in
 * wall-clock seconds, "-" where nothing is known. A damaged file is set aside
 * (statefile.h), and nobody is known again.
 */
#ifndef MILTER_GUARD_SAMPLE_H
#define MILTER_GUARD_SAMPLE_H

#include "milter/guard.h"

/* What was known of a client, but for DNS lists and what a file knows. The listener's
 * and the host's names are borrowed. */
struct guard_client {
    const char *listener;
    struct ip ip;
    struct host_answer host;
    bool score_known, score_none;
    double score;
    uint32_t owner; /* 0: none */
};

/* All of them, or none when out of memory. No lock is held. One thread. */
void guard_each(struct guard *guard, void (*visit)(const struct guard_client *client, void *arg),
                void *arg);

/* The content of the file, in place, line by line; false: it is none of ours.
 * For guard_load() and the fuzzer. */
NODISCARD bool
guard_parse(char *text, void (*take)(const struct guard_client *client, int64_t until, void *arg),
            void *arg);

#endif
