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
    *answer = (struct host_answer){.class = class};
    snprintf(answer->name, sizeof answer->name, "%s", name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool host_verified(const char *const *names, size_t n, struct arena *arena,
                   struct host_answer *answer_out)
{
    const char *sorted[HOST_NAMES_MAX];
    size_t kept = 0;

    CHECK(n > 0 && n <= HOST_NAMES_MAX);
    memcpy(sorted, names, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_names);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || strcmp(sorted[i], sorted[kept - 1]) != 0)
            sorted[kept++] = sorted[i];
    }
    answer_is(answer_out, HOST_VERIFIED, sorted[0]);
    if (kept == 1)
        return true;
    const char **copies = arena_alloc(arena, kept * sizeof *copies);
    for (size_t i = 0; copies != NULL && i < kept; i++) {
        if ((copies[i] = arena_dup(arena, sorted[i])) == NULL)
            copies = NULL;
    }
    answer_out->names = copies;
    answer_out->n = copies != NULL ? kept : 0;
    return copies != NULL;
}

/* Which of the names lead back; doubt_out: another one may, for all we know. */
static size_t follow(struct dns *dns, const struct ip *ip, const struct dns_answer *names,
                     struct patience *patience, const char *verified_out[HOST_NAMES_MAX],
                     bool *doubt_out)
{
    struct dns_query *queries[HOST_NAMES_MAX] = {NULL};
    size_t n = names->n < HOST_NAMES_MAX ? names->n : HOST_NAMES_MAX, kept = 0;

    *doubt_out = names->cut || names->n > n;
    for (size_t i = 0; i < n; i++)
        queries[i] = dns_ask(dns, ip_is_v4(ip) ? DNS_A : DNS_AAAA, names->records[i].name,
                             patience->deadline);
    for (size_t i = 0; i < n; i++) {
        const struct dns_answer *forward = wait_for(patience, queries[i]);
        if (leads_back(forward, ip))
            verified_out[kept++] = names->records[i].name;
        else if (unanswered(forward->outcome) || forward->cut)
            *doubt_out = true;
    }
    for (size_t i = 0; i < n; i++)
        dns_drop(queries[i]);
    return kept;
}

static void verify_names(struct dns *dns, const struct ip *ip, const struct dns_answer *names,
                         struct arena *arena, struct patience *patience,
                         struct host_answer *answer_out)
{
    const char *verified[HOST_NAMES_MAX];
    bool doubt;
    size_t n = follow(dns, ip, names, patience, verified, &doubt);

    if (n == 0 && !doubt)
        answer_is(answer_out, HOST_PTR_MISMATCH, names->records[0].name);
    else if (n == 0 || !host_verified(verified, n, arena, answer_out))
        answer_is(answer_out, HOST_PTR_TEMPFAIL, "");
    else
        answer_out->partial = doubt;
}

void host_lookup(struct dns *dns, const struct ip *ip, struct arena *arena, mono_us deadline,
                 void (*about_to_wait)(void *arg), void *arg, struct host_answer *answer_out)
{
    struct patience patience = {deadline, about_to_wait, arg};
    struct dns_query *query = dns_ask_ptr(dns, ip, deadline);
    const struct dns_answer *names = wait_for(&patience, query);
    switch (names->outcome) {
    case DNS_FOUND:
        verify_names(dns, ip, names, arena, &patience, answer_out);
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
