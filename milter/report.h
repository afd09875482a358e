/*
 * report.h - the week of a log in numbers, and the refusals worth a look.
 *
 * Worth a look are refusals (5xx) that an administrator may not have meant:
 *   sender     an address whose mail was accepted before, refused for what it is or where it
 *              comes from, not for its recipient
 *   domain     the same of its whole domain, where REPORT_KNOWN recipients were accepted before
 *   recipient  somebody whom a table, a directory or a mailbox host refused and at another time
 *              did not
 *   network    a /24 (IPv6: /64) of which REPORT_KNOWN recipients were accepted, refused by
 *              sender group
 *
 * Memory is bounded: REPORT_NAMES_MAX names of each kind are kept, those that come first;
 * report_is_partial() says that there were more, and then counts by name are of those only.
 * Totals are exact. One thread; nothing blocks.
 */
#ifndef MILTER_REPORT_H
#define MILTER_REPORT_H

#include "milter/logquery.h"

#define REPORT_NAMES_MAX 200000
#define REPORT_KNOWN 10

struct report;

enum report_kind { REPORT_SENDER, REPORT_DOMAIN, REPORT_RECIPIENT, REPORT_NETWORK, REPORT_KINDS };

/* All borrowed from the report. */
struct report_name {
    const char *text;
    uint64_t accepted, refused, tempfailed; /* recipients */
    uint64_t worth;                         /* refusals worth a look */
    int64_t last;                           /* the last of these */
    const struct reason_row *reason;        /* its; NULL: none that is known */
    const char *rule;                       /* its; "" none */
};

struct report_total {
    const char *stage, *verdict, *by, *detail;
    uint64_t count;
};

struct report *report_new(void); /* NULL: out of memory */
void report_free(struct report *report);

/* false: out of memory. */
NODISCARD bool report_add(struct report *report, const struct logentry *entry);

/* The most frequent first; how many there are, at most n. Once, after the last entry. */
size_t report_totals(struct report *report, struct report_total *totals_out, size_t n);
/* Those with the most of accepted, refused or worth, each not 0; how many. */
enum report_order { REPORT_BY_ACCEPTED, REPORT_BY_REFUSED, REPORT_BY_WORTH };
size_t report_names(struct report *report, enum report_kind kind, enum report_order order,
                    struct report_name *names_out, size_t n);

bool report_is_partial(const struct report *report);
/* Times of the first and of the last entry; LOGENTRY_NO_TIME: none had one. */
int64_t report_first(const struct report *report);
int64_t report_last(const struct report *report);

#endif
