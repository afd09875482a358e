/*
 * hops.h - [listener] trusted_hops: addresses and networks of our own front
 * hosts (SPEC 2), written as sender entries are (SPEC 3.1).
 *
 * Building: one thread. The map is read as ipmap.h says.
 */
#ifndef LIB_TABLES_HOPS_H
#define LIB_TABLES_HOPS_H

#include "lib/base/ipmap.h"
#include "lib/base/key.h"
#include "lib/base/problem.h"

/* Every wrong item becomes a problem at its place; NULL when there was an
 * error. ipmap_free() it. */
struct ipmap *hops_build(const struct key_list *list, struct problems *problems);

#endif
