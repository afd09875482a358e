/*
 * scores.c - see scores.h.
 *
 * ipmap answers with the lowest number of all ranges that hold an address, so a
 * number is made of how unspecific its network is, and then of the score: the
 * lowest is the longest prefix, and no table of scores is needed beside it.
 */
#include "lib/net/scores.h"

#include <string.h>

#include "lib/base/escape.h"
#include "lib/base/ipmap.h"
#include "lib/base/lines.h"

#define SCORE_BITS 15 /* 0...20000 */
#define IP_BITS 128
#define DECIMALS 3
#define SHOWN_MAX 80

struct scores {
    struct ipmap *map;
    size_t count;
};

struct loading {
    struct scores *scores;
    const struct lines *lines;
    struct problems *problems;
};

/* --- one line ------------------------------------------------------------------------ */

bool scores_parse(struct slice text, int *thousandths_out)
{
    bool negative = text.n > 0 && text.p[0] == '-';
    bool signed_text = text.n > 0 && (negative || text.p[0] == '+');
    struct slice digits = {text.p + signed_text, text.n - signed_text};
    const char *dot = digits.n > 0 ? memchr(digits.p, '.', digits.n) : NULL;
    struct slice whole = {digits.p, dot != NULL ? (size_t)(dot - digits.p) : digits.n};
    struct slice part = {dot != NULL ? dot + 1 : NULL, dot != NULL ? digits.n - whole.n - 1 : 0};
    uint64_t units = 0, rest = 0;

    if (!str_to_uint(whole, SCORES_MOST / SCORES_UNIT, &units) || part.n > DECIMALS ||
        (dot != NULL && !str_to_uint(part, SCORES_UNIT - 1, &rest)))
        return false;
    for (size_t n = part.n; n < DECIMALS; n++)
        rest *= 10;
    int value = (int)(units * SCORES_UNIT + rest);
    if (value > SCORES_MOST)
        return false;
    *thousandths_out = negative ? -value : value;
    return true;
}

/* "192.0.2.0/24", "2001:db8::/32" or an address. bits: of 32 for IPv4. */
static bool parse_network(struct slice text, struct ip *ip_out, unsigned *bits_out)
{
    const char *slash = memchr(text.p, '/', text.n);
    struct slice address = {text.p, slash != NULL ? (size_t)(slash - text.p) : text.n};
    uint64_t bits = 0;

    if (!ip_parse(address, ip_out))
        return false;
    /* ::ffff:192.0.2.0/120 is 192.0.2.0/24. */
    bool mapped = ip_is_v4(ip_out) && memchr(address.p, ':', address.n) != NULL;
    unsigned least = mapped ? IP_BITS - 32 : 0;
    unsigned most = ip_is_v4(ip_out) && !mapped ? 32 : IP_BITS;
    *bits_out = most - least;
    if (slash == NULL)
        return true;
    if (!str_to_uint((struct slice){slash + 1, text.n - address.n - 1}, most, &bits) ||
        bits < least)
        return false;
    *bits_out = (unsigned)bits - least;
    return true;
}

static void refuse(const struct loading *loading, struct slice line, struct slice word,
                   const char *why)
{
    char shown[SHOWN_MAX];
    unsigned column = (unsigned)(word.p - line.p) + 1;

    escape_line(word, shown, sizeof shown);
    problem_error(loading->problems, lines_place(loading->lines, column), "\"%s\" %s", shown, why);
}

static void add(const struct loading *loading, const struct ip *ip, unsigned bits, int score)
{
    struct scores *scores = loading->scores;
    struct ip first = ip_masked(ip, bits), last = ip_last(ip, bits);
    unsigned specific = ip_is_v4(ip) ? bits + IP_BITS - 32 : bits;
    uint32_t value = (IP_BITS - specific) << SCORE_BITS | (uint32_t)(score + SCORES_MOST);

    if (!ip_equal(&first, ip))
        problem_warning(loading->problems, lines_place(loading->lines, 1),
                        "bits after the prefix length are set; they are ignored");
    if (ipmap_add(scores->map, &first, &last, value))
        scores->count++;
    else
        problem_error(loading->problems, lines_place(loading->lines, 0), "out of memory");
}

static struct slice cut_word(struct slice *rest)
{
    size_t n = 0;
    while (n < rest->n && !ascii_is_space(rest->p[n]))
        n++;
    struct slice word = {rest->p, n};
    *rest = slice_trim((struct slice){rest->p + n, rest->n - n});
    return word;
}

static void take_line(const struct loading *loading, struct slice line)
{
    struct slice rest = slice_trim(lines_strip_comment(line));
    struct ip ip;
    unsigned bits;
    int score;

    if (rest.n == 0)
        return;
    struct slice network = cut_word(&rest);
    if (!parse_network(network, &ip, &bits))
        refuse(loading, line, network, "is not a network; allowed: 192.0.2.0/24 or 2001:db8::/32");
    else if (rest.n == 0)
        refuse(loading, line, network, "has no score; allowed: a network, a blank and a score");
    else if (!scores_parse(rest, &score))
        refuse(loading, line, rest,
               "is not a score; allowed: -10.0 to 10.0, three decimals at most");
    else
        add(loading, &ip, bits, score);
}

/* --- files --------------------------------------------------------------------------- */

static struct scores *scores_new(void)
{
    struct scores *scores = calloc(1, sizeof *scores);
    if (scores == NULL)
        return NULL;
    scores->map = ipmap_new();
    if (scores->map == NULL) {
        free(scores);
        return NULL;
    }
    return scores;
}

struct scores *scores_load(const char *path, struct place at, struct problems *problems)
{
    size_t before = problems_errors(problems);
    struct scores *scores = scores_new();
    struct lines *lines = lines_open(path, at, problems);
    struct loading loading = {scores, lines, problems};
    struct slice line;

    while (scores != NULL && lines != NULL && lines_next(lines, &line))
        take_line(&loading, line);
    lines_close(lines);
    if (problems_errors(problems) == before && (scores == NULL || !ipmap_seal(scores->map)))
        problem_error(problems, at, "out of memory");
    if (problems_errors(problems) == before)
        return scores;
    scores_free(scores);
    return NULL;
}

void scores_free(struct scores *scores)
{
    if (scores == NULL)
        return;
    ipmap_free(scores->map);
    free(scores);
}

bool scores_get(const struct scores *scores, const struct ip *ip, double *score_out)
{
    uint32_t value = ipmap_get(scores->map, ip);

    if (value == IPMAP_NONE)
        return false;
    int thousandths = (int)(value & ((1U << SCORE_BITS) - 1)) - SCORES_MOST;
    *score_out = (double)thousandths / SCORES_UNIT;
    return true;
}

size_t scores_count(const struct scores *scores)
{
    return scores->count;
}
