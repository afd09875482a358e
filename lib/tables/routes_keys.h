/*
 * routes_keys.h - keys of [routes] (SPEC 10). Rows and values only; the table
 * is routes.h. Any thread.
 */
#ifndef LIB_TABLES_ROUTES_KEYS_H
#define LIB_TABLES_ROUTES_KEYS_H

#include "lib/base/key.h"

struct routes_keys {
#include "lib/base/key_members.h"
#include "lib/tables/routes.def"
#include "lib/base/key_end.h"
};

extern const struct key_row routes_rows[];
extern const size_t routes_nrows;

#endif
