#include "milter/guard.h"

#include <string.h>

#include "lib/state/cache.h"

#define MEMORY MONO_SECONDS(86400)
/* A client seen again is written down again only after this time. */
#define MEMORY_STEP MONO_SECONDS(3600)

struct guard {
    struct cache *sample; /* owned; key: name of the listener, NUL, address */
};

/* A value: what hat_decide() was given of the client; name only as far as it
 * goes. */
struct seen {
    enum host_class class;
    bool score_known, score_none;
    double score;
    uint32_t owner;
    char country[3];
    char name[HOST_NAME_MAX_BYTES];
};

struct guard *guard_new(void)
{
    struct guard *guard = calloc(1, sizeof *guard);

    if (guard != NULL)
        guard->sample = cache_new(GUARD_SAMPLE);
    if (guard != NULL && guard->sample != NULL)
        return guard;
    free(guard);
    return NULL;
}

void guard_free(struct guard *guard)
{
    if (guard == NULL)
        return;
    cache_free(guard->sample);
    free(guard);
}

/* --- the sample ------------------------------------------------------------------------ */

#define KEY_MAX (CONF_NAME_MAX + 1 + sizeof((struct ip *)NULL)->b)

static struct slice key_of(const struct conn_facts *conn, char room[KEY_MAX])
{
    size_t n = strlen(conn->listener->name) + 1;

    if (n > CONF_NAME_MAX + 1)
        return (struct slice){room, 0};
    memcpy(room, conn->listener->name, n);
    memcpy(room + n, conn->client.b, sizeof conn->client.b);
    return (struct slice){room, n + sizeof conn->client.b};
}

void guard_saw(struct guard *guard, const struct conn_facts *conn)
{
    char room[KEY_MAX];
    struct slice key = key_of(conn, room);
    mono_us now = mono_now(), expires = 0;
    size_t size = 0;

    if (cache_get(guard->sample, key, now, NULL, 0, &size, &expires) &&
        expires - now > MEMORY - MEMORY_STEP)
        return;
    bool reputation = listener_uses_reputation(conn->listener);
    struct seen seen = {
        .class = conn->host.class,
        .score_known = reputation && conn->score_known,
        .score_none = conn->score_none,
        .score = conn->score,
        .owner = reputation ? conn->owner : 0,
    };
    memcpy(seen.country, conn->country, sizeof seen.country);
    snprintf(seen.name, sizeof seen.name, "%s", conn->host.name);
    cache_put(guard->sample, key, &seen, offsetof(struct seen, name) + strlen(seen.name) + 1,
              now + MEMORY, now);
}

/* --- what covers everything -------------------------------------------------------------- */

static const struct ip first_v6 = {{0}};
static const struct ip last_v6 = {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                   0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};

static bool is_v4(const struct hat_entry *entry)
{
    return ip_is_v4(&entry->first) && ip_is_v4(&entry->last);
}

bool guard_covers_all(const struct hat_entry *entry)
{
    if (entry->kind == HAT_ENTRY_ALL)
        return true;
    if (entry->kind != HAT_ENTRY_RANGE)
        return false;
    struct ip first = is_v4(entry) ? ip_from_v4(0) : first_v6;
    struct ip last = is_v4(entry) ? ip_from_v4(UINT32_MAX) : last_v6;
    return ip_equal(&entry->first, &first) && ip_equal(&entry->last, &last);
}

/* Who is refused altogether, whatever else they are. */
struct cover {
    bool v4, v6;
    char by[128]; /* the entry, or in other words what does it */
};

struct ranges {
    struct range {
        struct ip first, last;
    } * v;
    size_t n;
};

static int compare_ranges(const void *a, const void *b)
{
    return ip_compare(&((const struct range *)a)->first, &((const struct range *)b)->first);
}

static struct ip next_ip(struct ip ip)
{
    for (size_t i = sizeof ip.b; i-- > 0 && ++ip.b[i] == 0;)
        ;
    return ip;
}

/* Do the ranges, sorted, leave no address from first to last out? */
static bool fill(const struct ranges *ranges, struct ip first, const struct ip *last)
{
    for (size_t i = 0; i < ranges->n; i++) {
        const struct range *range = &ranges->v[i];
        if (ip_compare(&range->first, &first) > 0)
            return false;
        if (ip_compare(&range->last, last) >= 0)
            return true;
        if (ip_compare(&range->last, &first) >= 0)
            first = next_ip(range->last);
    }
    return false;
}

static bool refuses(const struct policy *policy)
{
    enum policy_access access = (enum policy_access)policy->keys.access;
    return access == POLICY_REJECT || access == POLICY_TCPREFUSE;
}

static void note_cover(struct cover *cover, bool v4, bool v6, const char *by)
{
    if (cover->by[0] == '\0')
        snprintf(cover->by, sizeof cover->by, "%s", by);
    cover->v4 |= v4;
    cover->v6 |= v6;
}

/* Entries of one refusing group: those that cover all at once, the others for
 * later. */
static void look_at_group(const struct hat *hat, size_t group, struct cover *cover,
                          struct ranges *v4, struct ranges *v6)
{
    size_t first, end;
    struct hat_entry entry;

    hat_group_span(hat, group, &first, &end);
    for (size_t i = first; i < end; i++) {
        hat_entry_get(hat, i, &entry);
        bool all = entry.kind == HAT_ENTRY_ALL;
        if (guard_covers_all(&entry))
            note_cover(cover, all || is_v4(&entry), all || !is_v4(&entry), entry.text);
        if (entry.kind != HAT_ENTRY_RANGE)
            continue;
        struct ranges *ranges = is_v4(&entry) ? v4 : v6;
        ranges->v[ranges->n++] = (struct range){entry.first, entry.last};
    }
}

static size_t refusing_entries(const struct hat *hat)
{
    struct hat_match row;
    size_t n = 0, first, end;

    for (size_t i = 0; i < hat_groups(hat); i++) {
        hat_group_get(hat, i, &row);
        hat_group_span(hat, i, &first, &end);
        n += refuses(row.policy) ? end - first : 0;
    }
    return n;
}

/* Without memory for it, entries that only together cover everything are not
 * found. */
static struct cover cover_of(const struct hat *hat)
{
    struct cover cover = {.by = ""};
    size_t n = refusing_entries(hat);
    struct ranges v4 = {calloc(n + 1, sizeof *v4.v), 0}, v6 = {calloc(n + 1, sizeof *v6.v), 0};
    struct ip last_v4 = ip_from_v4(UINT32_MAX);
    struct hat_match row;

    for (size_t i = 0; v4.v != NULL && v6.v != NULL && i < hat_groups(hat); i++) {
        hat_group_get(hat, i, &row);
        if (refuses(row.policy))
            look_at_group(hat, i, &cover, &v4, &v6);
    }
    hat_group_get(hat, hat_groups(hat) - 1, &row);
    if (refuses(row.policy))
        note_cover(&cover, true, true, "ALL, the default_policy");
    if (v4.v != NULL && v6.v != NULL) {
        qsort(v4.v, v4.n, sizeof *v4.v, compare_ranges);
        qsort(v6.v, v6.n, sizeof *v6.v, compare_ranges);
        if (!cover.v4 && fill(&v4, ip_from_v4(0), &last_v4))
            note_cover(&cover, true, false, "all its entries together");
        if (!cover.v6 && fill(&v6, first_v6, &last_v6))
            note_cover(&cover, false, true, "all its entries together");
    }
    free(v4.v);
    free(v6.v);
    return cover;
}

/* --- tables ------------------------------------------------------------------------------- */

static bool is_empty(const struct hat *hat)
{
    unsigned classes = 0;

    for (size_t i = 0; i < hat_groups(hat); i++)
        classes |= hat_group_classes(hat, i);
    return hat_entries(hat) == 0 && classes == 0;
}

bool guard_tables(const char *listener, struct place at, const struct hat *running,
                  const struct hat *next, struct problems *problems)
{
    struct cover before, after;
    size_t errors = problems_errors(problems);

    if (is_empty(next) && !is_empty(running))
        problem_error(problems, at,
                      "[listener %s] its sender groups have no entry any more; %zu are in force",
                      listener, hat_entries(running));
    after = cover_of(next);
    if (after.v4 || after.v6) {
        before = cover_of(running);
        bool v4 = after.v4 && !before.v4, v6 = after.v6 && !before.v6;
        if (v4 || v6)
            problem_error(problems, at, "[listener %s] %s would be refused, by %s", listener,
                          v4 && v6 ? "everybody"
                          : v4     ? "every IPv4 address"
                                   : "every IPv6 address",
                          after.by);
    }
    return problems_errors(problems) == errors;
}

/* --- the share ------------------------------------------------------------------------------ */

struct count {
    size_t accepted, refused;
    struct ip example;
    const char *entry; /* that refuses it */
};

struct survey {
    const struct snapshot *running, *next;
    struct count *counts; /* by index in next */
};

static bool would_refuse(const struct listener *listener, const struct hat_client *client,
                         const char **entry_out)
{
    struct hat_match match;

    hat_decide(listener->hat, client, &match);
    *entry_out = match.entry;
    return refuses(match.policy);
}

static void survey_client(const struct survey *survey, const char *name,
                          const struct hat_client *client)
{
    const struct listeners *next = &survey->next->listeners;
    const struct listener *running = listener_named(&survey->running->listeners, name);
    const char *entry;

    if (running == NULL || would_refuse(running, client, &entry))
        return;
    for (size_t i = 0; i < next->n; i++) {
        if (strcmp(next->v[i]->name, name) != 0)
            continue;
        struct count *count = &survey->counts[i];
        count->accepted++;
        if (!would_refuse(next->v[i], client, &entry))
            continue;
        count->refused++;
        count->example = client->ip;
        count->entry = entry;
    }
}

/* Under the lock of one part of the sample: some hundred look-ups, a
 * millisecond in the largest tables. */
static bool survey_seen(struct slice key, const void *value, size_t size, mono_us expires,
                        void *arg)
{
    struct seen seen = {.name = ""};
    struct hat_client client = {.host = NULL};
    struct host_answer host = {.class = HOST_UNKNOWN};

    (void)expires;
    if (key.n <= sizeof client.ip.b)
        return false;
    memcpy(&seen, value, size < sizeof seen ? size : sizeof seen);
    memcpy(client.ip.b, key.p + key.n - sizeof client.ip.b, sizeof client.ip.b);
    host.class = seen.class;
    memcpy(host.name, seen.name, sizeof host.name);
    client.host = host.class == HOST_UNKNOWN ? NULL : &host;
    client.score_known = seen.score_known;
    client.score_none = seen.score_none;
    client.score = seen.score;
    client.owner = seen.owner;
    memcpy(client.country, seen.country, sizeof client.country);
    survey_client(arg, key.p, &client);
    return false;
}

static void judge_share(const struct listener *listener, const struct count *count, int64_t share,
                        struct problems *problems)
{
    char ip[IP_TEXT_MAX];

    if (count->accepted < GUARD_LEAST || count->refused * 100 <= count->accepted * (size_t)share)
        return;
    problem_error(problems, listener->at,
                  "[listener %s] %zu of %zu clients that were accepted lately would be refused, "
                  "such as %s by %s; reload_guard allows %lld %%",
                  listener->name, count->refused, count->accepted, ip_text(&count->example, ip),
                  count->entry, (long long)share);
}

static void judge_shares(struct guard *guard, const struct snapshot *running,
                         const struct snapshot *next, struct problems *problems)
{
    size_t n = next->listeners.n;
    struct survey survey = {running, next, calloc(n + 1, sizeof *survey.counts)};

    if (survey.counts == NULL)
        return;
    cache_each(guard->sample, mono_now(), survey_seen, &survey);
    for (size_t i = 0; i < n; i++)
        judge_share(next->listeners.v[i], &survey.counts[i], next->settings.keys->reload_guard,
                    problems);
    free(survey.counts);
}

bool guard_snapshots(struct guard *guard, const struct snapshot *running,
                     const struct snapshot *next, struct problems *problems)
{
    size_t errors = problems_errors(problems);

    if (next->settings.keys->reload_guard == 0)
        return true;
    for (size_t i = 0; i < next->listeners.n; i++) {
        const struct listener *listener = next->listeners.v[i];
        const struct listener *before = listener_named(&running->listeners, listener->name);
        if (before != NULL)
            (void)!guard_tables(listener->name, listener->at, before->hat, listener->hat, problems);
    }
    if (guard != NULL)
        judge_shares(guard, running, next, problems);
    return problems_errors(problems) == errors;
}
