/*
 * regular.h - open a file that a key names, without ever waiting for it.
 *
 * Opening a FIFO waits until somebody writes to it, and a device may do whatever it
 * likes: neither may stop a start, a check or a reload. Any thread.
 */
#ifndef LIB_BASE_REGULAR_H
#define LIB_BASE_REGULAR_H

#include "lib/base/err.h"

/* A descriptor to read a regular file, or /dev/null, which is the caller's to close.
 * -1: err says why, with the path. */
NODISCARD int regular_open(const char *path, struct err *err);

/* The same for who can take a path only. */
NODISCARD bool regular_check(const char *path, struct err *err);

#endif
