/*
 * harvest.h - directory harvest attack prevention: how many different invalid
 * recipients a client named in its window (SPEC 7).
 *
 * The same address counts once in a window, however often it is named: a
 * mistyped one is no harvest. Which addresses were named is remembered in a
 * table of its own, one counter each, that is bounded like the one of clients
 * (counter.h); an address it had to forget counts again. Any thread, no
 * failure, leaf locks held for a hash probe; time is passed in.
 */
#ifndef LIB_STATE_HARVEST_H
#define LIB_STATE_HARVEST_H

#include "lib/state/counter.h"

struct harvest;

struct harvest *harvest_new(size_t max_keys); /* NULL: out of memory */
void harvest_free(struct harvest *harvest);   /* takes NULL */

struct harvest_value {
    uint32_t different; /* addresses */
    uint32_t total;     /* times one was named */
    mono_us began;      /* the window */
};

/* An invalid recipient of this client: what there were in its window now. limit:
 * how many different ones it may name, which says how near it is to that when a
 * full table has to forget somebody. */
struct harvest_value harvest_note(struct harvest *harvest, struct slice client,
                                  struct slice address, uint64_t limit, mono_us window,
                                  mono_us now);

/* false: none in an open window; value_out untouched. */
NODISCARD bool harvest_get(struct harvest *harvest, struct slice client, mono_us window,
                           mono_us now, struct harvest_value *value_out);
bool harvest_reset(struct harvest *harvest, struct slice client);
size_t harvest_clients(struct harvest *harvest);

#endif
