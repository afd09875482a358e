#include "milter/version.h"

#include <stdio.h>

#ifdef HAVE_MAXMINDDB
#define MAXMINDDB "yes"
#else
#define MAXMINDDB "no"
#endif

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

bool version_print(const char *program)
{
    return printf("%s %s\n"
                  "libmaxminddb: %s\n"
                  "sysconfdir: %s\n"
                  "compiler: %s\n",
                  program, PACKAGE_VERSION, MAXMINDDB, HOUSE_SYSCONFDIR, COMPILER) >= 0;
}
