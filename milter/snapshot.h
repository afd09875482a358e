/*
 * snapshot.h - one complete, checked configuration with its tables.
 *
 * Built off to the side (by the daemon at start and reload, by gatehousectl
 * for `check` and everything else), then swapped in with one pointer. A
 * connection takes a reference at connect and another at MAIL (DESIGN 3), a
 * call-ahead question under way holds one too; the last one to drop it frees
 * it. Immutable after snapshot_build(), so any thread may read. Building: one
 * thread, blocks on files, asks no network.
 */
#ifndef MILTER_SNAPSHOT_H
#define MILTER_SNAPSHOT_H

#include <pthread.h>
#include <stdatomic.h>
#include "lib/base/domain.h"
#include "lib/base/problem.h"
#include "lib/conf/conf.h"
#include "lib/gate/listener.h"
#include "lib/net/callahead.h"
#include "lib/net/dns.h"
#include "lib/net/reputation.h"
#include "lib/net/tls.h"
#include "lib/tables/routes.h"
#include "milter/settings.h"

struct snapshot {
    atomic_uint references;
    uint64_t digest;   /* of configuration and tables, as they were when these began to be read;
                          equal: the same but for comments and secrets */
    struct conf *conf; /* owned; its arena holds what follows but the tables */
    struct settings settings;
    const struct dns_keys *dns;
    struct reputation reputation;    /* its files and databases owned */
    struct tls_client *tls;          /* counted; NULL where no profile uses TLS */
    char hostname[DOMAIN_MAX];       /* [gatehouse] hostname or the system's */
    const struct policies *policies; /* of public listeners */
    const struct policies *private_policies;
    struct lists *lists;           /* owned; never NULL */
    struct exceptions *exceptions; /* owned; NULL: none configured */
    struct listeners listeners;    /* file order; hat, rat and hops of each owned */
    struct routes *routes;         /* owned; never NULL */
    const char *routes_transport;
    const struct directory_plan **directories; /* the [ldap] sections */
    size_t ndirectories;
    const struct directory_plan *routes_directory; /* [routes] ldap; NULL: none */
};

/* NULL when anything is wrong; problems has every error and warning. */
struct snapshot *snapshot_build(const char *path, struct problems *problems);
/* The same as if every key that names the file `path` named `by`, which must
 * outlive the snapshot. NULL: as it is. */
struct snapshot_substitute {
    const char *path, *by;
};
struct snapshot *snapshot_build_with(const char *path, const struct snapshot_substitute *substitute,
                                     struct problems *problems);
/* The [ldap] section of that name; NULL: there is none. */
const struct directory_plan *snapshot_directory(const struct snapshot *snapshot, const char *name);
void snapshot_take(struct snapshot *snapshot);
void snapshot_drop(struct snapshot *snapshot); /* takes NULL */

/* The one in force. One mutex, held for a copy and a count. */
struct snapshot_store {
    pthread_mutex_t mutex;
    struct snapshot *current;
};
void snapshot_store_init(struct snapshot_store *store, struct snapshot *first);
struct snapshot *snapshot_current(struct snapshot_store *store); /* with a reference */
void snapshot_publish(struct snapshot_store *store,
                      struct snapshot *next); /* gives its reference */
void snapshot_store_done(struct snapshot_store *store);

#endif
