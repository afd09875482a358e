/*
 * reputation.h - keys of [reputation]: where scores, network owners and
 * countries of clients come from (SPEC 2). Rows and values only. Any thread.
 */
#ifndef LIB_NET_REPUTATION_H
#define LIB_NET_REPUTATION_H

#include "lib/base/key.h"

struct reputation_keys {
#include "lib/base/key_members.h"
#include "lib/net/reputation.def"
#include "lib/base/key_end.h"
};

extern const struct key_row reputation_rows[];
extern const size_t reputation_nrows;

#endif
