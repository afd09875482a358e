/*
 * callahead_server.c - one server that is asked: how many connections work on
 * those who wait for it, and whether it deserves a pause. See callahead_pool.h.
 *
 * A connection is opened for a question that finds none that is about to look
 * at the queue, up to the bound; only then do batches grow (callahead_pace.h).
 * The bound is meant as the server counts: a connection that ends keeps its place
 * until the server has closed it, too, or CONN_CLOSE_PATIENCE is over; and places are
 * those of an address and port, whatever else tells servers apart here.
 */
#include "lib/net/callahead_pool.h"

#include "lib/base/log.h"

#define LIMIT_LEARNED MONO_SECONDS(60)
#define TELL_EVERY MONO_SECONDS(60)
#define UNTIL_LEAST MONO_SECONDS(1)

/* --- putting questions into the queue -------------------------------------------- */

/* After a pause one question finds out how things are, the others go on as in
 * the pause, unless a connection turns out to be there and free. */
static bool usable_locked(struct server *server, const struct question *question, mono_us now)
{
    bool last = question->at + 1 == question->naddresses;
    if (!last && backoff_is_on(&server->shun, now))
        return false;
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

/* Do more wait than connections will look at the queue soon, and is there a place? Those
 * that lie idle are of no use to a question that wants a new one. */
static bool needs_another(const struct server *server, mono_us now)
{
    const struct question *first = server->queue.first;
    unsigned available = server->connections - server->busy;
    if (first && (first->fresh || first->not_before > 0))
        available -= server->idle;
    return server->queue.n > available && !place_is_full(server, now);
}

/* Must one more thread be started? It is counted already then. */
static bool open_another_locked(struct server *server, mono_us now)
{
    struct callahead *pool = server->pool;
    if (pool->stopping || !needs_another(server, now) || pool->threads >= pool->threads_max)
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
        pool->nwanting++;
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
        pool->nwanting--;
        pool->wanting = server->wanting_next;
        if (!pool->wanting)
            pool->last_wanting = &pool->wanting;
        server->wanting = false;
        if (server->queue.first && server->connections + server->closing == 0)
            return server;
        server->refs--;
    }
    return NULL;
}

static enum queued queue_locked(struct server *server, struct question *question, mono_us now)
{
    bool none;
    if (server->pool->stopping || !usable_locked(server, question, now))
        return REFUSED_PAUSE;
    take_limits_locked(server, question->profile.keys);
    question->server = server;
    queue_add(&server->queue, question, now);
    if (open_another_locked(server, now))
        return QUEUED_OPEN;
    none = server->connections + server->closing == 0;
    if (none && place_is_full(server, now)) {
        struct server *idle = place_idle(server);
        if (idle)
            pthread_cond_signal(&idle->work);
        return QUEUED;
    }
    if (none && !want_thread_locked(server)) {
        /* No thread to be had: it was the only one in the queue. */
        struct question_list only;
        question_list_init(&only);
        queue_drain(&server->queue, &only);
        question->server = NULL;
        server->trial = false;
        return REFUSED_FULL;
    }
    if (server->idle > 0)
        pthread_cond_signal(&server->work);
    return QUEUED;
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
    queue_over(&server->queue, question, mono_now());
    question->server = NULL;
    unref_locked(server);
    pthread_mutex_unlock(&server->pool->lock);
}

/* text: our words, and behind them of a server in a pause the cause. */
static struct callahead_answer ill(const struct server *server, const char *text, const char *cause)
{
    struct callahead_answer answer = {.class = CALLAHEAD_SERVER_ILL, .stage = CALLAHEAD_AT_CONNECT};
    snprintf(answer.text, sizeof answer.text, "%s%s%s", text, cause[0] ? ": " : "", cause);
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
        question->not_before = 0;
        server_ask(pool, question, failure);
    }
}

static void finish_left(struct callahead *pool, struct question_list *left,
                        const struct callahead_answer *failure)
{
    for (struct question *question = question_list_take(left); question;
         question = question_list_take(left)) {
        server_release(question);
        question_fail(pool, question, failure);
    }
}

void pool_tell_shortage(struct callahead *pool, const char *server, const char *text)
{
    mono_us now = mono_now();
    pthread_mutex_lock(&pool->lock);
    bool tell = now >= pool->tell_shortage_at;
    if (tell)
        pool->tell_shortage_at = now + TELL_EVERY;
    pthread_mutex_unlock(&pool->lock);
    if (tell)
        log_note(LOG_AT_WARNING, "callahead",
                 "%s not asked: this host is short of a resource, the server is not to blame: %s",
                 server, text);
}

/* closing: of those, so many are the caller. */
static void fall_short(struct server *server, unsigned closing,
                       const struct callahead_answer *failure)
{
    struct callahead *pool = server->pool;
    struct question_list left;
    question_list_init(&left);
    pthread_mutex_lock(&pool->lock);
    if (server->connections == 0 && server->closing == closing) {
        queue_drain(&server->queue, &left);
        server->trial = false;
    }
    pthread_mutex_unlock(&pool->lock);
    pool_tell_shortage(pool, server->text, failure->text);
    finish_left(pool, &left, failure);
}

void server_short(struct server *server, const struct callahead_answer *failure)
{
    fall_short(server, 1, failure);
}

/* The thread that was counted could not be started. */
static void open_failed(struct server *server)
{
    struct callahead *pool = server->pool;
    struct callahead_answer failure = ill(server, "no thread for a connection", "");
    pthread_mutex_lock(&pool->lock);
    struct server *starving = place_starving(server, mono_now());
    if (starving)
        starving->refs++;
    server->connections--;
    if (--pool->threads == 0)
        pthread_cond_broadcast(&pool->ended);
    pthread_mutex_unlock(&pool->lock);
    fall_short(server, 0, &failure);
    if (starving)
        fall_short(starving, 0, &failure);
    pthread_mutex_lock(&pool->lock);
    unref_locked(server);
    if (starving)
        unref_locked(starving);
    pthread_mutex_unlock(&pool->lock);
}

/* A thread was counted, with a reference for it. */
static void start_counted(struct server *server)
{
    if (!conn_start(server))
        open_failed(server);
}

void server_ask(struct callahead *pool, struct question *question,
                const struct callahead_answer *failure)
{
    struct callahead_answer why = failure ? *failure : ill(NULL, "", "");
    for (; question->at < question->naddresses; question->at++) {
        struct server *server = server_of_question(pool, question);
        if (!server) {
            why = ill(NULL, "out of memory", "");
            pool_tell_shortage(pool, "a server", why.text);
            break;
        }
        mono_us now = mono_now();
        pthread_mutex_lock(&pool->lock);
        enum queued result = queue_locked(server, question, now);
        if (result == REFUSED_PAUSE && !failure)
            why = ill(server, "server paused", server->backoff.cause);
        if (result == REFUSED_PAUSE || result == REFUSED_FULL)
            unref_locked(server);
        if (result == QUEUED_OPEN)
            server->refs++; /* the question may be gone before the thread is started */
        pthread_mutex_unlock(&pool->lock);
        if (result == QUEUED_OPEN) {
            start_counted(server);
            pthread_mutex_lock(&pool->lock);
            unref_locked(server);
            pthread_mutex_unlock(&pool->lock);
        }
        if (result == QUEUED || result == QUEUED_OPEN)
            return;
        if (result == REFUSED_FULL && !failure)
            why = ill(server, "too many connections", "");
    }
    question_fail(pool, question, &why);
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

void server_opened(struct server *server, mono_us trip)
{
    pthread_mutex_lock(&server->pool->lock);
    server->ready++;
    pace_add_trip(&server->pace, trip);
    pthread_mutex_unlock(&server->pool->lock);
}

void server_parted(struct server *server, bool ready)
{
    pthread_mutex_lock(&server->pool->lock);
    server->ready -= ready;
    server->connections--;
    server->closing++;
    pthread_mutex_unlock(&server->pool->lock);
}

void server_refill(struct server *server)
{
    pthread_mutex_lock(&server->pool->lock);
    bool open = open_another_locked(server, mono_now());
    pthread_mutex_unlock(&server->pool->lock);
    if (open)
        start_counted(server);
}

static bool wait_for_work_locked(struct server *server, struct server_room *room)
{
    struct callahead *pool = server->pool;
    mono_us until = mono_now() + server->idle_timeout;
    while (!server->queue.first) {
        mono_us now = mono_now();
        room->gives = pool->giving < pool->nwanting;
        pool->giving += room->gives;
        if (pool->stopping || room->gives || place_is_overfull(server, now) ||
            place_starving(server, now))
            return false;
        server->idle++;
        bool in_time = mono_cond_wait(&server->work, &pool->lock, until);
        server->idle--;
        if (!in_time && !server->queue.first)
            return false;
    }
    return !pool->stopping;
}

static size_t part_of_queue(const struct server *server, const struct server_room *room,
                            mono_us now)
{
    size_t available = server->connections - server->busy;
    size_t part = pace_part(&server->pace, server->queue.n, server->connections, available);
    size_t most =
        now < server->small_batches_until && room->small < room->all ? room->small : room->all;
    size_t bearable = pace_bearable(&server->pace, server->queue.n, server->connections,
                                    server->queue.clients > 1, now);
    if (bearable < most)
        most = bearable;
    return part < most ? part : most;
}

/* false: the connection is not fit for the one whose turn it is. */
static bool take_part_locked(struct server *server, const struct server_room *room,
                             struct question_list *batch, struct question_list *expired)
{
    mono_us now = mono_now();
    struct question_list taken;
    struct queue_wanted wanted = {.n = part_of_queue(server, room, now),
                                  .connections = place_allowed(server, now),
                                  .newest_first = pace_may_tire(&server->pace, now),
                                  .fresh = room->fresh,
                                  .since = room->since,
                                  .now = now};
    question_list_init(&taken);
    queue_take(&server->queue, &wanted, &taken);
    bool some = taken.n > 0;
    for (struct question *question = question_list_take(&taken); question;
         question = question_list_take(&taken)) {
        question->until = share_of(question, now);
        question->fresh_connection = room->fresh;
        question_list_add(question->deadline > now ? batch : expired, question);
    }
    return some;
}

void server_take(struct server *server, struct server_room *room, struct question_list *batch_out)
{
    struct callahead *pool = server->pool;
    struct callahead_answer late = ill(server, "no answer in time", "");
    struct question_list expired;
    question_list_init(batch_out);
    question_list_init(&expired);
    pthread_mutex_lock(&pool->lock);
    /* Each connection serves once before it makes room for others. */
    while (batch_out->n == 0 && (room->fresh || !place_starving(server, mono_now())) &&
           wait_for_work_locked(server, room) &&
           take_part_locked(server, room, batch_out, &expired)) {
    }
    server->busy += batch_out->n > 0;
    if (batch_out->n > 0 && pool->wanting)
        (void)wake_idle_locked(pool); /* it was not us */
    pthread_mutex_unlock(&pool->lock);
    finish_left(pool, &expired, &late);
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
    queue_put_back(&server->queue, list);
    if (server->idle > 0)
        pthread_cond_signal(&server->work);
    pthread_mutex_unlock(&server->pool->lock);
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

void server_refused(struct server *server, unsigned replies, mono_us took)
{
    mono_us now = mono_now();
    pthread_mutex_lock(&server->pool->lock);
    pace_add_refusals(&server->pace, replies, took, now);
    pthread_mutex_unlock(&server->pool->lock);
}

void server_works(struct server *server, size_t answers, size_t of_itself)
{
    mono_us now = mono_now(), shunned = 0;
    pthread_mutex_lock(&server->pool->lock);
    (void)backoff_worked(&server->backoff);
    server->trial = false;
    if (answers > of_itself) {
        server->unwell = 0;
        (void)backoff_worked(&server->shun);
    } else {
        server->unwell += (unsigned)of_itself;
        if (server->unwell >= SERVER_UNWELL || server->shun.pause > 0)
            shunned = backoff_failed(&server->shun, now, "");
    }
    pthread_mutex_unlock(&server->pool->lock);
    if (shunned > 0)
        log_note(LOG_AT_WARNING, "callahead_unwell",
                 "server %s only reports trouble of its own: others are asked first for %d s",
                 server->text, (int)(shunned / MONO_SECONDS(1)));
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
        pause = backoff_failed(&server->backoff, now, failure->text);
        server->trial = false;
        queue_drain(&server->queue, &left);
    }
    bool stopping = pool->stopping;
    pthread_mutex_unlock(&pool->lock);
    if (pause > 0 && !stopping)
        log_note(LOG_AT_WARNING, "callahead_pause", "server %s is paused for %d s: %s",
                 server->text, (int)(pause / MONO_SECONDS(1)), failure->text);
    server_elsewhere(pool, &left, failure);
}

/* The server whose thread this is from now on, counted; NULL: none. */
static struct server *next_of_thread_locked(struct server *server)
{
    struct callahead *pool = server->pool;
    mono_us now = mono_now();
    struct server *starving = place_starving(server, now);
    server->closing--;
    if (pool->stopping)
        return NULL;
    if (starving && !place_is_full(starving, now)) {
        starving->refs++;
        return starving;
    }
    if (needs_another(server, now)) {
        if (pool->wanting)
            (void)wake_idle_locked(pool); /* not we: there is work again */
        server->refs++;
        return server;
    }
    return take_wanting_locked(pool);
}

struct server *server_leave(struct server *server, bool gives)
{
    struct callahead *pool = server->pool;
    pthread_mutex_lock(&pool->lock);
    pool->giving -= gives;
    struct server *next = next_of_thread_locked(server);
    if (next)
        next->connections++;
    if (next != server && server->connections == 0)
        server->trial = false;
    if (next != server && server->queue.first && server->idle > 0)
        pthread_cond_signal(&server->work); /* we were woken for it */
    unref_locked(server);
    if (!next && --pool->threads == 0)
        pthread_cond_broadcast(&pool->ended);
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
            queue_drain(&server->queue, &left);
            pthread_cond_broadcast(&server->work);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    finish_left(pool, &left, failure);
}
