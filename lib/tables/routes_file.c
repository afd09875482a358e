/*
 * routes_file.c - read an SMTP routes file (SPEC 3.4).
 *
 * Large tables name the same few destinations again and again. What stands
 * behind the key is therefore looked up as text first and parsed only when it
 * is new: routes with equal destinations share one array of hosts.
 */
#include "lib/tables/routes_table.h"

#include <string.h>
#include "lib/base/domain.h"
#include "lib/tables/reader.h"

struct loader {
    struct reader reader;
    struct routes *routes;
    const char *path;     /* in the table's arena: places borrow it */
    struct strmap *known; /* text of destinations -> index of the first route with them */
    struct nexthop hosts[ROUTES_HOSTS_MAX];
};

/* --- the key ------------------------------------------------------------------ */

static bool canon_key(struct slice word, struct arena *scratch, char key[DOMAIN_MAX + 1])
{
    struct slice utf8;
    if (slice_is_nocase(word, "ALL")) {
        memcpy(key, "ALL", 4);
        return true;
    }
    if (!scan_utf8(word, scratch, &utf8))
        return false;
    bool dot = utf8.n > 0 && utf8.p[0] == '.';
    key[0] = '.';
    return domain_canon((struct slice){utf8.p + dot, utf8.n - dot}, key + dot) &&
           !domain_is_numeric(key + dot);
}

static bool read_key(struct loader *loader, struct scan *scan, char key[DOMAIN_MAX + 1])
{
    char copy[READER_SHOWN_MAX];
    unsigned column = scan_column(scan);
    struct slice word = scan_word(scan, ":");
    if (word.n == 0)
        return reader_refuse(&loader->reader, column, "a domain is missing before \":\"");
    if (!canon_key(word, loader->reader.scratch, key))
        return reader_refuse(&loader->reader, column,
                             "\"%s\" is not a route key; allowed: example.com, .example.com or ALL",
                             reader_shown(word, copy));
    scan_blanks(scan);
    scan_take(scan, ':');
    scan_blanks(scan);
    return true;
}

/* --- destinations and options --------------------------------------------------- */

/* Kept sorted: by priority, equal ones as written. */
static void insert_host(struct loader *loader, struct route *route, const struct nexthop *hop)
{
    size_t i = route->nhosts++;
    for (; i > 0 && loader->hosts[i - 1].priority > hop->priority; i--)
        loader->hosts[i] = loader->hosts[i - 1];
    loader->hosts[i] = *hop;
}

static bool read_host(struct loader *loader, struct slice word, unsigned column,
                      struct route *route)
{
    struct err err;
    struct nexthop hop;
    struct slice utf8;
    if (route->nhosts == ROUTES_HOSTS_MAX)
        return reader_refuse(&loader->reader, column, "more than %d destinations",
                             ROUTES_HOSTS_MAX);
    if (!scan_utf8(word, loader->reader.scratch, &utf8))
        return reader_no_memory(&loader->reader);
    if (!nexthop_parse(utf8, ROUTES_PORT, loader->routes->arena, &hop, &err))
        return reader_refuse(&loader->reader, column, "%s", err.text);
    route->kind = ROUTE_HOSTS;
    insert_host(loader, route, &hop);
    return true;
}

/* USEDNS and /dev/null stand alone. */
static bool read_word(struct loader *loader, struct slice word, unsigned column,
                      struct route *route)
{
    bool dns = slice_is_nocase(word, "USEDNS"), null = slice_is(word, "/dev/null");
    bool more = route->kind != ROUTE_NONE;
    if (more && (dns || null || route->kind != ROUTE_HOSTS))
        return reader_refuse(&loader->reader, column,
                             "USEDNS and /dev/null stand alone, without other "
                             "destinations");
    if (!dns && !null)
        return read_host(loader, word, column, route);
    route->kind = dns ? ROUTE_USEDNS : ROUTE_DISCARD;
    return true;
}

static bool is_option(struct slice word, const char *name, struct slice *value_out)
{
    size_t n = strlen(name);
    if (word.n < n || !slice_is_nocase((struct slice){word.p, n}, name))
        return false;
    *value_out = (struct slice){word.p + n, word.n - n};
    return true;
}

static bool next_is_option(const struct scan *scan)
{
    struct slice value;
    return is_option(scan_rest(scan), "auth=", &value) ||
           is_option(scan_rest(scan), "tls=", &value);
}

static bool read_destinations(struct loader *loader, struct scan *scan, struct route *route)
{
    bool more = !scan_end(scan) && !next_is_option(scan);
    while (more) {
        unsigned column = scan_column(scan);
        struct slice word = scan_word(scan, ",");
        if (word.n == 0)
            return reader_refuse(&loader->reader, column, "a destination is missing");
        if (!read_word(loader, word, column, route))
            return false;
        scan_blanks(scan);
        more = scan_take(scan, ',');
        scan_blanks(scan);
    }
    if (!scan_end(scan) && !next_is_option(scan))
        return reader_refuse(&loader->reader, scan_column(scan),
                             "a comma is missing between two destinations, or an option is wrong; "
                             "allowed options: auth=PROFILE, tls=none|may|encrypt|verify");
    return true;
}

static bool read_tls(struct loader *loader, struct slice value, unsigned column,
                     struct route *route)
{
    char copy[READER_SHOWN_MAX];
    if (route->tls != ROUTE_TLS_UNSET)
        return reader_refuse(&loader->reader, column, "tls= is given twice");
    for (int i = ROUTE_TLS_NONE; i <= ROUTE_TLS_VERIFY; i++) {
        if (slice_is_nocase(value, route_tls_words[i])) {
            route->tls = (enum route_tls)i;
            return true;
        }
    }
    return reader_refuse(&loader->reader, column,
                         "tls=%s is wrong; allowed: tls=none, may, encrypt or verify",
                         reader_shown(value, copy));
}

static bool read_auth(struct loader *loader, struct slice value, unsigned column,
                      struct route *route)
{
    if (route->auth != NULL)
        return reader_refuse(&loader->reader, column, "auth= is given twice");
    if (value.n == 0)
        return reader_refuse(&loader->reader, column,
                             "the name of a profile is missing after auth=");
    route->auth = arena_dup_slice(loader->routes->arena, value);
    return route->auth != NULL || reader_no_memory(&loader->reader);
}

static bool read_options(struct loader *loader, struct scan *scan, struct route *route)
{
    unsigned first = scan_column(scan);
    bool any = !scan_end(scan);
    while (!scan_end(scan)) {
        char copy[READER_SHOWN_MAX];
        unsigned column = scan_column(scan);
        struct slice word = scan_word(scan, ""), value;
        bool good;
        if (is_option(word, "auth=", &value))
            good = read_auth(loader, value, column, route);
        else if (is_option(word, "tls=", &value))
            good = read_tls(loader, value, column, route);
        else
            good = reader_refuse(&loader->reader, column,
                                 "\"%s\" is not an option; allowed: auth=PROFILE, "
                                 "tls=none|may|encrypt|verify",
                                 reader_shown(word, copy));
        if (!good)
            return false;
        scan_blanks(scan);
    }
    if (any && route->kind == ROUTE_DISCARD)
        return reader_refuse(&loader->reader, first, "/dev/null takes no options");
    if (any && route->kind == ROUTE_NONE)
        return reader_refuse(&loader->reader, first, "a destination is missing before the options");
    return true;
}

static bool keep_hosts(struct loader *loader, struct route *route)
{
    size_t bytes = route->nhosts * sizeof loader->hosts[0];
    if (bytes == 0)
        return true;
    struct nexthop *hosts = arena_alloc(loader->routes->arena, bytes);
    if (hosts == NULL)
        return reader_no_memory(&loader->reader);
    memcpy(hosts, loader->hosts, bytes);
    route->hosts = hosts;
    return true;
}

static bool parse_target(struct loader *loader, struct scan *scan, struct route *route)
{
    unsigned column = scan_column(scan);
    if (!read_destinations(loader, scan, route) || !read_options(loader, scan, route) ||
        !keep_hosts(loader, route))
        return false;
    if (route->auth != NULL && (route->tls == ROUTE_TLS_NONE || route->tls == ROUTE_TLS_MAY))
        reader_warn(&loader->reader, column,
                    "auth= sends a password, so tls=%s counts as tls=encrypt",
                    route_tls_words[route->tls]);
    return true;
}

/* --- lines ---------------------------------------------------------------------- */

/* Everything behind the key: like a route read before, or parsed. */
static bool read_target(struct loader *loader, struct slice text, struct scan *scan,
                        struct route *route)
{
    if (text.n == 0) {
        if (strcmp(route->key, "ALL") == 0)
            return true;
        return reader_refuse(&loader->reader, scan_column(scan),
                             "a destination is missing (only ALL: may be without one)");
    }
    uint32_t like = strmap_get(loader->known, text);
    if (like != STRMAP_NONE) {
        const struct route *other = &loader->routes->list[like];
        *route = (struct route){route->key,   other->kind, other->tls, other->nhosts,
                                other->hosts, other->auth, route->at};
        return true;
    }
    return parse_target(loader, scan, route);
}

static bool grow(struct routes *routes)
{
    if (routes->count < routes->room)
        return true;
    if (routes->count >= UINT32_MAX / 2)
        return false;
    size_t room = routes->room + routes->room / 2 + 64;
    struct route *list = realloc(routes->list, room * sizeof *list);
    if (list == NULL)
        return false;
    routes->list = list;
    routes->room = room;
    return true;
}

/* false: the key stands already, which was reported, or memory is out. */
static bool index_key(struct loader *loader, const char *key)
{
    struct routes *routes = loader->routes;
    uint32_t next = (uint32_t)routes->count;
    bool all = strcmp(key, "ALL") == 0, was_there = false;
    if (all)
        was_there = routes->all != STRMAP_NONE;
    else if (!strmap_add(routes->keys, slice_of(key), next, &was_there))
        return reader_no_memory(&loader->reader);
    if (was_there) {
        uint32_t first = all ? routes->all : strmap_get(routes->keys, slice_of(key));
        return reader_refuse(&loader->reader, 1, "%s is in line %u already", key,
                             routes->list[first].at.line);
    }
    if (all)
        routes->all = next;
    return true;
}

/* A wrong line takes part in the search for duplicates all the same, so that
 * one reading tells everything. */
static void read_line(struct loader *loader, struct scan *scan)
{
    char key[DOMAIN_MAX + 1];
    struct routes *routes = loader->routes;
    if (!read_key(loader, scan, key))
        return;
    if (!grow(routes)) {
        reader_no_memory(&loader->reader);
        return;
    }
    struct route route = {.key = arena_dup(routes->arena, key),
                          .kind = ROUTE_NONE,
                          .at = {.file = loader->path, .line = reader_line(&loader->reader)}};
    if (route.key == NULL) {
        reader_no_memory(&loader->reader);
        return;
    }
    struct slice target = slice_trim(scan_rest(scan));
    bool good = read_target(loader, target, scan, &route);
    if (!index_key(loader, key))
        return;
    routes->list[routes->count++] = route;
    if (good && !strmap_add(loader->known, target, (uint32_t)routes->count - 1, NULL))
        reader_no_memory(&loader->reader);
}

static void shrink(struct routes *routes)
{
    if (routes->count == 0)
        return;
    struct route *list = realloc(routes->list, routes->count * sizeof *list);
    if (list == NULL)
        return;
    routes->list = list;
    routes->room = routes->count;
}

/* false: out of memory. Problems with the file are in the list. */
static bool load(struct loader *loader, const char *path, struct place at,
                 struct problems *problems)
{
    struct scan scan;
    loader->known = strmap_new();
    loader->path = arena_dup(loader->routes->arena, path);
    if (loader->known == NULL || loader->path == NULL)
        return false;
    if (reader_open(&loader->reader, loader->path, at, problems)) {
        while (reader_next(&loader->reader, &scan))
            read_line(loader, &scan);
        shrink(loader->routes);
    }
    reader_close(&loader->reader);
    return true;
}

struct routes *routes_load(const char *path, struct place at, struct problems *problems)
{
    size_t errors = problems_errors(problems);
    struct routes *routes = routes_empty();
    struct loader *loader = calloc(1, sizeof *loader);
    bool done = false;
    if (loader != NULL && routes != NULL) {
        loader->routes = routes;
        done = load(loader, path, at, problems);
        strmap_free(loader->known);
    }
    free(loader);
    if (!done)
        problem_error(problems, at, "cannot read %s: out of memory", path);
    if (problems_errors(problems) > errors) {
        routes_free(routes);
        return NULL;
    }
    return routes;
}
