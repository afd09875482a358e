/*
 * lookups.c - see lookups.h.
 */
#include "lib/net/lookups.h"

#include <string.h>

#include "lib/net/geo.h"
#include "lib/net/scores.h"

/* One call: what is under way. */
struct asking {
    const struct lookups *lookups;
    const struct ip *ip;
    const struct lookups_wanted *wanted;
    struct arena *arena;
    struct lookup_answer *answer;
    mono_us until;
    bool patient; /* until is no earlier than [reputation] timeout */
    struct dns_query *score, *owner;
    struct dnslist_query lists[LOOKUP_ZONES_MAX];
};

/* --- asking ------------------------------------------------------------------------ */

static enum lookup_outcome score_of_file(const struct asking *asking)
{
    const struct scores *scores = asking->lookups->reputation->scores;
    return scores_get(scores, asking->ip, &asking->answer->value) ? LOOKUP_FOUND : LOOKUP_NONE;
}

/* NULL: there is nothing to ask, and nothing is what there is to know. */
static struct dns_query *ask_zone(const struct asking *asking, enum dns_type type, const char *zone,
                                  enum lookup_outcome *outcome_out)
{
    char name[DOMAIN_MAX];

    *outcome_out = LOOKUP_NONE;
    if (ip_is_local(asking->ip) || dnslist_name(zone, asking->ip, name) == 0)
        return NULL;
    struct dns_query *query = dns_ask(asking->lookups->dns, type, name, asking->until);
    if (query == NULL)
        *outcome_out = LOOKUP_FAILED;
    return query;
}

static void begin_score(struct asking *asking)
{
    const struct reputation_source *source = &asking->lookups->reputation->score;

    switch (source->kind) {
    case REPUTATION_FROM_FILE:
        asking->answer->score = score_of_file(asking);
        break;
    case REPUTATION_FROM_DNS:
        asking->score = ask_zone(asking, DNS_A, source->zone, &asking->answer->score);
        break;
    case REPUTATION_NOWHERE:
    case REPUTATION_FROM_MMDB:
        break;
    }
}

static void begin_owner(struct asking *asking)
{
    const struct reputation *reputation = asking->lookups->reputation;
    struct lookup_answer *answer = asking->answer;

    switch (reputation->owner.kind) {
    case REPUTATION_FROM_MMDB:
        if (reputation->owner_geo != NULL)
            answer->owner = geo_owner(reputation->owner_geo, asking->ip, &answer->owner_number);
        break;
    case REPUTATION_FROM_DNS:
        asking->owner = ask_zone(asking, DNS_TXT, reputation->owner.zone, &answer->owner);
        break;
    case REPUTATION_NOWHERE:
    case REPUTATION_FROM_FILE:
        break;
    }
}

static void begin_country(struct asking *asking)
{
    const struct geo *geo = asking->lookups->reputation->country_geo;

    if (geo != NULL)
        asking->answer->country = geo_country(geo, asking->ip, asking->answer->country_code);
}

static void begin(struct asking *asking)
{
    const struct lookups_wanted *wanted = asking->wanted;

    if (wanted->score)
        begin_score(asking);
    if (wanted->owner)
        begin_owner(asking);
    if (wanted->country)
        begin_country(asking);
    for (size_t i = 0; i < wanted->nzones; i++)
        dnslist_ask(asking->lookups->lists, wanted->zones[i], asking->ip, asking->until,
                    asking->patient, &asking->lists[i]);
}

/* --- waiting ------------------------------------------------------------------------- */

static bool all_ready(const struct asking *asking)
{
    bool ready = (asking->score == NULL || dns_ready(asking->score)) &&
                 (asking->owner == NULL || dns_ready(asking->owner));

    for (size_t i = 0; ready && i < asking->wanted->nzones; i++)
        ready = dnslist_ready(&asking->lists[i]);
    return ready;
}

static void read_scores(const struct reputation_map *map, const struct dns_answer *found,
                        struct lookup_answer *answer)
{
    double score;

    answer->score = LOOKUP_NONE;
    for (size_t i = 0; i < found->n; i++) {
        if (!reputation_map_score(map, &found->records[i].ip, &score))
            continue;
        if (answer->score == LOOKUP_NONE || score < answer->value)
            answer->value = score;
        answer->score = LOOKUP_FOUND;
    }
}

static void read_owners(const struct dns_answer *found, struct lookup_answer *answer)
{
    for (size_t i = 0; i < found->n; i++) {
        uint32_t owner = reputation_owner_of_text(found->records[i].text);
        if (owner != 0 && (answer->owner_number == 0 || owner < answer->owner_number))
            answer->owner_number = owner;
    }
    answer->owner = answer->owner_number != 0 ? LOOKUP_FOUND : LOOKUP_NONE;
}

/* A score comes as a DNS list answers, so the same answers are none. */
static void end_score(const struct asking *asking)
{
    const struct dns_answer *found = dns_wait(asking->score, asking->until);
    struct lookup_answer *answer = asking->answer;

    switch (dnslist_read(found)) {
    case DNSLIST_LISTED:
        read_scores(&asking->lookups->reputation->map, found, answer);
        break;
    case DNSLIST_NOT_LISTED:
        answer->score = LOOKUP_NONE;
        break;
    case DNSLIST_REFUSED:
    case DNSLIST_WRONG:
    case DNSLIST_FAILED:
    case DNSLIST_TIMEOUT:
    case DNSLIST_NOT_ASKED:
        answer->score = LOOKUP_FAILED;
        break;
    }
}

static void end_owner(const struct asking *asking)
{
    const struct dns_answer *found = dns_wait(asking->owner, asking->until);
    struct lookup_answer *answer = asking->answer;

    switch (found->outcome) {
    case DNS_FOUND:
        read_owners(found, answer);
        break;
    case DNS_NXDOMAIN:
    case DNS_NODATA:
        answer->owner = LOOKUP_NONE;
        break;
    case DNS_SERVFAIL:
    case DNS_TIMEOUT:
        answer->owner = LOOKUP_FAILED;
        break;
    }
}

static int compare_answers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void keep_listing(const struct asking *asking, const char *zone,
                         const struct dns_answer *found)
{
    struct lookup_answer *answer = asking->answer;
    uint32_t *answers = arena_alloc(asking->arena, found->n * sizeof *answers);

    if (answers == NULL)
        return;
    for (size_t i = 0; i < found->n; i++)
        answers[i] = ip_v4(&found->records[i].ip);
    qsort(answers, found->n, sizeof *answers, compare_answers);
    answer->listed[answer->nlisted++] = (struct dnslisting){zone, answers, found->n};
}

static void end(struct asking *asking)
{
    if (asking->score != NULL)
        end_score(asking);
    if (asking->owner != NULL)
        end_owner(asking);
    dns_drop(asking->score);
    dns_drop(asking->owner);
    for (size_t i = 0; i < asking->wanted->nzones; i++) {
        if (dnslist_wait(&asking->lists[i]) == DNSLIST_LISTED)
            keep_listing(asking, asking->wanted->zones[i], dnslist_answer(&asking->lists[i]));
        dnslist_drop(&asking->lists[i]);
    }
}

void lookups_ask(const struct lookups *lookups, const struct ip *ip,
                 const struct lookups_wanted *wanted, struct arena *arena, mono_us deadline,
                 struct lookup_answer *answer_out)
{
    mono_us own = mono_now() + lookups->reputation->timeout;
    struct asking asking = {.lookups = lookups,
                            .ip = ip,
                            .wanted = wanted,
                            .arena = arena,
                            .answer = answer_out,
                            .until = own < deadline ? own : deadline,
                            .patient = own <= deadline};

    CHECK(wanted->nzones <= LOOKUP_ZONES_MAX);
    *answer_out = (struct lookup_answer){.score = LOOKUP_NOT_ASKED};
    begin(&asking);
    if (lookups->about_to_wait != NULL && !all_ready(&asking))
        lookups->about_to_wait(lookups->arg);
    end(&asking);
}
