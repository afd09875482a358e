/* callahead_trust.c - see callahead_trust.h. */
#include "lib/net/callahead_trust.h"

#include <stdlib.h>
#include <string.h>
#include "lib/state/cache.h"

#define RECIPIENT_MAX 1100
#define DUE_AGAIN(life) ((life) / 16)

struct trust {
    struct trust_seeds seeds;
    struct cache *good; /* those known to be good, also for a while after */
    struct cache *rest; /* noes; and every answer for catch-all domains */
    struct domains *domains;
};

/* A value of the caches. bytes: recipient, NUL, text, NUL. */
struct kept {
    mono_us learned, expires;
    mono_us due_at;      /* when TRUST_DUE may be said (again) */
    mono_us known_until; /* of those in good */
    mono_us refused_at;  /* the first refusal since the last yes; 0: none */
    uint16_t recipient_n, text_n;
    uint8_t class;
    bool refused_again; /* on a fresh connection */
    int16_t code;
    char status[12];
    char server[TRUST_SERVER_MAX];
    char bytes[RECIPIENT_MAX + ANSWER_TEXT_MAX];
};

static size_t size_of(const struct kept *kept)
{
    return offsetof(struct kept, bytes) + kept->recipient_n + kept->text_n + 2U;
}

struct trust *trust_new(size_t entries, const struct trust_seeds *seeds)
{
    struct trust *trust = calloc(1, sizeof *trust);
    size_t rest = entries / 4 > 0 ? entries / 4 : 1;

    if (!trust)
        return NULL;
    trust->seeds = *seeds;
    trust->good = cache_new(entries > rest ? entries - rest : 1);
    trust->rest = cache_new(rest);
    trust->domains = domains_new();
    if (trust->good && trust->rest && trust->domains)
        return trust;
    trust_free(trust);
    return NULL;
}

void trust_free(struct trust *trust)
{
    if (!trust)
        return;
    cache_free(trust->good);
    cache_free(trust->rest);
    domains_free(trust->domains);
    free(trust);
}

struct domains *trust_domains(struct trust *trust)
{
    return trust->domains;
}

void trust_clear(struct trust *trust)
{
    cache_clear(trust->good);
    cache_clear(trust->rest);
    domains_forget(trust->domains, NULL);
}

bool trust_is_empty(struct trust *trust)
{
    return cache_count(trust->good) == 0 && cache_count(trust->rest) == 0;
}

/* --- keys --------------------------------------------------------------------------- */

static struct slice recipient_of(struct slice key)
{
    const char *nul = memchr(key.p, '\0', key.n);
    size_t at = nul ? (size_t)(nul + 1 - key.p) : 0;
    return (struct slice){key.p + at, strnlen(key.p + at, key.n - at)};
}

static struct slice domain_of(struct slice recipient)
{
    size_t at = recipient.n;
    while (at > 0 && recipient.p[at - 1] != '@')
        at--;
    return at > 0 ? (struct slice){recipient.p + at, recipient.n - at} : (struct slice){"", 0};
}

/* With the place, see callahead_domains.h. */
static struct slice domain_at(struct slice key)
{
    struct slice domain = domain_of(recipient_of(key));
    return domain.n > 0 ? (struct slice){domain.p, (size_t)(key.p + key.n - domain.p)} : domain;
}

static void put_hash(uint8_t to[8], const struct hash_seed *seed, struct slice bytes)
{
    uint64_t hash = hash_bytes(seed, bytes.p, bytes.n);
    memcpy(to, &hash, sizeof hash);
}

/* Its second half is the same whatever the sender. */
static struct trust_key key_of(const struct trust *trust, struct slice key)
{
    struct trust_key hashed;
    put_hash(hashed.b, &trust->seeds.whole, key);
    put_hash(hashed.b + 8, &trust->seeds.recipient, recipient_of(key));
    return hashed;
}

static struct slice bytes_of(const struct trust_key *key)
{
    return (struct slice){(const char *)key->b, sizeof key->b};
}

/* --- values ------------------------------------------------------------------------- */

static void set_bytes(struct kept *kept, struct slice recipient, const char *text)
{
    size_t n = strlen(text);
    if (recipient.n > RECIPIENT_MAX - 2)
        recipient = (struct slice){"", 0}; /* nobody looks at such a name */
    kept->recipient_n = (uint16_t)recipient.n;
    kept->text_n = (uint16_t)(n < ANSWER_TEXT_MAX ? n : ANSWER_TEXT_MAX - 1);
    if (recipient.n > 0)
        memcpy(kept->bytes, recipient.p, recipient.n);
    kept->bytes[recipient.n] = '\0';
    memcpy(kept->bytes + recipient.n + 1, text, kept->text_n);
    kept->bytes[recipient.n + 1 + kept->text_n] = '\0';
}

static const char *text_of(const struct kept *kept)
{
    return kept->bytes + kept->recipient_n + 1;
}

static bool get(struct cache *cache, const struct trust_key *key, mono_us now, struct kept *kept)
{
    size_t size;
    return cache_get(cache, bytes_of(key), now, kept, sizeof *kept, &size, NULL);
}

static void put(struct cache *cache, const struct trust_key *key, const struct kept *kept,
                mono_us until, mono_us now)
{
    cache_put(cache, bytes_of(key), kept, size_of(kept), until, now);
}

static void put_good(struct trust *trust, const struct trust_key *key, const struct kept *kept,
                     mono_us now)
{
    put(trust->good, key, kept, kept->known_until, now);
}

static bool is_hidden(const struct kept *kept)
{
    return kept->recipient_n >= 2 && memcmp(kept->bytes, TRUST_HIDDEN "@", 2) == 0;
}

static void answer_from(const struct kept *kept, struct callahead_answer *answer_out)
{
    *answer_out = (struct callahead_answer){.class = (enum callahead_class)kept->class,
                                            .stage = CALLAHEAD_AT_RCPT,
                                            .code = kept->code,
                                            .cached = true};
    memcpy(answer_out->status, kept->status, sizeof kept->status);
    memcpy(answer_out->server, kept->server, sizeof kept->server);
    memcpy(answer_out->text, text_of(kept), (size_t)kept->text_n + 1);
}

/* --- looking ------------------------------------------------------------------------- */

/* It has been asked for by its name: keep that. */
static void unhide(struct kept *kept, struct slice key)
{
    char text[ANSWER_TEXT_MAX];
    memcpy(text, text_of(kept), (size_t)kept->text_n + 1);
    set_bytes(kept, recipient_of(key), text);
}

static enum trust_recalled recall_good(struct trust *trust, struct slice key,
                                       const struct trust_key *hashed, mono_us now,
                                       struct kept *kept)
{
    if (!get(trust->good, hashed, now, kept) || now >= kept->expires)
        return TRUST_UNHEARD;
    bool due = now >= kept->due_at, hidden = is_hidden(kept);
    if (due)
        kept->due_at = now + DUE_AGAIN(kept->expires - kept->learned);
    if (hidden)
        unhide(kept, key);
    if (due || hidden)
        put_good(trust, hashed, kept, now);
    return due ? TRUST_DUE : TRUST_FRESH;
}

static bool recall_rest(struct trust *trust, struct slice key, const struct trust_key *hashed,
                        mono_us now, struct kept *kept)
{
    if (!get(trust->rest, hashed, now, kept))
        return false;
    if (is_hidden(kept)) {
        unhide(kept, key);
        put(trust->rest, hashed, kept, kept->expires, now);
    }
    return true;
}

enum trust_recalled trust_recall(struct trust *trust, struct slice key, mono_us now,
                                 struct callahead_answer *answer_out)
{
    struct trust_key hashed = key_of(trust, key);
    struct kept kept;
    enum trust_recalled recalled = recall_good(trust, key, &hashed, now, &kept);
    if (recalled == TRUST_UNHEARD && recall_rest(trust, key, &hashed, now, &kept))
        recalled = TRUST_FRESH;
    if (recalled != TRUST_UNHEARD)
        answer_from(&kept, answer_out);
    return recalled;
}

bool trust_recall_stale(struct trust *trust, struct slice key, mono_us longest, mono_us now,
                        struct callahead_answer *answer_out)
{
    struct trust_key hashed = key_of(trust, key);
    struct kept kept;
    if (!get(trust->good, &hashed, now, &kept) || now >= kept.expires + longest)
        return false;
    if (kept.refused_at != 0 && !domains_is_ill(trust->domains, domain_at(key), now))
        return false;
    answer_from(&kept, answer_out);
    return true;
}

bool trust_is_good(struct trust *trust, struct slice key, mono_us now)
{
    struct trust_key hashed = key_of(trust, key);
    struct kept kept;
    return get(trust->good, &hashed, now, &kept);
}

/* --- learning ------------------------------------------------------------------------- */

static struct kept kept_from(const struct trust_heard *heard, mono_us life, mono_us now)
{
    const struct callahead_answer *answer = heard->answer;
    struct kept kept = {.learned = now,
                        .expires = now + life,
                        .due_at = now + life - life / 4,
                        .class = (uint8_t)answer->class,
                        .code = (int16_t)answer->code};
    memcpy(kept.status, answer->status, sizeof kept.status);
    memcpy(kept.server, answer->server, sizeof kept.server - 1);
    set_bytes(&kept, recipient_of(heard->key), answer->text);
    return kept;
}

static enum trust_change learn_valid(struct trust *trust, const struct trust_key *key,
                                     const struct trust_heard *heard,
                                     const struct trust_settings *settings, mono_us now)
{
    struct slice recipient = recipient_of(heard->key), domain = domain_at(heard->key);
    struct kept kept = kept_from(heard, settings->valid, now);
    bool catch_all = domains_is_catch_all(trust->domains, domain, now);

    kept.known_until = kept.expires + settings->known;
    if (catch_all) {
        (void)cache_remove(trust->good, bytes_of(key));
        put(trust->rest, key, &kept, kept.expires, now);
    } else {
        (void)cache_remove(trust->rest, bytes_of(key));
        put_good(trust, key, &kept, now);
    }
    /* A witness is asked for by its name: only one who is remembered by it will do. */
    const char *name = slice_is_nocase(recipient, heard->recipient) ? heard->recipient : NULL;
    return domains_note_valid(trust->domains, domain, key, name, now);
}

static void believe(struct trust *trust, const struct trust_key *key,
                    const struct trust_heard *heard, mono_us life, mono_us now)
{
    struct kept kept = kept_from(heard, life, now);
    (void)cache_remove(trust->good, bytes_of(key));
    put(trust->rest, key, &kept, kept.expires, now);
    domains_note_gone(trust->domains, domain_at(heard->key), key);
}

static void learn_refusal(struct trust *trust, const struct trust_key *key,
                          const struct trust_heard *heard, const struct trust_settings *settings,
                          mono_us now)
{
    struct slice domain = domain_at(heard->key);
    struct kept kept;

    if (!get(trust->good, key, now, &kept)) {
        if (!domains_is_ill(trust->domains, domain, now))
            believe(trust, key, heard, settings->unknown, now);
        return;
    }
    if (kept.refused_at == 0)
        kept.refused_at = now;
    else if (heard->fresh)
        kept.refused_again = true;
    put_good(trust, key, &kept, now);
    domains_note_refused(trust->domains, domain, key, now);
}

enum trust_change trust_learn(struct trust *trust, const struct trust_heard *heard,
                              const struct trust_settings *settings, mono_us now)
{
    struct trust_key key = key_of(trust, heard->key);

    switch (heard->answer->class) {
    case CALLAHEAD_VALID:
        return learn_valid(trust, &key, heard, settings, now);
    case CALLAHEAD_USER_UNKNOWN:
        learn_refusal(trust, &key, heard, settings, now);
        return TRUST_AS_BEFORE;
    case CALLAHEAD_MAILBOX_FULL:
    case CALLAHEAD_POLICY:
    case CALLAHEAD_GREYLISTED:
    case CALLAHEAD_TEMPORARY:
    case CALLAHEAD_SERVER_ILL:
        break;
    }
    return TRUST_AS_BEFORE;
}

/* --- what a refusal is worth --------------------------------------------------------- */

static bool is_no_of_domain(struct slice key, const void *value, size_t size, mono_us expires,
                            void *arg)
{
    const struct slice *wanted = arg;
    struct kept kept;
    (void)key;
    (void)expires;
    memcpy(&kept, value, size < sizeof kept ? size : sizeof kept);
    struct slice domain = domain_of((struct slice){kept.bytes, kept.recipient_n});
    return kept.class == CALLAHEAD_USER_UNKNOWN && domain.n == wanted->n &&
           memcmp(domain.p, wanted->p, domain.n) == 0;
}

enum trust_next trust_judge(struct trust *trust, const struct trust_heard *heard,
                            const struct trust_settings *settings, mono_us now,
                            char witness_out[DOMAINS_WITNESS_MAX], enum trust_change *change_out)
{
    struct trust_key key = key_of(trust, heard->key);
    struct slice domain = domain_at(heard->key);
    struct kept kept;
    bool known = get(trust->good, &key, now, &kept);

    *change_out = TRUST_AS_BEFORE;
    if (known && !kept.refused_again && !domains_is_ill(trust->domains, domain, now))
        return TRUST_ASK_AGAIN;
    struct domains_refusal refusal = {.key = &key,
                                      .known = known,
                                      .since = known ? kept.refused_at : now,
                                      .may_probe = settings->probe};
    enum trust_next next =
        domains_judge(trust->domains, domain, &refusal, now, witness_out, change_out);
    if (next == TRUST_IT && !get(trust->rest, &key, now, &kept))
        believe(trust, &key, heard, settings->unknown, now);
    if (*change_out == TRUST_FELL_ILL) { /* it was ill before we saw it */
        domain = domain_of(recipient_of(heard->key));
        cache_each(trust->rest, now, is_no_of_domain, &domain);
    }
    return next;
}

bool trust_probe_due(struct trust *trust, struct slice key, mono_us now)
{
    return domains_probe_due(trust->domains, domain_at(key), now);
}

void trust_learn_random(struct trust *trust, struct slice key, enum callahead_class class,
                        mono_us now)
{
    if (class == CALLAHEAD_VALID || class == CALLAHEAD_USER_UNKNOWN)
        domains_note_random(trust->domains, domain_at(key), class == CALLAHEAD_VALID, now);
}

/* --- all of it -------------------------------------------------------------------------- */

struct visiting {
    bool (*visit)(const struct trust_entry *entry, void *arg);
    void *arg;
    bool known_good;
};

static bool visit_one(struct slice key, const void *value, size_t size, mono_us expires, void *arg)
{
    const struct visiting *visiting = arg;
    struct trust_entry entry;
    struct kept kept;
    (void)expires;
    memcpy(&kept, value, size < sizeof kept ? size : sizeof kept);
    entry = (struct trust_entry){.recipient = {kept.bytes, kept.recipient_n},
                                 .class = (enum callahead_class)kept.class,
                                 .code = kept.code,
                                 .status = kept.status,
                                 .server = kept.server,
                                 .learned = kept.learned,
                                 .expires = kept.expires,
                                 .known_good = visiting->known_good};
    memcpy(entry.key.b, key.p, sizeof entry.key.b);
    return visiting->visit(&entry, visiting->arg);
}

void trust_each(struct trust *trust, mono_us now,
                bool (*visit)(const struct trust_entry *entry, void *arg), void *arg)
{
    struct visiting visiting = {.visit = visit, .arg = arg, .known_good = true};
    cache_each(trust->good, now, visit_one, &visiting);
    visiting.known_good = false;
    cache_each(trust->rest, now, visit_one, &visiting);
}

bool trust_is_of(const struct trust *trust, const struct trust_entry *entry, const char *recipient)
{
    uint8_t hash[8];
    put_hash(hash, &trust->seeds.recipient, slice_of(recipient));
    return memcmp(hash, entry->key.b + 8, sizeof hash) == 0;
}

void trust_restore(struct trust *trust, const struct trust_entry *entry, mono_us known, mono_us now)
{
    mono_us life = entry->expires - entry->learned;
    struct kept kept = {.learned = entry->learned,
                        .expires = entry->expires,
                        .due_at = entry->expires - life / 4,
                        .known_until = entry->expires + known,
                        .class = (uint8_t)entry->class,
                        .code = (int16_t)entry->code};
    snprintf(kept.status, sizeof kept.status, "%s", entry->status);
    snprintf(kept.server, sizeof kept.server, "%s", entry->server);
    set_bytes(&kept, entry->recipient, "");
    if (entry->known_good)
        put_good(trust, &entry->key, &kept, now);
    else
        put(trust->rest, &entry->key, &kept, kept.expires, now);
}
