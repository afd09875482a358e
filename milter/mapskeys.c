/*
 * mapskeys.c - the rows of [maps].
 */
#include "milter/mapskeys.h"

/* In the order of enum maps_mta. */
static const char *const maps_mta_words[] = {"postfix", "sendmail", NULL};

#define KEY_STRUCT struct maps_keys
const struct key_row maps_rows[] = {
#include "lib/base/key_rows.h"
#include "milter/maps.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t maps_nrows = ARRAY_LEN(maps_rows);
