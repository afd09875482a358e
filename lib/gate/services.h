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
struct directory_plan;
struct conn_facts;
struct lease;
struct rcpt_facts;

/* --- what is counted for the whole daemon, over all listeners (SPEC 7) --------- */

/* Connections at the same time; CROWD_PENDING: those that are being classified. */
enum crowd { CROWD_LISTENER, CROWD_ADDRESS, CROWD_PENDING };
enum rate { RATE_HOST, RATE_SENDER, RATE_ACCOUNT }; /* recipients in a window */

struct rate_ask {
    enum rate rate;
    struct slice key;
    uint64_t limit;
    mono_us window;
};

struct invalid_ask {
    struct slice client, address;
    uint64_t limit; /* of note_invalid() */
    mono_us window;
};

struct invalid_count {
    uint32_t different, total; /* recipients of the window, times one was named */
};

/* Each call is exact and short, waits for nobody, and cannot fail but where it
 * says so. */
struct counting {
    void *ctx;

    /* One connection more. The lease is the caller's, to be given back when the
     * connection ends, or its classification. */
    enum lease_answer (*enter)(void *ctx, enum crowd crowd, struct slice key, uint64_t limit,
                               struct lease **lease_out);
    void (*leave)(struct lease *lease); /* once; takes NULL */

    /* One recipient more: true when it is within the limit and counted.
     * began_out: which window it was, for give_back(). */
    bool (*take)(void *ctx, const struct rate_ask *ask, mono_us *began_out);
    /* It did not come to be, for another limit. */
    void (*give_back)(void *ctx, const struct rate_ask *ask, mono_us began);

    /* Directory harvest: one invalid recipient more; how many there were. */
    struct invalid_count (*note_invalid)(void *ctx, const struct invalid_ask *ask);
    struct invalid_count (*count_invalid)(void *ctx, const struct invalid_ask *ask);
};

/* --- all of it ----------------------------------------------------------------- */

struct services {
    void *ctx;

    /* The client's host names. conn: for what the MTA already found out. Several names
     * go into arena. */
    void (*host)(void *ctx, const struct conn_facts *conn, struct arena *arena, mono_us deadline,
                 struct host_answer *answer_out);

    /* Everything the table wants to know of the client, asked at once. Answers of DNS
     * lists go into arena; their zones live as long as the listener. */
    void (*lookups)(void *ctx, const struct conn_facts *conn, const struct hat_wants *wants,
                    struct arena *arena, mono_us deadline, struct lookup_answer *answer_out);

    /* Does the domain (canonical) of an envelope sender take mail? accept_a: an
     * address record of its own is enough where it has no MX. */
    void (*sender)(void *ctx, const char *domain, bool accept_a, mono_us deadline,
                   enum sender_class *answer_out);

    /* Does the directory know the recipient? sender: as far as it could be
     * parsed; its text is NULL where not. */
    void (*directory)(void *ctx, const struct directory_plan *plan,
                      const struct mailaddr *recipient, const struct mailaddr *sender,
                      mono_us deadline, struct directory_answer *answer_out);

    /* rcpt->to is asked for, rcpt->base remembered. literal_named: a RAT entry names the
     * recipient's address literal, so asking there is the administrator's wish. */
    void (*callahead)(void *ctx, const struct callahead_plan *plan, const struct rcpt_facts *rcpt,
                      bool literal_named, mono_us deadline, struct callahead_answer *answer_out);

    struct counting counting;
};

#endif
