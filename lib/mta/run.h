/*
 * run.h - run one of the MTA's own tools and keep what it says.
 *
 * fork and execve of an absolute path: never a shell, no PATH, a fixed argument list, an
 * environment of LC_ALL, PATH and MAIL_CONFIG only, standard input from a file, no descriptor of
 * ours but the two pipes. One thread; blocks until the tool ends or the deadline, when it is
 * killed.
 */
#ifndef LIB_MTA_RUN_H
#define LIB_MTA_RUN_H

#include "lib/base/base.h"
#include "lib/base/err.h"
#include "lib/base/mono.h"
#include "lib/base/str.h"

struct run {
    const char *const *argv; /* NULL-terminated; argv[0] absolute */
    const char *mail_config; /* MAIL_CONFIG for the tool; NULL: not set */
    mono_us deadline;
    size_t output_max; /* more output than this is an error */
    const char *input; /* its standard input; NULL: /dev/null */
    /* It is killed when this thread ends, however that does: nobody waits for it then, and what it
     * writes may be another run's already. */
    bool dies_with_us;
};

/* true: it ran and ended with 0. Standard output is appended to output (NULL:
 * thrown away); what it says on standard error becomes part of err when it
 * fails, made printable. */
NODISCARD bool run_tool(const struct run *run, struct strbuf *output, struct err *err);

#endif
