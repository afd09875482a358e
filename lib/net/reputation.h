/*
 * reputation.h - keys of [reputation] and what they mean: where scores, network
 * owners and countries of clients come from (SPEC 2).
 *
 * A struct reputation is put together by the snapshot, which owns the files it
 * points to; immutable then. Nothing here asks or blocks. Any thread.
 */
#ifndef LIB_NET_REPUTATION_H
#define LIB_NET_REPUTATION_H

#include "lib/base/domain.h"
#include "lib/base/err.h"
#include "lib/base/ip.h"
#include "lib/base/key.h"
#include "lib/base/mono.h"

struct reputation_keys {
#include "lib/base/key_members.h"
#include "lib/net/reputation.def"
#include "lib/base/key_end.h"
};

extern const struct key_row reputation_rows[];
extern const size_t reputation_nrows;

enum reputation_kind {
    REPUTATION_NOWHERE,   /* none */
    REPUTATION_FROM_FILE, /* file:PATH */
    REPUTATION_FROM_DNS,  /* dns:ZONE */
    REPUTATION_FROM_MMDB  /* mmdb:PATH */
};

struct reputation_source {
    enum reputation_kind kind;
    const char *path;          /* FILE, MMDB: as written, borrowed from the text parsed */
    char zone[DOMAIN_MAX + 1]; /* DNS: canonical */
};

/* allowed: bits of the kinds that make sense, 1U << kind; none always does. */
NODISCARD bool reputation_parse_source(const char *text, unsigned allowed,
                                       struct reputation_source *source_out, struct err *err);

/* `map`: 127.0.4.0-100 -> -10..10 */
struct reputation_map {
    uint8_t network[3]; /* 127, 0, 4 */
    uint8_t low, high;  /* 0...100; low < high */
    double from, to;    /* the scores of low and high; either may be the greater */
};
NODISCARD bool reputation_parse_map(const char *text, struct reputation_map *map_out,
                                    struct err *err);
/* false: the answer lies outside, which is no score. */
bool reputation_map_score(const struct reputation_map *map, const struct ip *answer,
                          double *score_out);

/* The first number of a TXT record; 0: there is none that could be an owner. */
uint32_t reputation_owner_of_text(const char *text);

struct scores;
struct geo;

struct reputation {
    struct reputation_source score, owner, country;
    struct reputation_map map;     /* of score.zone */
    const struct scores *scores;   /* FROM_FILE */
    const struct geo *owner_geo;   /* FROM_MMDB; NULL: the database is missing */
    const struct geo *country_geo; /* FROM_MMDB; NULL: the database is missing */
    mono_us timeout;               /* of everything asked at connect, DNS lists included */
};

#endif
