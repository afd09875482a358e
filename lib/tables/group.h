/*
 * group.h - keys of a sender group (SPEC 2, [group NAME]).
 *
 * Rows and values only; what the entries mean is in hat.h. `policy` is a
 * policy name or an action word: policies_target() (policy.h) tells. The bits
 * of `unverified` are those of enum hat_unverified (hat.h). Any thread.
 */
#ifndef LIB_TABLES_GROUP_H
#define LIB_TABLES_GROUP_H

#include "lib/base/key.h"

struct group_keys {
#include "lib/base/key_members.h"
#include "lib/tables/group.def"
#include "lib/base/key_end.h"
};

extern const struct key_row group_rows[];
extern const size_t group_nrows;

/* What the predefined groups lead to. */
extern const struct key_preset group_presets[];

#endif
