/*
 * services.h - what the stages may ask of the world outside.
 *
 * One struct of function pointers. The daemon fills it with the network
 * (milter/services.c), `trace` with what the command line says, tests with
 * scripts: the stages are the same. Every function blocks at most until the
 * deadline and always gives an answer; "cannot tell" is one. Must be callable
 * from any thread.
 */
#ifndef LIB_GATE_SERVICES_H
#define LIB_GATE_SERVICES_H

#include "lib/base/answer.h"
#include "lib/base/ip.h"
#include "lib/base/mailaddr.h"
#include "lib/tables/hat.h"

struct callahead_plan;
struct conn_facts;

struct services {
    void *ctx;

    /* The client's host name. conn: for what the MTA already found out. */
    void (*host)(void *ctx, const struct conn_facts *conn, mono_us deadline,
                 struct host_answer *answer_out);

    /* Everything the table wants to know of the client, asked at once. listed in
     * the order of wants->zones, which live as long as the listener. */
    void (*lookups)(void *ctx, const struct conn_facts *conn, const struct hat_wants *wants,
                    mono_us deadline, struct lookup_answer *answer_out);

    /* literal_named: a RAT entry names the recipient's address literal, so
     * asking there is the administrator's wish. */
    void (*callahead)(void *ctx, const struct callahead_plan *plan,
                      const struct mailaddr *recipient, bool literal_named, mono_us deadline,
                      struct callahead_answer *answer_out);
};

#endif
