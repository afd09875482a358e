/*
 * callahead_table.c - the servers the pool knows, told apart by all that
 * shapes a connection. See callahead_pool.h.
 */
#include "lib/net/callahead_pool.h"

#include <string.h>
#include "lib/net/tls.h"

static struct link_settings link_of(const struct question *question)
{
    const struct callahead_keys *keys = question->profile.keys;
    const struct server_address *address = &question->addresses[question->at];
    bool tls = keys->tls != CALLAHEAD_TLS_OFF;
    return (struct link_settings){
        .ip = address->ip,
        .port = address->port,
        .lmtp = address->lmtp,
        .tls = (enum callahead_tls)keys->tls,
        .verify = tls && keys->verify,
        .name = tls ? address->name : "",
        .mail_from = question->key, /* the key begins with it */
        .interface = keys->interface,
        .tls_client = tls ? question->profile.tls : NULL,
    };
}

static bool same_link(const struct link_settings *a, const struct link_settings *b)
{
    return ip_equal(&a->ip, &b->ip) && a->port == b->port && a->lmtp == b->lmtp &&
           a->tls == b->tls && a->verify == b->verify && strcmp(a->name, b->name) == 0 &&
           strcmp(a->mail_from, b->mail_from) == 0 && strcmp(a->interface, b->interface) == 0 &&
           tls_client_same(a->tls_client, b->tls_client);
}

static uint64_t hash_of(const struct callahead *pool, const struct link_settings *link)
{
    uint8_t bytes[sizeof link->ip.b + sizeof link->port];
    memcpy(bytes, link->ip.b, sizeof link->ip.b);
    memcpy(bytes + sizeof link->ip.b, &link->port, sizeof link->port);
    return hash_bytes(&pool->seed, bytes, sizeof bytes);
}

static void server_free(struct server *server)
{
    if (!server)
        return;
    free((char *)(uintptr_t)server->link.name);
    free((char *)(uintptr_t)server->link.mail_from);
    free((char *)(uintptr_t)server->link.interface);
    tls_client_drop(server->link.tls_client);
    pthread_cond_destroy(&server->work);
    free(server);
}

static struct server *server_new(struct callahead *pool, const struct link_settings *link,
                                 uint64_t hash)
{
    char ip[IP_TEXT_MAX];
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    CHECK(mono_cond_init(&server->work));
    server->pool = pool;
    server->hash = hash;
    server->link = *link;
    server->link.tls_client = tls_client_take(link->tls_client);
    server->link.name = strdup(link->name);
    server->link.mail_from = strdup(link->mail_from);
    server->link.interface = strdup(link->interface);
    pace_init(&server->pace);
    queue_init(&server->queue);
    snprintf(server->text, sizeof server->text, ip_is_v4(&link->ip) ? "%s:%u" : "[%s]:%u",
             ip_text(&link->ip, ip), link->port);
    if (server->link.name && server->link.mail_from && server->link.interface)
        return server;
    server_free(server);
    return NULL;
}

static struct server **bucket(struct callahead *pool, uint64_t hash)
{
    return &pool->servers[hash % POOL_BUCKETS];
}

static struct server *find_locked(struct callahead *pool, const struct link_settings *link,
                                  uint64_t hash)
{
    struct server *server = *bucket(pool, hash);
    while (server && !(server->hash == hash && same_link(&server->link, link)))
        server = server->next;
    return server;
}

static bool is_forgettable(const struct server *server, mono_us now)
{
    return server->refs == 0 && !backoff_is_on(&server->backoff, now) &&
           !backoff_is_on(&server->shun, now);
}

/* Unlinks what nobody needs; the caller frees the chain. */
static struct server *prune_locked(struct callahead *pool, mono_us now)
{
    struct server *gone = NULL;
    for (size_t i = 0; i < POOL_BUCKETS; i++) {
        struct server **at = &pool->servers[i];
        while (*at) {
            struct server *server = *at;
            if (!is_forgettable(server, now)) {
                at = &server->next;
                continue;
            }
            *at = server->next;
            server->next = gone;
            gone = server;
            pool->nservers--;
        }
    }
    return gone;
}

static void free_chain(struct server *server)
{
    while (server) {
        struct server *next = server->next;
        server_free(server);
        server = next;
    }
}

struct server *server_of_question(struct callahead *pool, const struct question *question)
{
    struct link_settings link = link_of(question);
    uint64_t hash = hash_of(pool, &link);
    struct server *gone = NULL, *new = NULL;
    pthread_mutex_lock(&pool->lock);
    struct server *server = find_locked(pool, &link, hash);
    if (server)
        server->refs++;
    pthread_mutex_unlock(&pool->lock);
    if (server)
        return server;
    new = server_new(pool, &link, hash);
    if (!new)
        return NULL;
    pthread_mutex_lock(&pool->lock);
    server = find_locked(pool, &link, hash);
    if (!server) {
        if (pool->nservers >= POOL_SERVERS_KEPT && pool->nservers % 256 == 0)
            gone = prune_locked(pool, mono_now());
        server = new;
        new = NULL;
        server->next = *bucket(pool, hash);
        *bucket(pool, hash) = server;
        pool->nservers++;
    }
    server->refs++;
    pthread_mutex_unlock(&pool->lock);
    server_free(new);
    free_chain(gone);
    return server;
}

void server_free_all(struct callahead *pool)
{
    for (size_t i = 0; i < POOL_BUCKETS; i++) {
        free_chain(pool->servers[i]);
        pool->servers[i] = NULL;
    }
}

size_t callahead_pauses(struct callahead *pool, struct backoff_pause *pauses_out, size_t room)
{
    mono_us now = mono_now();
    size_t n = 0;
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < POOL_BUCKETS; i++) {
        for (const struct server *server = pool->servers[i]; server; server = server->next) {
            if (!backoff_is_on(&server->backoff, now))
                continue;
            if (n < room)
                backoff_describe(&server->backoff, server->text, "", now, &pauses_out[n]);
            n++;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return n;
}
