/*
 * ldappool_directory.c - directories: what connections are made of, and the
 * answers they gave. See ldappool_inner.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/domain.h"
#include "lib/net/ldappool_inner.h"

#define DIRECTORIES_KEPT 64 /* beyond: those of former configurations are forgotten */

/* --- profiles ----------------------------------------------------------------------- */

bool ldap_profile_init(struct ldap_profile *profile, const char *name, const struct ldap_keys *keys,
                       const struct tls_keys *tls, const char *password, struct arena *arena)
{
    struct strbuf text;

    *profile = (struct ldap_profile){
        .name = name, .keys = keys, .tls = tls, .password = arena_dup(arena, password)};
    strbuf_init(&text);
    strbuf_printf(&text, "%s\n%s\n%s\n%d\n%s\n%lld\n%d\n%s\n%s\n%s\n%s\n", name, keys->bind_dn,
                  password, keys->start_tls, keys->tls_priority, (long long)keys->connect_timeout,
                  tls->min_version, tls->ca_file, tls->ca_dir, tls->certificate, tls->key);
    for (size_t i = 0; i < keys->uri.n; i++)
        strbuf_printf(&text, "%s\n", keys->uri.v[i].text);
    if (!text.failed)
        profile->identity = arena_dup(arena, strbuf_text(&text));
    strbuf_done(&text);
    return profile->password != NULL && profile->identity != NULL;
}

static struct ldaplink_settings settings_of(const struct ldap_profile *profile)
{
    return (struct ldaplink_settings){
        .bind_dn = profile->keys->bind_dn,
        .password = profile->password,
        .start_tls = profile->keys->start_tls,
        .tls_priority = profile->keys->tls_priority,
        .tls_min = profile->tls->min_version,
        .ca_file = profile->tls->ca_file,
        .ca_dir = profile->tls->ca_dir,
        .certificate = profile->tls->certificate,
        .key = profile->tls->key,
    };
}

bool ldap_profile_check(const struct ldap_profile *profile, const char *uri, bool *tls_out,
                        struct err *err)
{
    const struct ldaplink_settings settings = settings_of(profile);
    return ldaplink_check(&settings, uri, tls_out, err);
}

bool ldap_profile_check_priority(const struct ldap_profile *profile, struct err *err)
{
    const struct ldaplink_settings settings = settings_of(profile);
    return ldaplink_check_priority(&settings, err);
}

bool ldap_base_is_dn(const char *base_dn)
{
    return ldaplink_check_dn(base_dn);
}

/* --- directories -------------------------------------------------------------------- */

void ldappool_directory_free(struct directory *directory)
{
    if (directory == NULL)
        return;
    if (directory->wake_fd >= 0)
        (void)close(directory->wake_fd);
    cache_free(directory->cache);
    arena_free(directory->arena);
    free(directory);
}

static bool copy_settings(struct directory *directory, const struct ldap_profile *profile)
{
    const struct ldap_keys *keys = profile->keys;
    const struct ldaplink_settings from = settings_of(profile);
    struct arena *arena = directory->arena;
    struct ldaplink_settings *to = &directory->settings;

    *to = from;
    to->bind_dn = arena_dup(arena, from.bind_dn);
    to->password = arena_dup(arena, from.password);
    to->tls_priority = arena_dup(arena, from.tls_priority);
    to->ca_file = arena_dup(arena, from.ca_file);
    to->ca_dir = arena_dup(arena, from.ca_dir);
    to->certificate = arena_dup(arena, from.certificate);
    to->key = arena_dup(arena, from.key);
    directory->name = arena_dup(arena, profile->name);
    directory->identity = arena_dup(arena, profile->identity);
    directory->connect_timeout = MONO_MS(keys->connect_timeout);
    while (directory->nservers < keys->uri.n && directory->nservers < LDAPPOOL_SERVERS_MAX) {
        const char *uri = arena_dup(arena, keys->uri.v[directory->nservers].text);
        if (uri == NULL)
            return false;
        directory->server[directory->nservers++].uri = uri;
    }
    return to->bind_dn && to->password && to->tls_priority && to->ca_file && to->ca_dir &&
           to->certificate && to->key && directory->name && directory->identity;
}

static struct directory *directory_new(struct ldappool *pool, const struct ldap_profile *profile,
                                       struct err *err)
{
    struct directory *directory = calloc(1, sizeof *directory);

    err_set(err, ERR_MEMORY, "out of memory");
    if (directory == NULL)
        return NULL;
    directory->pool = pool;
    directory->last = &directory->first;
    directory->arena = arena_new(0);
    directory->cache = cache_new((size_t)profile->keys->cache_entries);
    directory->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    if (directory->wake_fd < 0)
        err_system(err, errno, "making an eventfd");
    if (directory->arena != NULL && directory->cache != NULL && directory->wake_fd >= 0 &&
        copy_settings(directory, profile))
        return directory;
    ldappool_directory_free(directory);
    return NULL;
}

static struct directory *find_locked(struct ldappool *pool, const char *identity)
{
    struct directory *directory = pool->directories;
    while (directory != NULL && strcmp(directory->identity, identity) != 0)
        directory = directory->next;
    return directory;
}

static struct directory *take_unused_locked(struct ldappool *pool)
{
    struct directory **at = &pool->directories;

    if (pool->ndirectories < DIRECTORIES_KEPT)
        return NULL;
    while (*at != NULL && ((*at)->threads > 0 || (*at)->questions > 0))
        at = &(*at)->next;
    struct directory *unused = *at;
    if (unused != NULL) {
        *at = unused->next;
        pool->ndirectories--;
    }
    return unused;
}

struct directory *ldappool_directory(struct ldappool *pool, const struct ldap_profile *profile,
                                     struct err *err)
{
    struct directory *new = NULL, *unused = NULL;

    pthread_mutex_lock(&pool->lock);
    struct directory *directory = find_locked(pool, profile->identity);
    if (directory == NULL) {
        pthread_mutex_unlock(&pool->lock);
        if ((new = directory_new(pool, profile, err)) == NULL)
            return NULL;
        pthread_mutex_lock(&pool->lock);
        directory = find_locked(pool, profile->identity);
    }
    if (directory == NULL) {
        unused = take_unused_locked(pool);
        directory = new;
        new = NULL;
        directory->next = pool->directories;
        pool->directories = directory;
        pool->ndirectories++;
    }
    directory->questions++;
    directory->max_connections = (unsigned)profile->keys->max_connections;
    pthread_mutex_unlock(&pool->lock);
    ldappool_directory_free(new);
    ldappool_directory_free(unused);
    return directory;
}

void ldappool_directory_drop(struct directory *directory)
{
    pthread_mutex_lock(&directory->pool->lock);
    directory->questions--;
    pthread_mutex_unlock(&directory->pool->lock);
}

/* The directory after one that is counted; that one is dropped. */
static struct directory *next_counted(struct ldappool *pool, struct directory *directory)
{
    pthread_mutex_lock(&pool->lock);
    struct directory *next = directory != NULL ? directory->next : pool->directories;
    if (next != NULL)
        next->questions++;
    if (directory != NULL)
        directory->questions--;
    pthread_mutex_unlock(&pool->lock);
    return next;
}

void ldappool_each(struct ldappool *pool,
                   void (*visit)(const char *profile, const char *uri, int64_t paused, void *arg),
                   void *arg)
{
    struct directory *directory = NULL;

    while ((directory = next_counted(pool, directory)) != NULL) {
        for (size_t i = 0; i < directory->nservers; i++) {
            pthread_mutex_lock(&pool->lock);
            mono_us left = directory->server[i].backoff.until - mono_now();
            bool in_use = directory->threads > 0;
            pthread_mutex_unlock(&pool->lock);
            if (in_use || left > 0)
                visit(directory->name, directory->server[i].uri,
                      left > 0 ? left / MONO_SECONDS(1) + 1 : 0, arg);
        }
    }
}

size_t ldappool_pauses(struct ldappool *pool, struct backoff_pause *pauses_out, size_t room)
{
    struct directory *directory = NULL;
    mono_us now = mono_now();
    size_t n = 0;

    while ((directory = next_counted(pool, directory)) != NULL) {
        pthread_mutex_lock(&pool->lock);
        for (size_t i = 0; i < directory->nservers; i++) {
            const struct directory_server *server = &directory->server[i];
            if (!backoff_is_on(&server->backoff, now))
                continue;
            if (n < room)
                backoff_describe(&server->backoff, server->uri, directory->name, now,
                                 &pauses_out[n]);
            n++;
        }
        pthread_mutex_unlock(&pool->lock);
    }
    return n;
}

/* --- what is remembered -------------------------------------------------------------- */

struct remembered {
    enum directory_class class;
    char text[2 * LDAPPOOL_VALUES_MAX]; /* hosts and addresses, each with its NUL; kept that far */
};

void ldappool_remember(const struct question *question, const struct ldap_answer *answer)
{
    struct remembered value = {.class = answer->said.class};
    mono_us now = mono_now();

    if (answer->said.class == DIRECTORY_ERROR || answer->said.cached || question->life == 0)
        return;
    size_t hosts = strlen(answer->hosts) + 1, addresses = strlen(answer->addresses) + 1;
    memcpy(value.text, answer->hosts, hosts);
    memcpy(value.text + hosts, answer->addresses, addresses);
    cache_put(question->directory->cache, question->key, &value,
              offsetof(struct remembered, text) + hosts + addresses, now + question->life, now);
}

bool ldappool_recall(const struct question *question, struct ldap_answer *answer_out)
{
    struct remembered value = {0};
    size_t size = 0;

    if (question->life == 0 || !cache_get(question->directory->cache, question->key, mono_now(),
                                          &value, sizeof value, &size, NULL))
        return false;
    *answer_out = (struct ldap_answer){.said = {.class = value.class, .cached = true}};
    size_t hosts = strlen(value.text) + 1;
    memcpy(answer_out->hosts, value.text, hosts);
    memcpy(answer_out->addresses, value.text + hosts, strlen(value.text + hosts) + 1);
    return true;
}

/* --- forgetting ----------------------------------------------------------------------- */

struct oblivion {
    enum callahead_flush what;
    struct slice text, domain; /* of an address, with its "@" */
    size_t n;
};

static bool ends_with(struct slice s, struct slice end)
{
    return s.n >= end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

static bool is_equal(struct slice a, struct slice b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool is_meant(const struct oblivion *oblivion, struct slice subject,
                     enum directory_class class)
{
    switch (oblivion->what) {
    case CALLAHEAD_FLUSH_ADDRESS: /* and what was asked for its domain, or for everybody */
        return subject.n == 0 || is_equal(subject, oblivion->text) ||
               is_equal(subject, oblivion->domain);
    case CALLAHEAD_FLUSH_DOMAIN:
        return subject.n == 0 || ends_with(subject, oblivion->domain);
    case CALLAHEAD_FLUSH_NEGATIVE:
        return class == DIRECTORY_NO_MATCH;
    case CALLAHEAD_FLUSH_ALL:
        return true;
    }
    return true;
}

static bool visit(struct slice key, const void *value, size_t size, mono_us expires, void *arg)
{
    struct oblivion *oblivion = arg;
    const char *end = memchr(key.p, '\n', key.n);
    struct remembered remembered = {0};

    (void)expires;
    memcpy(&remembered, value, size);
    if (!is_meant(oblivion, (struct slice){key.p, (size_t)(end - key.p)}, remembered.class))
        return false;
    oblivion->n++;
    return true;
}

size_t ldappool_flush(struct ldappool *pool, enum callahead_flush what, const char *text)
{
    char domain[DOMAIN_MAX + 1];
    const char *at = strrchr(text, '@');
    struct oblivion oblivion = {.what = what, .text = slice_of(text)};
    struct directory *directory = NULL;

    snprintf(domain, sizeof domain, "@%s",
             what == CALLAHEAD_FLUSH_ADDRESS && at != NULL ? at + 1 : text);
    oblivion.domain = slice_of(domain);
    while ((directory = next_counted(pool, directory)) != NULL)
        cache_each(directory->cache, mono_now(), visit, &oblivion);
    return oblivion.n;
}
