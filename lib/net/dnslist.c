/*
 * dnslist.c - see dnslist.h.
 */
#include "lib/net/dnslist.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"

/* What a check may take; the DNS engine gives up earlier. */
#define CHECK_PATIENCE MONO_SECONDS(60)
/* A check so old was not followed by another: nobody calls dnslists_tick(), as
 * in a tool, and who asks checks for himself. */
#define STALE_GOOD (DNSLIST_CHECK_EVERY + MONO_SECONDS(120))
#define STALE_SUSPENDED (DNSLIST_RECHECK_EVERY + MONO_SECONDS(120))
#define COMPLAIN_EVERY MONO_SECONDS(60)
#define CHANCE_LIFE MONO_SECONDS(1)

struct dnslist {
    struct dnslist *next;      /* guarded by the lock; set once */
    char zone[DOMAIN_MAX + 1]; /* constant */

    /* guarded by the lock */
    enum dnslist_health health;
    bool ipv6;          /* the last check says it may be asked about IPv6 addresses */
    mono_us checked;    /* end of the last check */
    unsigned failures;  /* questions without an answer, in a row */
    unsigned run;       /* clients listed in a row since then */
    mono_us complained; /* last line about an odd answer */
    unsigned withheld;  /* odd answers since */
    bool watched;

    /* of the watching thread */
    bool checking;
    mono_us check_until; /* patience */
    struct dns_query *points[DNSLIST_POINTS];
};

struct dnslists {
    struct dns *dns;
    struct hash_seed seed;
    pthread_mutex_t lock;
    struct dnslist *first;
};

struct dnslists *dnslists_new(struct dns *dns)
{
    struct dnslists *lists = calloc(1, sizeof *lists);

    if (lists == NULL)
        return NULL;
    CHECK(pthread_mutex_init(&lists->lock, NULL) == 0);
    lists->dns = dns;
    lists->seed = hash_seed_random();
    return lists;
}

static void drop_points(struct dns_query *points[DNSLIST_POINTS])
{
    for (size_t i = 0; i < DNSLIST_POINTS; i++) {
        dns_drop(points[i]);
        points[i] = NULL;
    }
}

void dnslists_free(struct dnslists *lists)
{
    if (lists == NULL)
        return;
    while (lists->first != NULL) {
        struct dnslist *list = lists->first;
        lists->first = list->next;
        drop_points(list->points);
        free(list);
    }
    pthread_mutex_destroy(&lists->lock);
    free(lists);
}

static struct dnslist *first_list(struct dnslists *lists)
{
    pthread_mutex_lock(&lists->lock);
    struct dnslist *first = lists->first;
    pthread_mutex_unlock(&lists->lock);
    return first;
}

/* NULL: out of memory. A new list may be made for nothing when two ask at once. */
static struct dnslist *find_list(struct dnslists *lists, const char *zone)
{
    struct dnslist *made = NULL, *list;

    do {
        pthread_mutex_lock(&lists->lock);
        list = lists->first;
        while (list != NULL && strcmp(list->zone, zone) != 0)
            list = list->next;
        if (list == NULL && made != NULL) {
            made->next = lists->first;
            lists->first = list = made;
            made = NULL;
        }
        pthread_mutex_unlock(&lists->lock);
        if (list != NULL)
            break;
        made = calloc(1, sizeof *made);
        if (made != NULL)
            snprintf(made->zone, sizeof made->zone, "%s", zone);
    } while (made != NULL);
    free(made);
    return list;
}

/* --- the log ---------------------------------------------------------------------------- */

static void log_list(enum log_level level, const struct dnslist *list, const char *state,
                     const char *why, const char *detail)
{
    struct logline line;

    log_begin(&line, level);
    log_word(&line, "event", "dnslist");
    log_text(&line, "zone", slice_of(list->zone));
    log_word(&line, "state", state);
    log_word(&line, "why", why);
    log_quoted(&line, "detail", slice_of(detail));
    log_end(&line);
}

static void log_suspended(const struct dnslist *list, enum dnslist_health health)
{
    char detail[200];

    snprintf(detail, sizeof detail, "%s; it is not used until it passes its test",
             dnslist_health_text(health));
    log_list(LOG_AT_WARNING, list, "suspended", dnslist_health_name(health), detail);
}

static void log_odd_answer(const struct dnslist *list, enum dnslist_class class, unsigned withheld)
{
    char detail[200];

    snprintf(detail, sizeof detail, "counts as not listed; %u more since the last such line",
             withheld);
    log_list(LOG_AT_WARNING, list, "odd", dnslist_class_name(class), detail);
}

/* --- checks ------------------------------------------------------------------------------- */

static bool is_suspended(enum dnslist_health health)
{
    return health != DNSLIST_GOOD && health != DNSLIST_UNCHECKED;
}

/* The questions of one check. Those who check at the same time ask the same. */
static void ask_points(struct dnslists *lists, const struct dnslist *list, mono_us deadline,
                       struct dns_query *points_out[DNSLIST_POINTS])
{
    mono_us slot = mono_now() / CHANCE_LIFE;
    struct hash_seed seed = {lists->seed.a ^ (uint64_t)slot, lists->seed.b};
    uint32_t chance = (uint32_t)hash_bytes(&seed, list->zone, strlen(list->zone));
    char name[DOMAIN_MAX];

    for (size_t i = 0; i < DNSLIST_POINTS; i++) {
        bool fits = dnslist_point_name(list->zone, (enum dnslist_point)i, chance, name) != 0;
        points_out[i] = fits ? dns_ask(lists->dns, DNS_A, name, deadline) : NULL;
    }
}

/* What our own cache still knows of the test points. */
static void forget_points(struct dnslists *lists, const struct dnslist *list)
{
    char name[DOMAIN_MAX];

    for (size_t i = 0; i < DNSLIST_CLEAR_ANY; i++) {
        if (dnslist_point_name(list->zone, (enum dnslist_point)i, 0, name) != 0)
            dns_forget(lists->dns, DNS_A, name);
    }
}

struct finding {
    enum dnslist_health health;
    bool ipv6;
};

static struct finding judge(struct dns_query *const points[DNSLIST_POINTS])
{
    enum dnslist_class classes[DNSLIST_POINTS];

    for (size_t i = 0; i < DNSLIST_POINTS; i++)
        classes[i] = dnslist_read(dns_wait(points[i], MONO_NEVER));
    return (struct finding){dnslist_judge(classes), dnslist_takes_ipv6(classes)};
}

/* A single check without an answer does not make a good list a bad one: such
 * things happen, and a list that is really dead fails its questions as well. */
static enum dnslist_health weigh(struct dnslist *list, enum dnslist_health found)
{
    if (found != DNSLIST_UNANSWERED || list->health != DNSLIST_GOOD)
        return found;
    return ++list->failures < DNSLIST_FAILURES_MAX ? DNSLIST_GOOD : found;
}

static void end_check(struct dnslists *lists, struct dnslist *list, struct finding found)
{
    pthread_mutex_lock(&lists->lock);
    enum dnslist_health before = list->health;
    enum dnslist_health after = weigh(list, found.health);
    list->health = after;
    list->ipv6 = found.ipv6;
    list->checked = mono_now();
    if (found.health == DNSLIST_GOOD)
        list->failures = list->run = 0;
    pthread_mutex_unlock(&lists->lock);

    if (is_suspended(after) && !is_suspended(before)) {
        dns_forget_below(lists->dns, list->zone);
        log_suspended(list, after);
    } else if (is_suspended(before) && !is_suspended(after)) {
        dns_forget_below(lists->dns, list->zone);
        log_list(LOG_AT_INFO, list, "resumed", NULL, dnslist_health_text(after));
    }
}

static void begin_check(struct dnslists *lists, struct dnslist *list)
{
    forget_points(lists, list);
    list->checking = true;
    list->check_until = mono_now() + CHECK_PATIENCE;
    ask_points(lists, list, list->check_until, list->points);
}

static bool points_ready(struct dns_query *const points[DNSLIST_POINTS])
{
    size_t i = 0;
    while (i < DNSLIST_POINTS && dns_ready(points[i]))
        i++;
    return i == DNSLIST_POINTS;
}

static bool is_due(struct dnslists *lists, const struct dnslist *list)
{
    pthread_mutex_lock(&lists->lock);
    bool watched = list->watched;
    bool doubtful = is_suspended(list->health) || list->failures > 0;
    mono_us every = doubtful ? DNSLIST_RECHECK_EVERY : DNSLIST_CHECK_EVERY;
    bool due = list->health == DNSLIST_UNCHECKED || mono_now() - list->checked >= every;
    pthread_mutex_unlock(&lists->lock);
    return watched && due;
}

static void set_watched(struct dnslists *lists, struct dnslist *list, bool watched)
{
    pthread_mutex_lock(&lists->lock);
    list->watched = watched;
    pthread_mutex_unlock(&lists->lock);
}

bool dnslists_watch(struct dnslists *lists, const char *const *zones, size_t n)
{
    bool all = true;

    for (struct dnslist *list = first_list(lists); list != NULL; list = list->next)
        set_watched(lists, list, false);
    for (size_t i = 0; i < n; i++) {
        struct dnslist *list = find_list(lists, zones[i]);
        if (list != NULL)
            set_watched(lists, list, true);
        all = all && list != NULL;
    }
    return all;
}

void dnslists_tick(struct dnslists *lists)
{
    for (struct dnslist *list = first_list(lists); list != NULL; list = list->next) {
        if (list->checking && points_ready(list->points)) {
            struct finding found = judge(list->points);
            drop_points(list->points);
            list->checking = false;
            end_check(lists, list, found);
        } else if (!list->checking && is_due(lists, list)) {
            begin_check(lists, list);
        }
    }
}

/* --- asking ----------------------------------------------------------------------------- */

enum belief { BELIEF_NO, BELIEF_YES, BELIEF_CHECK_FIRST, BELIEF_CHECK_AGAIN };

static enum belief belief_in(struct dnslists *lists, const struct dnslist *list, bool about_ipv6)
{
    pthread_mutex_lock(&lists->lock);
    enum dnslist_health health = list->health;
    bool able = list->ipv6 || !about_ipv6;
    bool run = list->run >= DNSLIST_RUN_MAX;
    mono_us age = mono_now() - list->checked;
    pthread_mutex_unlock(&lists->lock);
    if (health == DNSLIST_UNCHECKED)
        return BELIEF_CHECK_FIRST;
    if (is_suspended(health))
        return age < STALE_SUSPENDED ? BELIEF_NO : BELIEF_CHECK_FIRST;
    if (age >= STALE_GOOD)
        return BELIEF_CHECK_FIRST;
    if (!able)
        return BELIEF_NO;
    return run ? BELIEF_CHECK_AGAIN : BELIEF_YES;
}

void dnslist_ask(struct dnslists *lists, const char *zone, const struct ip *ip, mono_us deadline,
                 bool patient, struct dnslist_query *query_out)
{
    char name[DOMAIN_MAX];
    enum belief belief = BELIEF_NO;
    struct dnslist *list = NULL;

    *query_out = (struct dnslist_query){.lists = lists, .patient = patient};
    if (!ip_is_local(ip) && dnslist_name(zone, ip, name) != 0)
        list = find_list(lists, zone);
    if (list != NULL)
        belief = belief_in(lists, list, !ip_is_v4(ip));
    if (belief == BELIEF_NO)
        return;
    query_out->list = list;
    query_out->client = dns_ask(lists->dns, DNS_A, name, deadline);
    query_out->checks = belief != BELIEF_YES;
    if (belief == BELIEF_CHECK_AGAIN)
        forget_points(lists, list);
    if (query_out->checks)
        ask_points(lists, list, deadline, query_out->points);
}

bool dnslist_ready(const struct dnslist_query *query)
{
    return query->list == NULL ||
           (dns_ready(query->client) && (!query->checks || points_ready(query->points)));
}

/* What one answer does to the counters. */
struct effect {
    bool complain, suspend;
    unsigned withheld;
};

static enum dnslist_health failing_by(enum dnslist_class class)
{
    if (class == DNSLIST_REFUSED)
        return DNSLIST_REFUSES;
    return class == DNSLIST_WRONG ? DNSLIST_ANSWERS_WRONG : DNSLIST_UNANSWERED;
}

static struct effect count_failure(struct dnslist *list, enum dnslist_class class, bool blame)
{
    struct effect effect = {.complain = list->complained == 0 ||
                                        mono_now() - list->complained >= COMPLAIN_EVERY};

    if (effect.complain) {
        effect.withheld = list->withheld;
        list->withheld = 0;
        list->complained = mono_now();
    } else {
        list->withheld++;
    }
    list->failures += blame;
    if (list->failures >= DNSLIST_FAILURES_MAX && list->health == DNSLIST_GOOD) {
        list->health = failing_by(class);
        list->checked = mono_now();
        effect.suspend = true;
    }
    return effect;
}

static void count_answer(struct dnslist *list, bool listed)
{
    list->failures = 0;
    list->run = listed ? list->run + 1 : 0;
}

/* A cached answer says nothing new about the list; a question that never left
 * us, or had too little time, says nothing at all. */
static void note(const struct dnslist_query *query, enum dnslist_class class, bool cached)
{
    struct dnslists *lists = query->lists;
    struct dnslist *list = query->list;
    struct effect effect = {.complain = false};
    bool blame = !cached && query->client != NULL && (query->patient || class != DNSLIST_TIMEOUT);

    pthread_mutex_lock(&lists->lock);
    switch (class) {
    case DNSLIST_NOT_LISTED:
    case DNSLIST_LISTED:
        if (!cached)
            count_answer(list, class == DNSLIST_LISTED);
        break;
    case DNSLIST_REFUSED:
    case DNSLIST_WRONG:
    case DNSLIST_FAILED:
    case DNSLIST_TIMEOUT:
        effect = count_failure(list, class, blame);
        break;
    case DNSLIST_NOT_ASKED:
        break;
    }
    enum dnslist_health health = list->health;
    pthread_mutex_unlock(&lists->lock);

    if (effect.complain)
        log_odd_answer(list, class, effect.withheld);
    if (effect.suspend)
        log_suspended(list, health);
}

/* A listing counts only from a list that is good at this moment. */
static enum dnslist_class believe(struct dnslist_query *query, enum dnslist_class class)
{
    if (class != DNSLIST_LISTED)
        return class;
    if (query->checks) {
        struct finding found = judge(query->points);
        if (query->patient || found.health != DNSLIST_UNANSWERED)
            end_check(query->lists, query->list, found);
        if (found.health != DNSLIST_GOOD)
            return DNSLIST_NOT_ASKED;
    }
    pthread_mutex_lock(&query->lists->lock);
    bool good = query->list->health == DNSLIST_GOOD;
    pthread_mutex_unlock(&query->lists->lock);
    return good ? DNSLIST_LISTED : DNSLIST_NOT_ASKED;
}

enum dnslist_class dnslist_wait(struct dnslist_query *query)
{
    if (query->list == NULL)
        return DNSLIST_NOT_ASKED;
    const struct dns_answer *answer = dns_wait(query->client, MONO_NEVER);
    enum dnslist_class class = dnslist_read(answer);
    note(query, class, answer->cached);
    return believe(query, class);
}

const struct dns_answer *dnslist_answer(const struct dnslist_query *query)
{
    return dns_wait(query->client, MONO_NEVER);
}

void dnslist_drop(struct dnslist_query *query)
{
    dns_drop(query->client);
    drop_points(query->points);
    *query = (struct dnslist_query){.list = NULL};
}

enum dnslist_health dnslists_check(struct dnslists *lists, const char *zone, mono_us deadline)
{
    struct dnslist *list = find_list(lists, zone);
    struct dns_query *points[DNSLIST_POINTS];

    if (list == NULL)
        return DNSLIST_UNCHECKED;
    ask_points(lists, list, deadline, points);
    end_check(lists, list, judge(points));
    drop_points(points);
    return dnslists_health(lists, zone);
}

enum dnslist_health dnslists_health(struct dnslists *lists, const char *zone)
{
    struct dnslist *list = find_list(lists, zone);

    if (list == NULL)
        return DNSLIST_UNCHECKED;
    pthread_mutex_lock(&lists->lock);
    enum dnslist_health health = list->health;
    pthread_mutex_unlock(&lists->lock);
    return health;
}

void dnslists_each(struct dnslists *lists,
                   void (*visit)(const char *zone, enum dnslist_health health, void *arg),
                   void *arg)
{
    for (const struct dnslist *list = first_list(lists); list != NULL; list = list->next) {
        pthread_mutex_lock(&lists->lock);
        enum dnslist_health health = list->health;
        bool watched = list->watched;
        pthread_mutex_unlock(&lists->lock);
        if (watched)
            visit(list->zone, health, arg);
    }
}

size_t dnslists_pauses(struct dnslists *lists, struct backoff_pause *pauses_out, size_t room)
{
    mono_us now = mono_now();
    size_t n = 0;

    for (const struct dnslist *list = first_list(lists); list != NULL; list = list->next) {
        struct backoff_pause pause = {.left = 0};
        pthread_mutex_lock(&lists->lock);
        enum dnslist_health health = list->health;
        bool counts = list->watched && is_suspended(health);
        pause.left = list->checked + DNSLIST_RECHECK_EVERY - now;
        pthread_mutex_unlock(&lists->lock);
        if (!counts)
            continue;
        if (pause.left < 0) /* the check is under way */
            pause.left = 0;
        snprintf(pause.host, sizeof pause.host, "%s", list->zone);
        snprintf(pause.cause, sizeof pause.cause, "%s", dnslist_health_text(health));
        if (n < room)
            pauses_out[n] = pause;
        n++;
    }
    return n;
}

size_t dnslists_forget(struct dnslists *lists, const char *zone)
{
    size_t n = 0;

    for (struct dnslist *list = first_list(lists); list != NULL; list = list->next) {
        if (zone != NULL && strcmp(zone, list->zone) != 0)
            continue;
        dns_forget_below(lists->dns, list->zone);
        n++;
    }
    return n;
}
