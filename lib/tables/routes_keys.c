/*
 * routes_keys.c - the rows of [routes].
 */
#include "lib/tables/routes_keys.h"

#define KEY_STRUCT struct routes_keys
const struct key_row routes_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/tables/routes.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t routes_nrows = ARRAY_LEN(routes_rows);
