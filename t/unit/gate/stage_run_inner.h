/*
 * stage_run_inner.h - a stage case while it runs; for stage_run.c and stage_expect.c only.
 *
 * stage_run.c owns the run and takes its steps, line by line; those that look at what
 * came of the command before are in stage_expect.c. One at a time.
 */
#ifndef T_UNIT_GATE_STAGE_RUN_INNER_H
#define T_UNIT_GATE_STAGE_RUN_INNER_H

#include "lib/base/log.h"
#include "lib/gate/journal.h"
#include "lib/gate/stage.h"
#include "milter/limits.h"
#include "t/unit/gate/stage_crowd.h"
#include "t/unit/gate/stage_directory.h"
#include "t/unit/gate/stage_domains.h"
#include "t/unit/gate/stage_lookups.h"
#include "t/unit/gate/stage_run.h"

#define LISTED_MAX 4

struct run {
    const struct stage_test *test;
    unsigned line; /* of the step, for failures */
    struct conn_facts conn;
    struct mail_facts mail;
    struct rcpt_facts rcpt;
    struct journal_totals totals;
    const struct world_config *in_force;
    const struct listener *rules; /* of the message */
    struct arena *conn_arena, *mail_arena, *tight_arena;
    struct services services;
    struct limits *limits;
    struct stage_crowd crowd;
    mono_us began, deadline;
    mono_us until; /* the deadline a service was given; 0: none was asked */

    struct host_answer host;
    uint32_t host_ms;
    struct stage_lookups lookups;
    struct stage_domains domains;
    struct stage_directory directory;
    struct callahead_answer answer;
    bool scripted; /* answer waits to be fetched */
    bool answer_takes_memory;
    struct dnslisting listed[LISTED_MAX];
    char asked[400], asked_for[100];

    bool next_without_memory, next_without_sender;
    enum gate_peace next_peace;
    bool has_size;
    uint64_t size;

    struct verdict verdict;
    bool judged, looked_at; /* a command has run; its verdict was expected */
    char log[LOG_LINE_MAX + 1];
};

/* The case fails here. */
void stage_wrong(const struct run *run, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Steps that expect something (stage_expect.c); rest: what stands behind the word. */
void stage_step_verdict(struct run *run, char *rest);
void stage_step_log(struct run *run, char *rest);
void stage_step_wanted(struct run *run, char *rest);
void stage_step_verified(struct run *run, char *rest);
void stage_step_mark(struct run *run, char *rest);
void stage_step_asked(struct run *run, char *rest);
void stage_step_asked_for(struct run *run, char *rest);
void stage_step_ldap_asked(struct run *run, char *rest);

#endif
