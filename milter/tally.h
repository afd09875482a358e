/*
 * tally.h - how often each decision was made, by stage, verdict and reason
 * (DESIGN 2: statistics come from the rows of reasons.def).
 *
 * What monitor mode did not speak counts as what was decided. Any thread.
 */
#ifndef MILTER_TALLY_H
#define MILTER_TALLY_H

#include "lib/gate/verdict.h"
#include "lib/state/stats.h"

enum tally_stage { TALLY_CONNECT, TALLY_MAIL, TALLY_RCPT, TALLY_EOM, TALLY_STAGES };

struct stats *tally_new(void); /* for stats_free(); NULL: out of memory */
void tally_count(struct stats *stats, enum tally_stage stage, const struct verdict *verdict);

/* "rcpt reject callahead/user_unknown 17", one a line, what never happened left
 * out; or, for Prometheus, samples of gatehouse_decisions_total. */
void tally_print(const struct stats *stats, bool prometheus, struct strbuf *out);

#endif
