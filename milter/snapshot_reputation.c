/* [reputation] of a snapshot: sources read, files and databases opened. */
#include "lib/net/geo.h"
#include "lib/net/scores.h"
#include "milter/snapshot_parts.h"

#define DAY 86400
#define OLD_DAYS 60 /* publishers bring a new edition at least once a month */

struct building {
    struct snapshot *snapshot;
    const struct conf_section *section;
    struct problems *problems;
};

/* The source a key names; for a file its absolute path. */
static bool read_source(const struct building *b, const char *key, const char *text,
                        unsigned allowed, struct reputation_source *source)
{
    struct err err = {0};

    if (!reputation_parse_source(text, allowed, source, &err)) {
        conf_error(b->problems, b->section, key, "%s", err.text);
        return false;
    }
    if (source->path == NULL)
        return true;
    source->path = conf_absolute(b->snapshot->conf, source->path);
    if (source->path == NULL)
        conf_error(b->problems, b->section, key, "out of memory");
    return source->path != NULL;
}

static void build_score(const struct building *b, const struct reputation_keys *keys)
{
    struct reputation *reputation = &b->snapshot->reputation;
    struct err err = {0};

    bool good =
        read_source(b, "source", keys->source,
                    1U << REPUTATION_FROM_FILE | 1U << REPUTATION_FROM_DNS, &reputation->score);
    if (good && reputation->score.kind == REPUTATION_FROM_FILE)
        reputation->scores =
            scores_load(reputation->score.path, conf_place(b->section, "source"), b->problems);
    bool needed = good && reputation->score.kind == REPUTATION_FROM_DNS;
    if ((needed || keys->map[0] != '\0') && !conf_is_wrong(b->section, "map") &&
        !reputation_parse_map(keys->map, &reputation->map, &err))
        conf_error(b->problems, b->section, "map", "%s", err.text);
}

static const struct geo *open_geo(const struct building *b, const char *key, const char *path)
{
    struct err err = {0};

    if (!geo_supported()) {
        conf_error(b->problems, b->section, key,
                   "mmdb: is not possible: this gatehouse was built without libmaxminddb");
        return NULL;
    }
    const struct geo *geo = geo_open(path, &err);
    if (geo == NULL) {
        conf_error(b->problems, b->section, key, "%s; allowed: a MaxMind DB file", err.text);
        return NULL;
    }
    int64_t days = (mono_wall_seconds() - geo_made(geo)) / DAY;
    if (days > OLD_DAYS)
        conf_warning(b->problems, b->section, key, "%s is old: it was made %lld days ago", path,
                     (long long)days);
    return geo;
}

void snapshot_build_reputation(struct snapshot *snapshot, struct problems *problems)
{
    struct reputation *reputation = &snapshot->reputation;
    struct building b = {snapshot, conf_find(snapshot->conf, "reputation", ""), problems};
    const struct reputation_keys *keys = b.section->values;

    reputation->timeout = MONO_MS(keys->timeout);
    build_score(&b, keys);
    if (read_source(&b, "owner_source", keys->owner_source,
                    1U << REPUTATION_FROM_MMDB | 1U << REPUTATION_FROM_DNS, &reputation->owner) &&
        reputation->owner.kind == REPUTATION_FROM_MMDB)
        reputation->owner_geo = open_geo(&b, "owner_source", reputation->owner.path);
    if (read_source(&b, "country_source", keys->country_source, 1U << REPUTATION_FROM_MMDB,
                    &reputation->country) &&
        reputation->country.kind == REPUTATION_FROM_MMDB)
        reputation->country_geo = open_geo(&b, "country_source", reputation->country.path);
}

void snapshot_free_reputation(struct snapshot *snapshot)
{
    struct reputation *reputation = &snapshot->reputation;

    /* Built as owned, handed out as const. */
    scores_free((struct scores *)(uintptr_t)reputation->scores);
    geo_close((struct geo *)(uintptr_t)reputation->owner_geo);
    geo_close((struct geo *)(uintptr_t)reputation->country_geo);
}

/* --- entries that cannot match --------------------------------------------------------- */

/* Why score or owner of nobody is known on this listener; NULL: it can be. */
static const char *why_not(const struct listener *listener, const struct reputation_source *source,
                           const char *none)
{
    if (!listener_uses_reputation(listener))
        return "use_reputation is off here";
    return source->kind == REPUTATION_NOWHERE ? none : NULL;
}

void snapshot_check_lookups(const struct snapshot *snapshot, const struct conf_section *section,
                            const struct listener *listener, struct problems *problems)
{
    const struct reputation *reputation = &snapshot->reputation;
    struct hat_wants asks;

    hat_asks(listener->hat, &asks);
    const char *no_score = why_not(listener, &reputation->score, "[reputation] source is none");
    const char *no_owner =
        why_not(listener, &reputation->owner, "[reputation] owner_source is none");
    if (asks.score && no_score != NULL)
        conf_warning(problems, section, "use_reputation",
                     "no sender entry with SBRS matches, SBRS[none] included: %s", no_score);
    if (asks.owner && no_owner != NULL)
        conf_warning(problems, section, "use_reputation", "no sender entry with SBO: matches: %s",
                     no_owner);
    if (asks.country && reputation->country.kind == REPUTATION_NOWHERE)
        conf_warning(problems, section, NULL,
                     "no sender entry with country: matches: [reputation] country_source is none");
}
