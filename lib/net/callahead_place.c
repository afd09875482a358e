/*
 * callahead_place.c - how many connections there may be. Servers that are told apart here,
 * for what shapes a connection, are one to the host that counts its clients'
 * connections, where they have one address and port: a place. See callahead_pool.h.
 *
 * One of them that has none and finds all taken waits until another one lets a
 * connection go: an idle one does at once, a busy one after its batch.
 */
#include "lib/net/callahead_pool.h"

/* The next one at the place, the server itself among them; after: NULL for the first. */
static struct server *next_at(const struct server *server, const struct server *after)
{
    struct server *other = after ? after->next : server->pool->servers[server->hash % POOL_BUCKETS];
    while (other && !(other->hash == server->hash && ip_equal(&other->link.ip, &server->link.ip) &&
                      other->link.port == server->link.port))
        other = other->next;
    return other;
}

static unsigned held(const struct server *server)
{
    return server->connections + server->closing;
}

unsigned place_allowed(const struct server *server, mono_us now)
{
    if (now < server->limit_until && server->limit < server->max_connections)
        return server->limit;
    return server->max_connections;
}

struct bound {
    unsigned held, allowed; /* by all of them; the most that one of them may have */
};

static struct bound look(const struct server *server, mono_us now)
{
    struct bound place = {.allowed = place_allowed(server, now)};
    for (const struct server *at = next_at(server, NULL); at; at = next_at(server, at)) {
        bool counts = held(at) > 0 || at->queue.n > 0;
        place.held += held(at);
        if (counts && place_allowed(at, now) > place.allowed)
            place.allowed = place_allowed(at, now);
    }
    return place;
}

bool place_is_full(const struct server *server, mono_us now)
{
    struct bound place = look(server, now);
    return held(server) >= place_allowed(server, now) || place.held >= place.allowed;
}

bool place_is_overfull(const struct server *server, mono_us now)
{
    struct bound place = look(server, now);
    return held(server) > place_allowed(server, now) || place.held > place.allowed;
}

struct server *place_starving(const struct server *server, mono_us now)
{
    struct server *oldest = NULL;
    struct bound place = look(server, now);
    if (place.held < place.allowed)
        return NULL;
    for (struct server *at = next_at(server, NULL); at; at = next_at(server, at)) {
        bool starving = at != server && at->queue.n > 0 && held(at) == 0;
        if (starving && (!oldest || at->queue.first->deadline < oldest->queue.first->deadline))
            oldest = at;
    }
    return oldest;
}

struct server *place_idle(const struct server *server)
{
    for (struct server *at = next_at(server, NULL); at; at = next_at(server, at)) {
        if (at != server && at->idle > 0)
            return at;
    }
    return NULL;
}
