/*
 * exceptions.h - key of [exceptions], the sender verification exception table
 * (SPEC 2). Rows and values only. Any thread.
 */
#ifndef LIB_TABLES_EXCEPTIONS_H
#define LIB_TABLES_EXCEPTIONS_H

#include "lib/base/key.h"

struct exceptions_keys {
#include "lib/base/key_members.h"
#include "lib/tables/exceptions.def"
#include "lib/base/key_end.h"
};

extern const struct key_row exceptions_rows[];
extern const size_t exceptions_nrows;

#endif
