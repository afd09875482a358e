/*
 * lookup.h - commands of gatehousectl that answer a question from the tables:
 * one from the command line, for people or with --json, or one a line from
 * standard input ("-" in place of the last arguments), each answered with one
 * line of JSON, in order. Their options are --json and --listener, where the command's row
 * has them.
 *
 * A question is a few words; the last takes the rest of the line. One thread;
 * blocks on standard input.
 */
#ifndef MILTER_LOOKUP_H
#define MILTER_LOOKUP_H

#include "lib/base/err.h"
#include "lib/base/lines.h"
#include "lib/gate/verdict.h"
#include "milter/command.h"
#include "milter/form.h"

#define LOOKUP_WORDS_MAX 3

struct lookup_question {
    struct snapshot *snapshot;           /* not to be changed but for its count */
    const char *words[LOOKUP_WORDS_MAX]; /* NULL: not given */
    const char *listener;                /* --listener; NULL: not given */
    bool json;                           /* the answer is for a program */
    struct arena *arena;                 /* emptied before the next one */
    void *ctx;                           /* the look-up's */
};

struct lookup {
    size_t least, most; /* words of a question */
    /* Fills form and returns COMMAND_YES or COMMAND_NO. COMMAND_USAGE: err says
     * why there is no answer; form is not used then. */
    int (*answer)(const struct lookup_question *question, struct form *form, struct err *err);
    void *ctx; /* what the command keeps from one question to the next */
};

/* The listener that the first word names. false: there is none, in err. */
NODISCARD bool lookup_listener(const struct lookup_question *question,
                               const struct listener **listener_out, struct err *err);

/* code, status and text of a reply; NULL: all three null. */
void lookup_put_reply(const struct verdict *verdict, struct form *form);

/* Standard input, one question a line; NULL: it cannot be read, a problem. */
struct lines *lookup_open_batch(struct problems *problems);
/* What cannot be answered has its line all the same: the query and an error, in
 * JSON, into out. */
void lookup_explain(struct slice line, const struct err *err, struct strbuf *out);

/* argv[0]: the last word of the command's name; then options and words. */
int lookup_run(const struct lookup *lookup, const struct command *command, const char *conf,
               int argc, char **argv);

#endif
