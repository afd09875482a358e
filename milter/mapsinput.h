/*
 * mapsinput.h - what lib/mta writes maps from, out of a snapshot.
 *
 * lib/mta knows tables but no configuration; here the two meet, so that maps
 * are made from the very tables the daemon judges by. One thread; blocks on
 * nothing.
 */
#ifndef MILTER_MAPSINPUT_H
#define MILTER_MAPSINPUT_H

#include "lib/mta/maps.h"
#include "milter/blocks.h"
#include "milter/snapshot.h"

/* Borrows from snapshot; the listeners go into arena. false: out of memory. */
NODISCARD bool mapsinput_make(const struct snapshot *snapshot, struct arena *arena,
                              struct maps_input *input_out);

/* Relay clients made so at run time are among those of the maps, or, NULL, are not. blocks must
 * outlive input. false: out of memory. */
NODISCARD bool mapsinput_use_blocks(const struct blocks_table *blocks, struct arena *arena,
                                    struct maps_input *input);

/* Fills the passwords of the profiles that routes name. A file that cannot be
 * read, that others can read, or that holds no password of one line is an error. */
void mapsinput_read_passwords(const struct snapshot *snapshot, struct arena *arena,
                              struct maps_input *input, struct problems *problems);

/* Where an MTA's maps are when nobody says otherwise. */
const char *mapsinput_folder(enum maps_mta mta);

#endif
