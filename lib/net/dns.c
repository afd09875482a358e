/*
 * dns.c - questions, their single flight and their cache; the engine behind
 * (dns_engine.c) only knows jobs and messages.
 *
 * A flight is one question under way or answered, counted: by each asker's
 * query, and by the engine until it is done. While it is under way it stands in
 * the table, where the next asker of the same question finds it.
 */
#include "lib/net/dns.h"

#include <pthread.h>
#include <string.h>
#include "lib/base/domain.h"
#include "lib/base/hash.h"
#include "lib/base/nexthop.h"
#include "lib/net/dns_answer.h"
#include "lib/net/dns_engine.h"
#include "lib/net/dns_message.h"
#include "lib/state/cache.h"

#define DNS_PORT 53
#define FAILURE_LIFE MONO_SECONDS(5)
/* A question older than this is as good as lost, and may go on for long: later askers
 * begin a new one. */
#define JOIN_MAX MONO_SECONDS(20)
#define BUCKETS 4096
#define KEY_MAX (1 + DOMAIN_MAX) /* type, name */
#define QUICK_ROOM 1024          /* most packed answers fit */

static const char *const dns_host_lookup_words[] = {"own", "mta", "off", NULL};

#define KEY_STRUCT struct dns_keys
const struct key_row dns_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/net/dns.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT
const size_t dns_nrows = ARRAY_LEN(dns_rows);

struct flight {
    struct dns_job job; /* the engine's */
    int refs;           /* atomic */
    enum dns_type type;
    struct dns *dns;     /* valid until done */
    struct flight *next; /* of the bucket; guarded by the table's lock */
    uint64_t hash;
    uint64_t generation;
    mono_us started;

    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;
    bool is_unaskable;         /* there is no such name */
    struct dns_answer *answer; /* owned; NULL once done: that, or out of memory */

    size_t key_size;
    char key[KEY_MAX + 1]; /* type, name, NUL */
};

struct dns_query {
    struct flight *flight; /* counted */
    mono_us deadline;
};

struct dns {
    struct dns_engine *engine;
    struct cache *cache;
    struct hash_seed seed;
    int64_t min_ttl, max_ttl, negative_ttl; /* ms; atomic */

    pthread_mutex_t lock; /* guards the table */
    struct flight *buckets[BUCKETS];
    size_t under_way;
    uint64_t generation; /* of the settings */
};

static const struct dns_answer not_askable = {.outcome = DNS_SERVFAIL};
static const struct dns_answer failed = {.outcome = DNS_SERVFAIL, .ours = true};
static const struct dns_answer timed_out = {.outcome = DNS_TIMEOUT};
static const struct dns_answer held_up = {.outcome = DNS_TIMEOUT, .ours = true};

/* --- configuration -------------------------------------------------------- */

bool dns_parse_server(const char *text, struct ip *ip_out, uint16_t *port_out, struct err *err)
{
    struct nexthop hop;
    bool ok = false;
    struct arena *arena = arena_new(0);
    if (arena == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    if (nexthop_parse(slice_of(text), DNS_PORT, arena, &hop, err)) {
        ok = hop.is_ip && hop.priority == 0;
        if (ok) {
            *ip_out = hop.ip;
            *port_out = hop.port;
        } else {
            err_set(err, ERR_SYNTAX,
                    "\"%.100s\" is neither an address nor address:port; allowed: 192.0.2.1, "
                    "192.0.2.1:53 or [2001:db8::1]:53",
                    text);
        }
    }
    arena_free(arena);
    return ok;
}

void dns_check(const struct dns_keys *keys, struct problems *problems)
{
    const struct key_list *servers = &keys->servers;
    for (size_t i = 0; i < servers->n; i++) {
        struct err err;
        struct ip ip;
        uint16_t port;
        if (i == DNS_SERVERS_MAX)
            problem_error(problems, servers->v[i].at, "too many name servers; allowed: at most %d",
                          DNS_SERVERS_MAX);
        else if (!dns_parse_server(servers->v[i].text, &ip, &port, &err))
            problem_error(problems, servers->v[i].at, "%s", err.text);
    }
}

static void store(int64_t *setting, int64_t value)
{
    __atomic_store_n(setting, value, __ATOMIC_RELAXED);
}

static mono_us load_ms(const int64_t *setting)
{
    return MONO_MS(__atomic_load_n(setting, __ATOMIC_RELAXED));
}

static void set_lives(struct dns *dns, const struct dns_keys *keys)
{
    store(&dns->min_ttl, keys->min_ttl);
    store(&dns->max_ttl, keys->max_ttl);
    store(&dns->negative_ttl, keys->negative_ttl);
}

/* How long to keep an answer. */
static mono_us life_of(const struct dns *dns, const struct dns_verdict *verdict)
{
    mono_us life = MONO_SECONDS(verdict->has_ttl ? verdict->ttl : 0);
    mono_us min = load_ms(&dns->min_ttl), max = load_ms(&dns->max_ttl);
    mono_us negative = load_ms(&dns->negative_ttl);
    if (!verdict->has_ttl)
        life = FAILURE_LIFE;
    else if (life < min)
        life = min;
    switch (verdict->outcome) {
    case DNS_FOUND:
        return life < max ? life : max;
    case DNS_NXDOMAIN:
    case DNS_NODATA:
        return life < negative ? life : negative;
    case DNS_SERVFAIL:
    case DNS_TIMEOUT:
        break;
    }
    return FAILURE_LIFE;
}

/* --- flights -------------------------------------------------------------- */

static size_t write_key(char key[KEY_MAX + 1], enum dns_type type, const char *name)
{
    size_t n = 0;
    key[n++] = (char)type;
    for (const char *p = name; *p != '\0' && n < KEY_MAX; p++)
        key[n++] = ascii_lower(*p);
    key[n] = '\0';
    return n;
}

static struct flight *flight_new(struct dns *dns, enum dns_type type, const char *name)
{
    struct flight *flight = calloc(1, sizeof *flight);
    if (flight == NULL)
        return NULL;
    if (!mono_cond_init(&flight->ended)) {
        free(flight);
        return NULL;
    }
    CHECK(pthread_mutex_init(&flight->lock, NULL) == 0);
    flight->refs = 1;
    flight->type = type;
    flight->dns = dns;
    flight->started = mono_now();
    flight->key_size = write_key(flight->key, type, name);
    flight->job.name = flight->key + 1;
    flight->job.rrtype = dns_message_rrtype(type);
    return flight;
}

static void flight_take(struct flight *flight)
{
    __atomic_add_fetch(&flight->refs, 1, __ATOMIC_RELAXED);
}

static void flight_drop(struct flight *flight)
{
    if (__atomic_sub_fetch(&flight->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    pthread_mutex_destroy(&flight->lock);
    pthread_cond_destroy(&flight->ended);
    free(flight->answer);
    free(flight);
}

static void flight_end(struct flight *flight, struct dns_answer *answer)
{
    pthread_mutex_lock(&flight->lock);
    flight->answer = answer;
    flight->done = true;
    pthread_cond_broadcast(&flight->ended);
    pthread_mutex_unlock(&flight->lock);
}

static struct slice key_of(const struct flight *flight)
{
    return (struct slice){flight->key, flight->key_size};
}

/* A flight under way that asks the same; else flight itself, which stands in
 * the table then; NULL when too many do. */
static struct flight *join_or_enter(struct dns *dns, struct flight *flight)
{
    struct flight *found = NULL;
    flight->hash = hash_bytes(&dns->seed, flight->key, flight->key_size);
    pthread_mutex_lock(&dns->lock);
    struct flight **bucket = &dns->buckets[flight->hash % BUCKETS];
    for (struct flight *other = *bucket; other != NULL && found == NULL; other = other->next) {
        if (other->hash == flight->hash && other->generation == dns->generation &&
            other->key_size == flight->key_size &&
            memcmp(other->key, flight->key, flight->key_size) == 0 &&
            flight->started - other->started < JOIN_MAX) {
            found = other;
            flight_take(found);
        }
    }
    if (found == NULL && dns->under_way < DNS_UNDER_WAY_MAX) {
        found = flight;
        flight_take(flight); /* the engine's */
        flight->generation = dns->generation;
        flight->next = *bucket;
        *bucket = flight;
        dns->under_way++;
    }
    pthread_mutex_unlock(&dns->lock);
    return found;
}

static void leave(struct dns *dns, struct flight *flight)
{
    pthread_mutex_lock(&dns->lock);
    struct flight **link = &dns->buckets[flight->hash % BUCKETS];
    while (*link != flight)
        link = &(*link)->next;
    *link = flight->next;
    dns->under_way--;
    pthread_mutex_unlock(&dns->lock);
}

static struct flight *flight_of(struct dns_job *job)
{
    return (struct flight *)(void *)((char *)job - offsetof(struct flight, job));
}

/* On the engine's thread. The cache is filled before the flight leaves the
 * table, so that nobody in between finds neither. */
static void on_done(struct dns_job *job, const struct dns_result *result, void *arg)
{
    struct dns *dns = arg;
    struct flight *flight = flight_of(job);
    struct dns_verdict verdict = {.outcome = result->without};
    struct strbuf packed;
    strbuf_init(&packed);
    if (result->replied)
        verdict = dns_message_read(result->message, result->n, flight->type, job->name, &packed);
    else
        dns_pack_begin(&packed, verdict.outcome);
    bool failure = verdict.outcome == DNS_SERVFAIL || verdict.outcome == DNS_TIMEOUT;
    struct dns_answer *answer = NULL;
    if (!packed.failed) {
        mono_us now = mono_now();
        /* A failure by outdated settings says nothing about the new ones, one of ours
         * nothing at all. */
        if (!(failure && (result->outdated || result->ours)))
            cache_put(dns->cache, key_of(flight), packed.p, packed.n, now + life_of(dns, &verdict),
                      now);
        answer = dns_unpack((struct slice){packed.p, packed.n}, flight->type, false);
        if (answer != NULL)
            answer->ours = result->ours;
    }
    strbuf_done(&packed);
    leave(dns, flight);
    flight_end(flight, answer);
    flight_drop(flight);
}

/* --- asking --------------------------------------------------------------- */

static struct dns_answer *look_into_cache(struct dns *dns, const struct flight *flight)
{
    char quick[QUICK_ROOM];
    size_t size = 0, room = sizeof quick;
    char *more = NULL, *bytes = quick;
    struct dns_answer *answer = NULL;
    while (cache_get(dns->cache, key_of(flight), flight->started, bytes, room, &size, NULL)) {
        if (size <= room) {
            answer = dns_unpack((struct slice){bytes, size}, flight->type, true);
            break;
        }
        free(more);
        more = malloc(size);
        if (more == NULL)
            break;
        bytes = more;
        room = size;
    }
    free(more);
    return answer;
}

/* The flight that answers (type, name), counted; NULL: out of memory. */
static struct flight *find_flight(struct dns *dns, enum dns_type type, const char *name)
{
    struct flight *flight = flight_new(dns, type, name);
    if (flight == NULL)
        return NULL;
    if (!dns_message_askable(name)) {
        flight->done = flight->is_unaskable = true;
        return flight;
    }
    flight->answer = look_into_cache(dns, flight);
    if (flight->answer != NULL) {
        flight->done = true;
        return flight;
    }
    struct flight *shared = join_or_enter(dns, flight);
    if (shared == flight)
        dns_engine_submit(dns->engine, &flight->job);
    else
        flight_drop(flight);
    return shared;
}

struct dns_query *dns_ask(struct dns *dns, enum dns_type type, const char *name, mono_us deadline)
{
    struct dns_query *query = malloc(sizeof *query);
    if (query == NULL)
        return NULL;
    query->deadline = deadline;
    query->flight = find_flight(dns, type, name);
    if (query->flight == NULL) {
        free(query);
        return NULL;
    }
    return query;
}

struct dns_query *dns_ask_ptr(struct dns *dns, const struct ip *ip, mono_us deadline)
{
    char name[DOMAIN_MAX];
    CHECK(ip_reverse_name(ip, "in-addr.arpa", "ip6.arpa", name, sizeof name) != 0);
    return dns_ask(dns, DNS_PTR, name, deadline);
}

bool dns_ready(struct dns_query *query)
{
    if (query == NULL || query->deadline <= mono_now())
        return true;
    pthread_mutex_lock(&query->flight->lock);
    bool done = query->flight->done;
    pthread_mutex_unlock(&query->flight->lock);
    return done;
}

const struct dns_answer *dns_wait(struct dns_query *query, mono_us deadline)
{
    if (query == NULL)
        return &failed;
    struct flight *flight = query->flight;
    if (query->deadline < deadline)
        deadline = query->deadline;
    pthread_mutex_lock(&flight->lock);
    while (!flight->done && mono_cond_wait(&flight->ended, &flight->lock, deadline))
        ;
    bool done = flight->done;
    pthread_mutex_unlock(&flight->lock);
    if (!done)
        return __atomic_load_n(&flight->job.held, __ATOMIC_RELAXED) ? &held_up : &timed_out;
    if (flight->answer != NULL)
        return flight->answer;
    return flight->is_unaskable ? &not_askable : &failed;
}

void dns_drop(struct dns_query *query)
{
    if (query == NULL)
        return;
    flight_drop(query->flight);
    free(query);
}

/* --- life ----------------------------------------------------------------- */

struct dns *dns_new(const struct dns_keys *keys, struct err *err)
{
    struct dns *dns = calloc(1, sizeof *dns);
    if (dns == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    CHECK(pthread_mutex_init(&dns->lock, NULL) == 0);
    dns->seed = hash_seed_random();
    set_lives(dns, keys);
    dns->cache = cache_new((size_t)keys->cache_entries);
    if (dns->cache == NULL)
        err_set(err, ERR_MEMORY, "no memory for %lld DNS answers", (long long)keys->cache_entries);
    else
        dns->engine = dns_engine_new(keys, on_done, dns, err);
    if (dns->engine == NULL) {
        dns_free(dns);
        return NULL;
    }
    return dns;
}

void dns_stop(struct dns *dns)
{
    dns_engine_stop(dns->engine);
}

void dns_free(struct dns *dns)
{
    if (dns == NULL)
        return;
    dns_engine_free(dns->engine);
    cache_free(dns->cache);
    pthread_mutex_destroy(&dns->lock);
    free(dns);
}

bool dns_reconfigure(struct dns *dns, const struct dns_keys *keys, struct err *err)
{
    if (!dns_engine_reconfigure(dns->engine, keys, err))
        return false;
    set_lives(dns, keys);
    pthread_mutex_lock(&dns->lock);
    dns->generation++;
    pthread_mutex_unlock(&dns->lock);
    return true;
}

/* --- forgetting ------------------------------------------------------------ */

size_t dns_search_list(struct dns *dns, char domains_out[DNS_SEARCH_MAX][DOMAIN_MAX])
{
    return dns_engine_search_list(dns->engine, domains_out);
}

void dns_cache_clear(struct dns *dns)
{
    cache_clear(dns->cache);
}

void dns_forget(struct dns *dns, enum dns_type type, const char *name)
{
    char key[KEY_MAX + 1];
    (void)cache_remove(dns->cache, (struct slice){key, write_key(key, type, name)});
}

/* Remove? A key is a type and a name. */
static bool is_below(struct slice key, const void *value, size_t size, mono_us expires, void *arg)
{
    const char *zone = arg;
    size_t n = strlen(zone);
    (void)value;
    (void)size;
    (void)expires;
    if (key.n < 1 + n || memcmp(key.p + key.n - n, zone, n) != 0)
        return false;
    return key.n == 1 + n || key.p[key.n - n - 1] == '.';
}

void dns_forget_below(struct dns *dns, const char *zone)
{
    char key[KEY_MAX + 1];
    (void)write_key(key, DNS_A, zone);
    cache_each(dns->cache, mono_now(), is_below, key + 1);
}
