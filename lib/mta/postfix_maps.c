#include "lib/mta/postfix_maps.h"

#include <string.h>

#include "lib/base/strmap.h"
#include "lib/mta/cidr.h"
#include "lib/mta/keytable.h"

#define FILE_MODE 0644
#define HEADING "# Written by gatehousectl maps; a change made here is lost at its next run.\n"

/* --- SMTP routes ------------------------------------------------------------ */

/* A host as Postfix names it: brackets keep it from asking for MX records. */
static void put_hop(const struct nexthop *hop, struct strbuf *out)
{
    bool bare = hop->mx && !hop->is_ip;
    strbuf_printf(out, bare ? "%s:%u" : "[%s]:%u", hop->host, (unsigned)hop->port);
}

static void put_destination(const struct route *route, const char *transport, struct strbuf *out)
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
    struct strbuf value;
    strbuf_init(&value);
    for (size_t i = 0; i < routes_count(input->routes); i++) {
        const struct route *route = routes_get(input->routes, i);
        strbuf_reset(&value);
        put_destination(route, input->transport, &value);
        if (value.n == 0)
            continue;
        if (strcmp(route->key, "ALL") == 0)
            keytable_add(table, "*", strbuf_text(&value));
        else
            keytable_add_domain(table, route->key, strbuf_text(&value));
    }
    table->failed = table->failed || value.failed;
    strbuf_done(&value);
}

/* --- TLS of routes ----------------------------------------------------------- */

enum route_tls postfix_maps_tls(const struct route *route)
{
    bool strict = route->tls == ROUTE_TLS_ENCRYPT || route->tls == ROUTE_TLS_VERIFY;
    return route->auth != NULL && !strict ? ROUTE_TLS_ENCRYPT : route->tls;
}

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
    const char *level = tls_level(postfix_maps_tls(route));
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
            if (postfix_maps_tls(route) == strictest_first[pass])
                add_tls_of(route, table);
        }
}

bool postfix_maps_have_tls(const struct routes *routes)
{
    for (size_t i = 0; i < routes_count(routes); i++)
        if (postfix_maps_tls(routes_get(routes, i)) != ROUTE_TLS_UNSET)
            return true;
    return false;
}

/* --- domains of a RAT --------------------------------------------------------- */

/* Whole domains the RAT has refused in lines read so far. */
struct refused {
    struct strmap *keys; /* owned: "example.com", ".example.com" */
    bool all;
};

static bool is_refused(const struct refused *refused, const char *domain)
{
    return refused->all || strmap_get(refused->keys, slice_of(domain)) != STRMAP_NONE ||
           strmap_longest_suffix(refused->keys, domain) != STRMAP_NONE;
}

/* false: out of memory. */
static bool refuse(struct refused *refused, const struct rat_entry *entry)
{
    switch (entry->form) {
    case RAT_ALL:
        refused->all = true;
        return true;
    case RAT_DOMAIN:
    case RAT_BELOW:
    case RAT_LITERAL:
        return strmap_add(refused->keys, slice_of(entry->key), 1, NULL);
    case RAT_ADDRESS:
    case RAT_USER:
        return true;
    }
    return true;
}

/* The domain Postfix must let through for the milter to judge the recipient;
 * NULL when the entry names none. */
static const char *domain_of(const struct rat_entry *entry)
{
    switch (entry->form) {
    case RAT_DOMAIN:
    case RAT_BELOW:
    case RAT_LITERAL:
        return entry->key;
    case RAT_ADDRESS: {
        const char *at = strrchr(entry->key, '@');
        return at == NULL ? NULL : at + 1;
    }
    case RAT_USER:
    case RAT_ALL:
        return NULL;
    }
    return NULL;
}

/* First match wins: what an earlier line refuses, no later one opens. */
static bool add_rat(const struct rat *rat, struct keytable *table)
{
    struct refused refused = {.keys = strmap_new()};
    bool ok = refused.keys != NULL;
    for (size_t i = 0; ok && i < rat_entries(rat); i++) {
        const struct rat_entry *entry = rat_entry_get(rat, i);
        const char *domain = domain_of(entry);
        if (!entry->accept)
            ok = refuse(&refused, entry);
        else if (domain != NULL && !is_refused(&refused, domain))
            keytable_add_domain(table, domain, "OK");
    }
    strmap_free(refused.keys);
    return ok;
}

static void add_rats(const struct maps_input *input, struct keytable *table)
{
    for (size_t i = 0; i < input->nlisteners; i++)
        if (input->listeners[i].rat != NULL && !add_rat(input->listeners[i].rat, table))
            table->failed = true;
}

/* --- files ---------------------------------------------------------------------- */

static bool build_compiled(const struct maps_input *input, struct maps *maps, const char *name,
                           void (*add)(const struct maps_input *, struct keytable *))
{
    struct maps_file *file = maps_add(maps, name, NULL, FILE_MODE);
    if (file == NULL)
        return false;
    file->compile = true;
    struct keytable table;
    keytable_init(&table);
    add(input, &table);
    strbuf_puts(&file->content, HEADING);
    bool ok = keytable_write(&table, &file->content);
    keytable_done(&table);
    return ok;
}

static bool build_clients(const struct maps_listener *listener, struct maps *maps, const char *name,
                          const struct cidr_table *table)
{
    struct maps_file *file = maps_add(maps, name, listener->name, FILE_MODE);
    if (file == NULL)
        return false;
    file->reload = true;
    strbuf_puts(&file->content, HEADING);
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
    if (!build_compiled(input, maps, POSTFIX_TRANSPORT, add_routes) ||
        !build_compiled(input, maps, POSTFIX_RELAY_DOMAINS, add_rats))
        return false;
    if (postfix_maps_have_tls(input->routes) &&
        !build_compiled(input, maps, POSTFIX_TLS_POLICY, add_tls))
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
