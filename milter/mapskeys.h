/*
 * mapskeys.h - keys of [maps]: where the MTA's maps are, for gatehousectl reload and
 * gatehousectl maps. Rows and values only. Any thread.
 */
#ifndef MILTER_MAPSKEYS_H
#define MILTER_MAPSKEYS_H

#include "lib/base/key.h"

struct maps_keys {
#include "lib/base/key_members.h"
#include "milter/maps.def"
#include "lib/base/key_end.h"
};

extern const struct key_row maps_rows[];
extern const size_t maps_nrows;

#endif
