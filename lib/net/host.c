/* host.c - see host.h. */
#include "lib/net/host.h"

#include <string.h>

/* One look-up: who waits, for how long, and whether that was said already. */
struct patience {
    mono_us deadline;
    void (*about_to_wait)(void *arg); /* NULL once called */
    void *arg;
};

static const struct dns_answer *wait_for(struct patience *patience, struct dns_query *query)
{
    if (patience->about_to_wait != NULL && !dns_ready(query)) {
        patience->about_to_wait(patience->arg);
        patience->about_to_wait = NULL;
    }
    return dns_wait(query, patience->deadline);
}

static bool leads_back(const struct dns_answer *answer, const struct ip *ip)
{
    for (size_t i = 0; i < answer->n; i++) {
        if (ip_equal(&answer->records[i].ip, ip))
            return true;
    }
    return false;
}

static bool unanswered(enum dns_outcome outcome)
{
    return outcome == DNS_SERVFAIL || outcome == DNS_TIMEOUT;
}

static void answer_is(struct host_answer *answer, enum host_class class, const char *name)
{
    answer->class = class;
    snprintf(answer->name, sizeof answer->name, "%s", name);
}

/* All names are asked at once, and judged in the order of the PTR answer. */
static void verify_names(struct dns *dns, const struct ip *ip, const struct dns_answer *names,
                         struct patience *patience, struct host_answer *answer_out)
{
    struct dns_query *queries[HOST_NAMES_MAX] = {NULL};
    size_t n = names->n < HOST_NAMES_MAX ? names->n : HOST_NAMES_MAX;
    bool doubt = false;
    for (size_t i = 0; i < n; i++)
        queries[i] = dns_ask(dns, ip_is_v4(ip) ? DNS_A : DNS_AAAA, names->records[i].name,
                             patience->deadline);
    answer_is(answer_out, HOST_PTR_MISMATCH, names->records[0].name);
    for (size_t i = 0; i < n && answer_out->class == HOST_PTR_MISMATCH; i++) {
        const struct dns_answer *forward = wait_for(patience, queries[i]);
        doubt = doubt || unanswered(forward->outcome);
        if (leads_back(forward, ip))
            answer_is(answer_out, HOST_VERIFIED, names->records[i].name);
    }
    if (answer_out->class == HOST_PTR_MISMATCH && doubt)
        answer_is(answer_out, HOST_PTR_TEMPFAIL, "");
    for (size_t i = 0; i < n; i++)
        dns_drop(queries[i]);
}

void host_lookup(struct dns *dns, const struct ip *ip, mono_us deadline,
                 void (*about_to_wait)(void *arg), void *arg, struct host_answer *answer_out)
{
    struct patience patience = {deadline, about_to_wait, arg};
    struct dns_query *query = dns_ask_ptr(dns, ip, deadline);
    const struct dns_answer *names = wait_for(&patience, query);
    switch (names->outcome) {
    case DNS_FOUND:
        verify_names(dns, ip, names, &patience, answer_out);
        break;
    case DNS_NXDOMAIN:
    case DNS_NODATA:
        answer_is(answer_out, HOST_NO_PTR, "");
        break;
    case DNS_SERVFAIL:
    case DNS_TIMEOUT:
        answer_is(answer_out, HOST_PTR_TEMPFAIL, "");
        break;
    }
    dns_drop(query);
}
