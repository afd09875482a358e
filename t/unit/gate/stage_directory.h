/*
 * stage_directory.h - what a directory says in a stage case, and a record of what
 * it was asked. Tests only; one thread.
 */
#ifndef T_UNIT_GATE_STAGE_DIRECTORY_H
#define T_UNIT_GATE_STAGE_DIRECTORY_H

#include "lib/base/answer.h"
#include "lib/base/mailaddr.h"

struct stage_directory {
    bool scripted; /* answer waits to be fetched */
    struct directory_answer answer;
    char asked[400]; /* "joe@example.com from=a@example.net" */
};

/* What follows the step `ldap`: match, nomatch or error, then cached, ms=,
 * server=, text=. false: no such thing, or the answer before was not fetched. */
bool stage_directory_script(struct stage_directory *directory, char *rest);
/* false: none is scripted. */
bool stage_directory_give(struct stage_directory *directory, const struct mailaddr *recipient,
                          const struct mailaddr *sender, struct directory_answer *answer_out);

#endif
