/*
 * numbers.h - icid and mid: the numbers of connections and messages in the log.
 *
 * None is given twice, over restarts, crashes and clocks that are set: the file "numbers"
 * in the state folder (statefile.h) holds one that is above all that were given, written
 * ahead in steps, so that no connection waits for the disk; a start begins there. It
 * begins higher where the clock says more, in microseconds since 2025: no host gives as
 * many. So the clock alone is enough where the file is lost, damaged or could not be
 * written, and only both at once, an old file and a clock set back, can repeat a number.
 * That the file cannot be written stands in the log, once until it can.
 *
 * numbers_icid() and numbers_mid(): any thread, wait for nothing. All others: main thread;
 * they block on the disk.
 */
#ifndef MILTER_NUMBERS_H
#define MILTER_NUMBERS_H

#include <stdatomic.h>
#include "lib/base/mono.h"

/* Numbers that one write of the file allows; half of them may be given until the next one.
 * As a start leaves out what the one before had left, the clock must soon be there again. */
#define NUMBERS_STEP 65536U

struct numbers {
    atomic_uint_fast64_t icid, mid; /* the last ones given */
    const char *folder;             /* borrowed; NULL: there is none */
    uint64_t ahead;                 /* what the file holds, or would */
    bool failing;                   /* it could not be written; */
    mono_us again;                  /* not tried before then */
};

/* folder: for the file, NULL: none. Nobody else uses numbers yet. */
void numbers_init(struct numbers *numbers, const char *folder);
/* From time to time, at least once a second. */
void numbers_tick(struct numbers *numbers);

uint64_t numbers_icid(struct numbers *numbers);
uint64_t numbers_mid(struct numbers *numbers);

#endif
