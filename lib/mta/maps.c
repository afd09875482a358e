#include "lib/mta/maps.h"

#include <string.h>

#include "lib/mta/keytable.h"

#define NAME_MAX_BYTES 64

void maps_init(struct maps *maps)
{
    *maps = (struct maps){0};
}

void maps_done(struct maps *maps)
{
    for (size_t i = 0; i < maps->count; i++) {
        free(maps->list[i].name);
        strbuf_done(&maps->list[i].content);
    }
    free(maps->list);
    maps_init(maps);
}

bool maps_mta_parse(const char *text, enum maps_mta *mta_out)
{
    *mta_out = strcmp(text, "sendmail") == 0 ? MAPS_SENDMAIL : MAPS_POSTFIX;
    return *mta_out == MAPS_SENDMAIL || strcmp(text, "postfix") == 0;
}

static char *full_name(const char *name, const char *suffix)
{
    struct strbuf full;
    strbuf_init(&full);
    strbuf_puts(&full, name);
    if (suffix != NULL) {
        strbuf_putc(&full, '.');
        strbuf_puts(&full, suffix);
    }
    if (full.failed) {
        strbuf_done(&full);
        return NULL;
    }
    return full.p;
}

struct maps_file *maps_add(struct maps *maps, const char *name, const char *suffix, unsigned mode)
{
    if (maps->count == maps->room) {
        size_t room = maps->room == 0 ? 8 : maps->room * 2;
        struct maps_file *list = realloc(maps->list, room * sizeof *list);
        if (list == NULL)
            return NULL;
        maps->list = list;
        maps->room = room;
    }
    char *full = full_name(name, suffix);
    if (full == NULL)
        return NULL;
    struct maps_file *file = &maps->list[maps->count++];
    *file = (struct maps_file){.name = full, .mode = mode};
    strbuf_init(&file->content);
    return file;
}

bool maps_add_compiled(struct maps *maps, const char *name, unsigned mode,
                       const struct maps_input *input,
                       void (*add)(const struct maps_input *, struct keytable *))
{
    struct maps_file *file = maps_add(maps, name, NULL, mode);
    if (file == NULL)
        return false;
    file->compile = true;
    struct keytable table;
    keytable_init(&table);
    add(input, &table);
    strbuf_puts(&file->content, MAPS_HEADING);
    bool ok = keytable_write(&table, &file->content);
    keytable_done(&table);
    return ok;
}

bool maps_add_wanted(struct maps *maps, const char *name, unsigned mode, bool wanted,
                     const struct maps_input *input,
                     void (*add)(const struct maps_input *, struct keytable *))
{
    if (!maps_add_compiled(maps, name, mode, input, add))
        return false;
    maps->list[maps->count - 1].if_there = !wanted;
    return true;
}

void maps_add_routes(const struct maps_input *input, struct keytable *table, const char *all,
                     void (*put)(const struct route *, const char *transport, struct strbuf *))
{
    struct strbuf value;

    strbuf_init(&value);
    for (size_t i = 0; i < routes_count(input->routes); i++) {
        const struct route *route = routes_get(input->routes, i);
        strbuf_reset(&value);
        put(route, input->transport, &value);
        if (value.n == 0)
            continue;
        if (strcmp(route->key, "ALL") == 0)
            keytable_add(table, all, strbuf_text(&value));
        else
            keytable_add_domain(table, route->key, strbuf_text(&value));
    }
    table->failed = table->failed || value.failed;
    strbuf_done(&value);
}

const struct maps_auth *maps_auth_of(const struct maps_input *input, const struct route *route)
{
    for (size_t i = 0; route->auth != NULL && i < input->nauths; i++)
        if (strcmp(input->auths[i].name, route->auth) == 0)
            return &input->auths[i];
    return NULL;
}

enum route_tls maps_tls_of(const struct route *route)
{
    bool strict = route->tls == ROUTE_TLS_ENCRYPT || route->tls == ROUTE_TLS_VERIFY;
    return route->auth != NULL && !strict ? ROUTE_TLS_ENCRYPT : route->tls;
}

bool maps_have_auth(const struct maps_input *input)
{
    for (size_t i = 0; i < routes_count(input->routes); i++)
        if (routes_get(input->routes, i)->auth != NULL)
            return true;
    return false;
}

bool maps_have_tls(const struct routes *routes)
{
    for (size_t i = 0; i < routes_count(routes); i++)
        if (maps_tls_of(routes_get(routes, i)) != ROUTE_TLS_UNSET)
            return true;
    return false;
}

bool maps_have_default(const struct routes *routes)
{
    const struct route *all = routes_lookup(routes, "*"); /* no domain: no other key fits */
    return all != NULL && all->kind != ROUTE_NONE;
}

bool maps_have_verify(const struct routes *routes)
{
    for (size_t i = 0; i < routes_count(routes); i++)
        if (maps_tls_of(routes_get(routes, i)) == ROUTE_TLS_VERIFY)
            return true;
    return false;
}

bool maps_name_ok(const char *listener)
{
    size_t n = 0;
    for (; listener[n] != '\0'; n++) {
        char c = listener[n];
        bool ok = ascii_is_alnum(c) || c == '_' || (n > 0 && (c == '.' || c == '-'));
        if (!ok || n == NAME_MAX_BYTES)
            return false;
    }
    return n > 0;
}
