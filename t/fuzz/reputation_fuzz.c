/*
 * reputation_fuzz.c - values of [reputation] and TXT records with owners.
 *
 * The bytes are a text. As a map, every answer it covers has a score inside the
 * range, between those of its ends.
 */
#include <string.h>
#include "lib/net/reputation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_map(const struct reputation_map *map)
{
    double least = map->from < map->to ? map->from : map->to;
    double most = map->from < map->to ? map->to : map->from;
    CHECK(least >= -10.0 && most <= 10.0 && least < most && map->low < map->high);
    for (unsigned last = 0; last < 256; last++) {
        struct ip ip =
            ip_from_v4((uint32_t)map->network[0] << 24 | (uint32_t)map->network[1] << 16 |
                       (uint32_t)map->network[2] << 8 | last);
        double score = 0;
        bool inside = reputation_map_score(map, &ip, &score);
        CHECK(inside == (last >= map->low && last <= map->high));
        if (inside)
            CHECK(score >= least - 1e-9 && score <= most + 1e-9);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct reputation_source source;
    struct reputation_map map;
    struct err err = {.text = ""};
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (reputation_parse_map(text, &map, &err))
        check_map(&map);
    else
        CHECK(err.text[0] != '\0');
    for (unsigned allowed = 0; allowed < 16; allowed++) {
        if (reputation_parse_source(text, allowed, &source, &err))
            CHECK(source.kind == REPUTATION_NOWHERE || (allowed & 1U << source.kind) != 0);
    }
    (void)reputation_owner_of_text(text);
    free(text);
    return 0;
}
