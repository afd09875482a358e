/* gatehousectl report: the log in numbers, and the refusals worth a look. */
#include "milter/command.h"

#include <getopt.h>
#include <string.h>

#include "lib/base/mono.h"
#include "milter/form.h"
#include "milter/report.h"

#define SHOWN 10       /* names of a kind, for people */
#define SHOWN_JSON 100 /* the same in JSON */
#define TOTALS_SHOWN 500
#define NAME_COLUMN 44

static const char *const kind_words[REPORT_KINDS] = {"sender", "domain", "recipient", "network"};

struct printing {
    struct report *report;
    struct logquery *query;
    struct strbuf out;
    bool json;
};

/* --- pieces ------------------------------------------------------------------------------------
 */

static void put_when(struct printing *printing, const char *key, int64_t when)
{
    char text[MONO_WALL_TEXT_MAX];

    strbuf_printf(&printing->out, "\"%s\":", key);
    if (when == LOGENTRY_NO_TIME)
        strbuf_puts(&printing->out, "null");
    else
        strbuf_printf(&printing->out, "\"%s\"", mono_wall_at(when / MONO_SECONDS(1), text));
}

static void put_text(struct printing *printing, const char *key, const char *text)
{
    strbuf_printf(&printing->out, "\"%s\":", key);
    logquery_quote(slice_of(text), &printing->out);
}

static void put_counts(struct printing *printing, const struct report_name *name)
{
    strbuf_printf(&printing->out, ",\"accepted\":%llu,\"refused\":%llu,\"tempfailed\":%llu",
                  (unsigned long long)name->accepted, (unsigned long long)name->refused,
                  (unsigned long long)name->tempfailed);
}

/* --- for people --------------------------------------------------------------------------------
 */

static void show_name(struct printing *printing, const struct report_name *name)
{
    struct strbuf shown;

    strbuf_init(&shown);
    logquery_put(slice_of(name->text), &shown);
    strbuf_printf(&printing->out, "  %-*s %10llu %10llu %10llu\n", NAME_COLUMN, strbuf_text(&shown),
                  (unsigned long long)name->accepted, (unsigned long long)name->refused,
                  (unsigned long long)name->tempfailed);
    printing->out.failed = printing->out.failed || shown.failed;
    strbuf_done(&shown);
}

static void show_names(struct printing *printing, const char *title, enum report_kind kind,
                       enum report_order order)
{
    struct report_name names[SHOWN];
    size_t n = report_names(printing->report, kind, order, names, SHOWN);

    if (n == 0)
        return;
    strbuf_printf(&printing->out, "\n%-*s %10s %10s %10s\n", NAME_COLUMN + 2, title, "accepted",
                  "refused", "tempfailed");
    for (size_t i = 0; i < n; i++)
        show_name(printing, &names[i]);
}

static void show_worth(struct printing *printing)
{
    struct report_name names[SHOWN];
    char time[LOGQUERY_TIME_MAX];
    bool any = false;

    for (enum report_kind kind = REPORT_SENDER; kind < REPORT_KINDS; kind++) {
        size_t n = report_names(printing->report, kind, REPORT_BY_WORTH, names, SHOWN);
        for (size_t i = 0; i < n; i++) {
            const struct report_name *name = &names[i];
            strbuf_puts(&printing->out, any ? "" : "\nRefusals worth a look\n");
            strbuf_printf(&printing->out, "  %s ", kind_words[kind]);
            logquery_put(slice_of(name->text), &printing->out);
            strbuf_printf(&printing->out, ": accepted %llu, refused %llu, last %s",
                          (unsigned long long)name->accepted, (unsigned long long)name->worth,
                          logquery_time(name->last, time));
            if (name->reason != NULL)
                strbuf_printf(&printing->out, "\n      %s", name->reason->doc);
            strbuf_puts(&printing->out, name->rule[0] != '\0' ? " " : "");
            logquery_put(slice_of(name->rule), &printing->out);
            strbuf_putc(&printing->out, '\n');
            any = true;
        }
    }
}

static void show_head(struct printing *printing)
{
    char first[LOGQUERY_TIME_MAX], last[LOGQUERY_TIME_MAX];

    strbuf_printf(&printing->out, "From %s to %s: %llu lines, %llu of them foreign or damaged\n",
                  logquery_time(report_first(printing->report), first),
                  logquery_time(report_last(printing->report), last),
                  (unsigned long long)printing->query->lines,
                  (unsigned long long)printing->query->foreign);
    if (report_is_partial(printing->report))
        strbuf_printf(
            &printing->out,
            "There are more than %d names of a kind: only the first ones are counted by name\n",
            REPORT_NAMES_MAX);
}

static void show_totals(struct printing *printing, const struct report_total *totals, size_t n)
{
    strbuf_printf(&printing->out, "\n%-9s %-9s %-12s %-24s %10s\n", "Stage", "Verdict", "By",
                  "Detail", "count");
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&printing->out, "%-9s %-9s %-12s %-24s %10llu\n", totals[i].stage,
                      totals[i].verdict, totals[i].by, totals[i].detail,
                      (unsigned long long)totals[i].count);
}

static void show(struct printing *printing, const struct report_total *totals, size_t n)
{
    show_head(printing);
    show_totals(printing, totals, n);
    show_names(printing, "Busiest sender domains", REPORT_DOMAIN, REPORT_BY_ACCEPTED);
    show_names(printing, "Most refused sender domains", REPORT_DOMAIN, REPORT_BY_REFUSED);
    show_names(printing, "Busiest recipients", REPORT_RECIPIENT, REPORT_BY_ACCEPTED);
    show_names(printing, "Most refused recipients", REPORT_RECIPIENT, REPORT_BY_REFUSED);
    show_worth(printing);
}

/* --- JSON --------------------------------------------------------------------------------------
 */

static void quote_totals(struct printing *printing, const struct report_total *totals, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        strbuf_puts(&printing->out, i > 0 ? ",{" : "{");
        put_text(printing, "stage", totals[i].stage);
        strbuf_putc(&printing->out, ',');
        put_text(printing, "verdict", totals[i].verdict);
        strbuf_putc(&printing->out, ',');
        put_text(printing, "by", totals[i].by);
        strbuf_putc(&printing->out, ',');
        put_text(printing, "detail", totals[i].detail);
        strbuf_printf(&printing->out, ",\"count\":%llu}", (unsigned long long)totals[i].count);
    }
}

static bool is_among(const struct report_name *names, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (names[i].text == text)
            return true;
    }
    return false;
}

/* The busiest, then those of the most refused that are not among them. */
static void quote_names(struct printing *printing, enum report_kind kind, const char *key)
{
    struct report_name busiest[SHOWN_JSON], refused[SHOWN_JSON];
    size_t nbusiest = report_names(printing->report, kind, REPORT_BY_ACCEPTED, busiest, SHOWN_JSON);
    size_t nrefused = report_names(printing->report, kind, REPORT_BY_REFUSED, refused, SHOWN_JSON);
    const char *between = "{";

    for (size_t i = 0; i < nbusiest + nrefused; i++) {
        const struct report_name *name = i < nbusiest ? &busiest[i] : &refused[i - nbusiest];
        if (i >= nbusiest && is_among(busiest, nbusiest, name->text))
            continue;
        strbuf_puts(&printing->out, between);
        put_text(printing, key, name->text);
        put_counts(printing, name);
        strbuf_putc(&printing->out, '}');
        between = ",{";
    }
}

static void quote_worth(struct printing *printing)
{
    struct report_name names[SHOWN_JSON];
    const char *between = "{";

    for (enum report_kind kind = REPORT_SENDER; kind < REPORT_KINDS; kind++) {
        size_t n = report_names(printing->report, kind, REPORT_BY_WORTH, names, SHOWN_JSON);
        for (size_t i = 0; i < n; i++) {
            const struct report_name *name = &names[i];
            strbuf_printf(&printing->out, "%s\"kind\":\"%s\",", between, kind_words[kind]);
            put_text(printing, "name", name->text);
            strbuf_printf(&printing->out, ",\"accepted\":%llu,\"refused\":%llu,",
                          (unsigned long long)name->accepted, (unsigned long long)name->worth);
            put_when(printing, "last", name->last);
            strbuf_putc(&printing->out, ',');
            put_text(printing, "by", name->reason != NULL ? name->reason->by : "");
            strbuf_putc(&printing->out, ',');
            put_text(printing, "detail", name->reason != NULL ? name->reason->token : "");
            strbuf_putc(&printing->out, ',');
            put_text(printing, "rule", name->rule);
            strbuf_putc(&printing->out, '}');
            between = ",{";
        }
    }
}

static void quote(struct printing *printing, const struct report_total *totals, size_t n)
{
    strbuf_putc(&printing->out, '{');
    put_when(printing, "since", report_first(printing->report));
    strbuf_putc(&printing->out, ',');
    put_when(printing, "until", report_last(printing->report));
    strbuf_printf(&printing->out, ",\"lines\":%llu,\"foreign\":%llu,\"partial\":%s,\"totals\":[",
                  (unsigned long long)printing->query->lines,
                  (unsigned long long)printing->query->foreign,
                  report_is_partial(printing->report) ? "true" : "false");
    quote_totals(printing, totals, n);
    strbuf_puts(&printing->out, "],\"senders\":[");
    quote_names(printing, REPORT_DOMAIN, "domain");
    strbuf_puts(&printing->out, "],\"recipients\":[");
    quote_names(printing, REPORT_RECIPIENT, "recipient");
    strbuf_puts(&printing->out, "],\"worth_a_look\":[");
    quote_worth(printing);
    strbuf_puts(&printing->out, "]}\n");
}

/* --- the command -------------------------------------------------------------------------------
 */

static int print(const struct command *command, struct printing *printing)
{
    struct report_total totals[TOTALS_SHOWN];
    size_t n = report_totals(printing->report, totals, TOTALS_SHOWN);

    if (n == 0 && !printing->json) {
        fprintf(stderr, "nothing found in %llu lines\n",
                (unsigned long long)printing->query->lines);
        return COMMAND_NO;
    }
    (printing->json ? quote : show)(printing, totals, n);
    int status = command_print(command, &printing->out);
    return status != COMMAND_YES || n > 0 ? status : COMMAND_NO;
}

static int run(const struct command *command, struct logquery *query, bool json)
{
    struct printing printing = {.report = report_new(), .query = query, .json = json};
    bool good = printing.report != NULL;
    struct logentry entry;
    struct slice line;
    int status = COMMAND_USAGE;

    strbuf_init(&printing.out);
    while (good && logquery_next(query, &entry, &line))
        good = report_add(printing.report, &entry);
    if (good)
        status = print(command, &printing);
    else
        fprintf(stderr, "gatehousectl report: out of memory\n");
    strbuf_done(&printing.out);
    report_free(printing.report);
    return logquery_end(query) ? status : COMMAND_USAGE;
}

int command_report(const struct command *command, const char *conf, int argc, char **argv)
{
    struct logquery_logs logs = {.n = 0};
    struct logquery query;
    const char *since = NULL;
    bool json = false;
    int option;

    while ((option = command_option(command, argc, argv)) != -1) {
        if (option == 's')
            since = optarg;
        else if (option == 'j')
            json = true;
        else if (option != 'l' || !logquery_name(&logs, optarg))
            return command_usage(command, NULL);
    }
    if (!logquery_name_rest(&logs, argc - optind, argv + optind))
        return command_usage(command, "wrong arguments");
    if (!logquery_begin(&query, command, conf, since, &logs))
        return COMMAND_USAGE;
    return run(command, &query, json);
}
