/*
 * callahead_server.c - one server that is asked: who waits for it, how many
 * connections work on that, and whether it deserves a pause. See
 * callahead_pool.h.
 *
 * A connection is opened for a question that finds none that is about to look
 * at the queue, up to the bound; only then do batches grow (callahead_pace.h).
 */
#include "lib/net/callahead_pool.h"

#include <string.h>
#include "lib/base/log.h"
#include "lib/net/tls.h"

#define LIMIT_LEARNED MONO_SECONDS(60)
#define UNTIL_LEAST MONO_SECONDS(1)

/* --- the table ------------------------------------------------------------------- */

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
    question_list_init(&server->queue);
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
    return server->refs == 0 && now >= server->paused_until;
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

/* The question's present server, with a reference; NULL: out of memory. */
static struct server *server_of(struct callahead *pool, const struct question *question)
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

/* --- putting questions into the queue -------------------------------------------- */

static unsigned connections_allowed(const struct server *server, mono_us now)
{
    if (now < server->limit_until && server->limit < server->max_connections)
        return server->limit;
    return server->max_connections;
}

/* After a pause one question finds out how things are, the others go on as in
 * the pause, unless a connection turns out to be there and free. */
static bool usable_locked(struct server *server, mono_us now)
{
    if (now < server->paused_until || (server->trial && server->idle == 0))
        return false;
    server->trial = server->pause > 0;
    return true;
}

static void take_limits_locked(struct server *server, const struct callahead_keys *keys)
{
    server->max_connections = (unsigned)keys->max_connections_per_server;
    server->limits = (struct server_limits){(unsigned)keys->max_recipients_per_session,
                                            (unsigned)keys->max_rejects_per_session};
    server->idle_timeout = MONO_MS(keys->idle_timeout);
}

/* Must one more thread be started? It is counted already then. */
static bool open_another_locked(struct server *server, mono_us now)
{
    struct callahead *pool = server->pool;
    unsigned available = server->connections - server->busy;
    if (server->queue.n <= available || server->connections >= connections_allowed(server, now) ||
        pool->threads >= POOL_THREADS_MAX)
        return false;
    server->connections++;
    server->refs++;
    pool->threads++;
    return true;
}

enum queued { QUEUED, QUEUED_OPEN, REFUSED_PAUSE, REFUSED_FULL };

/* How long the present server may take: an equal part for each that is left.
 * A server is not to blame for what waited long before it was asked, so it has
 * UNTIL_LEAST, or a quarter of the whole where that is less. */
static mono_us share_of(const struct question *question, mono_us now)
{
    mono_us left = question->deadline > now ? question->deadline - now : 0;
    mono_us share = left / (mono_us)(question->naddresses - question->at);
    mono_us least = MONO_MS(question->profile.keys->timeout) / 4;
    if (least > UNTIL_LEAST)
        least = UNTIL_LEAST;
    return now + (share > least ? share : least);
}

static enum queued queue_locked(struct server *server, struct question *question, mono_us now)
{
    enum queued result = QUEUED;
    if (server->pool->stopping || !usable_locked(server, now))
        return REFUSED_PAUSE;
    take_limits_locked(server, question->profile.keys);
    question->server = server;
    question_list_add(&server->queue, question);
    if (open_another_locked(server, now))
        result = QUEUED_OPEN;
    else if (server->connections == 0)
        result = REFUSED_FULL;
    if (result == REFUSED_FULL) {
        /* No thread to be had: it was the only one in the queue. */
        question_list_init(&server->queue);
        question->server = NULL;
        server->trial = false;
    } else if (server->idle > 0) {
        pthread_cond_signal(&server->work);
    }
    return result;
}

static void unref_locked(struct server *server)
{
    CHECK(server->refs > 0);
    server->refs--;
}

void server_release(struct question *question)
{
    struct server *server = question->server;
    if (!server)
        return;
    pthread_mutex_lock(&server->pool->lock);
    question->server = NULL;
    unref_locked(server);
    pthread_mutex_unlock(&server->pool->lock);
}

static struct callahead_answer ill(const struct server *server, const char *text)
{
    struct callahead_answer answer = {.class = CALLAHEAD_SERVER_ILL, .stage = CALLAHEAD_AT_CONNECT};
    snprintf(answer.text, sizeof answer.text, "%s", text);
    if (server)
        snprintf(answer.server, sizeof answer.server, "%s", server->text);
    return answer;
}

void server_elsewhere(struct callahead *pool, struct question_list *list,
                      const struct callahead_answer *failure)
{
    for (struct question *question = question_list_take(list); question;
         question = question_list_take(list)) {
        server_release(question);
        question->at++;
        question->retried = false;
        server_ask(pool, question, failure);
    }
}

/* The thread that was counted could not be started. */
static void open_failed(struct server *server)
{
    struct callahead *pool = server->pool;
    struct callahead_answer failure = ill(server, "no thread for a connection");
    struct question_list left;
    question_list_init(&left);
    pthread_mutex_lock(&pool->lock);
    pool->threads--;
    server->connections--;
    if (server->connections == 0) {
        struct question *question = question_list_take(&server->queue);
        for (; question; question = question_list_take(&server->queue))
            question_list_add(&left, question);
        server->trial = false;
    }
    unref_locked(server);
    pthread_mutex_unlock(&pool->lock);
    for (struct question *question = question_list_take(&left); question;
         question = question_list_take(&left)) {
        server_release(question);
        question_finish(pool, question, &failure);
    }
}

void server_ask(struct callahead *pool, struct question *question,
                const struct callahead_answer *failure)
{
    struct callahead_answer why = failure ? *failure : ill(NULL, "");
    for (; question->at < question->naddresses; question->at++) {
        struct server *server = server_of(pool, question);
        if (!server) {
            why = ill(NULL, "out of memory");
            break;
        }
        mono_us now = mono_now();
        pthread_mutex_lock(&pool->lock);
        enum queued result = queue_locked(server, question, now);
        if (result == REFUSED_PAUSE || result == REFUSED_FULL)
            unref_locked(server);
        if (result == QUEUED_OPEN)
            server->refs++; /* the question may be gone before the thread is started */
        pthread_mutex_unlock(&pool->lock);
        if (result == QUEUED_OPEN) {
            if (!conn_start(server))
                open_failed(server);
            pthread_mutex_lock(&pool->lock);
            unref_locked(server);
            pthread_mutex_unlock(&pool->lock);
        }
        if (result == QUEUED || result == QUEUED_OPEN)
            return;
        if (!failure)
            why = ill(server, result == REFUSED_PAUSE ? "server in pause" : "too many connections");
    }
    question_finish(pool, question, &why);
}

/* --- for connections ---------------------------------------------------------------- */

mono_us server_open_deadline(struct server *server)
{
    mono_us deadline = 0, now = mono_now();
    pthread_mutex_lock(&server->pool->lock);
    for (struct question *q = server->queue.first; q; q = q->queue_next) {
        mono_us until = share_of(q, now);
        if (until > deadline)
            deadline = until;
    }
    if (server->pool->stopping)
        deadline = 0;
    pthread_mutex_unlock(&server->pool->lock);
    return deadline;
}

void server_opened(struct server *server)
{
    pthread_mutex_lock(&server->pool->lock);
    server->ready++;
    pthread_mutex_unlock(&server->pool->lock);
}

void server_closed(struct server *server)
{
    pthread_mutex_lock(&server->pool->lock);
    server->ready--;
    pthread_mutex_unlock(&server->pool->lock);
}

static bool wait_for_work_locked(struct server *server)
{
    mono_us until = mono_now() + server->idle_timeout;
    while (!server->queue.first) {
        if (server->pool->stopping || server->connections > connections_allowed(server, mono_now()))
            return false;
        server->idle++;
        bool in_time = mono_cond_wait(&server->work, &server->pool->lock, until);
        server->idle--;
        if (!in_time && !server->queue.first)
            return false;
    }
    return !server->pool->stopping;
}

static size_t part_of_queue(const struct server *server, const struct server_room *room,
                            mono_us now)
{
    size_t available = server->connections - server->busy;
    size_t part = pace_part(&server->pace, server->queue.n, server->connections, available);
    size_t most =
        now < server->small_batches_until && room->small < room->all ? room->small : room->all;
    return part < most ? part : most;
}

static void take_part_locked(struct server *server, const struct server_room *room,
                             struct question_list *batch, struct question_list *expired)
{
    mono_us now = mono_now();
    size_t part = part_of_queue(server, room, now);
    while (batch->n < part && server->queue.first && (room->fresh || !server->queue.first->fresh)) {
        struct question *question = question_list_take(&server->queue);
        question->until = share_of(question, now);
        question->fresh_connection = room->fresh;
        question_list_add(question->deadline > now ? batch : expired, question);
    }
}

void server_take(struct server *server, const struct server_room *room,
                 struct question_list *batch_out)
{
    struct callahead *pool = server->pool;
    struct callahead_answer late = ill(server, "no answer in time");
    struct question_list expired;
    question_list_init(batch_out);
    question_list_init(&expired);
    pthread_mutex_lock(&pool->lock);
    while (batch_out->n == 0 && wait_for_work_locked(server)) {
        if (!room->fresh && server->queue.first->fresh)
            break;
        take_part_locked(server, room, batch_out, &expired);
    }
    server->busy += batch_out->n > 0;
    pthread_mutex_unlock(&pool->lock);
    for (struct question *question = question_list_take(&expired); question;
         question = question_list_take(&expired)) {
        server_release(question);
        question_finish(pool, question, &late);
    }
}

void server_batch_over(struct server *server)
{
    pthread_mutex_lock(&server->pool->lock);
    server->busy--;
    pthread_mutex_unlock(&server->pool->lock);
}

void server_put_back(struct server *server, struct question_list *list)
{
    if (list->n == 0)
        return;
    pthread_mutex_lock(&server->pool->lock);
    *list->last = server->queue.first;
    if (!server->queue.first)
        server->queue.last = list->last;
    server->queue.first = list->first;
    server->queue.n += list->n;
    if (server->idle > 0)
        pthread_cond_signal(&server->work);
    pthread_mutex_unlock(&server->pool->lock);
    question_list_init(list);
}

struct server_limits server_limits_of(struct server *server)
{
    pthread_mutex_lock(&server->pool->lock);
    struct server_limits limits = server->limits;
    pthread_mutex_unlock(&server->pool->lock);
    return limits;
}

void server_batch_took(struct server *server, size_t n, mono_us took)
{
    pthread_mutex_lock(&server->pool->lock);
    pace_add(&server->pace, n, took);
    pthread_mutex_unlock(&server->pool->lock);
}

void server_works(struct server *server)
{
    pthread_mutex_lock(&server->pool->lock);
    server->pause = server->paused_until = 0;
    server->trial = false;
    pthread_mutex_unlock(&server->pool->lock);
}

void server_failed(struct server *server, const struct callahead_answer *failure)
{
    struct callahead *pool = server->pool;
    struct question_list left;
    mono_us now = mono_now(), pause = 0;
    question_list_init(&left);
    pthread_mutex_lock(&pool->lock);
    if (server->ready > 0) {
        server->limit = server->ready;
        server->limit_until = now + LIMIT_LEARNED;
    } else {
        if (now >= server->paused_until) {
            pause = server->pause ? server->pause * 2 : SERVER_PAUSE_FIRST;
            if (pause > SERVER_PAUSE_LONGEST)
                pause = SERVER_PAUSE_LONGEST;
            server->pause = pause;
            server->paused_until = now + pause;
        }
        server->trial = false;
        left = server->queue;
        if (left.n == 0)
            question_list_init(&left);
        question_list_init(&server->queue);
    }
    bool stopping = pool->stopping;
    pthread_mutex_unlock(&pool->lock);
    if (pause > 0 && !stopping)
        log_note(LOG_AT_WARNING, "callahead_pause", "server %s gets a pause of %d s: %s",
                 server->text, (int)(pause / MONO_SECONDS(1)), failure->text);
    server_elsewhere(pool, &left, failure);
}

bool server_leave(struct server *server)
{
    struct callahead *pool = server->pool;
    pthread_mutex_lock(&pool->lock);
    bool leave = pool->stopping || !server->queue.first ||
                 server->connections > connections_allowed(server, mono_now());
    if (leave) {
        server->connections--;
        if (server->connections == 0)
            server->trial = false;
        unref_locked(server);
        pool->threads--;
        if (pool->threads == 0)
            pthread_cond_broadcast(&pool->ended);
    }
    pthread_mutex_unlock(&pool->lock);
    return leave;
}

void server_remember(struct server *server, mono_us *until)
{
    mono_us now = mono_now();
    pthread_mutex_lock(&server->pool->lock);
    *until = now + SERVER_LEARNED;
    pthread_mutex_unlock(&server->pool->lock);
}

bool server_remembers(struct server *server, const mono_us *until)
{
    pthread_mutex_lock(&server->pool->lock);
    bool remembers = mono_now() < *until;
    pthread_mutex_unlock(&server->pool->lock);
    return remembers;
}

/* --- the end -------------------------------------------------------------------------- */

void server_stop_all(struct callahead *pool, const struct callahead_answer *failure)
{
    struct question_list left;
    question_list_init(&left);
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < POOL_BUCKETS; i++) {
        for (struct server *server = pool->servers[i]; server; server = server->next) {
            struct question *question = question_list_take(&server->queue);
            for (; question; question = question_list_take(&server->queue))
                question_list_add(&left, question);
            pthread_cond_broadcast(&server->work);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    for (struct question *question = question_list_take(&left); question;
         question = question_list_take(&left)) {
        server_release(question);
        question_finish(pool, question, failure);
    }
}

void server_free_all(struct callahead *pool)
{
    for (size_t i = 0; i < POOL_BUCKETS; i++) {
        free_chain(pool->servers[i]);
        pool->servers[i] = NULL;
    }
}
