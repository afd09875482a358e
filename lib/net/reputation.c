/*
 * reputation.c - see reputation.h.
 */
#include "lib/net/reputation.h"

#include <string.h>

#include "lib/net/scores.h"

#define KEY_STRUCT struct reputation_keys
const struct key_row reputation_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/net/reputation.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t reputation_nrows = ARRAY_LEN(reputation_rows);

/* --- sources ------------------------------------------------------------------------- */

static const struct {
    const char *prefix, *form;
    enum reputation_kind kind;
} kinds[] = {
    {"file:", "file:PATH", REPUTATION_FROM_FILE},
    {"dns:", "dns:ZONE", REPUTATION_FROM_DNS},
    {"mmdb:", "mmdb:PATH", REPUTATION_FROM_MMDB},
};

static bool wrong_source(const char *text, unsigned allowed, struct err *err)
{
    char forms[64] = "none";

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t n = strlen(forms);
        if ((allowed & 1U << kinds[i].kind) != 0)
            snprintf(forms + n, sizeof forms - n, " or %s", kinds[i].form);
    }
    return err_set(err, ERR_SYNTAX, "\"%.100s\" is not a source; allowed: %s", text, forms);
}

bool reputation_parse_source(const char *text, unsigned allowed,
                             struct reputation_source *source_out, struct err *err)
{
    struct reputation_source source = {.kind = REPUTATION_NOWHERE};
    const char *arg = NULL;

    *source_out = source;
    if (strcmp(text, "none") == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(kinds) && arg == NULL; i++) {
        size_t n = strlen(kinds[i].prefix);
        if (strncmp(text, kinds[i].prefix, n) == 0 && (allowed & 1U << kinds[i].kind) != 0) {
            source.kind = kinds[i].kind;
            arg = text + n;
        }
    }
    if (arg == NULL || arg[0] == '\0')
        return wrong_source(text, allowed, err);
    if (source.kind != REPUTATION_FROM_DNS)
        source.path = arg;
    else if (!domain_canon(slice_of(arg), source.zone))
        return err_set(err, ERR_SYNTAX,
                       "\"%.100s\" is not the name of a DNS zone; allowed: a name as "
                       "list.example",
                       arg);
    *source_out = source;
    return true;
}

/* --- map ----------------------------------------------------------------------------- */

/* What stands before `mark`, which goes as well. */
static bool cut(struct slice *rest, const char *mark, struct slice *part_out)
{
    const char *at = memmem(rest->p, rest->n, mark, strlen(mark));

    if (at == NULL)
        return false;
    *part_out = slice_trim((struct slice){rest->p, (size_t)(at - rest->p)});
    rest->n -= (size_t)(at - rest->p) + strlen(mark);
    rest->p = at + strlen(mark);
    *rest = slice_trim(*rest);
    return true;
}

static bool parse_octet(struct slice text, uint8_t *octet_out)
{
    uint64_t value = 0;

    if (!str_to_uint(text, UINT8_MAX, &value))
        return false;
    *octet_out = (uint8_t)value;
    return true;
}

/* "127.0.4.0-100" */
static bool parse_answers(struct slice text, struct reputation_map *map)
{
    struct slice part;

    for (size_t i = 0; i < ARRAY_LEN(map->network); i++) {
        if (!cut(&text, ".", &part) || !parse_octet(part, &map->network[i]))
            return false;
    }
    return cut(&text, "-", &part) && parse_octet(part, &map->low) &&
           parse_octet(text, &map->high) && map->low < map->high && map->network[0] == 127;
}

/* "-10..10" */
static bool parse_scores(struct slice text, struct reputation_map *map)
{
    struct slice part;
    int from = 0, to = 0;

    if (!cut(&text, "..", &part) || !scores_parse(part, &from) || !scores_parse(text, &to) ||
        from == to)
        return false;
    map->from = (double)from / SCORES_UNIT;
    map->to = (double)to / SCORES_UNIT;
    return true;
}

bool reputation_parse_map(const char *text, struct reputation_map *map_out, struct err *err)
{
    struct reputation_map map = {.low = 0};
    struct slice rest = slice_of(text), answers;

    if (!cut(&rest, "->", &answers) || !parse_answers(answers, &map) || !parse_scores(rest, &map))
        return err_set(err, ERR_SYNTAX,
                       "\"%.100s\" is not a map; allowed: 127.A.B.LOW-HIGH -> FROM..TO, LOW under "
                       "HIGH, scores from -10.0 to 10.0, as in 127.0.4.0-100 -> -10..10",
                       text);
    *map_out = map;
    return true;
}

bool reputation_map_score(const struct reputation_map *map, const struct ip *answer,
                          double *score_out)
{
    uint8_t last = answer->b[15];

    if (!ip_is_v4(answer) || memcmp(answer->b + 12, map->network, sizeof map->network) != 0 ||
        last < map->low || last > map->high)
        return false;
    double share = (double)(last - map->low) / (map->high - map->low);
    *score_out = map->from + share * (map->to - map->from);
    return true;
}

/* --- owners -------------------------------------------------------------------------- */

uint32_t reputation_owner_of_text(const char *text)
{
    uint64_t owner = 0;
    size_t n = 0;

    while (*text != '\0' && !ascii_is_digit(*text))
        text++;
    while (ascii_is_digit(text[n]))
        n++;
    return str_to_uint((struct slice){text, n}, UINT32_MAX, &owner) ? (uint32_t)owner : 0;
}
