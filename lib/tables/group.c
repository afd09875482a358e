/*
 * group.c - the rows of [group NAME].
 */
#include "lib/tables/group.h"

static const char *const group_unverified_words[] = {"no_ptr", "ptr_tempfail", "ptr_mismatch",
                                                     NULL};

#define KEY_STRUCT struct group_keys
const struct key_row group_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/tables/group.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t group_nrows = ARRAY_LEN(group_rows);

const struct key_preset group_presets[] = {
    {"ALLOWED_LIST", "policy", "TRUSTED"},  {"WHITELIST", "policy", "TRUSTED"},
    {"BLOCKED_LIST", "policy", "BLOCKED"},  {"BLACKLIST", "policy", "BLOCKED"},
    {"SUSPECTLIST", "policy", "THROTTLED"}, {"UNKNOWNLIST", "policy", "ACCEPTED"},
    {"RELAYLIST", "policy", "RELAYED"},     {NULL, NULL, NULL},
};
