/*
 * routes.c - SMTP routes: the table, its look-up, its export. Reading the file
 * is routes_file.c.
 */
#include "lib/tables/routes_table.h"

#include <string.h>

struct routes *routes_empty(void)
{
    struct routes *routes = calloc(1, sizeof *routes);
    if (routes == NULL)
        return NULL;
    routes->all = STRMAP_NONE;
    routes->arena = arena_new(0);
    routes->keys = strmap_new();
    if (routes->arena == NULL || routes->keys == NULL) {
        routes_free(routes);
        return NULL;
    }
    return routes;
}

void routes_free(struct routes *routes)
{
    if (routes == NULL)
        return;
    strmap_free(routes->keys);
    arena_free(routes->arena);
    free(routes->list);
    free(routes);
}

const struct route *routes_lookup(const struct routes *routes, const char *domain)
{
    uint32_t found = strmap_get(routes->keys, slice_of(domain));
    if (found == STRMAP_NONE)
        found = strmap_longest_suffix(routes->keys, domain);
    if (found == STRMAP_NONE)
        found = routes->all;
    return found != STRMAP_NONE ? &routes->list[found] : NULL;
}

size_t routes_count(const struct routes *routes)
{
    return routes->count;
}

const struct route *routes_get(const struct routes *routes, size_t index)
{
    CHECK(index < routes->count);
    return &routes->list[index];
}

size_t routes_bytes(const struct routes *routes)
{
    return sizeof *routes + routes->room * sizeof *routes->list + arena_used(routes->arena) +
           strmap_bytes(routes->keys);
}

const char *const route_tls_words[] = {"", "none", "may", "encrypt", "verify", NULL};

static void export_host(const struct nexthop *hop, struct strbuf *out)
{
    bool brackets = hop->is_ip ? !ip_is_v4(&hop->ip) : !hop->mx;
    strbuf_printf(out, "%s%s%s", brackets ? "[" : "", hop->host, brackets ? "]" : "");
    if (hop->port_given)
        strbuf_printf(out, ":%u", (unsigned)hop->port);
    if (hop->priority != 0)
        strbuf_printf(out, "/pri=%u", (unsigned)hop->priority);
}

static void export_destination(const struct route *route, struct strbuf *out)
{
    switch (route->kind) {
    case ROUTE_HOSTS:
        for (size_t i = 0; i < route->nhosts; i++) {
            strbuf_puts(out, i == 0 ? " " : ", ");
            export_host(&route->hosts[i], out);
        }
        break;
    case ROUTE_USEDNS:
        strbuf_puts(out, " USEDNS");
        break;
    case ROUTE_DISCARD:
        strbuf_puts(out, " /dev/null");
        break;
    case ROUTE_NONE:
        break;
    }
}

void routes_export(const struct routes *routes, struct strbuf *out)
{
    for (size_t i = 0; i < routes->count; i++) {
        const struct route *route = &routes->list[i];
        strbuf_printf(out, "%s:", route->key);
        export_destination(route, out);
        if (route->auth != NULL)
            strbuf_printf(out, " auth=%s", route->auth);
        if (route->tls != ROUTE_TLS_UNSET)
            strbuf_printf(out, " tls=%s", route_tls_words[route->tls]);
        strbuf_putc(out, '\n');
    }
}
