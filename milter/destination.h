/*
 * destination.h - where the mail for a recipient will go, and under which address:
 * what call-ahead must ask about (SPEC 8 "Where to ask", SPEC 9).
 *
 * A directory may name hosts for a recipient, and another address
 * (routing_address_attr) under which the MTA delivers. Then that one is asked about:
 * at the hosts of the same entry; where there are none all begins anew with the new
 * address, whose own entry may name hosts or yet another one, and in the end the SMTP
 * routes or the MX of its domain. An entry that names the address it was found by
 * says nothing new. Several different addresses are a list: the directory says that
 * the recipient exists, and nobody can be asked on behalf of all.
 *
 * Types of the stages and of lib/net; no state: any thread.
 */
#ifndef MILTER_DESTINATION_H
#define MILTER_DESTINATION_H

#include "lib/base/arena.h"
#include "lib/gate/facts.h"
#include "milter/plan.h"

#define DESTINATION_MOVES_MAX 5 /* from an address to the next; further nobody can tell */

struct destination_wanted {
    const struct callahead_plan *plan;
    const struct rcpt_facts *rcpt;
    bool literal_named; /* see services.h */
};

struct destination {
    enum plan_kind kind;
    struct mailaddr to;           /* to ask about */
    struct mailaddr base;         /* known_as of where */
    struct callahead_where where; /* PLAN_ASK; points into this struct */
    struct nexthop literal_hop;
    unsigned moves; /* 0: to is the recipient as the client said it */
    struct err err; /* PLAN_NOWHERE */
};

/* Does the directory know of it? Only where call-ahead asks the delivery host of a
 * domain. */
bool destination_is_in_directory(const struct callahead_plan *plan, const struct mailaddr *to);

/* ask: the routing query of plan->routing; may block. The destination borrows from
 * wanted and from arena, which may be NULL when the directory does not know of it. */
void destination_find(const struct destination_wanted *wanted,
                      void (*ask)(void *ctx, const struct mailaddr *recipient,
                                  struct ldap_answer *answer_out),
                      void *ctx, struct arena *arena, struct destination *out);

#endif
