/*
 * stage_domains.h - what DNS says of host names and sender domains in a stage
 * case, and a record of what was asked. Tests only.
 */
#ifndef T_UNIT_GATE_STAGE_DOMAINS_H
#define T_UNIT_GATE_STAGE_DOMAINS_H

#include "lib/base/answer.h"
#include "lib/base/arena.h"

struct stage_domains {
    bool scripted; /* an answer waits to be fetched */
    enum sender_class answer;
    uint32_t ms;
    char asked[300]; /* "example.com accept_a"; "" nothing */
};

/* The words of the step `host`; false: they are wrong. */
bool stage_domains_host(char *words, struct arena *arena, struct host_answer *host_out,
                        uint32_t *ms_out);

/* The words of the step `sender-dns`; false: they are wrong. */
bool stage_domains_script(struct stage_domains *domains, char *words);
/* Notes what is asked and answers. false: no answer is scripted. */
bool stage_domains_give(struct stage_domains *domains, const char *domain, bool accept_a,
                        enum sender_class *answer_out);

#endif
