/*
 * reputation.c - the rows of [reputation].
 */
#include "lib/net/reputation.h"

#define KEY_STRUCT struct reputation_keys
const struct key_row reputation_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/net/reputation.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t reputation_nrows = ARRAY_LEN(reputation_rows);
