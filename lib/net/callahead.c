/*
 * callahead.c - asking: what is remembered, single flight, where to ask, and
 * waiting for the answer. See callahead.h and callahead_pool.h.
 */
#include "lib/net/callahead.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "lib/net/callahead_pool.h"

/* --- a question ---------------------------------------------------------------------- */

struct slice question_key(const struct question *question)
{
    return (struct slice){question->key, question->key_n};
}

struct slice question_base(const struct question *question)
{
    return (struct slice){question->base, question->base_n};
}

static void question_drop(struct question *question)
{
    if (!question || atomic_fetch_sub_explicit(&question->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (question->profile.release)
        question->profile.release(question->profile.arg);
    pthread_cond_destroy(&question->finished);
    pthread_mutex_destroy(&question->lock);
    free(question->addresses);
    free(question->recipient);
    free(question->key);
    free(question->base);
    free(question);
}

static struct question **flight_bucket(struct callahead *pool, struct slice key)
{
    return &pool->flights[hash_bytes(&pool->seed, key.p, key.n) % POOL_BUCKETS];
}

/* Whoever finds one waits for it, too. */
static struct question *flight_find_locked(const struct asking *asking)
{
    struct slice key = asking->key;
    struct question *question = *flight_bucket(asking->pool, key);
    while (question && !(question->memory == asking->memory && question->key_n == key.n &&
                         memcmp(question->key, key.p, key.n) == 0))
        question = question->flight_next;
    if (question)
        atomic_fetch_add_explicit(&question->refs, 1, memory_order_relaxed);
    if (question && question->queued)
        queue_share(&question->server->queue, question, asking->client, mono_now());
    return question;
}

static void flight_end(struct callahead *pool, struct question *question)
{
    pthread_mutex_lock(&pool->lock);
    struct question **at = flight_bucket(pool, question_key(question));
    while (*at && *at != question)
        at = &(*at)->flight_next;
    CHECK(*at == question);
    *at = question->flight_next;
    pthread_mutex_unlock(&pool->lock);
}

static void count(struct callahead *pool, enum callahead_class class)
{
    atomic_uint_fast64_t *counter = &pool->failed;
    if (class == CALLAHEAD_VALID)
        counter = &pool->valid;
    else if (class == CALLAHEAD_USER_UNKNOWN)
        counter = &pool->unknown;
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void question_finish(struct callahead *pool, struct question *question,
                     const struct callahead_answer *answer)
{
    count(pool, answer->class);
    /* Into the cache first: who finds no flight any more finds the answer. */
    memory_learn(pool, question, answer);
    flight_end(pool, question);
    pthread_mutex_lock(&question->lock);
    question->answer = *answer;
    question->done = true;
    pthread_cond_broadcast(&question->finished);
    pthread_mutex_unlock(&question->lock);
    question_drop(question);
}

/* What no server will ever change. */
static void dead_end(enum callahead_dead_end which, enum callahead_stage stage,
                     struct callahead_answer *answer_out)
{
    bool utf8 = which == CALLAHEAD_NEEDS_SMTPUTF8;
    *answer_out = (struct callahead_answer){
        .class = CALLAHEAD_POLICY, .stage = stage, .dead_end = which, .code = utf8 ? 553 : 556};
    snprintf(answer_out->status, sizeof answer_out->status, utf8 ? "5.6.7" : "5.1.10");
    snprintf(answer_out->text, sizeof answer_out->text,
             utf8 ? "Address needs SMTPUTF8" : "Domain takes no mail");
}

void question_fail(struct callahead *pool, struct question *question,
                   const struct callahead_answer *failure)
{
    struct callahead_answer answer = *failure;
    if (!question->partial && question->without_utf8 == question->naddresses) {
        dead_end(CALLAHEAD_NEEDS_SMTPUTF8, CALLAHEAD_AT_RCPT, &answer);
        snprintf(answer.server, sizeof answer.server, "%s", failure->server);
    } else if (question->has_excuse) {
        answer = question->excuse;
    }
    question_finish(pool, question, &answer);
}

static void say_about_to_wait(void *arg)
{
    struct asking *asking = arg;
    if (asking->about_to_wait)
        asking->about_to_wait(asking->arg);
    asking->about_to_wait = NULL;
}

static void fail(struct asking *asking, enum callahead_stage stage, const char *text)
{
    *asking->answer = (struct callahead_answer){.class = CALLAHEAD_SERVER_ILL, .stage = stage};
    snprintf(asking->answer->text, sizeof asking->answer->text, "%s", text);
}

static bool has_8bit(const char *text)
{
    while (*text && (unsigned char)*text < 128)
        text++;
    return *text != '\0';
}

/* NULL: it is empty, or out of memory. */
static char *copy(struct slice bytes)
{
    char *to = bytes.n > 0 ? malloc(bytes.n) : NULL;
    if (to)
        memcpy(to, bytes.p, bytes.n);
    return to;
}

/* Two references: the pool's and the asker's. */
static struct question *question_new(struct asking *asking, const struct servers *servers)
{
    struct question *question = calloc(1, sizeof *question);
    if (!question)
        return NULL;
    atomic_init(&question->refs, 2);
    CHECK(pthread_mutex_init(&question->lock, NULL) == 0);
    CHECK(mono_cond_init(&question->finished));
    question->memory = asking->memory;
    question->deadline = asking->started + MONO_MS(asking->profile->keys->timeout);
    question->client = asking->client;
    question->naddresses = servers->n;
    question->partial = servers->partial;
    question->addresses = calloc(servers->n, sizeof *question->addresses);
    question->recipient = strdup(asking->recipient);
    question->utf8 = has_8bit(asking->recipient);
    question->fresh = asking->fresh;
    question->random = asking->random;
    question->key = copy(asking->key);
    question->key_n = asking->key.n;
    question->base = copy(asking->base);
    question->base_n = asking->base.n;
    if (!question->addresses || !question->recipient || !question->key ||
        (asking->base.n > 0 && !question->base)) {
        atomic_store(&question->refs, 1);
        question_drop(question);
        return NULL;
    }
    memcpy(question->addresses, servers->address, servers->n * sizeof *question->addresses);
    question->profile = *asking->profile;
    if (question->profile.take)
        question->profile.take(question->profile.arg);
    return question;
}

/* --- where to ask ---------------------------------------------------------------------- */

/* The host that comes `turn` places after the i-th among those of its priority. */
static const struct nexthop *rotated(const struct nexthop *hosts, size_t n, size_t i, unsigned turn)
{
    size_t equal = 0, place = 0;
    for (size_t k = 0; k < n; k++) {
        if (hosts[k].priority == hosts[i].priority) {
            place += k < i;
            equal++;
        }
    }
    place = (place + turn) % equal;
    for (size_t k = 0; k < n; k++) {
        if (hosts[k].priority == hosts[i].priority && place-- == 0)
            return &hosts[k];
    }
    return &hosts[i];
}

static bool find_servers(struct asking *asking, const struct callahead_where *where,
                         mono_us deadline, struct servers *servers_out)
{
    struct servers_question q = {.our_name = asking->pool->hostname};
    struct nexthop *hosts = NULL;
    if (asking->profile->keys->type == CALLAHEAD_STATIC) {
        q.hosts = asking->profile->servers;
        q.nhosts = asking->profile->nservers;
    } else {
        q.hosts = where->hosts;
        q.nhosts = where->nhosts;
        q.mx_domain = where->mx_domain;
        q.untrusted = where->untrusted;
    }
    if (q.nhosts > 1) {
        unsigned turn = atomic_fetch_add_explicit(&asking->memory->turn, 1, memory_order_relaxed);
        hosts = calloc(q.nhosts, sizeof *hosts);
        for (size_t i = 0; hosts && i < q.nhosts; i++)
            hosts[i] = *rotated(q.hosts, q.nhosts, i, turn);
        q.hosts = hosts ? hosts : q.hosts;
    }
    servers_resolve(asking->pool->dns, &q, deadline, say_about_to_wait, asking, servers_out);
    free(hosts);
    if (servers_out->n > 0)
        return true;
    if (servers_out->outcome == SERVERS_NO_MAIL)
        dead_end(CALLAHEAD_TAKES_NO_MAIL, CALLAHEAD_AT_RESOLVE, asking->answer);
    else
        fail(asking, CALLAHEAD_AT_RESOLVE,
             servers_out->why[0] ? servers_out->why : "no server to ask");
    return false;
}

/* --- asking ------------------------------------------------------------------------------ */

/* A reference to the question for this recipient that is under way. */
static struct question *join(struct asking *asking)
{
    struct callahead *pool = asking->pool;
    pthread_mutex_lock(&pool->lock);
    struct question *question = flight_find_locked(asking);
    pthread_mutex_unlock(&pool->lock);
    if (question)
        atomic_fetch_add_explicit(&pool->joined, 1, memory_order_relaxed);
    return question;
}

/* Puts a new question under way, unless somebody was quicker: then that one is
 * joined. NULL: answered. */
static struct question *depart(struct asking *asking, const struct servers *servers)
{
    struct callahead *pool = asking->pool;
    struct callahead_answer known;
    struct question *new = question_new(asking, servers);
    if (!new) {
        fail(asking, CALLAHEAD_AT_CONNECT, "out of memory");
        pool_tell_shortage(pool, "a server", asking->answer->text);
        return NULL;
    }
    pthread_mutex_lock(&pool->lock);
    struct question *other = flight_find_locked(asking);
    if (!other) {
        new->flight_next = *flight_bucket(pool, asking->key);
        *flight_bucket(pool, asking->key) = new;
    }
    pthread_mutex_unlock(&pool->lock);
    if (other) {
        atomic_store(&new->refs, 1);
        question_drop(new);
        atomic_fetch_add_explicit(&pool->joined, 1, memory_order_relaxed);
        return other;
    }
    /* Another one may have landed while we looked for servers. */
    if (!asking->anew &&
        trust_recall(asking->memory->trust, asking->key, mono_now(), &known) != TRUST_UNHEARD)
        question_finish(pool, new, &known);
    else
        server_ask(pool, new, NULL);
    return new;
}

static void await(struct asking *asking, struct question *question, mono_us deadline)
{
    pthread_mutex_lock(&question->lock);
    bool done = question->done;
    pthread_mutex_unlock(&question->lock);
    if (!done)
        say_about_to_wait(asking);
    pthread_mutex_lock(&question->lock);
    while (!question->done && mono_cond_wait(&question->finished, &question->lock, deadline)) {
    }
    done = question->done || question->has_excuse;
    if (done)
        *asking->answer = question->done ? question->answer : question->excuse;
    pthread_mutex_unlock(&question->lock);
    if (done)
        return;
    fail(asking, CALLAHEAD_AT_RCPT, "no answer in time");
    pthread_mutex_lock(&asking->pool->lock);
    if (question->server)
        snprintf(asking->answer->server, sizeof asking->answer->server, "%s",
                 question->server->text);
    pthread_mutex_unlock(&asking->pool->lock);
}

void question_ask(struct asking *asking, const struct callahead_where *where, mono_us deadline)
{
    struct servers servers = {.n = 0};
    struct question *question = join(asking);
    if (!question && !find_servers(asking, where, deadline, &servers))
        return;
    if (!question)
        question = depart(asking, &servers);
    if (!question)
        return;
    await(asking, question, deadline);
    question_drop(question);
}

/* false: the pool ends. */
static bool enter(struct callahead *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool open = !pool->stopping;
    pool->askers += open;
    pthread_mutex_unlock(&pool->lock);
    return open;
}

static void leave(struct callahead *pool)
{
    pthread_mutex_lock(&pool->lock);
    if (--pool->askers == 0 && pool->stopping)
        pthread_cond_broadcast(&pool->ended);
    pthread_mutex_unlock(&pool->lock);
}

/* "<>" and "<a@b>" as they stand in the configuration, without brackets. */
static struct slice sender_of(const struct callahead_keys *keys)
{
    struct slice sender = slice_trim(slice_of(keys->mail_from));
    if (sender.n >= 2 && sender.p[0] == '<' && sender.p[sender.n - 1] == '>')
        sender = (struct slice){sender.p + 1, sender.n - 2};
    return sender;
}

/* The same for hosts that mean the same, in whatever order they were named; no secret. */
static uint64_t place_of(const struct callahead_where *where)
{
    uint64_t place = where->untrusted;
    for (size_t i = 0; i < where->nhosts; i++) {
        const struct nexthop *hop = &where->hosts[i];
        struct hash_seed seed = {(uint64_t)hop->port << 16 | hop->priority,
                                 (uint64_t)hop->mx << 1 | hop->lmtp};
        place += hash_bytes(&seed, hop->host, strlen(hop->host));
    }
    return place;
}

/* The hosts of a route or a directory are in the key: others would not say the same.
 * The servers of type static are in the memory's mark, those that DNS names follow from
 * the recipient. */
static bool key_of(const struct callahead_profile *profile, const struct callahead_where *where,
                   const struct mailaddr *recipient, struct strbuf *key)
{
    struct slice sender = sender_of(profile->keys);
    strbuf_add(key, sender.p, sender.n);
    strbuf_putc(key, '\0');
    strbuf_puts(key, recipient->key);
    if (profile->keys->type == CALLAHEAD_DELIVERY_HOST && where->nhosts > 0) {
        strbuf_putc(key, '\0');
        strbuf_printf(key, "%0*llx", DOMAINS_PLACE, (unsigned long long)place_of(where));
    }
    return !key->failed;
}

/* Nobody can tell: a yes of before may do (SPEC 8, serve_stale). */
static void fall_back(struct asking *asking)
{
    mono_us longest = MONO_MS(asking->profile->keys->serve_stale);
    struct slice key = asking->base_recipient ? asking->base : asking->key;
    if (asking->answer->class == CALLAHEAD_SERVER_ILL &&
        trust_recall_stale(asking->memory->trust, key, longest, mono_now(), asking->answer))
        atomic_fetch_add_explicit(&asking->pool->stale, 1, memory_order_relaxed);
}

static void ask_now(struct asking *asking, const struct callahead_where *where, mono_us deadline)
{
    inquire(asking, where, deadline);
    if (asking->answer->class == CALLAHEAD_VALID && asking->profile->keys->probe_random &&
        trust_probe_due(asking->memory->trust, asking->key, mono_now()))
        keeper_ask(asking, where, true);
    fall_back(asking);
}

/* The server may know user@ and refuse user+tag@, or the other way round: only a yes
 * serves for both. */
static enum trust_recalled recall(const struct asking *asking)
{
    struct trust *trust = asking->memory->trust;
    enum trust_recalled own = trust_recall(trust, asking->key, asking->started, asking->answer);
    if (own != TRUST_UNHEARD || !asking->base_recipient)
        return own;
    enum trust_recalled base = trust_recall(trust, asking->base, asking->started, asking->answer);
    bool yes = base != TRUST_UNHEARD && asking->answer->class == CALLAHEAD_VALID;
    return yes ? base : TRUST_UNHEARD;
}

static void answer(struct asking *asking, const struct callahead_where *where, mono_us deadline)
{
    struct callahead *pool = asking->pool;

    switch (recall(asking)) {
    case TRUST_DUE:
        keeper_ask(asking, where, false);
        atomic_fetch_add_explicit(&pool->cached, 1, memory_order_relaxed);
        return;
    case TRUST_FRESH:
        atomic_fetch_add_explicit(&pool->cached, 1, memory_order_relaxed);
        return;
    case TRUST_UNHEARD:
        break;
    }
    if (enter(pool)) {
        ask_now(asking, where, deadline);
        leave(pool);
    } else {
        fail(asking, CALLAHEAD_AT_CONNECT, "call-ahead is ending");
    }
}

static uint64_t client_of(const struct callahead *pool, const struct callahead_where *where)
{
    return where && where->client.n > 0 ? hash_bytes(&pool->seed, where->client.p, where->client.n)
                                        : 0;
}

void callahead_ask(struct callahead *pool, const struct callahead_profile *profile,
                   const struct callahead_where *where, const struct mailaddr *recipient,
                   mono_us deadline, void (*about_to_wait)(void *arg), void *arg,
                   struct callahead_answer *answer_out)
{
    const struct mailaddr *known_as = where && where->known_as ? where->known_as : recipient;
    bool extended = strcmp(known_as->key, recipient->key) != 0;
    struct strbuf key, base;
    struct asking asking = {.pool = pool,
                            .profile = profile,
                            .recipient = recipient->text,
                            .memory = memory_get(pool, profile),
                            .client = client_of(pool, where),
                            .started = mono_now(),
                            .about_to_wait = about_to_wait,
                            .arg = arg,
                            .answer = answer_out};
    mono_us bound = asking.started + MONO_MS(profile->keys->timeout);
    strbuf_init(&key);
    strbuf_init(&base);
    atomic_fetch_add_explicit(&pool->asked, 1, memory_order_relaxed);
    if (key_of(profile, where, recipient, &key) &&
        (!extended || key_of(profile, where, known_as, &base)) && asking.memory) {
        asking.key = (struct slice){key.p, key.n};
        asking.base = (struct slice){base.p, base.n};
        asking.base_recipient = extended ? known_as->text : NULL;
        answer(&asking, where, deadline < bound ? deadline : bound);
    } else {
        fail(&asking, CALLAHEAD_AT_CONNECT, "out of memory");
        pool_tell_shortage(pool, "a server", answer_out->text);
    }
    strbuf_done(&key);
    strbuf_done(&base);
    answer_out->ms = (uint32_t)((mono_now() - asking.started) / 1000);
}

/* --- the pool ------------------------------------------------------------------------------ */

struct callahead *callahead_new(struct dns *dns, const char *hostname, struct err *err)
{
    struct callahead *pool = calloc(1, sizeof *pool);
    char *name = strdup(hostname);
    if (!pool || !name) {
        err_set(err, ERR_MEMORY, "out of memory");
        goto out;
    }
    pool->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->stop_fd < 0) {
        err_system(err, errno, "call-ahead: making an eventfd");
        goto out;
    }
    CHECK(pthread_mutex_init(&pool->lock, NULL) == 0);
    CHECK(mono_cond_init(&pool->ended) && mono_cond_init(&pool->keeper_work));
    pool->dns = dns;
    pool->hostname = name;
    pool->seed = hash_seed_random();
    pool->trust_seeds = (struct trust_seeds){hash_seed_random(), hash_seed_random()};
    pool->last_job = &pool->jobs;
    pool->threads_max = POOL_THREADS_MAX;
    pool->last_wanting = &pool->wanting;
    pool->write_at = MONO_NEVER;
    if (keeper_start(pool, err))
        return pool;
    callahead_free(pool);
    return NULL;
out:
    free(name);
    free(pool);
    return NULL;
}

static void wait_until_zero(struct callahead *pool, const unsigned *counter)
{
    pthread_mutex_lock(&pool->lock);
    while (*counter > 0)
        (void)mono_cond_wait(&pool->ended, &pool->lock, MONO_NEVER);
    pthread_mutex_unlock(&pool->lock);
}

static const struct callahead_answer ending = {
    .class = CALLAHEAD_SERVER_ILL, .stage = CALLAHEAD_AT_CONNECT, .text = "call-ahead is ending"};

void callahead_stop(struct callahead *pool)
{
    uint64_t one = 1;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_mutex_unlock(&pool->lock);
    CHECK(write(pool->stop_fd, &one, sizeof one) == sizeof one);
    server_stop_all(pool, &ending);
}

static void finish(struct callahead *pool)
{
    callahead_stop(pool);
    wait_until_zero(pool, &pool->threads);
    server_stop_all(pool, &ending); /* what threads put back as they ended */
    keeper_stop(pool);
    wait_until_zero(pool, &pool->askers);
}

void callahead_free(struct callahead *pool)
{
    if (!pool)
        return;
    finish(pool);
    server_free_all(pool);
    memory_free_all(pool);
    (void)close(pool->stop_fd);
    pthread_cond_destroy(&pool->keeper_work);
    pthread_cond_destroy(&pool->ended);
    pthread_mutex_destroy(&pool->lock);
    free(pool->hostname);
    free(pool->folder);
    free(pool);
}

void callahead_watch(struct callahead *pool,
                     void (*watch)(enum callahead_event event, const char *server,
                                   struct slice bytes, void *arg),
                     void *arg)
{
    pool->watch = watch;
    pool->watch_arg = arg;
}

void callahead_get_stats(struct callahead *pool, struct callahead_stats *stats_out)
{
    mono_us now = mono_now();
    *stats_out = (struct callahead_stats){
        .asked = atomic_load_explicit(&pool->asked, memory_order_relaxed),
        .cached = atomic_load_explicit(&pool->cached, memory_order_relaxed),
        .joined = atomic_load_explicit(&pool->joined, memory_order_relaxed),
        .valid = atomic_load_explicit(&pool->valid, memory_order_relaxed),
        .unknown = atomic_load_explicit(&pool->unknown, memory_order_relaxed),
        .failed = atomic_load_explicit(&pool->failed, memory_order_relaxed),
        .stale = atomic_load_explicit(&pool->stale, memory_order_relaxed),
        .suspended = atomic_load_explicit(&pool->suspended, memory_order_relaxed),
        .refreshed = atomic_load_explicit(&pool->refreshed, memory_order_relaxed),
    };
    pthread_mutex_lock(&pool->lock);
    stats_out->connections = pool->threads;
    for (size_t i = 0; i < POOL_BUCKETS; i++) {
        for (struct server *server = pool->servers[i]; server; server = server->next)
            stats_out->servers_paused += backoff_is_on(&server->backoff, now);
    }
    pthread_mutex_unlock(&pool->lock);
}
