/* What `trace` is told of DNS lists. */
#include "milter/trace.h"

#include <string.h>

#include "lib/base/domain.h"

#define DEFAULT_ANSWER 0x7f000002u /* 127.0.0.2 */

/* One zone and one answer of it. */
struct said {
    const char *zone; /* arena */
    uint32_t answer;
};

static bool parse_said_answer(struct slice text, uint32_t *answer_out, struct err *err)
{
    struct ip ip;

    if (!ip_parse(text, &ip) || !ip_is_v4(&ip) || ip_v4(&ip) >> 24 != 127 ||
        ip_v4(&ip) >> 8 == 0x7fffff)
        return err_set(err, ERR_SYNTAX,
                       "listed \"%.*s\" is not an answer of a DNS list; allowed: an address inside "
                       "127.0.0.0/8, not of 127.255.255.0/24, with which lists refuse",
                       (int)text.n, text.p);
    *answer_out = ip_v4(&ip);
    return true;
}

/* One item. An answer alone belongs to the zone ahead of it. */
static bool parse_said(struct slice text, struct arena *arena, const struct said *ahead,
                       struct said *said, struct err *err)
{
    const char *equals = text.n > 0 ? memchr(text.p, '=', text.n) : NULL;
    struct slice zone = {text.p, equals != NULL ? (size_t)(equals - text.p) : text.n};
    char canonical[DOMAIN_MAX];

    said->answer = DEFAULT_ANSWER;
    if (ahead != NULL && equals == NULL && domain_canon(zone, canonical) &&
        domain_is_numeric(canonical)) {
        said->zone = ahead->zone;
        return parse_said_answer(text, &said->answer, err);
    }
    if (!domain_canon(zone, canonical) || domain_is_numeric(canonical))
        return err_set(err, ERR_SYNTAX, "listed \"%.*s\" is not the name of a DNS zone",
                       (int)text.n, text.p);
    said->zone = arena_dup(arena, canonical);
    if (said->zone == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    return equals == NULL ||
           parse_said_answer((struct slice){equals + 1, text.n - zone.n - 1}, &said->answer, err);
}

static bool parse_all_said(const char *const *items, size_t n, struct arena *arena,
                           struct said *said, size_t *nsaid_out, struct err *err)
{
    size_t nsaid = 0;

    for (size_t i = 0; i < n; i++) {
        const char *at = items[i];
        for (bool more = true; more; at++) {
            struct slice text = {at, strcspn(at, ",")};
            if (!parse_said(text, arena, nsaid > 0 ? &said[nsaid - 1] : NULL, &said[nsaid], err))
                return false;
            nsaid++;
            at += text.n;
            more = *at != '\0';
        }
    }
    *nsaid_out = nsaid;
    return true;
}

static int compare_said(const void *a, const void *b)
{
    const struct said *x = a, *y = b;
    int order = strcmp(x->zone, y->zone);
    return order != 0 ? order : (x->answer > y->answer) - (x->answer < y->answer);
}

/* By zone and answer. answers, listed: room for as many as said. */
static size_t gather(struct said *said, size_t n, uint32_t *answers, struct dnslisting *listed)
{
    size_t nlisted = 0, kept = 0;

    qsort(said, n, sizeof *said, compare_said);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && compare_said(&said[i], &said[i - 1]) == 0)
            continue;
        if (i == 0 || strcmp(said[i].zone, said[i - 1].zone) != 0)
            listed[nlisted++] = (struct dnslisting){said[i].zone, &answers[kept], 0};
        answers[kept++] = said[i].answer;
        listed[nlisted - 1].n++;
    }
    return nlisted;
}

static bool asks_zone(const struct hat *hat, const char *zone)
{
    struct hat_wants asks;

    hat_asks(hat, &asks);
    for (size_t i = 0; i < asks.nzones; i++) {
        if (ascii_casecmp(asks.zones[i], zone) == 0)
            return true;
    }
    return false;
}

bool trace_is_zone(const struct trace_setting *setting, const struct listener *listener,
                   const char *zone)
{
    const struct hat *blocks =
        setting->blocks != NULL ? setting->blocks->by_type[listener->keys->type] : NULL;

    return asks_zone(listener->hat, zone) || (blocks != NULL && asks_zone(blocks, zone));
}

bool trace_parse_listed(const char *const *items, size_t n, struct arena *arena,
                        struct trace_query *query, struct err *err)
{
    size_t most = 1, nsaid = 0;

    for (size_t i = 0; i < n; i++) {
        most++;
        for (const char *at = strchr(items[i], ','); at != NULL; at = strchr(at + 1, ','))
            most++;
    }
    struct said *said = arena_alloc(arena, most * sizeof *said);
    uint32_t *answers = arena_alloc(arena, most * sizeof *answers);
    struct dnslisting *listed = arena_alloc(arena, most * sizeof *listed);
    if (said == NULL || answers == NULL || listed == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    if (!parse_all_said(items, n, arena, said, &nsaid, err))
        return false;
    query->listed = listed;
    query->nlisted = gather(said, nsaid, answers, listed);
    return true;
}
