/*
 * engine.h - what talks to the network and outlives reloads: the DNS engine,
 * the DNS lists' state, the call-ahead pool and the directories. One for the process;
 * gatehoused and gatehousectl (trace without --offline) both make one. engine_services()
 * dresses it up as the services the stages use. Any thread after engine_new().
 */
#ifndef MILTER_ENGINE_H
#define MILTER_ENGINE_H

#include "lib/gate/services.h"
#include "lib/net/dnslist.h"
#include "milter/destination.h"
#include "milter/snapshot.h"

struct engine;

/* At the beginning of the program, before it has threads. */
void engine_setup(void);

/* Starts the engine's threads. */
struct engine *engine_new(const struct snapshot *snapshot, struct err *err);
/* From now on nobody waits: whoever does, or asks later for what is not in a cache, is
 * told at once that there is no telling. Any thread; does not block. */
void engine_stop(struct engine *engine);
void engine_free(struct engine *engine); /* takes NULL; nobody may be asking */

/* Call-ahead's answers outlive the process in this folder (lib/state/statefile.h).
 * After engine_new(), before anything is asked; what is wrong is logged. */
void engine_keep(struct engine *engine, const char *folder);

/* Main thread, several times a second: what must be done without being asked.
 * Never blocks. */
void engine_tick(struct engine *engine);

/* Take over what a new configuration says of [dns], and the DNS lists its sender
 * groups name. Main thread. */
NODISCARD bool engine_reconfigure(struct engine *engine, const struct snapshot *snapshot,
                                  struct err *err);

/* The call-ahead pool, for status and cache; directories. */
struct callahead *engine_callahead(const struct engine *engine);
struct ldappool *engine_directories(const struct engine *engine);

/* The DNS lists, for the same. */
struct dnslists *engine_dnslists(const struct engine *engine);

/* Who asks. The snapshot, borrowed, has the rules by which services ask; the others do
 * without. about_to_wait(arg) is called in the asking thread before it blocks (NULL: none). */
struct engine_view {
    struct engine *engine;
    const struct snapshot *snapshot;
    void (*about_to_wait)(void *arg);
    void *arg;
};

/* One query of a directory. Blocks up to deadline. */
void engine_ask_directory(const struct engine_view *view, const struct directory_plan *plan,
                          enum ldap_query query, const struct mailaddr *recipient,
                          const struct mailaddr *sender, mono_us deadline,
                          struct ldap_answer *answer_out);

/* Call-ahead about one recipient. to_out: what was asked about, and where; it borrows
 * from wanted and arena (NULL: no directory decides). Blocks up to deadline. */
void engine_ask_callahead(const struct engine_view *view, const struct destination_wanted *wanted,
                          mono_us deadline, struct arena *arena, struct destination *to_out,
                          struct callahead_answer *answer_out);

/* Services that ask for real; they borrow the view. */
struct services engine_services(struct engine_view *view);

#endif
