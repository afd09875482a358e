/*
 * routes.h - SMTP routes (SPEC 3.4): for a recipient domain, the hosts mail
 * goes to. The most specific key wins, whatever the order.
 *
 * Immutable once loaded; a million routes load in seconds and a look-up takes
 * less than a microsecond. Loading: one thread, blocks on the file; looking
 * up: any thread, no allocation.
 */
#ifndef LIB_TABLES_ROUTES_H
#define LIB_TABLES_ROUTES_H

#include "lib/base/nexthop.h"
#include "lib/base/problem.h"
#include "lib/base/str.h"

enum route_kind {
    ROUTE_HOSTS,
    ROUTE_USEDNS,  /* the normal way by MX */
    ROUTE_DISCARD, /* /dev/null */
    ROUTE_NONE     /* ALL: with nothing, the empty default */
};
enum route_tls {
    ROUTE_TLS_UNSET,
    ROUTE_TLS_NONE,
    ROUTE_TLS_MAY,
    ROUTE_TLS_ENCRYPT,
    ROUTE_TLS_VERIFY
};

struct route {
    const char *key; /* canonical: "example.com", ".example.com", "ALL" */
    enum route_kind kind;
    enum route_tls tls;
    size_t nhosts;
    const struct nexthop *hosts; /* by priority, then as written */
    const char *auth;            /* profile name; NULL none */
    struct place at;
};

struct routes;

#define ROUTES_PORT 25       /* where no port was written */
#define ROUTES_HOSTS_MAX 256 /* destinations of one route */

/* Every wrong line is a problem; NULL when there was an error. `at`: where
 * path was written. */
struct routes *routes_load(const char *path, struct place at, struct problems *problems);
struct routes *routes_empty(void); /* no file configured; NULL: out of memory */
void routes_free(struct routes *routes);

/* domain canonical (lib/base/domain.h) or an LDAP host name. Exact key, then
 * the longest .suffix, then ALL; NULL when nothing matches (no ALL line). */
const struct route *routes_lookup(const struct routes *routes, const char *domain);

/* In written order, ALL where it stood; duplicates were errors. */
size_t routes_count(const struct routes *routes);
const struct route *routes_get(const struct routes *routes, size_t index);
size_t routes_bytes(const struct routes *routes);
void routes_export(const struct routes *routes, struct strbuf *out); /* as a routes file */

#endif
