/*
 * stage_lookups.h - what score, owner, country and DNS lists say in a stage case,
 * and a record of what was wanted. Tests only.
 */
#ifndef T_UNIT_GATE_STAGE_LOOKUPS_H
#define T_UNIT_GATE_STAGE_LOOKUPS_H

#include "lib/gate/facts.h"

#define STAGE_LISTING_MAX 4

struct stage_lookups {
    struct lookup_answer known;
    struct dnslisting listing[STAGE_LISTING_MAX]; /* zones that will say they have the client */
    size_t nlisting;
    uint32_t ms;
    char wanted[400]; /* "score bl.example", " | " between two calls */
};

/* score=, owner= or country= of the step `client`; false: word is none. */
bool stage_lookups_told(struct conn_facts *conn, const char *word);

/* "ZONE", which answers 127.0.0.2, or "ZONE=ANSWER[,ANSWER]...". Borrows the text. */
bool stage_lookups_listing(const char *text, struct arena *arena, struct dnslisting *listing_out);

/* One word of the step `lookups`; false: it is none. Borrows the word. */
bool stage_lookups_set(struct stage_lookups *lookups, struct arena *arena, const char *word);
/* Notes what is wanted and answers. */
void stage_lookups_give(struct stage_lookups *lookups, const struct hat_wants *wants,
                        struct lookup_answer *answer_out);

#endif
