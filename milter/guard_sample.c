#include "milter/guard_sample.h"

#include <string.h>

#include "lib/base/log.h"
#include "lib/net/host.h"
#include "lib/net/scores.h"
#include "lib/state/cache.h"
#include "lib/state/statefile.h"

#define MEMORY_S 86400
#define MEMORY MONO_SECONDS(MEMORY_S)
/* A client seen again is written down again only after this time. */
#define MEMORY_STEP MONO_SECONDS(3600)
#define SAVE_EVERY MONO_SECONDS(900)

#define FILE_NAME "accepted"
#define FILE_KIND "accepted-1"
#define NOTHING "-"
#define NAMES_MAX_BYTES 1024

struct guard {
    struct cache *sample; /* owned; key: name of the listener, NUL, address */
    atomic_bool changed;
    const char *folder; /* borrowed; NULL: nothing is kept */
    mono_us save_at;    /* main thread */
};

/* A value; names, with commas between them, only as far as they go. */
struct seen {
    enum host_class class;
    bool score_known, score_none;
    double score;
    uint32_t owner;
    char names[NAMES_MAX_BYTES];
};

/* --- noting ------------------------------------------------------------------------------ */

#define KEY_MAX (CONF_NAME_MAX + 1 + sizeof((struct ip *)NULL)->b)

static struct slice key_of(const char *listener, const struct ip *ip, char room[KEY_MAX])
{
    size_t n = strlen(listener) + 1;

    if (n > CONF_NAME_MAX + 1)
        return (struct slice){room, 0};
    memcpy(room, listener, n);
    memcpy(room + n, ip->b, sizeof ip->b);
    return (struct slice){room, n + sizeof ip->b};
}

/* Of so many that they do not fit, the one that matched. */
static void join_names(const struct host_answer *host, char out[NAMES_MAX_BYTES])
{
    size_t n = 0;

    for (size_t i = 0; i < host->n && n < NAMES_MAX_BYTES; i++)
        n += (size_t)snprintf(out + n, NAMES_MAX_BYTES - n, "%s%s", i > 0 ? "," : "",
                              host->names[i]);
    if (host->n == 0 || n >= NAMES_MAX_BYTES)
        snprintf(out, NAMES_MAX_BYTES, "%s", host->name);
}

/* In place; false: a name is none, or there are too many. */
static bool split_names(char *text, const char *list[HOST_NAMES_MAX], struct host_answer *host)
{
    char canonical[DOMAIN_MAX];
    size_t n = 0;

    while (text != NULL) {
        char *name = strsep(&text, ",");
        if (n == HOST_NAMES_MAX || !domain_canon(slice_of(name), canonical) ||
            strcmp(name, canonical) != 0)
            return false;
        list[n++] = name;
    }
    snprintf(host->name, sizeof host->name, "%s", list[0]);
    host->names = n > 1 ? list : NULL;
    host->n = n > 1 ? n : 0;
    return true;
}

static void note(struct guard *guard, struct slice key, const struct guard_client *client,
                 mono_us expires, mono_us now)
{
    struct seen seen = {
        .class = client->host.class,
        .score_known = client->score_known,
        .score_none = client->score_none,
        .score = client->score,
        .owner = client->owner,
    };

    join_names(&client->host, seen.names);
    cache_put(guard->sample, key, &seen, offsetof(struct seen, names) + strlen(seen.names) + 1,
              expires, now);
}

void guard_saw(struct guard *guard, const struct conn_facts *conn)
{
    char room[KEY_MAX];
    struct slice key = key_of(conn->listener->name, &conn->client, room);
    mono_us now = mono_now(), expires = 0;
    size_t size = 0;

    if (cache_get(guard->sample, key, now, NULL, 0, &size, &expires) &&
        expires - now > MEMORY - MEMORY_STEP)
        return;
    bool reputation = listener_uses_reputation(conn->listener);
    struct guard_client client = {
        .host = conn->host,
        .score_known = reputation && conn->score_known,
        .score_none = conn->score_none,
        .score = conn->score,
        .owner = reputation ? conn->owner : 0,
    };
    note(guard, key, &client, now + MEMORY, now);
    atomic_store_explicit(&guard->changed, true, memory_order_relaxed);
}

/* --- going through it ---------------------------------------------------------------------- */

/* Without its names, which are copied to where they can stay. */
static struct guard_client client_of(struct slice key, const void *value, size_t size,
                                     char names_out[NAMES_MAX_BYTES])
{
    struct guard_client client = {.listener = key.p};
    struct seen seen = {.names = ""};

    memcpy(&seen, value, size < sizeof seen ? size : sizeof seen);
    memcpy(client.ip.b, key.p + key.n - sizeof client.ip.b, sizeof client.ip.b);
    memcpy(names_out, seen.names, sizeof seen.names);
    client.host.class = seen.class;
    client.score_known = seen.score_known;
    client.score_none = seen.score_none;
    client.score = seen.score;
    client.owner = seen.owner;
    return client;
}

/* Judging takes longer than a session may wait for the lock, so it is done on
 * copies. */
struct copies {
    struct copy {
        struct guard_client client;
        char listener[CONF_NAME_MAX + 1];
        char names[NAMES_MAX_BYTES];
    } * list; /* owned */
    size_t n;
};

static bool copy_entry(struct slice key, const void *value, size_t size, mono_us expires, void *arg)
{
    struct copies *copies = arg;

    (void)expires;
    if (copies->n == GUARD_SAMPLE)
        return false;
    struct copy *copy = &copies->list[copies->n++];
    copy->client = client_of(key, value, size, copy->names);
    snprintf(copy->listener, sizeof copy->listener, "%s", key.p);
    copy->client.listener = copy->listener;
    return false;
}

void guard_each(struct guard *guard, void (*visit)(const struct guard_client *client, void *arg),
                void *arg)
{
    struct copies copies = {calloc(GUARD_SAMPLE, sizeof *copies.list), 0};
    const char *names[HOST_NAMES_MAX];

    if (copies.list == NULL)
        return;
    cache_each(guard->sample, mono_now(), copy_entry, &copies);
    for (size_t i = 0; i < copies.n; i++) {
        struct copy *copy = &copies.list[i];
        if (copy->names[0] == '\0' || split_names(copy->names, names, &copy->client.host))
            visit(&copy->client, arg);
    }
    free(copies.list);
}

/* --- writing --------------------------------------------------------------------------------- */

struct writing {
    struct strbuf text;
    mono_us now;
    int64_t wall;
};

static bool write_entry(struct slice key, const void *value, size_t size, mono_us expires,
                        void *arg)
{
    struct writing *writing = arg;
    char ip[IP_TEXT_MAX], score[16] = NOTHING, names[NAMES_MAX_BYTES];
    struct guard_client client = client_of(key, value, size, names);
    long long until = (long long)(writing->wall + (expires - writing->now) / MONO_SECONDS(1));

    if (client.score_known && client.score_none)
        snprintf(score, sizeof score, "none");
    else if (client.score_known)
        snprintf(score, sizeof score, "%.3f", client.score);
    strbuf_printf(&writing->text, "%s %s %lld %d %s %u %s\n", client.listener,
                  ip_text(&client.ip, ip), until, (int)client.host.class, score,
                  (unsigned)client.owner, names[0] != '\0' ? names : NOTHING);
    return false;
}

static void save(struct guard *guard)
{
    struct writing writing = {.now = mono_now(), .wall = mono_wall_seconds()};
    struct err err = {.text = "out of memory"};

    if (guard->folder == NULL || !atomic_exchange(&guard->changed, false))
        return;
    strbuf_init(&writing.text);
    cache_each(guard->sample, writing.now, write_entry, &writing);
    if (writing.text.failed ||
        !statefile_write(guard->folder, FILE_NAME, FILE_KIND,
                         (struct slice){strbuf_text(&writing.text), writing.text.n}, &err)) {
        log_note(LOG_AT_WARNING, "guard", "%s; a restart would lose the clients accepted lately",
                 err.text);
        atomic_store(&guard->changed, true);
    }
    strbuf_done(&writing.text);
}

void guard_tick(struct guard *guard)
{
    if (mono_now() < guard->save_at)
        return;
    save(guard);
    guard->save_at = mono_now() + SAVE_EVERY;
}

/* --- reading ---------------------------------------------------------------------------------- */

enum { WORD_LISTENER, WORD_IP, WORD_UNTIL, WORD_CLASS, WORD_SCORE, WORD_OWNER, WORD_NAME, WORDS };

static bool split(char *line, char *words[WORDS])
{
    for (size_t i = 0; i < WORDS; i++) {
        char *blank = strchr(line, ' ');
        words[i] = line;
        if (line[0] == '\0' || line[0] == ' ' || (blank == NULL) != (i + 1 == WORDS))
            return false;
        if (blank == NULL)
            continue;
        *blank = '\0';
        line = blank + 1;
    }
    return true;
}

static bool is_nothing(const char *word)
{
    return strcmp(word, NOTHING) == 0;
}

static bool read_score(const char *word, struct guard_client *client)
{
    int thousandths = 0;

    client->score_known = !is_nothing(word);
    client->score_none = strcmp(word, "none") == 0;
    if (client->score_known && !client->score_none && !scores_parse(slice_of(word), &thousandths))
        return false;
    client->score = (double)thousandths / SCORES_UNIT;
    return true;
}

static bool read_line(char *line, struct guard_client *client, const char *names[HOST_NAMES_MAX],
                      int64_t *until_out)
{
    char *words[WORDS];
    uint64_t until, class, owner;

    *client = (struct guard_client){.listener = NULL};
    if (!split(line, words) || strlen(words[WORD_LISTENER]) > CONF_NAME_MAX ||
        !ip_parse(slice_of(words[WORD_IP]), &client->ip) ||
        !str_to_uint(slice_of(words[WORD_UNTIL]), INT32_MAX, &until) ||
        !str_to_uint(slice_of(words[WORD_CLASS]), HOST_UNKNOWN, &class) ||
        !read_score(words[WORD_SCORE], client) ||
        !str_to_uint(slice_of(words[WORD_OWNER]), UINT32_MAX, &owner))
        return false;
    client->listener = words[WORD_LISTENER];
    client->host.class = (enum host_class) class;
    client->owner = (uint32_t)owner;
    *until_out = (int64_t)until;
    return is_nothing(words[WORD_NAME]) || split_names(words[WORD_NAME], names, &client->host);
}

bool guard_parse(char *text,
                 void (*take)(const struct guard_client *client, int64_t until, void *arg),
                 void *arg)
{
    while (*text != '\0') {
        struct guard_client client;
        const char *names[HOST_NAMES_MAX];
        int64_t until;
        char *end = strchr(text, '\n');
        if (end == NULL)
            return false;
        *end = '\0';
        if (!read_line(text, &client, names, &until))
            return false;
        take(&client, until, arg);
        text = end + 1;
    }
    return true;
}

/* The clock may have been set back: nobody is remembered for more than a day. */
static void take_client(const struct guard_client *client, int64_t until, void *arg)
{
    struct guard *guard = arg;
    char room[KEY_MAX];
    int64_t left = until - mono_wall_seconds();
    mono_us now = mono_now();

    if (left <= 0)
        return;
    left = left < MEMORY_S ? left : MEMORY_S;
    note(guard, key_of(client->listener, &client->ip, room), client, now + MONO_SECONDS(left), now);
}

static void load(struct guard *guard)
{
    struct strbuf text;
    struct err err = {0};

    strbuf_init(&text);
    switch (statefile_read(guard->folder, FILE_NAME, FILE_KIND, &text, &err)) {
    case STATEFILE_READ:
        if (text.n > 0 && !guard_parse(text.p, take_client, guard))
            err_set(&err, ERR_SYNTAX, "%s/" FILE_NAME " holds lines that gatehoused did not write",
                    guard->folder);
        break;
    case STATEFILE_NONE:
    case STATEFILE_DAMAGED:
    case STATEFILE_FAILED:
        break;
    }
    strbuf_done(&text);
    if (err.kind != ERR_NONE)
        log_note(LOG_AT_WARNING, "guard", "%s; the clients accepted lately are not known",
                 err.text);
}

/* --- life ----------------------------------------------------------------------------------------
 */

struct guard *guard_new(const char *folder)
{
    struct guard *guard = calloc(1, sizeof *guard);

    if (guard != NULL)
        guard->sample = cache_new(GUARD_SAMPLE);
    if (guard == NULL || guard->sample == NULL) {
        free(guard);
        return NULL;
    }
    guard->folder = folder;
    guard->save_at = mono_now() + SAVE_EVERY;
    if (folder != NULL)
        load(guard);
    return guard;
}

void guard_free(struct guard *guard)
{
    if (guard == NULL)
        return;
    save(guard);
    cache_free(guard->sample);
    free(guard);
}
