/*
 * maps.h - what the MTA's maps are made from, and the files they become
 * (SPEC 10).
 *
 * struct maps_input is plain data, filled from one snapshot, so that maps,
 * lint and mta-config speak of the very configuration the daemon runs with.
 * Everything in it is borrowed. struct maps holds the finished text of every
 * file; nothing is on disk before publish.h puts it there. One thread.
 */
#ifndef LIB_MTA_MAPS_H
#define LIB_MTA_MAPS_H

#include "lib/base/key.h"
#include "lib/base/problem.h"
#include "lib/base/str.h"
#include "lib/tables/hat.h"
#include "lib/tables/rat.h"
#include "lib/tables/routes.h"

struct maps_listener {
    const char *name;
    struct place at;
    bool private;            /* type = private */
    const char *daemon_name; /* "" none, as written */
    const char *local_address;
    int64_t local_port;      /* 0: none */
    int64_t max_connections; /* 1... */
    const struct hat *hat;   /* never NULL */
    const struct rat *rat;   /* NULL: none */
};

/* The largest value of any policy a listener can reach. KEY_NO_LIMIT: some
 * policy sets no limit. */
struct maps_limits {
    int64_t max_message_size;   /* bytes */
    int64_t max_recipients;     /* per message */
    int64_t max_connections_ip; /* per address */
    int64_t max_invalid;        /* DHAP: the largest finite one; 0: none is finite */
    int64_t command_deadline;   /* ms */
};

struct maps_input {
    const struct maps_listener *listeners; /* in written order */
    size_t nlisteners;
    const struct routes *routes; /* never NULL: routes_empty() */
    const char *transport;       /* [routes] transport: "relay" */
    const char *socket;          /* [gatehouse] socket, a libmilter string */
    bool monitor;                /* [gatehouse] mode = monitor: refuse nobody */
    struct maps_limits limits;
};

struct maps_file {
    char *name;            /* owned; inside the output folder, no '/' */
    unsigned mode;         /* 0644, or 0600 for secrets */
    bool compile;          /* a "key<TAB>value" table for the MTA's compiler; its lines stand
                              in strcmp() order, no key twice */
    bool reload;           /* the MTA reads it only when it starts or reloads */
    struct strbuf content; /* owned */
};

struct maps {
    struct maps_file *list; /* owned */
    size_t count, room;
};

void maps_init(struct maps *maps);
void maps_done(struct maps *maps);

/* Append an empty file named name, or name.suffix when suffix is not NULL.
 * NULL: out of memory. Valid until the next call. */
struct maps_file *maps_add(struct maps *maps, const char *name, const char *suffix, unsigned mode);

/* May a listener of this name have files of its own? Letters, digits, '-',
 * '_' and '.', not first a '.' or '-', at most 64 bytes: it becomes part of file names
 * and of words in master.cf. */
bool maps_name_ok(const char *listener);

#endif
