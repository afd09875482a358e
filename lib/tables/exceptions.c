/*
 * exceptions.c - the rows of [exceptions].
 */
#include "lib/tables/exceptions.h"

#define KEY_STRUCT struct exceptions_keys
const struct key_row exceptions_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/tables/exceptions.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t exceptions_nrows = ARRAY_LEN(exceptions_rows);
