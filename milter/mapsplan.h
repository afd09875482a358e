/*
 * mapsplan.h - what [maps] says, and what follows from it for a configuration.
 *
 * Daemon and tool come to the same maps each for itself, from files that somebody may be editing.
 * So the daemon says what it has come to (mapsplan_print()), and the tool writes nothing unless it
 * has come to the very same. Passwords of [auth] sections, which the daemon's user need not be
 * able to read, are not part of it.
 *
 * What is wrong with maps is found by mapsplan_check(), in gatehousectl check and reload alike.
 * Any thread; nothing blocks but on memory: a million rows take a second or two.
 */
#ifndef MILTER_MAPSPLAN_H
#define MILTER_MAPSPLAN_H

#include "lib/mta/mapsum.h"
#include "lib/mta/publish.h"
#include "milter/snapshot.h"

struct mapsplan {
    enum maps_mta mta;
    const char *folder;
    bool reload;                /* tell the MTA */
    const char *reload_program; /* run with "reload" */
    enum compile_tool tool;
    const char *compiler, *type;
};

/* What is not said otherwise depends on the MTA. */
void mapsplan_default(enum maps_mta mta, struct mapsplan *plan_out);
/* As [maps] says; borrows from snapshot. false: there is no such section, and plan_out is as
 * it was. */
bool mapsplan_get(const struct snapshot *snapshot, struct mapsplan *plan_out);

/* What is wrong with the maps of snapshot, or would surprise; without [maps] only what would
 * surprise at any MTA. force: --force, or `check`: an open relay is no error. */
void mapsplan_check(const struct snapshot *snapshot, bool force, struct problems *problems);

NODISCARD bool mapsplan_build(const struct maps_input *input, enum maps_mta mta, struct maps *maps);

/* Of all maps, passwords of [auth] aside, with the relay clients made at run time as the file in
 * state_dir has them, where it can be read. Only where mapsplan_check() finds nothing. false: out
 * of memory. */
NODISCARD bool mapsplan_sums(struct snapshot *snapshot, const struct mapsplan *plan,
                             struct mapsums *sums_out);

/* plan NULL: there is no [maps]. Lines of words separated by TAB. */
void mapsplan_print(const struct mapsplan *plan, const struct mapsums *sums, struct strbuf *out);

#endif
