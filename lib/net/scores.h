/*
 * scores.h - reputation scores from a file of lines "CIDR SCORE" (SPEC 2
 * [reputation] source = file:PATH).
 *
 * A line names a network (or one address) of IPv4 or IPv6 and its score, -10.0
 * to 10.0 with up to three decimals; '#' begins a comment. The most specific
 * network that holds the address counts, whatever the order of the lines; of a
 * network written twice the lower score. ::/0 holds no IPv4 address.
 *
 * Immutable once loaded; loading: one thread, blocks on the file; asking: any.
 */
#ifndef LIB_NET_SCORES_H
#define LIB_NET_SCORES_H

#include "lib/base/ip.h"
#include "lib/base/problem.h"

struct scores;

/* Every wrong line is a problem in the file, an unreadable file one at `at`.
 * NULL when there was an error. path: borrowed for the call. */
struct scores *scores_load(const char *path, struct place at, struct problems *problems);
void scores_free(struct scores *scores); /* takes NULL */

/* false: no network holds the address. */
bool scores_get(const struct scores *scores, const struct ip *ip, double *score_out);
size_t scores_count(const struct scores *scores); /* lines with a network */

/* "-2.5": a decimal number in the range of scores, in thousandths. */
#define SCORES_UNIT 1000
#define SCORES_MOST (10 * SCORES_UNIT)
NODISCARD bool scores_parse(struct slice text, int *thousandths_out);

#endif
