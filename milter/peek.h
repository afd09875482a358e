/*
 * peek.h - one value of [gatehouse], without the rest of the configuration: mistakes
 * elsewhere in it are none of the business of who asks. One thread; blocks on the file.
 */
#ifndef MILTER_PEEK_H
#define MILTER_PEEK_H

#include <limits.h>
#include "lib/base/base.h"

/* The value as written, or the key's default. false: the file cannot be read, which is told
 * on standard error; then it is the default, too. A value of PATH_MAX bytes or more is cut. */
bool peek_value(const char *conf, const char *key, char value_out[PATH_MAX]);

/* The path: a relative one is relative to the configuration's folder, as the daemon knows
 * it. "": it is too long. */
void peek_path(const char *conf, const char *written, char path_out[PATH_MAX]);

#endif
