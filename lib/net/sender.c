/* sender.c - see sender.h. */
#include "lib/net/sender.h"

#include <string.h>

/* How long the hosts asked first are waited for before the answers of the
 * others are looked at: one dead name server shall not hold up the rest. */
#define FIRST_LOOK MONO_MS(500)

#define QUERIES_MAX (2 * SENDER_HOSTS_MAX)

/* One look-up under way. */
struct asking {
    struct dns *dns;
    const struct sender_question *question;
    bool announced; /* that it is going to wait */
};

static const struct dns_answer *wait_for(struct asking *asking, struct dns_query *query,
                                         mono_us until)
{
    const struct sender_question *question = asking->question;
    if (!asking->announced && question->about_to_wait != NULL && !dns_ready(query)) {
        question->about_to_wait(question->arg);
        asking->announced = true;
    }
    return dns_wait(query, until < question->deadline ? until : question->deadline);
}

/* Loopback and unspecified addresses, in all spellings, are no place to send to. */
static bool leads_nowhere(const struct ip *ip)
{
    static const uint8_t zero[12];
    bool compatible = memcmp(ip->b, zero, sizeof zero) == 0; /* :: and ::1 among them */

    return (ip_is_v4(ip) || compatible) && (ip->b[12] == 0 || ip->b[12] == 127);
}

static bool has_address(const struct dns_answer *answer)
{
    for (size_t i = 0; i < answer->n; i++) {
        if (!leads_nowhere(&answer->records[i].ip))
            return true;
    }
    return false;
}

/* The best of these answers: one address is enough, and while an answer is
 * missing nobody can say that there is none. */
static enum sender_class judge(struct asking *asking, struct dns_query *const *queries, size_t n,
                               mono_us until)
{
    enum sender_class class = SENDER_NONEXISTENT;
    for (size_t i = 0; i < n; i++) {
        const struct dns_answer *answer = wait_for(asking, queries[i], until);
        switch (answer->outcome) {
        case DNS_FOUND:
            if (has_address(answer))
                return SENDER_EXISTS;
            break;
        case DNS_NXDOMAIN:
        case DNS_NODATA:
            break;
        case DNS_SERVFAIL:
        case DNS_TIMEOUT:
            class = SENDER_UNRESOLVABLE;
            break;
        }
    }
    return class;
}

/* patient: until the deadline, where the first look leaves doubt. */
static enum sender_class look_for_addresses(struct asking *asking, const char *const *hosts,
                                            size_t nhosts, bool patient)
{
    struct dns_query *queries[QUERIES_MAX] = {NULL};
    mono_us deadline = asking->question->deadline;
    size_t n = 0;

    for (size_t i = 0; i < nhosts; i++) {
        queries[n++] = dns_ask(asking->dns, DNS_A, hosts[i], deadline);
        queries[n++] = dns_ask(asking->dns, DNS_AAAA, hosts[i], deadline);
    }
    enum sender_class class = judge(asking, queries, n, mono_now() + FIRST_LOOK);
    if (class == SENDER_UNRESOLVABLE && patient)
        class = judge(asking, queries, n, deadline);
    for (size_t i = 0; i < n; i++)
        dns_drop(queries[i]);
    return class;
}

static enum sender_class judge_mx(struct asking *asking, const struct dns_answer *mx)
{
    const char *hosts[SENDER_HOSTS_MAX] = {NULL};
    size_t n = 0, left_out = 0;

    for (size_t i = 0; i < mx->n; i++) {
        if (mx->records[i].name[0] == '\0')
            continue; /* null MX; beside others it means nothing */
        if (n < SENDER_HOSTS_MAX)
            hosts[n++] = mx->records[i].name;
        else
            left_out++;
    }
    enum sender_class class = look_for_addresses(asking, hosts, n, true);
    return class == SENDER_NONEXISTENT && left_out > 0 ? SENDER_UNRESOLVABLE : class;
}

/* Where an address is not enough the question is only what to call it, which is not
 * worth a wait: that there is no MX is known. */
static enum sender_class judge_no_mx(struct asking *asking)
{
    const struct sender_question *question = asking->question;
    enum sender_class class = look_for_addresses(asking, &question->domain, 1, question->accept_a);

    return question->accept_a || class == SENDER_NONEXISTENT ? class : SENDER_NO_MX;
}

enum sender_class sender_lookup(struct dns *dns, const struct sender_question *question)
{
    struct asking asking = {.dns = dns, .question = question};
    struct dns_query *query = dns_ask(dns, DNS_MX, question->domain, question->deadline);
    const struct dns_answer *mx = wait_for(&asking, query, question->deadline);
    enum sender_class class = SENDER_UNRESOLVABLE;

    switch (mx->outcome) {
    case DNS_FOUND:
        class = judge_mx(&asking, mx);
        break;
    case DNS_NODATA:
        class = judge_no_mx(&asking);
        break;
    case DNS_NXDOMAIN:
        class = SENDER_NONEXISTENT;
        break;
    case DNS_SERVFAIL:
    case DNS_TIMEOUT:
        break;
    }
    dns_drop(query);
    return class;
}
