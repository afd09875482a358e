/*
 * version.h - what --version prints: the name, the version, and what was decided when
 * it was built, for reports of faults.
 *
 * One thread.
 */
#ifndef MILTER_VERSION_H
#define MILTER_VERSION_H

#include "lib/base/base.h"

/* On standard output; false: it cannot be printed. */
NODISCARD bool version_print(const char *program);

#endif
