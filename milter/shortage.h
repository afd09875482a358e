/*
 * shortage.h - what the system denied us, told once a minute.
 *
 * Who is denied a thread, a descriptor or memory notes it here and goes on; the main
 * thread logs at most a line a minute for each, with how often it was since the last
 * one. Noting never waits and may happen with a lock held; any thread.
 */
#ifndef MILTER_SHORTAGE_H
#define MILTER_SHORTAGE_H

#include "lib/base/mono.h"

enum shortage { SHORT_OF_THREADS, SHORT_OF_DESCRIPTORS };
#define SHORTAGES (SHORT_OF_DESCRIPTORS + 1)

void shortage_note(enum shortage what);
/* Was it noted within that time? */
bool shortage_within(enum shortage what, mono_us span);
/* How often since the start of the process, for status and metrics. */
uint64_t shortage_count(enum shortage what);

/* Main thread, several times a second. */
void shortage_tick(void);

#endif
