/*
 * secret.h - a password in a file of its own: one line, which nobody but the
 * file's owner may read.
 */
#ifndef LIB_BASE_SECRET_H
#define LIB_BASE_SECRET_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

#define SECRET_MAX 1024 /* bytes */

/* The line without its end: 1 to `most` bytes (at most SECRET_MAX), no control
 * bytes. NULL: err says why, with the path. Blocks on the file. Any thread. */
const char *secret_read(const char *path, size_t most, struct arena *arena, struct err *err);

#endif
