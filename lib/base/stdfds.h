/*
 * stdfds.h - descriptors 0, 1 and 2, which a program may be started without.
 *
 * The next file or socket that it opened would be its standard output or error then, and
 * get what is written there.
 */
#ifndef LIB_BASE_STDFDS_H
#define LIB_BASE_STDFDS_H

#include "lib/base/base.h"

/* First of all in main(). Those that are closed become /dev/null, opened the wrong way
 * round: reading or writing there still fails. false: there is no /dev/null. */
NODISCARD bool stdfds_fill(void);

#endif
