/*
 * callahead_server.c - one server that is asked: who waits for it, how many
 * connections work on that, and whether it deserves a pause. See
 * callahead_pool.h.
 *
 * A connection is opened for a question that finds none that is about to look
 * at the queue, up to the bound; only then do batches grow (callahead_pace.h).
 */
#include "lib/net/callahead_pool.h"

#include "lib/base/log.h"

#define LIMIT_LEARNED MONO_SECONDS(60)
#define UNTIL_LEAST MONO_SECONDS(1)

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
    if (backoff_is_on(&server->backoff, now) || (server->trial && server->idle == 0))
        return false;
    server->trial = server->backoff.pause > 0;
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
        pool->threads >= pool->threads_max)
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

/* --- when there are no threads left ------------------------------------------------- */

/* Wakes a connection that lies idle, where most do: it ends, and its thread goes
 * to a server that waits for one. */
static bool wake_idle_locked(struct callahead *pool)
{
    struct server *idlest = NULL;
    for (size_t i = 0; i < POOL_BUCKETS; i++) {
        for (struct server *server = pool->servers[i]; server; server = server->next) {
            if (server->idle > 0 && (!idlest || server->idle > idlest->idle))
                idlest = server;
        }
    }
    if (idlest)
        pthread_cond_signal(&idlest->work);
    return idlest != NULL;
}

static bool want_thread_locked(struct server *server)
{
    struct callahead *pool = server->pool;
    if (!server->wanting && !wake_idle_locked(pool))
        return false;
    if (!server->wanting) {
        server->wanting = true;
        server->wanting_next = NULL;
        server->refs++;
        *pool->last_wanting = server;
        pool->last_wanting = &server->wanting_next;
    }
    return true;
}

/* The first that still wants one; the reference is the caller's. */
static struct server *take_wanting_locked(struct callahead *pool)
{
    struct server *server;
    while ((server = pool->wanting)) {
        pool->wanting = server->wanting_next;
        if (!pool->wanting)
            pool->last_wanting = &pool->wanting;
        server->wanting = false;
        if (server->queue.first && server->connections == 0)
            return server;
        server->refs--;
    }
    return NULL;
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
    else if (server->connections == 0 && !want_thread_locked(server))
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
        struct server *server = server_of_question(pool, question);
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
        if (server->pool->stopping || server->pool->wanting ||
            server->connections > connections_allowed(server, mono_now()))
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
    if (batch_out->n > 0 && pool->wanting)
        (void)wake_idle_locked(pool); /* it was not us */
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
    (void)backoff_worked(&server->backoff);
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
        pause = backoff_failed(&server->backoff, now);
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

struct server *server_leave(struct server *server)
{
    struct callahead *pool = server->pool;
    struct server *next = server;
    pthread_mutex_lock(&pool->lock);
    if (pool->stopping || !server->queue.first ||
        server->connections > connections_allowed(server, mono_now())) {
        server->connections--;
        if (server->connections == 0)
            server->trial = false;
        if (server->queue.first && server->idle > 0)
            pthread_cond_signal(&server->work); /* we were woken for it */
        unref_locked(server);
        next = pool->stopping ? NULL : take_wanting_locked(pool);
        if (next)
            next->connections++;
        else
            pool->threads--;
        if (pool->threads == 0)
            pthread_cond_broadcast(&pool->ended);
    } else if (pool->wanting) {
        (void)wake_idle_locked(pool); /* not we: there is work again */
    }
    pthread_mutex_unlock(&pool->lock);
    return next;
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
