/*
 * auth.c - the rows of [auth NAME].
 */
#include "lib/tables/auth.h"

#define KEY_STRUCT struct auth_keys
const struct key_row auth_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/tables/auth.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t auth_nrows = ARRAY_LEN(auth_rows);
