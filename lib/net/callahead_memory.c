/*
 * callahead_memory.c - what the pool remembers, one callahead_trust.h a
 * profile: looking up, learning, listing, forgetting.
 */
#include "lib/net/callahead_pool.h"

#include <string.h>
#include "lib/base/log.h"

#define NEGATIVE_LIFE_MAX 900000             /* ms, where the configuration gives none */
#define KNOWN_GOOD_LEAST MONO_SECONDS(86400) /* how long after its life */

int64_t callahead_life(const struct callahead_keys *keys, enum callahead_class class)
{
    int64_t negative = keys->negative_cache_ttl, positive = keys->cache_ttl;

    switch (class) {
    case CALLAHEAD_VALID:
        return positive;
    case CALLAHEAD_USER_UNKNOWN:
        if (negative > 0)
            return negative;
        return positive < NEGATIVE_LIFE_MAX ? positive : NEGATIVE_LIFE_MAX;
    case CALLAHEAD_MAILBOX_FULL:
    case CALLAHEAD_POLICY:
    case CALLAHEAD_GREYLISTED:
    case CALLAHEAD_TEMPORARY:
    case CALLAHEAD_SERVER_ILL:
        return 0;
    }
    return 0;
}

static mono_us known_of(const struct callahead_keys *keys)
{
    mono_us stale = MONO_MS(keys->serve_stale);
    return stale > KNOWN_GOOD_LEAST ? stale : KNOWN_GOOD_LEAST;
}

static struct trust_settings settings_of(const struct callahead_keys *keys)
{
    return (struct trust_settings){
        .valid = MONO_MS(callahead_life(keys, CALLAHEAD_VALID)),
        .unknown = MONO_MS(callahead_life(keys, CALLAHEAD_USER_UNKNOWN)),
        .known = known_of(keys),
        .probe = keys->probe_random,
    };
}

/* --- the memory of a profile ---------------------------------------------------------- */

/* The same for two profiles whose answers mean the same; no secret. */
static uint64_t mark_of(const struct callahead_profile *profile)
{
    uint64_t mark = (uint64_t)profile->keys->type;
    for (size_t i = 0; i < profile->nservers; i++) {
        const struct nexthop *hop = &profile->servers[i];
        struct hash_seed seed = {mark, (uint64_t)hop->port << 16 | hop->priority};
        mark = hash_bytes(&seed, hop->host, strlen(hop->host));
    }
    return mark;
}

static struct callahead_memory *find(struct callahead_memory *memory,
                                     const struct memory_name *wanted)
{
    while (memory && !(memory->entries == wanted->entries && memory->mark == wanted->mark &&
                       strcmp(memory->name, wanted->name) == 0))
        memory = memory->next;
    return memory;
}

static void memory_free(struct callahead_memory *memory)
{
    if (!memory)
        return;
    trust_free(memory->trust);
    free(memory->name);
    free(memory);
}

static struct callahead_memory *memory_new(const struct callahead *pool,
                                           const struct memory_name *wanted)
{
    struct callahead_memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return NULL;
    memory->name = strdup(wanted->name);
    memory->entries = wanted->entries;
    memory->mark = wanted->mark;
    memory->trust = trust_new(wanted->entries, &pool->trust_seeds);
    if (memory->name && memory->trust)
        return memory;
    memory_free(memory);
    return NULL;
}

struct callahead_memory *memory_first(struct callahead *pool)
{
    return atomic_load_explicit(&pool->memories, memory_order_acquire);
}

/* The list only grows, at its head, so it is read without a lock. */
struct callahead_memory *memory_named(struct callahead *pool, const struct memory_name *wanted,
                                      bool *made_out)
{
    struct callahead_memory *memory = find(memory_first(pool), wanted);
    *made_out = false;
    if (memory)
        return memory;
    struct callahead_memory *new = memory_new(pool, wanted);
    if (!new)
        return NULL;
    pthread_mutex_lock(&pool->lock);
    struct callahead_memory *first = atomic_load_explicit(&pool->memories, memory_order_relaxed);
    memory = find(first, wanted);
    if (!memory) {
        *made_out = true;
        memory = new;
        new = NULL;
        memory->next = first;
        atomic_store_explicit(&pool->memories, memory, memory_order_release);
    }
    pthread_mutex_unlock(&pool->lock);
    memory_free(new);
    return memory;
}

struct callahead_memory *memory_get(struct callahead *pool, const struct callahead_profile *profile)
{
    struct memory_name name = {.name = profile->name,
                               .entries = (size_t)profile->keys->cache_entries,
                               .mark = mark_of(profile)};
    bool made;
    struct callahead_memory *memory = memory_named(pool, &name, &made);
    mono_us known = known_of(profile->keys);

    if (memory && atomic_load_explicit(&memory->known, memory_order_relaxed) != known)
        atomic_store_explicit(&memory->known, known, memory_order_relaxed);
    /* Another one of the same name is from before a reload. */
    for (struct callahead_memory *old = made ? memory->next : NULL; old; old = old->next) {
        if (strcmp(old->name, memory->name) == 0)
            trust_clear(old->trust);
    }
    return memory;
}

void memory_free_all(struct callahead *pool)
{
    struct callahead_memory *memory = atomic_load(&pool->memories);
    while (memory) {
        struct callahead_memory *next = memory->next;
        memory_free(memory);
        memory = next;
    }
}

/* --- learning ------------------------------------------------------------------------------ */

static const char *domain_of(const char *recipient)
{
    const char *at = strrchr(recipient, '@');
    return at ? at + 1 : "";
}

static void note_change(enum trust_change change, const char *recipient, const char *server)
{
    const char *domain = domain_of(recipient);

    if (change == TRUST_FELL_ILL)
        log_note(LOG_AT_WARNING, "callahead_ill",
                 "%s refuses every recipient of %s, even those that it accepted before: its "
                 "refusals do not count",
                 server, domain);
    else if (change == TRUST_GOT_WELL)
        log_note(LOG_AT_INFO, "callahead_well", "refusals of recipients of %s count again", domain);
}

void memory_learn(struct callahead *pool, const struct question *question,
                  const struct callahead_answer *answer)
{
    bool yes_of_base = question->base && answer->class == CALLAHEAD_VALID;
    struct slice key = yes_of_base ? question_base(question) : question_key(question);
    struct trust *trust = question->memory->trust;
    struct trust_settings settings = settings_of(question->profile.keys);
    struct trust_heard heard = {.key = key,
                                .recipient = question->recipient,
                                .fresh = question->fresh_connection,
                                .answer = answer};
    /* Not before it is found out what becomes of user@ (callahead_inquire.c). */
    if (question->base && answer->class == CALLAHEAD_USER_UNKNOWN &&
        trust_is_good(trust, question_base(question), mono_now()))
        return;
    if (callahead_life(question->profile.keys, answer->class) > 0)
        atomic_fetch_add_explicit(&pool->changes, 1, memory_order_relaxed);
    if (question->random)
        trust_learn_random(trust, key, answer->class, mono_now());
    else
        note_change(trust_learn(trust, &heard, &settings, mono_now()), question->recipient,
                    answer->server);
}

enum trust_next memory_judge(const struct asking *asking, char witness_out[DOMAINS_WITNESS_MAX])
{
    struct trust_settings settings = settings_of(asking->profile->keys);
    struct trust_heard heard = {
        .key = asking->key, .recipient = asking->recipient, .answer = asking->answer};
    enum trust_change change = TRUST_AS_BEFORE;
    enum trust_next next =
        trust_judge(asking->memory->trust, &heard, &settings, mono_now(), witness_out, &change);

    note_change(change, asking->recipient, asking->answer->server);
    return next;
}

/* --- forgetting ------------------------------------------------------------------------------ */

struct flush {
    enum callahead_flush what;
    const char *text;
    const struct trust *trust;
    mono_us now;
    size_t count;
};

static bool ends_in_domain(struct slice recipient, const char *domain)
{
    size_t n = strlen(domain);
    return recipient.n > n && recipient.p[recipient.n - n - 1] == '@' &&
           slice_is((struct slice){recipient.p + recipient.n - n, n}, domain);
}

static bool is_meant(const struct flush *flush, const struct trust_entry *entry)
{
    switch (flush->what) {
    case CALLAHEAD_FLUSH_ADDRESS:
        return trust_is_of(flush->trust, entry, flush->text);
    case CALLAHEAD_FLUSH_DOMAIN:
        return ends_in_domain(entry->recipient, flush->text);
    case CALLAHEAD_FLUSH_NEGATIVE:
        return entry->class != CALLAHEAD_VALID;
    case CALLAHEAD_FLUSH_ALL:
        return true;
    }
    return false;
}

static bool flush_one(const struct trust_entry *entry, void *arg)
{
    struct flush *flush = arg;
    bool meant = is_meant(flush, entry);
    flush->count += meant && flush->now < entry->expires;
    return meant;
}

size_t callahead_flush(struct callahead *pool, enum callahead_flush what, const char *text)
{
    struct flush flush = {.what = what, .text = text, .now = mono_now()};

    for (struct callahead_memory *memory = memory_first(pool); memory; memory = memory->next) {
        flush.trust = memory->trust;
        trust_each(memory->trust, flush.now, flush_one, &flush);
        if (what == CALLAHEAD_FLUSH_ALL || what == CALLAHEAD_FLUSH_DOMAIN)
            domains_forget(trust_domains(memory->trust), what == CALLAHEAD_FLUSH_ALL ? NULL : text);
    }
    atomic_fetch_add_explicit(&pool->changes, 1, memory_order_relaxed);
    return flush.count;
}

/* --- listing --------------------------------------------------------------------------------- */

struct listing {
    const char *profile;
    mono_us now;
    void (*visit)(const struct callahead_entry *entry, void *arg);
    void (*visit_domain)(const struct callahead_domain *domain, void *arg);
    void *arg;
};

static bool list_one(const struct trust_entry *known, void *arg)
{
    const struct listing *listing = arg;
    struct callahead_entry entry = {
        .profile = listing->profile,
        .recipient = known->recipient,
        .class = known->class,
        .server = known->server,
        .left = (known->expires - listing->now + MONO_SECONDS(1) - 1) / MONO_SECONDS(1),
    };
    if (listing->now < known->expires)
        listing->visit(&entry, listing->arg);
    return false;
}

void callahead_list(struct callahead *pool,
                    void (*visit)(const struct callahead_entry *entry, void *arg), void *arg)
{
    struct listing listing = {.now = mono_now(), .visit = visit, .arg = arg};

    for (struct callahead_memory *memory = memory_first(pool); memory; memory = memory->next) {
        listing.profile = memory->name;
        trust_each(memory->trust, listing.now, list_one, &listing);
    }
}

static void list_domain(const struct domains_state *state, void *arg)
{
    const struct listing *listing = arg;
    struct callahead_domain domain = {.profile = listing->profile,
                                      .domain = state->domain,
                                      .ill = state->ill,
                                      .catch_all = state->catch_all};
    if (state->ill || state->catch_all)
        listing->visit_domain(&domain, listing->arg);
}

void callahead_list_domains(struct callahead *pool,
                            void (*visit)(const struct callahead_domain *domain, void *arg),
                            void *arg)
{
    struct listing listing = {.now = mono_now(), .visit_domain = visit, .arg = arg};

    for (struct callahead_memory *memory = memory_first(pool); memory; memory = memory->next) {
        listing.profile = memory->name;
        domains_each(trust_domains(memory->trust), listing.now, list_domain, &listing);
    }
}
