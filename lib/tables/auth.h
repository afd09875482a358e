/*
 * auth.h - keys of [auth NAME]: credentials that SMTP routes refer to
 * (SPEC 10). Rows and values only. Any thread.
 */
#ifndef LIB_TABLES_AUTH_H
#define LIB_TABLES_AUTH_H

#include "lib/base/key.h"

struct auth_keys {
#include "lib/base/key_members.h"
#include "lib/tables/auth.def"
#include "lib/base/key_end.h"
};

extern const struct key_row auth_rows[];
extern const size_t auth_nrows;

#endif
