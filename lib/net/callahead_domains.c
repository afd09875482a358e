/* callahead_domains.c - see callahead_domains.h. */
#include "lib/net/callahead_domains.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/hash.h"

#define BUCKETS 256
/* An IPv6 literal or a domain, and a place, each with its NUL. */
#define NAME_MAX_KEPT (256 + DOMAINS_PLACE + 1)

struct witness {
    bool taken;
    struct trust_key key;
    mono_us valid_at, refused_at; /* the last time; 0: never */
    char recipient[DOMAINS_WITNESS_MAX];
};

struct domain {
    struct domain *next;
    mono_us used_at;
    bool ill;
    mono_us looked_at; /* while ill: when a witness was last asked for */
    bool catch_all, probed;
    mono_us probed_at;
    struct witness witnesses[DOMAINS_WITNESSES];
    size_t name_n;
    char name[NAME_MAX_KEPT]; /* and place */
};

struct domains {
    struct hash_seed seed;
    pthread_mutex_t lock; /* of all that follows */
    size_t n;
    struct domain *buckets[BUCKETS];
};

struct domains *domains_new(void)
{
    struct domains *domains = calloc(1, sizeof *domains);
    if (!domains)
        return NULL;
    domains->seed = hash_seed_random();
    CHECK(pthread_mutex_init(&domains->lock, NULL) == 0);
    return domains;
}

static struct domain **bucket(struct domains *domains, struct slice name)
{
    return &domains->buckets[hash_bytes(&domains->seed, name.p, name.n) % BUCKETS];
}

/* --- finding (under the lock) ---------------------------------------------------- */

static struct domain *look_up(struct domains *domains, struct slice name)
{
    struct domain *domain = *bucket(domains, name);
    while (domain && !(name.n == domain->name_n && memcmp(name.p, domain->name, name.n) == 0))
        domain = domain->next;
    return domain;
}

static struct domain *find(struct domains *domains, struct slice name, mono_us now)
{
    struct domain *domain = look_up(domains, name);
    if (domain)
        domain->used_at = now;
    return domain;
}

static void drop(struct domains *domains, struct domain **at)
{
    struct domain *gone = *at;
    *at = gone->next;
    free(gone);
    domains->n--;
}

static void drop_oldest(struct domains *domains)
{
    struct domain **oldest = NULL;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct domain **at = &domains->buckets[i]; *at; at = &(*at)->next) {
            if (!oldest || (*at)->used_at < (*oldest)->used_at)
                oldest = at;
        }
    }
    if (oldest)
        drop(domains, oldest);
}

/* NULL: out of memory, or no name we keep. */
static struct domain *find_or_make(struct domains *domains, struct slice name, mono_us now)
{
    struct domain *domain = find(domains, name, now);
    if (domain || name.n >= NAME_MAX_KEPT)
        return domain;
    if (domains->n >= DOMAINS_MAX)
        drop_oldest(domains);
    domain = calloc(1, sizeof *domain);
    if (!domain)
        return NULL;
    domain->name_n = name.n;
    memcpy(domain->name, name.p, name.n);
    domain->used_at = now;
    domain->next = *bucket(domains, name);
    *bucket(domains, name) = domain;
    domains->n++;
    return domain;
}

static bool is_catch_all(const struct domain *domain, mono_us now)
{
    return domain->catch_all && now < domain->probed_at + DOMAINS_PROBE_LIFE;
}

static bool is_probe_due(const struct domain *domain, mono_us now)
{
    return domain->name[0] != '\0' &&
           (!domain->probed || now >= domain->probed_at + DOMAINS_PROBE_LIFE);
}

/* --- witnesses (under the lock) ------------------------------------------------------ */

static bool same_key(const struct trust_key *a, const struct trust_key *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static struct witness *find_witness(struct domain *domain, const struct trust_key *key)
{
    for (size_t i = 0; i < DOMAINS_WITNESSES; i++) {
        if (domain->witnesses[i].taken && same_key(&domain->witnesses[i].key, key))
            return &domain->witnesses[i];
    }
    return NULL;
}

static bool is_recent(const struct witness *witness, mono_us now)
{
    return witness->taken && now < witness->valid_at + DOMAINS_RECENT;
}

/* A free place, or that of the one whose yes is oldest. */
static struct witness *place_for(struct domain *domain)
{
    struct witness *place = &domain->witnesses[0];
    for (size_t i = 0; i < DOMAINS_WITNESSES && place->taken; i++) {
        struct witness *witness = &domain->witnesses[i];
        if (!witness->taken || witness->valid_at < place->valid_at)
            place = witness;
    }
    return place;
}

static void add_witness(struct domain *domain, const struct trust_key *key, const char *recipient,
                        mono_us now)
{
    struct witness *witness = find_witness(domain, key);
    size_t n = strlen(recipient);
    if (!witness && n >= DOMAINS_WITNESS_MAX)
        return;
    if (!witness) {
        witness = place_for(domain);
        *witness = (struct witness){.taken = true, .key = *key};
        memcpy(witness->recipient, recipient, n);
    }
    witness->valid_at = now;
}

/* Whom to ask for at a server that is ill: whose refusal is longest ago. NULL:
 * nobody was good lately. */
static struct witness *least_asked(struct domain *domain, mono_us now)
{
    struct witness *found = NULL;
    for (size_t i = 0; i < DOMAINS_WITNESSES; i++) {
        struct witness *witness = &domain->witnesses[i];
        if (is_recent(witness, now) && (!found || witness->refused_at < found->refused_at))
            found = witness;
    }
    return found;
}

/* --- what is noted --------------------------------------------------------------- */

enum trust_change domains_note_valid(struct domains *domains, struct slice domain,
                                     const struct trust_key *key, const char *recipient,
                                     mono_us now)
{
    enum trust_change change = TRUST_AS_BEFORE;
    pthread_mutex_lock(&domains->lock);
    struct domain *found = find_or_make(domains, domain, now);
    if (found && found->ill) {
        found->ill = false;
        change = TRUST_GOT_WELL;
    }
    if (found && recipient && !is_catch_all(found, now))
        add_witness(found, key, recipient, now);
    pthread_mutex_unlock(&domains->lock);
    return change;
}

void domains_note_refused(struct domains *domains, struct slice domain, const struct trust_key *key,
                          mono_us now)
{
    pthread_mutex_lock(&domains->lock);
    struct domain *found = find(domains, domain, now);
    struct witness *witness = found ? find_witness(found, key) : NULL;
    if (witness)
        witness->refused_at = now;
    pthread_mutex_unlock(&domains->lock);
}

void domains_note_gone(struct domains *domains, struct slice domain, const struct trust_key *key)
{
    pthread_mutex_lock(&domains->lock);
    struct domain *found = look_up(domains, domain);
    struct witness *witness = found ? find_witness(found, key) : NULL;
    if (witness)
        witness->taken = false;
    pthread_mutex_unlock(&domains->lock);
}

void domains_note_random(struct domains *domains, struct slice domain, bool taken, mono_us now)
{
    pthread_mutex_lock(&domains->lock);
    struct domain *found = find_or_make(domains, domain, now);
    if (found) {
        found->catch_all = taken;
        found->probed = true;
        found->probed_at = now;
    }
    /* Their yes has told nothing. */
    if (found && taken)
        memset(found->witnesses, 0, sizeof found->witnesses);
    pthread_mutex_unlock(&domains->lock);
}

/* --- judging --------------------------------------------------------------------- */

/* The server was found ill: is there somebody to find out by that it is well? */
static enum trust_next judge_ill(struct domain *domain, mono_us now,
                                 char witness_out[DOMAINS_WITNESS_MAX],
                                 enum trust_change *change_out)
{
    struct witness *witness = least_asked(domain, now);
    if (!witness) {
        domain->ill = false;
        *change_out = TRUST_GOT_WELL;
        return TRUST_IT;
    }
    if (now < domain->looked_at + DOMAINS_ANOTHER_LOOK)
        return TRUST_NOBODY;
    domain->looked_at = now;
    memcpy(witness_out, witness->recipient, DOMAINS_WITNESS_MAX);
    return TRUST_ASK_OTHER;
}

/* Of all other witnesses: was one accepted since then, were all refused? */
static enum trust_next ask_witnesses(struct domain *domain, const struct domains_refusal *refusal,
                                     mono_us now, char witness_out[DOMAINS_WITNESS_MAX])
{
    const struct witness *open = NULL;
    size_t others = 0;
    for (size_t i = 0; i < DOMAINS_WITNESSES; i++) {
        const struct witness *witness = &domain->witnesses[i];
        if (!is_recent(witness, now) || same_key(&witness->key, refusal->key))
            continue;
        others++;
        if (witness->valid_at >= refusal->since)
            return TRUST_IT;
        if (witness->refused_at < refusal->since)
            open = witness;
    }
    if (others == 0)
        return TRUST_IT;
    if (!open)
        return TRUST_NOBODY;
    memcpy(witness_out, open->recipient, DOMAINS_WITNESS_MAX);
    return TRUST_ASK_OTHER;
}

static enum trust_next judge_known(struct domain *domain, const struct domains_refusal *refusal,
                                   mono_us now, char witness_out[DOMAINS_WITNESS_MAX],
                                   enum trust_change *change_out)
{
    enum trust_next next = ask_witnesses(domain, refusal, now, witness_out);
    if (next != TRUST_NOBODY)
        return next;
    if (refusal->may_probe && is_probe_due(domain, now)) {
        domain->probed = true;
        domain->probed_at = now;
        return TRUST_ASK_RANDOM;
    }
    domain->ill = true;
    domain->looked_at = now;
    *change_out = TRUST_FELL_ILL;
    return TRUST_NOBODY;
}

enum trust_next domains_judge(struct domains *domains, struct slice domain,
                              const struct domains_refusal *refusal, mono_us now,
                              char witness_out[DOMAINS_WITNESS_MAX], enum trust_change *change_out)
{
    enum trust_next next = TRUST_IT;
    *change_out = TRUST_AS_BEFORE;
    pthread_mutex_lock(&domains->lock);
    struct domain *found = find(domains, domain, now);
    if (found && found->ill)
        next = judge_ill(found, now, witness_out, change_out);
    else if (found && refusal->known)
        next = judge_known(found, refusal, now, witness_out, change_out);
    pthread_mutex_unlock(&domains->lock);
    return next;
}

bool domains_is_ill(struct domains *domains, struct slice domain, mono_us now)
{
    pthread_mutex_lock(&domains->lock);
    struct domain *found = find(domains, domain, now);
    bool ill = found && found->ill;
    pthread_mutex_unlock(&domains->lock);
    return ill;
}

bool domains_is_catch_all(struct domains *domains, struct slice domain, mono_us now)
{
    pthread_mutex_lock(&domains->lock);
    struct domain *found = find(domains, domain, now);
    bool catch_all = found && is_catch_all(found, now);
    pthread_mutex_unlock(&domains->lock);
    return catch_all;
}

bool domains_probe_due(struct domains *domains, struct slice domain, mono_us now)
{
    pthread_mutex_lock(&domains->lock);
    struct domain *found = find_or_make(domains, domain, now);
    bool due = found && is_probe_due(found, now);
    if (due) { /* whatever comes of it: once a day */
        found->probed = true;
        found->probed_at = now;
        found->catch_all = false;
    }
    pthread_mutex_unlock(&domains->lock);
    return due;
}

/* --- all of them ------------------------------------------------------------------- */

void domains_forget(struct domains *domains, const char *domain)
{
    pthread_mutex_lock(&domains->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        struct domain **at = &domains->buckets[i];
        while (*at) {
            if (!domain || strcmp((*at)->name, domain) == 0)
                drop(domains, at);
            else
                at = &(*at)->next;
        }
    }
    pthread_mutex_unlock(&domains->lock);
}

void domains_free(struct domains *domains)
{
    if (!domains)
        return;
    domains_forget(domains, NULL);
    pthread_mutex_destroy(&domains->lock);
    free(domains);
}

void domains_each(struct domains *domains, mono_us now,
                  void (*visit)(const struct domains_state *state, void *arg), void *arg)
{
    pthread_mutex_lock(&domains->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct domain *domain = domains->buckets[i]; domain; domain = domain->next) {
            size_t n = strlen(domain->name);
            struct domains_state state = {.domain = domain->name,
                                          .place = domain->name + n + (n < domain->name_n),
                                          .ill = domain->ill,
                                          .catch_all = is_catch_all(domain, now),
                                          .probed_at =
                                              domain->probed ? domain->probed_at : MONO_NEVER};
            if (state.ill || domain->probed)
                visit(&state, arg);
        }
    }
    pthread_mutex_unlock(&domains->lock);
}

void domains_restore(struct domains *domains, struct slice domain, bool catch_all,
                     mono_us probed_at, mono_us now)
{
    pthread_mutex_lock(&domains->lock);
    struct domain *found = find_or_make(domains, domain, now);
    if (found) {
        found->probed = true;
        found->probed_at = probed_at;
        found->catch_all = catch_all;
    }
    pthread_mutex_unlock(&domains->lock);
}
