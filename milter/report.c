/* report.c - see report.h. */
#include "milter/report.h"

#include <string.h>

#include "lib/base/ip.h"
#include "lib/base/strmap.h"

#define NAME_BYTES 320 /* of one name; longer ones are cut */
#define RULES_MAX 10000

struct named {
    char *text;         /* owned */
    uint64_t counts[3]; /* by enum verdict_action */
    uint64_t worth;
    int64_t last;
    const struct reason_row *reason;
    uint32_t rule; /* of the rules; STRMAP_NONE: none */
};

/* Names of one kind, in the order in which they came. */
struct names {
    struct strmap *map; /* over list */
    struct named *list;
    size_t n, room, most;
    uint64_t left_out;
};

struct report {
    struct names kinds[REPORT_KINDS];
    struct names totals; /* "stage verdict by detail" */
    struct names rules;
    int64_t first, last;
};

/* --- names ----------------------------------------------------------------------------------- */

static struct slice text_of(const void *owner, uint32_t value)
{
    const struct names *names = owner;
    return slice_of(names->list[value].text);
}

static bool names_init(struct names *names, size_t most)
{
    *names = (struct names){.map = strmap_new_over(text_of, names), .most = most};
    return names->map != NULL;
}

static void names_done(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->list[i].text);
    free(names->list);
    strmap_free(names->map);
}

static bool grow(struct names *names)
{
    size_t room = names->room > 0 ? names->room * 2 : 64;
    struct named *list = realloc(names->list, room * sizeof *list);

    if (list == NULL)
        return false;
    names->list = list;
    names->room = room;
    return true;
}

/* named_out NULL: there is no room for more. false: out of memory. */
static bool names_get(struct names *names, const char *text, struct named **named_out)
{
    uint32_t known = strmap_get(names->map, slice_of(text));

    *named_out = NULL;
    if (known != STRMAP_NONE) {
        *named_out = &names->list[known];
        return true;
    }
    if (names->n == names->most) {
        names->left_out++;
        return true;
    }
    if (names->n == names->room && !grow(names))
        return false;
    struct named *named = &names->list[names->n];
    *named = (struct named){.text = strdup(text), .last = LOGENTRY_NO_TIME, .rule = STRMAP_NONE};
    if (named->text == NULL)
        return false;
    names->n++; /* the map looks at it from here on */
    if (!strmap_add(names->map, slice_of(text), (uint32_t)names->n - 1, NULL)) {
        names->n--;
        free(named->text);
        return false;
    }
    *named_out = named;
    return true;
}

struct report *report_new(void)
{
    struct report *report = calloc(1, sizeof *report);

    if (report == NULL)
        return NULL;
    report->first = report->last = LOGENTRY_NO_TIME;
    bool good = names_init(&report->totals, REPORT_NAMES_MAX);
    good = names_init(&report->rules, RULES_MAX) && good;
    for (size_t i = 0; i < REPORT_KINDS; i++)
        good = names_init(&report->kinds[i], REPORT_NAMES_MAX) && good;
    if (good)
        return report;
    report_free(report);
    return NULL;
}

void report_free(struct report *report)
{
    if (report == NULL)
        return;
    names_done(&report->totals);
    names_done(&report->rules);
    for (size_t i = 0; i < REPORT_KINDS; i++)
        names_done(&report->kinds[i]);
    free(report);
}

/* --- what an entry is about --------------------------------------------------------------------
 */

/* In lower case, without brackets; "" where there is none. */
static void address_text(struct slice value, char text_out[NAME_BYTES])
{
    if (value.n >= 2 && value.p[0] == '<' && value.p[value.n - 1] == '>')
        value = (struct slice){value.p + 1, value.n - 2};
    snprintf(text_out, NAME_BYTES, "%.*s", (int)value.n, value.p);
    ascii_lower_in_place(text_out);
}

static bool network_text(struct slice value, char text_out[NAME_BYTES])
{
    char address[IP_TEXT_MAX];
    struct ip ip;

    if (!ip_parse(value, &ip))
        return false;
    unsigned bits = ip_is_v4(&ip) ? 24 : 64;
    ip = ip_masked(&ip, bits);
    snprintf(text_out, NAME_BYTES, "%s/%u", ip_text(&ip, address), bits);
    return true;
}

/* Is the reason for the answer the recipient? */
static bool is_about_recipient(struct slice by)
{
    return slice_is(by, "rat") || slice_is(by, "ldap") || slice_is(by, "callahead") ||
           slice_is(by, "dhap") || slice_is(by, "parse");
}

struct fact {
    const struct logentry *entry;
    enum verdict_action action;
    struct slice by;
    bool rcpt, connect;
};

static bool is_worth(const struct fact *fact, enum report_kind kind, const struct named *named)
{
    if (fact->action != VERDICT_REJECT)
        return false;
    switch (kind) {
    case REPORT_SENDER:
        return !fact->connect && !is_about_recipient(fact->by) &&
               named->counts[VERDICT_CONTINUE] > 0;
    case REPORT_DOMAIN:
        return !fact->connect && !is_about_recipient(fact->by) &&
               named->counts[VERDICT_CONTINUE] >= REPORT_KNOWN;
    case REPORT_RECIPIENT:
        return slice_is(fact->by, "rat") || slice_is(fact->by, "ldap") ||
               slice_is(fact->by, "callahead");
    case REPORT_NETWORK:
        return slice_is(fact->by, "hat");
    case REPORT_KINDS:
        return false;
    }
    return false;
}

static bool note_worth(struct report *report, struct named *named, const struct fact *fact)
{
    struct slice rule = logentry_get(fact->entry, "rule");
    struct named *known;
    char text[NAME_BYTES];

    named->worth++;
    named->last = fact->entry->when;
    named->reason = reason_named(fact->by, logentry_get(fact->entry, "detail"), fact->action);
    if (rule.n == 0)
        return true;
    snprintf(text, sizeof text, "%.*s", (int)rule.n, rule.p);
    if (!names_get(&report->rules, text, &known))
        return false;
    named->rule = known != NULL ? (uint32_t)(known - report->rules.list) : STRMAP_NONE;
    return true;
}

static bool count_name(struct report *report, enum report_kind kind, const char *text,
                       const struct fact *fact)
{
    struct named *named;

    if (!names_get(&report->kinds[kind], text, &named))
        return false;
    if (named == NULL)
        return true;
    bool worth = is_worth(fact, kind, named);
    named->counts[fact->action] += fact->rcpt || fact->action != VERDICT_CONTINUE;
    return !worth || note_worth(report, named, fact);
}

/* What is accepted before the recipient is known is not counted by name. */
static bool count_names(struct report *report, const struct fact *fact)
{
    struct slice from = logentry_get(fact->entry, "from"), to = logentry_get(fact->entry, "to");
    char text[NAME_BYTES];
    bool good = true;

    if (!fact->rcpt && fact->action == VERDICT_CONTINUE)
        return true;
    if (from.n > 0) {
        address_text(from, text);
        good = count_name(report, REPORT_SENDER, text[0] != '\0' ? text : "<>", fact);
        const char *at = strrchr(text, '@');
        good = good && (at == NULL || count_name(report, REPORT_DOMAIN, at + 1, fact));
    }
    if (to.n > 0) {
        address_text(to, text);
        good = good && count_name(report, REPORT_RECIPIENT, text, fact);
    }
    if (network_text(logentry_get(fact->entry, "ip"), text))
        good = good && count_name(report, REPORT_NETWORK, text, fact);
    return good;
}

static bool count_total(struct report *report, const struct fact *fact)
{
    static const char *const verdicts[] = {[VERDICT_CONTINUE] = "accept",
                                           [VERDICT_REJECT] = "reject",
                                           [VERDICT_TEMPFAIL] = "tempfail"};
    struct slice event = fact->entry->event, detail = logentry_get(fact->entry, "detail");
    struct named *named;
    char text[NAME_BYTES];

    snprintf(text, sizeof text, "%.*s %s %.*s %.*s", (int)event.n, event.p, verdicts[fact->action],
             (int)fact->by.n, fact->by.p, (int)detail.n, detail.p);
    if (!names_get(&report->totals, text, &named))
        return false;
    if (named != NULL)
        named->counts[VERDICT_CONTINUE]++;
    return true;
}

bool report_add(struct report *report, const struct logentry *entry)
{
    struct fact fact = {.entry = entry,
                        .action = logquery_action(entry),
                        .by = logentry_get(entry, "by"),
                        .rcpt = slice_is(entry->event, "rcpt"),
                        .connect = slice_is(entry->event, "connect")};

    if (entry->icid == 0 || logentry_get(entry, "verdict").n == 0)
        return true;
    if (entry->when != LOGENTRY_NO_TIME) {
        if (report->first == LOGENTRY_NO_TIME || entry->when < report->first)
            report->first = entry->when;
        if (report->last == LOGENTRY_NO_TIME || entry->when > report->last)
            report->last = entry->when;
    }
    return count_total(report, &fact) && count_names(report, &fact);
}

/* --- what came of it ------------------------------------------------------------------------- */

static uint64_t accepted(const struct named *named)
{
    return named->counts[VERDICT_CONTINUE];
}

/* A refusal alone is not worth a look: only where it is known that it can be otherwise. */
static uint64_t worth(const struct named *named, enum report_kind kind)
{
    uint64_t least = kind == REPORT_NETWORK ? REPORT_KNOWN : 1;
    return accepted(named) >= least ? named->worth : 0;
}

static uint64_t weight(const struct named *named, enum report_kind kind, enum report_order order)
{
    switch (order) {
    case REPORT_BY_ACCEPTED:
        return accepted(named);
    case REPORT_BY_REFUSED:
        return named->counts[VERDICT_REJECT];
    case REPORT_BY_WORTH:
        return worth(named, kind);
    }
    return 0;
}

/* Keeps the n heaviest in order; n is small. */
static size_t heaviest(const struct names *names, enum report_kind kind, enum report_order order,
                       uint32_t *best, size_t n)
{
    size_t found = 0;

    for (size_t i = 0; i < names->n; i++) {
        uint64_t own = weight(&names->list[i], kind, order);
        size_t at = found;
        if (own == 0)
            continue;
        while (at > 0 && weight(&names->list[best[at - 1]], kind, order) < own)
            at--;
        if (at == n)
            continue;
        found += found < n;
        memmove(best + at + 1, best + at, (found - at - 1) * sizeof *best);
        best[at] = (uint32_t)i;
    }
    return found;
}

#define BEST_MAX 1000

size_t report_names(struct report *report, enum report_kind kind, enum report_order order,
                    struct report_name *names_out, size_t n)
{
    const struct names *names = &report->kinds[kind];
    uint32_t best[BEST_MAX];

    CHECK(n <= BEST_MAX);
    size_t found = heaviest(names, kind, order, best, n);
    for (size_t i = 0; i < found; i++) {
        const struct named *named = &names->list[best[i]];
        names_out[i] = (struct report_name){
            .text = named->text,
            .accepted = accepted(named),
            .refused = named->counts[VERDICT_REJECT],
            .tempfailed = named->counts[VERDICT_TEMPFAIL],
            .worth = worth(named, kind),
            .last = named->last,
            .reason = named->reason,
            .rule = named->rule != STRMAP_NONE ? report->rules.list[named->rule].text : ""};
    }
    return found;
}

static const char *cut_word(char **text)
{
    char *word = *text, *blank = strchr(word, ' ');

    *text = blank != NULL ? blank + 1 : word + strlen(word);
    if (blank != NULL)
        *blank = '\0';
    return word;
}

size_t report_totals(struct report *report, struct report_total *totals_out, size_t n)
{
    uint32_t best[BEST_MAX];

    CHECK(n <= BEST_MAX);
    size_t found = heaviest(&report->totals, REPORT_SENDER, REPORT_BY_ACCEPTED, best, n);
    for (size_t i = 0; i < found; i++) {
        struct named *named = &report->totals.list[best[i]];
        char *text = named->text; /* taken apart: nothing is added any more */
        totals_out[i].stage = cut_word(&text);
        totals_out[i].verdict = cut_word(&text);
        totals_out[i].by = cut_word(&text);
        totals_out[i].detail = cut_word(&text);
        totals_out[i].count = accepted(named);
    }
    return found;
}

bool report_is_partial(const struct report *report)
{
    bool partial = report->totals.left_out > 0;

    for (size_t i = 0; i < REPORT_KINDS; i++)
        partial = partial || report->kinds[i].left_out > 0;
    return partial;
}

int64_t report_first(const struct report *report)
{
    return report->first;
}

int64_t report_last(const struct report *report)
{
    return report->last;
}
