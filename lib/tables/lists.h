/*
 * lists.h - keys of [addresslist NAME] (SPEC 2). Rows and values only. Any
 * thread.
 */
#ifndef LIB_TABLES_LISTS_H
#define LIB_TABLES_LISTS_H

#include "lib/base/key.h"

struct lists_keys {
#include "lib/base/key_members.h"
#include "lib/tables/lists.def"
#include "lib/base/key_end.h"
};

extern const struct key_row lists_rows[];
extern const size_t lists_nrows;

#endif
