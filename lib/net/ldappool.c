/* ldappool.c - see ldappool.h and ldappool_inner.h. */
#include "lib/net/ldappool.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/net/ldapfilter.h"
#include "lib/net/ldappool_inner.h"

#define TRIES_MAX 3
#define THREADS_MAX 256 /* of all directories, but for the first of each */
#define TELL_EVERY MONO_SECONDS(60)
#define SEARCHES_GOOD 4 /* on a connection; with more, another one is opened */

/* --- questions ---------------------------------------------------------------------- */

static void question_drop(struct question *question)
{
    struct ldappool *pool = question->directory->pool;

    pthread_mutex_lock(&pool->lock);
    bool last = --question->refs == 0;
    if (last)
        question->directory->questions--;
    pthread_mutex_unlock(&pool->lock);
    if (!last)
        return;
    pthread_cond_destroy(&question->finished);
    arena_free(question->arena);
    free(question);
}

/* Where in the list of questions under way it is, or would be. */
static struct question **flight_of(const struct question *question)
{
    struct directory *directory = question->directory;
    uint64_t hash = hash_bytes(&directory->pool->seed, question->key.p, question->key.n);
    struct question **at = &directory->flights[hash % DIRECTORY_FLIGHTS];

    while (*at != NULL && !((*at)->key.n == question->key.n &&
                            memcmp((*at)->key.p, question->key.p, question->key.n) == 0))
        at = &(*at)->flight_next;
    return at;
}

/* Who asks the same already, with a reference; else question is under way now. */
static struct question *join(struct question *question)
{
    struct ldappool *pool = question->directory->pool;

    pthread_mutex_lock(&pool->lock);
    struct question **at = flight_of(question);
    struct question *other = *at;
    if (other == NULL) {
        *at = other = question;
        question->directory->under_way++;
    }
    other->refs++;
    pthread_mutex_unlock(&pool->lock);
    return other;
}

void ldappool_finish(struct question *question, const struct ldap_answer *answer)
{
    struct ldappool *pool = question->directory->pool;

    /* Into the cache first: who finds nobody to join any more finds the answer. */
    ldappool_remember(question, answer);
    pthread_mutex_lock(&pool->lock);
    struct question **at = flight_of(question);
    CHECK(*at == question);
    *at = question->flight_next;
    question->directory->under_way--;
    question->answer = *answer;
    question->done = true;
    pthread_cond_broadcast(&question->finished);
    pthread_mutex_unlock(&pool->lock);
    question_drop(question);
}

static void set_error(struct ldap_answer *answer, const char *server, const char *text)
{
    *answer = (struct ldap_answer){.said.class = DIRECTORY_ERROR};
    snprintf(answer->said.server, sizeof answer->said.server, "%s", server);
    snprintf(answer->said.text, sizeof answer->said.text, "%s", text);
}

void ldappool_fail(struct question *question, const char *server, const char *text)
{
    struct ldap_answer answer;
    set_error(&answer, server, text);
    ldappool_finish(question, &answer);
}

struct question *ldappool_take(struct directory *directory)
{
    pthread_mutex_lock(&directory->pool->lock);
    struct question *question = directory->first;
    if (question != NULL) {
        directory->first = question->next;
        if (directory->first == NULL)
            directory->last = &directory->first;
        question->next = NULL;
        directory->queued--;
    }
    pthread_mutex_unlock(&directory->pool->lock);
    return question;
}

static void push_locked(struct directory *directory, struct question *question)
{
    *directory->last = question;
    directory->last = &question->next;
    directory->queued++;
    /* Cannot fail but for 2^64 of them. */
    eventfd_write(directory->wake_fd, 1);
}

/* Is there a server to ask, on a connection or on a new one? */
static bool can_ask_locked(const struct directory *directory, mono_us now)
{
    if (directory->ready > 0)
        return true;
    for (size_t i = 0; i < directory->nservers; i++) {
        if (!backoff_is_on(&directory->server[i].backoff, now))
            return true;
    }
    return false;
}

static void say_paused_locked(const struct directory *directory, struct err *err)
{
    mono_us now = mono_now();

    for (size_t i = 0; i < directory->nservers; i++) {
        const struct directory_server *server = &directory->server[i];
        if (backoff_is_on(&server->backoff, now)) {
            err_set(err, ERR_PEER, "every server is paused after a failure; %.80s: %s", server->uri,
                    server->backoff.cause);
            return;
        }
    }
    err_set(err, ERR_PEER, "every server was paused after a failure");
}

void ldappool_say_paused(struct directory *directory, struct err *err)
{
    pthread_mutex_lock(&directory->pool->lock);
    say_paused_locked(directory, err);
    pthread_mutex_unlock(&directory->pool->lock);
}

/* false: nobody will take it out of the queue, so it was not put there. */
static bool enqueue(struct question *question, struct err *why)
{
    struct directory *directory = question->directory;
    struct ldappool *pool = directory->pool;
    struct err err = {0};
    bool start = false;

    pthread_mutex_lock(&pool->lock);
    bool good = !pool->stopping && can_ask_locked(directory, mono_now());
    if (pool->stopping)
        err_set(why, ERR_PEER, "ending");
    else if (!good)
        say_paused_locked(directory, why);
    if (good) {
        start = directory->threads == 0 ||
                (directory->under_way > directory->threads * SEARCHES_GOOD &&
                 directory->threads < directory->max_connections && pool->threads < THREADS_MAX);
        directory->threads += start;
        pool->threads += start;
        push_locked(directory, question);
    }
    pthread_mutex_unlock(&pool->lock);
    if (!start || ldappool_conn_start(directory, &err))
        return good;
    ldappool_tell_shortage(pool, directory->name, &err);

    struct question *left = NULL;
    pthread_mutex_lock(&pool->lock);
    bool alone = --directory->threads == 0;
    if (--pool->threads == 0)
        pthread_cond_broadcast(&pool->ended);
    pthread_mutex_unlock(&pool->lock);
    while (alone && (left = ldappool_take(directory)) != NULL)
        ldappool_fail(left, "", err.text);
    return true;
}

void ldappool_again(struct question *question, const char *server, const char *text)
{
    struct err why;
    if (++question->tries >= TRIES_MAX || mono_now() >= question->deadline ||
        !enqueue(question, &why))
        ldappool_fail(question, server, text);
}

/* --- asking ------------------------------------------------------------------------- */

static const char *query_of(const struct ldap_keys *keys, enum ldap_query query)
{
    switch (query) {
    case LDAP_ACCEPT_QUERY:
        return keys->accept_query;
    case LDAP_ROUTING_QUERY:
        return keys->routing_query;
    }
    return "";
}

/* What is asked, apart from the directory itself. The first line is whom it is
 * about: one address, a domain or everybody, as the query has it. */
static void make_key(const struct question *question, const char *query,
                     const struct mailaddr *recipient, struct strbuf *out)
{
    const struct ldaplink_search *search = &question->search;

    if (strstr(query, "{a}") != NULL || strstr(query, "{u}") != NULL)
        strbuf_puts(out, recipient->key);
    else if (strstr(query, "{d}") != NULL)
        strbuf_printf(out, "@%s", recipient->domain);
    strbuf_printf(out, "\n%d%d\n%s\n", (int)question->query, search->scope, search->base);
    for (size_t i = 0; i < LDAPLINK_ATTRIBUTES; i++)
        strbuf_printf(out, "%s\n", search->attribute[i] != NULL ? search->attribute[i] : "");
    strbuf_puts(out, search->filter);
}

/* Which attributes of the entry are wanted, see enum routing_attribute. */
static bool set_attributes(struct ldaplink_search *search, const struct ldap_keys *keys,
                           struct arena *arena)
{
    const char *const names[LDAPLINK_ATTRIBUTES] = {[ROUTING_CALLAHEAD] = keys->callahead_attr,
                                                    [ROUTING_HOST] = keys->routing_host_attr,
                                                    [ROUTING_ADDRESS] = keys->routing_address_attr};

    for (size_t i = 0; i < LDAPLINK_ATTRIBUTES; i++) {
        search->attribute[i] = arena_dup(arena, names[i]);
        if (search->attribute[i] == NULL)
            return false;
    }
    search->mail[ROUTING_ADDRESS] = true;
    return true;
}

static bool fill_question(struct question *question, const struct ldap_profile *profile,
                          const struct mailaddr *recipient, const struct mailaddr *sender)
{
    const struct ldap_keys *keys = profile->keys;
    const char *query = query_of(keys, question->query);
    struct ldaplink_search *search = &question->search;
    struct strbuf text;

    strbuf_init(&text);
    ldapfilter_fill(query, recipient, sender, &text);
    *search = (struct ldaplink_search){.base = arena_dup(question->arena, keys->base_dn),
                                       .scope = keys->scope,
                                       .filter = arena_dup(question->arena, strbuf_text(&text)),
                                       .timeout = MONO_MS(keys->timeout)};
    bool good = !text.failed && search->base != NULL && search->filter != NULL;
    if (good && question->query == LDAP_ROUTING_QUERY)
        good = set_attributes(search, keys, question->arena);
    strbuf_reset(&text);
    if (good)
        make_key(question, query, recipient, &text);
    const char *key = good && !text.failed ? arena_dup(question->arena, strbuf_text(&text)) : NULL;
    question->key = slice_of(key);
    strbuf_done(&text);
    return key != NULL;
}

/* With the asker's reference. */
static struct question *question_new(struct directory *directory,
                                     const struct ldap_profile *profile, enum ldap_query query,
                                     const struct mailaddr *recipient,
                                     const struct mailaddr *sender)
{
    const struct ldap_keys *keys = profile->keys;
    struct question *question = calloc(1, sizeof *question);
    struct arena *arena = arena_new(0);

    if (question == NULL || arena == NULL || !mono_cond_init(&question->finished)) {
        free(question);
        arena_free(arena);
        ldappool_directory_drop(directory);
        return NULL;
    }
    question->refs = 1;
    question->directory = directory;
    question->arena = arena;
    question->query = query;
    question->life = MONO_MS(keys->cache_ttl);
    question->deadline = mono_now() +
                         MONO_MS(keys->connect_timeout) * (mono_us)directory->nservers +
                         2 * MONO_MS(keys->timeout);
    if (fill_question(question, profile, recipient, sender))
        return question;
    question_drop(question);
    return NULL;
}

static void wait_for(struct question *question, mono_us deadline, struct ldap_answer *answer_out)
{
    struct ldappool *pool = question->directory->pool;
    mono_us until = deadline < question->deadline ? deadline : question->deadline;

    pthread_mutex_lock(&pool->lock);
    while (!question->done && mono_cond_wait(&question->finished, &pool->lock, until))
        ;
    bool done = question->done;
    if (done)
        *answer_out = question->answer;
    pthread_mutex_unlock(&pool->lock);
    if (!done)
        set_error(answer_out, "", "no answer in time");
}

static void ask(struct question *question, mono_us deadline, void (*about_to_wait)(void *arg),
                void *arg, struct ldap_answer *answer_out)
{
    struct err why;

    if (ldappool_recall(question, answer_out))
        return;
    if (about_to_wait != NULL)
        about_to_wait(arg);
    struct question *joined = join(question);
    if (joined == question && ldappool_recall(question, answer_out))
        ldappool_finish(question, answer_out); /* another has been asked meanwhile */
    else if (joined == question && !enqueue(question, &why))
        ldappool_fail(question, "", why.text);
    wait_for(joined, deadline, answer_out);
    if (joined != question)
        question_drop(joined);
}

void ldappool_ask(struct ldappool *pool, const struct ldap_profile *profile, enum ldap_query query,
                  const struct mailaddr *recipient, const struct mailaddr *sender, mono_us deadline,
                  void (*about_to_wait)(void *arg), void *arg, struct ldap_answer *answer_out)
{
    mono_us began = mono_now();
    struct question *question = NULL;
    struct err err = {.kind = ERR_MEMORY, .text = "out of memory"};

    pthread_mutex_lock(&pool->lock);
    pool->askers++;
    pthread_mutex_unlock(&pool->lock);
    struct directory *directory = ldappool_directory(pool, profile, &err);
    if (directory != NULL)
        question = question_new(directory, profile, query, recipient, sender);
    if (question != NULL) {
        ask(question, deadline, about_to_wait, arg, answer_out);
        question_drop(question);
    } else {
        ldappool_tell_shortage(pool, profile->name, &err);
        set_error(answer_out, "", err.text);
    }
    answer_out->said.ms = (uint32_t)((mono_now() - began) / 1000);
    pthread_mutex_lock(&pool->lock);
    if (--pool->askers == 0)
        pthread_cond_broadcast(&pool->ended);
    pthread_mutex_unlock(&pool->lock);
}

/* --- the pool ----------------------------------------------------------------------- */

void ldappool_tell_shortage(struct ldappool *pool, const char *name, const struct err *err)
{
    mono_us now = mono_now();

    pthread_mutex_lock(&pool->lock);
    bool tell = now >= pool->tell_at;
    if (tell)
        pool->tell_at = now + TELL_EVERY;
    pthread_mutex_unlock(&pool->lock);
    if (tell)
        log_note(LOG_AT_WARNING, "ldap",
                 "[ldap %s] not asked: this host is short of a resource, the server is not "
                 "to blame: %s",
                 name, err->text);
}

void ldappool_setup(void)
{
    dial_setup();
    ldaplink_setup();
}

struct ldappool *ldappool_new(const struct dialer *dialer, struct err *err)
{
    struct ldappool *pool = calloc(1, sizeof *pool);

    if (pool == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    pool->dialer = *dialer;
    pool->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->stop_fd < 0) {
        err_system(err, errno, "LDAP: making an eventfd");
        free(pool);
        return NULL;
    }
    CHECK(pthread_mutex_init(&pool->lock, NULL) == 0);
    CHECK(mono_cond_init(&pool->ended));
    pool->seed = hash_seed_random();
    return pool;
}

void ldappool_stop(struct ldappool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    eventfd_write(pool->stop_fd, 1);
    pthread_mutex_unlock(&pool->lock);
}

void ldappool_free(struct ldappool *pool)
{
    if (pool == NULL)
        return;
    ldappool_stop(pool);
    pthread_mutex_lock(&pool->lock);
    while (pool->threads > 0 || pool->askers > 0)
        (void)mono_cond_wait(&pool->ended, &pool->lock, MONO_NEVER);
    pthread_mutex_unlock(&pool->lock);
    while (pool->directories != NULL) {
        struct directory *next = pool->directories->next;
        ldappool_directory_free(pool->directories);
        pool->directories = next;
    }
    (void)close(pool->stop_fd);
    pthread_cond_destroy(&pool->ended);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
