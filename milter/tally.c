#include "milter/tally.h"

#define ACTIONS 3 /* of enum verdict_action */
#define PER_STAGE ((size_t)REASON_COUNT * ACTIONS)

static const char *const stage_names[TALLY_STAGES] = {"connect", "mail", "rcpt", "eom"};

struct stats *tally_new(void)
{
    return stats_new(TALLY_STAGES * PER_STAGE);
}

static size_t place_of(size_t stage, size_t reason, size_t action)
{
    return stage * PER_STAGE + reason * ACTIONS + action;
}

void tally_count(struct stats *stats, enum tally_stage stage, const struct verdict *verdict)
{
    stats_count(stats, place_of(stage, verdict->reason, verdict->action));
}

static void print_one(size_t stage, size_t reason, size_t action, uint64_t count, bool prometheus,
                      struct strbuf *out)
{
    const struct reason_row *row = &reason_rows[reason];
    const char *verdict = verdict_action_name((enum verdict_action)action);
    unsigned long long number = count;

    if (prometheus)
        strbuf_printf(out,
                      "gatehouse_decisions_total{stage=\"%s\",verdict=\"%s\",by=\"%s\","
                      "detail=\"%s\"} %llu\n",
                      stage_names[stage], verdict, row->by, row->token, number);
    else
        strbuf_printf(out, "%s %s %s/%s %llu\n", stage_names[stage], verdict, row->by, row->token,
                      number);
}

void tally_print(const struct stats *stats, bool prometheus, struct strbuf *out)
{
    if (prometheus)
        strbuf_puts(out, "# HELP gatehouse_decisions_total Decisions since the start, by stage, "
                         "verdict, mechanism and reason.\n"
                         "# TYPE gatehouse_decisions_total counter\n");
    for (size_t stage = 0; stage < TALLY_STAGES; stage++) {
        for (size_t i = 0; i < PER_STAGE; i++) {
            uint64_t count = stats_get(stats, stage * PER_STAGE + i);
            if (count > 0)
                print_one(stage, i / ACTIONS, i % ACTIONS, count, prometheus, out);
        }
    }
}
