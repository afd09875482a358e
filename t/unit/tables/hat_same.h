/*
 * hat_same.h - are two HATs the same, as tables that were exported and read
 * again must be: groups, policies, comments and entries, in order. Bare entries
 * may share their groups in one of them and not in the other. Pure.
 */
#ifndef T_UNIT_TABLES_HAT_SAME_H
#define T_UNIT_TABLES_HAT_SAME_H

#include "lib/tables/hat.h"

NODISCARD bool hat_same(const struct hat *a, const struct hat *b);

#endif
