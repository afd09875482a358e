/*
 * registry.h - all sections of gatehouse.conf, in the order of SPEC 2: what
 * both programs hand to conf_read(). Constant.
 */
#ifndef MILTER_REGISTRY_H
#define MILTER_REGISTRY_H

#include "lib/conf/conf.h"

extern const struct conf_type *const registry[];
extern const size_t registry_count;

#endif
