#include "lib/mta/postfix_maps.h"

#include <string.h>

#include "lib/mta/cidr.h"
#include "lib/mta/keytable.h"
#include "lib/mta/ldap_maps.h"
#include "lib/mta/rat_domains.h"

/* --- SMTP routes ------------------------------------------------------------ */

/* A host as Postfix names it: brackets keep it from asking for MX records. */
static void put_hop(const struct nexthop *hop, struct strbuf *out)
{
    bool bare = hop->mx && !hop->is_ip;
    strbuf_printf(out, bare ? "%s:%u" : "[%s]:%u", hop->host, (unsigned)hop->port);
}

void postfix_put_destination(const struct route *route, const char *transport, struct strbuf *out)
{
    switch (route->kind) {
    case ROUTE_HOSTS:
        strbuf_printf(out, "%s:", transport);
        for (size_t i = 0; i < route->nhosts; i++) {
            strbuf_puts(out, i == 0 ? "" : ", ");
            put_hop(&route->hosts[i], out);
        }
        return;
    case ROUTE_USEDNS:
        strbuf_printf(out, "%s:", transport);
        return;
    case ROUTE_DISCARD:
        strbuf_puts(out, "discard:");
        return;
    case ROUTE_NONE: /* ALL: with nothing is what Postfix does without `*` */
        return;
    }
}

static void add_routes(const struct maps_input *input, struct keytable *table)
{
    maps_add_routes(input, table, "*", postfix_put_destination);
}

/* --- TLS of routes ----------------------------------------------------------- */

static const char *tls_level(enum route_tls tls)
{
    switch (tls) {
    case ROUTE_TLS_NONE:
        return "none";
    case ROUTE_TLS_MAY:
        return "may";
    case ROUTE_TLS_ENCRYPT:
        return "encrypt";
    case ROUTE_TLS_VERIFY:
        return "verify";
    case ROUTE_TLS_UNSET:
        break;
    }
    return NULL;
}

/* Postfix looks a policy up by the destination as the transport map has it,
 * each host of a list by itself; a destination by MX is the domain. */
static void add_tls_of(const struct route *route, struct keytable *table)
{
    struct strbuf hop;
    strbuf_init(&hop);
    const char *level = tls_level(maps_tls_of(route));
    for (size_t i = 0; i < route->nhosts; i++) {
        strbuf_reset(&hop);
        put_hop(&route->hosts[i], &hop);
        keytable_add(table, strbuf_text(&hop), level);
    }
    if (route->kind == ROUTE_USEDNS && strcmp(route->key, "ALL") != 0)
        keytable_add_domain(table, route->key, level);
    table->failed = table->failed || hop.failed;
    strbuf_done(&hop);
}

/* A host that two routes give different levels keeps the strictest: it comes
 * first, and the table takes the first. */
static void add_tls(const struct maps_input *input, struct keytable *table)
{
    static const enum route_tls strictest_first[] = {ROUTE_TLS_VERIFY, ROUTE_TLS_ENCRYPT,
                                                     ROUTE_TLS_MAY, ROUTE_TLS_NONE};
    for (size_t pass = 0; pass < ARRAY_LEN(strictest_first); pass++)
        for (size_t i = 0; i < routes_count(input->routes); i++) {
            const struct route *route = routes_get(input->routes, i);
            if (maps_tls_of(route) == strictest_first[pass])
                add_tls_of(route, table);
        }
}

/* --- credentials ------------------------------------------------------------- */

/* Looked up by the destination, as TLS is; by MX that is the domain. */
static void add_credentials_of(const struct route *route, const struct maps_auth *auth,
                               struct keytable *table)
{
    struct strbuf hop, value;
    strbuf_init(&hop);
    strbuf_init(&value);
    strbuf_printf(&value, "%s:%s", auth->user, auth->password);
    for (size_t i = 0; i < route->nhosts; i++) {
        strbuf_reset(&hop);
        put_hop(&route->hosts[i], &hop);
        keytable_add(table, strbuf_text(&hop), strbuf_text(&value));
    }
    if (route->kind == ROUTE_USEDNS && strcmp(route->key, "ALL") != 0)
        keytable_add_domain(table, route->key, strbuf_text(&value));
    table->failed = table->failed || hop.failed || value.failed;
    strbuf_done(&hop);
    strbuf_done(&value);
}

static void add_credentials(const struct maps_input *input, struct keytable *table)
{
    for (size_t i = 0; i < routes_count(input->routes); i++) {
        const struct route *route = routes_get(input->routes, i);
        const struct maps_auth *auth = maps_auth_of(input, route);
        if (auth != NULL && auth->password != NULL)
            add_credentials_of(route, auth, table);
    }
}

/* --- domains of a RAT --------------------------------------------------------- */

static void add_rats(const struct maps_input *input, struct keytable *table)
{
    for (size_t i = 0; i < input->nlisteners; i++)
        if (input->listeners[i].rat != NULL && !rat_domains_add(input->listeners[i].rat, table))
            table->failed = true;
}

/* --- files ---------------------------------------------------------------------- */

static bool build_clients(const struct maps_listener *listener, struct maps *maps, const char *name,
                          const struct cidr_table *table)
{
    struct maps_file *file = maps_add(maps, name, listener->name, MAPS_MODE);
    if (file == NULL)
        return false;
    file->reload = true;
    strbuf_puts(&file->content, MAPS_HEADING);
    if (table != NULL && table->target == POLICY_RELAY && listener->blocks != NULL &&
        !cidr_write(listener->blocks, table, &file->content))
        return false;
    if (table == NULL)
        strbuf_puts(&file->content, "# [gatehouse] mode = monitor: nobody is refused\n");
    return table == NULL ? !file->content.failed : cidr_write(listener->hat, table, &file->content);
}

/* An OK on top of a doubtful block only lets a client as far as the milter; a
 * 421 would be final. */
static const struct cidr_table relay_clients = {
    .target = POLICY_RELAY, .hit = "OK", .miss = "DUNNO", .certain = false};
static const struct cidr_table refused_clients = {
    .target = POLICY_TCPREFUSE, .hit = "421 4.7.1 Access denied", .miss = "DUNNO", .certain = true};

bool postfix_maps_build(const struct maps_input *input, struct maps *maps)
{
    if (!maps_add_compiled(maps, POSTFIX_TRANSPORT, MAPS_MODE, input, add_routes) ||
        !maps_add_compiled(maps, POSTFIX_RELAY_DOMAINS, MAPS_MODE, input, add_rats))
        return false;
    if (!maps_add_wanted(maps, POSTFIX_TLS_POLICY, MAPS_MODE, maps_have_tls(input->routes), input,
                         add_tls) ||
        !maps_add_wanted(maps, POSTFIX_SASL_PASSWD, MAPS_SECRET_MODE, maps_have_auth(input), input,
                         add_credentials))
        return false;
    if (input->directory != NULL && !ldap_maps_build(input, maps))
        return false;
    for (size_t i = 0; i < input->nlisteners; i++) {
        const struct maps_listener *listener = &input->listeners[i];
        if (!build_clients(listener, maps, POSTFIX_RELAY_CLIENTS, &relay_clients) ||
            !build_clients(listener, maps, POSTFIX_REFUSED_CLIENTS,
                           input->monitor ? NULL : &refused_clients))
            return false;
    }
    return true;
}
