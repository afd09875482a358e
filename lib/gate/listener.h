/*
 * listener.h - what one MTA service is judged by (SPEC 2 [listener NAME]).
 *
 * Built by the snapshot (milter/snapshot.c), immutable, borrowed by stages for
 * as long as the connection pins the snapshot. Any thread may read.
 */
#ifndef LIB_GATE_LISTENER_H
#define LIB_GATE_LISTENER_H

#include "lib/base/ipmap.h"
#include "lib/base/key.h"
#include "lib/tables/exceptions.h"
#include "lib/tables/hat.h"
#include "lib/tables/lists.h"
#include "lib/tables/rat.h"

enum listener_type { LISTENER_PUBLIC, LISTENER_PRIVATE };
enum listener_reject_at { REJECT_AT_CONNECT, REJECT_AT_MAIL, REJECT_AT_RCPT };
enum listener_reputation { REPUTATION_AUTO, REPUTATION_YES, REPUTATION_NO };

struct listener_keys {
#include "lib/base/key_members.h"
#include "lib/gate/listener.def"
#include "lib/base/key_end.h"
};
extern const struct key_row listener_rows[];
extern const size_t listener_nrows;

struct callahead_plan; /* where and how to ask; known to the services only */

/* What to do with each kind of call-ahead answer that is no yes. */
struct callahead_rules {
    const struct callahead_plan *plan;
    bool failure_accepts, temporary_accepts;
    int failure_code, temporary_code, unknown_code;
    const char *failure_text, *temporary_text, *unknown_text;
    bool server_text; /* pass on the server's (cleaned) text */
};

/* What some policy of the configuration limits, and all must count therefore:
 * counters are one for the whole daemon (SPEC 7). */
struct listener_counted {
    bool host, sender, account;
};

struct directory_plan; /* whom to ask and what; known to the services only */

struct directory_rules {
    const struct directory_plan *plan;
    bool error_accepts; /* where the directory gives no answer */
};

struct listener {
    const char *name;
    struct place at;
    const struct listener_keys *keys;
    const struct place *origins; /* listener_nrows: where each was written; line 0: nowhere */
    bool has_local_ip;
    struct ip local_ip;                      /* keys->local_address */
    const struct hat *hat;                   /* never NULL */
    const struct rat *rat;                   /* NULL: none configured */
    const struct directory_rules *directory; /* LDAP accept; NULL: none configured */
    const struct callahead_rules *callahead; /* NULL: none configured */
    const struct ipmap *hops;                /* keys->trusted_hops; NULL: none */
    const struct lists *lists;               /* those policies name; NULL: none */
    const struct exceptions *exceptions;     /* NULL: none configured */
    struct listener_counted counted;
};

/* The line that says what a key of this listener is; key_place(). */
#define LISTENER_PLACE(listener, member)                                                           \
    key_place(listener_rows, listener_nrows, (listener)->origins,                                  \
              offsetof(struct listener_keys, member))

struct listeners {
    const struct listener *const *v; /* in file order */
    size_t n;
};

/* Fill in `counted` of all listeners of a configuration. */
void listeners_note_counted(struct listener *list, size_t n);

/* How the client reached us, from the MTA's macros. */
struct arrival {
    const char *daemon_name; /* "" not known */
    bool has_local_ip;
    struct ip local_ip;
    uint16_t local_port; /* 0 not known */
};

/* Is this one of our own front hosts (SPEC 2, trusted_hops)? */
bool listener_trusts(const struct listener *listener, const struct ip *client);

/* Are score and owner looked up for classification, and do entries with them
 * match ([listener] use_reputation)? */
bool listener_uses_reputation(const struct listener *listener);

/* The listener all of whose criteria match, most criteria first, then file
 * order (SPEC 4, step 1). NULL: none and no fallback. */
const struct listener *listener_for(const struct listeners *listeners,
                                    const struct arrival *arrival);
const struct listener *listener_named(const struct listeners *listeners, const char *name);

#endif
