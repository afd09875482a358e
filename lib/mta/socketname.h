/*
 * socketname.h - [gatehouse] socket, taken apart for the MTA's own spelling.
 *
 * unix:PATH, local:PATH or a bare path; inet:PORT[@HOST], inet6:PORT[@HOST].
 * Plain values that borrow from the text. Any thread.
 */
#ifndef LIB_MTA_SOCKETNAME_H
#define LIB_MTA_SOCKETNAME_H

#include "lib/base/base.h"
#include "lib/base/str.h"

struct socketname {
    const char *path;  /* NULL: not a unix socket */
    struct slice host; /* without brackets; where the MTA connects, so never "any address" */
    unsigned port;
    bool v6;  /* inet6: */
    bool any; /* every address of this host; host is the loopback then */
};

/* false: none of these forms, or a path that is not absolute. */
NODISCARD bool socketname_parse(const char *text, struct socketname *name_out);

#endif
