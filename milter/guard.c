#include "milter/guard.h"

#include <string.h>

#include "lib/net/lookups.h"
#include "milter/guard_sample.h"

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

/* What the daemon would know of the client with this configuration. Files and
 * databases are asked again, since the new table may be one of them; DNS is not. */
static struct hat_client client_with(const struct snapshot *snapshot,
                                     const struct listener *listener,
                                     const struct guard_client *seen)
{
    const struct reputation *reputation = &snapshot->reputation;
    bool judged = listener_uses_reputation(listener) && !listener_trusts(listener, &seen->ip);
    struct lookups files = {.reputation = reputation};
    struct lookups_wanted wanted = {
        .score = judged && reputation->score.kind == REPUTATION_FROM_FILE,
        .owner = judged && reputation->owner.kind == REPUTATION_FROM_MMDB,
        .country = true,
    };
    struct lookup_answer answer;
    struct hat_client client = {.ip = seen->ip,
                                .host = seen->host.class != HOST_UNKNOWN ? &seen->host : NULL};

    lookups_ask(&files, &seen->ip, &wanted, NULL, 0, &answer);
    if (answer.score != LOOKUP_NOT_ASKED) {
        client.score_known = true;
        client.score_none = answer.score != LOOKUP_FOUND;
        client.score = answer.value;
    } else if (judged && reputation->score.kind == REPUTATION_FROM_DNS) {
        client.score_known = seen->score_known;
        client.score_none = seen->score_none;
        client.score = seen->score;
    }
    if (answer.owner == LOOKUP_FOUND)
        client.owner = answer.owner_number;
    else if (judged && reputation->owner.kind == REPUTATION_FROM_DNS)
        client.owner = seen->owner;
    if (answer.country == LOOKUP_FOUND)
        memcpy(client.country, answer.country_code, sizeof client.country);
    return client;
}

static bool would_refuse(const struct snapshot *snapshot, const struct listener *listener,
                         const struct guard_client *seen, const char **entry_out)
{
    struct hat_client client = client_with(snapshot, listener, seen);
    struct hat_match match;

    hat_decide(listener->hat, &client, &match);
    *entry_out = match.entry;
    return refuses(match.policy);
}

static void survey_client(const struct guard_client *seen, void *arg)
{
    const struct survey *survey = arg;
    const struct listeners *next = &survey->next->listeners;
    const struct listener *running = listener_named(&survey->running->listeners, seen->listener);
    const char *entry;

    if (running == NULL || would_refuse(survey->running, running, seen, &entry))
        return;
    for (size_t i = 0; i < next->n; i++) {
        if (strcmp(next->v[i]->name, seen->listener) != 0)
            continue;
        struct count *count = &survey->counts[i];
        count->accepted++;
        if (!would_refuse(survey->next, next->v[i], seen, &entry))
            continue;
        count->refused++;
        count->example = seen->ip;
        count->entry = entry;
    }
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
    guard_each(guard, survey_client, &survey);
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
