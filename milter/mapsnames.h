/*
 * mapsnames.h - do the hosts of routes exist, and are they others than we?
 *
 * Only warnings come of it: a name may be in the MTA's hosts file, or be there
 * tomorrow. Many names are asked at once; one without an answer in time counts
 * as there. One thread; blocks for MAPSNAMES_SECONDS at most.
 */
#ifndef MILTER_MAPSNAMES_H
#define MILTER_MAPSNAMES_H

#include "lib/mta/maps.h"
#include "milter/snapshot.h"

#define MAPSNAMES_SECONDS 5
#define MAPSNAMES_MAX 500 /* names; those behind are not asked for */

/* last_only: only names that come last of several hosts, where Postfix bounces mail. */
void mapsnames_check(const struct snapshot *snapshot, const struct maps_input *input,
                     enum maps_mta mta, bool last_only, struct problems *problems);

#endif
