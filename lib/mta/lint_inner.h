/*
 * lint_inner.h - what lint.c and lint_reach.c share: one run over a
 * configuration, with how often each kind of warning was due. Nobody else
 * includes this. One thread; blocks on nothing.
 */
#ifndef LIB_MTA_LINT_INNER_H
#define LIB_MTA_LINT_INNER_H

#include "lib/mta/lint.h"

/* What may be said many times, and is cut after LINT_SAME_MAX. */
enum lint_kind {
    EQUAL_PRIORITY,
    AUTH_TWICE,
    AUTH_BY_MX,
    VERIFY_ADDRESS,
    TLS_TWICE,
    TLS_DEFAULT,
    UNSAFE_KEY,
    RAT_USERS,
    OWN_HOST,
    NO_ROUTE,
    NOT_REACHED,
    LINT_KINDS
};

/* Ports are arguments of mailers, of which Sendmail has 25; some are taken. */
#define SENDMAIL_PORTS_MAX 14

struct lint {
    struct problems *problems;
    const struct maps_input *input;
    enum maps_mta mta;
    unsigned ports[SENDMAIL_PORTS_MAX];
    size_t nports;
    size_t said[LINT_KINDS];
};

/* Shall this one be told? It is counted in any case. */
bool lint_say(struct lint *lint, enum lint_kind kind);

/* Routes and RATs against each other, and routes that lead back here. */
void lint_reach(struct lint *lint);

#endif
