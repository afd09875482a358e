/*
 * lists.c - the rows of [addresslist NAME].
 */
#include "lib/tables/lists.h"

static const char *const lists_kind_words[] = {"mixed", "full", "domain", "ip", NULL};

#define KEY_STRUCT struct lists_keys
const struct key_row lists_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/tables/lists.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t lists_nrows = ARRAY_LEN(lists_rows);
