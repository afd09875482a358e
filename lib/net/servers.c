/*
 * servers.c - hosts become names (through MX where it applies), names become
 * addresses.
 *
 * Everything is asked before anything is waited for, as far as it is known,
 * and waited for in the order of preference. While other names are left, one
 * wait takes half of the time that is left at most.
 */
#include "lib/net/servers.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include "lib/net/ownip.h"

#define SMTP_PORT 25
#define LMTP_PORT 24

/* A name to find addresses of, or an address. */
struct target {
    const char *name; /* borrowed from the question or from an MX answer */
    uint16_t port, preference;
    bool is_ip, lmtp;
    struct ip ip;
    struct dns_query *a, *aaaa; /* owned */
};

/* What the caller named: a target, or the MX names behind it. */
struct source {
    struct target self;
    bool has_mx;
    struct dns_query *mx; /* owned; if has_mx */
};

struct search {
    struct dns *dns;
    const struct servers_question *question;
    mono_us deadline;
    void (*about_to_wait)(void *arg); /* NULL once called */
    void *arg;
    bool guarded; /* no special address, not ourselves */
    struct servers *out;

    struct source sources[SERVERS_MAX];
    size_t nsources;
    struct target targets[SERVERS_MAX]; /* of the source at hand */
    size_t ntargets;
    uint32_t best_own; /* preference at which we are a server ourselves; beyond 65535: nowhere */
};

#define NOWHERE 65536u

/* --- why not -------------------------------------------------------------- */

/* Of several reasons the strongest stays: doubt, then ourselves, then a no. */
static void reason(struct search *search, enum servers_outcome outcome, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void reason(struct search *search, enum servers_outcome outcome, const char *fmt, ...)
{
    struct servers *out = search->out;
    if (out->why[0] != '\0' && outcome <= out->outcome)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->why, sizeof out->why, fmt, ap);
    va_end(ap);
    out->outcome = outcome;
}

static const char *failure_word(enum dns_outcome outcome)
{
    return outcome == DNS_TIMEOUT ? "timed out" : "failed";
}

static bool unanswered(enum dns_outcome outcome)
{
    return outcome == DNS_SERVFAIL || outcome == DNS_TIMEOUT;
}

/* --- asking and waiting --------------------------------------------------- */

static const struct dns_answer *wait_for(struct search *search, struct dns_query *query, bool last)
{
    mono_us until = search->deadline, now = mono_now();
    if (search->about_to_wait != NULL && !dns_ready(query)) {
        search->about_to_wait(search->arg);
        search->about_to_wait = NULL;
    }
    if (!last && until > now)
        until = now + (until - now) / 2;
    return dns_wait(query, until);
}

static void ask_addresses(struct search *search, struct target *target)
{
    if (target->is_ip || target->a != NULL)
        return;
    target->a = dns_ask(search->dns, DNS_A, target->name, search->deadline);
    target->aaaa = dns_ask(search->dns, DNS_AAAA, target->name, search->deadline);
}

static void drop_target(struct target *target)
{
    dns_drop(target->a);
    dns_drop(target->aaaa);
}

/* --- addresses of a target ------------------------------------------------ */

static bool is_ourselves(const struct search *search, const struct target *target,
                         const struct ip *ip)
{
    const char *our_name = search->question->our_name;
    if (our_name != NULL && our_name[0] != '\0' && strcmp(target->name, our_name) == 0)
        return true;
    return target->port == SMTP_PORT && ownip_has(ip);
}

static bool is_listed(const struct servers *out, const struct ip *ip, uint16_t port)
{
    for (size_t i = 0; i < out->n; i++) {
        if (out->address[i].port == port && ip_equal(&out->address[i].ip, ip))
            return true;
    }
    return false;
}

static void add_address(struct search *search, const struct target *target, const struct ip *ip)
{
    char text[IP_TEXT_MAX];
    struct servers *out = search->out;
    if (search->guarded && ip_is_special(ip)) {
        out->partial = true;
        reason(search, SERVERS_NONE, "%s has the address %s, where no mail can go", target->name,
               ip_text(ip, text));
        return;
    }
    if (search->guarded && is_ourselves(search, target, ip)) {
        search->best_own = target->preference;
        return;
    }
    if (is_listed(out, ip, target->port))
        return;
    out->partial = out->partial || out->n == SERVERS_MAX;
    if (out->n == SERVERS_MAX)
        return;
    if (out->n == 0 && mono_now() < search->deadline - SERVERS_GRACE)
        search->deadline = mono_now() + SERVERS_GRACE;
    struct server_address *address = &out->address[out->n++];
    *address = (struct server_address){
        .ip = *ip, .lmtp = target->lmtp, .port = target->port, .preference = target->preference};
    snprintf(address->name, sizeof address->name, "%s", target->name);
}

/* Of the addresses in answer at most room; how many it took. */
static size_t add_answer(struct search *search, const struct target *target,
                         const struct dns_answer *answer, size_t room)
{
    size_t n = answer->n < room ? answer->n : room;
    for (size_t i = 0; i < n; i++)
        add_address(search, target, &answer->records[i].ip);
    /* Beyond, only whether one of them is our own counts. */
    for (size_t i = n; search->guarded && i < answer->n; i++) {
        if (is_ourselves(search, target, &answer->records[i].ip))
            search->best_own = target->preference;
    }
    search->out->partial = search->out->partial || n < answer->n;
    return n;
}

static void add_target(struct search *search, struct target *target, bool last)
{
    if (target->is_ip) {
        add_address(search, target, &target->ip);
        return;
    }
    const struct dns_answer *a = wait_for(search, target->a, last);
    size_t n = add_answer(search, target, a, SERVERS_PER_NAME);
    const struct dns_answer *aaaa = wait_for(search, target->aaaa, last);
    n += add_answer(search, target, aaaa, SERVERS_PER_NAME - n);
    if (n == 0 || unanswered(a->outcome) || unanswered(aaaa->outcome))
        search->out->partial = true;
    if (n > 0)
        return;
    if (unanswered(a->outcome) || unanswered(aaaa->outcome))
        reason(search, SERVERS_UNKNOWN, "address look-up of %s %s", target->name,
               failure_word(unanswered(a->outcome) ? a->outcome : aaaa->outcome));
    else
        reason(search, SERVERS_NONE, "host %s %s", target->name,
               a->outcome == DNS_NXDOMAIN ? "does not exist" : "has no address");
}

/* RFC 5321 5.1: from our own preference on the others send to us. */
static void cut_at_ourselves(struct search *search, const char *name)
{
    struct servers *out = search->out;
    if (search->best_own == NOWHERE)
        return;
    while (out->n > 0 && out->address[out->n - 1].preference >= search->best_own)
        out->n--;
    if (search->question->nhosts == 0)
        reason(search, SERVERS_OURSELVES,
               "this host is the best mail server of %s, so %s needs an SMTP route", name, name);
    else
        reason(search, SERVERS_OURSELVES, "%s is this host itself", name);
}

/* --- targets of a source -------------------------------------------------- */

static void take_self(struct search *search, struct source *source)
{
    ask_addresses(search, &source->self);
    search->targets[search->ntargets++] = source->self;
    source->self.a = source->self.aaaa = NULL;
}

/* Random numbers to shuffle by; without any from the kernel the order of the
 * answer will do. */
static void random_keys(uint16_t *keys, size_t n)
{
    if (getentropy(keys, n * sizeof *keys) != 0)
        memset(keys, 0, n * sizeof *keys);
}

/* The records come sorted by preference; equal ones are put in random order, by
 * insertion in the order of (preference, key). */
static void shuffle_equal(const struct dns_answer *answer, const struct dns_record **order)
{
    uint16_t keys[DNS_RECORDS_MAX];
    random_keys(keys, answer->n);
    for (size_t i = 0; i < answer->n; i++) {
        const struct dns_record *record = &answer->records[i];
        uint16_t key = keys[i];
        size_t j = i;
        while (j > 0 && order[j - 1]->preference == record->preference && keys[j - 1] > key) {
            order[j] = order[j - 1];
            keys[j] = keys[j - 1];
            j--;
        }
        order[j] = record;
        keys[j] = key;
    }
}

static void take_mx(struct search *search, const struct source *source, const struct dns_answer *mx)
{
    const struct dns_record *order[DNS_RECORDS_MAX];
    const char *our_name = search->question->our_name;
    bool ranked = search->question->nhosts == 0;
    shuffle_equal(mx, order);
    for (size_t i = 0; i < mx->n; i++) {
        if (search->guarded && our_name != NULL && strcmp(order[i]->name, our_name) == 0 &&
            order[i]->preference < search->best_own)
            search->best_own = order[i]->preference;
    }
    for (size_t i = 0; i < mx->n; i++) {
        if (order[i]->preference >= search->best_own)
            break;
        if (order[i]->name[0] == '\0') /* a null MX among others, which it may not be */
            continue;
        search->out->partial = search->out->partial || search->ntargets == SERVERS_MAX;
        if (search->ntargets == SERVERS_MAX)
            break;
        struct target *target = &search->targets[search->ntargets++];
        *target =
            (struct target){.name = order[i]->name,
                            .port = source->self.port,
                            .preference = ranked ? order[i]->preference : source->self.preference};
        ask_addresses(search, target);
    }
}

static void find_targets(struct search *search, struct source *source, bool last)
{
    const char *name = source->self.name;
    if (!source->has_mx) {
        take_self(search, source);
        return;
    }
    const struct dns_answer *mx = wait_for(search, source->mx, last);
    switch (mx->outcome) {
    case DNS_FOUND:
        if (mx->n == 1 && mx->records[0].name[0] == '\0')
            reason(search, search->question->nhosts == 0 ? SERVERS_NO_MAIL : SERVERS_NONE,
                   "%s accepts no mail (null MX)", name);
        else
            take_mx(search, source, mx);
        break;
    case DNS_NODATA:
        take_self(search, source);
        break;
    case DNS_NXDOMAIN:
        reason(search, SERVERS_NONE, "%s does not exist", name);
        break;
    case DNS_SERVFAIL:
    case DNS_TIMEOUT:
        search->out->partial = true;
        reason(search, SERVERS_UNKNOWN, "MX look-up of %s %s", name, failure_word(mx->outcome));
        break;
    }
}

static void serve_source(struct search *search, struct source *source, bool last)
{
    search->ntargets = 0;
    find_targets(search, source, last);
    for (size_t i = 0; i < search->ntargets; i++) {
        struct target *target = &search->targets[i];
        /* Equal ones are cut off too, so they need not be asked. */
        if (target->preference < search->best_own)
            add_target(search, target, last && i + 1 == search->ntargets);
    }
    cut_at_ourselves(search, source->self.name);
    for (size_t i = 0; i < search->ntargets; i++)
        drop_target(&search->targets[i]);
}

/* --- sources -------------------------------------------------------------- */

static void add_source(struct search *search, const struct nexthop *hop)
{
    size_t at = search->nsources;
    if (at == SERVERS_MAX) {
        if (search->sources[at - 1].self.preference <= hop->priority)
            return;
        at--;
    } else {
        search->nsources++;
    }
    while (at > 0 && search->sources[at - 1].self.preference > hop->priority) {
        search->sources[at] = search->sources[at - 1];
        at--;
    }
    search->sources[at] = (struct source){.has_mx = hop->mx,
                                          .self = {.name = hop->host,
                                                   .port = hop->port,
                                                   .preference = hop->priority,
                                                   .is_ip = hop->is_ip,
                                                   .lmtp = hop->lmtp,
                                                   .ip = hop->ip}};
}

bool servers_parse(struct slice text, struct arena *arena, struct nexthop *hop_out, struct err *err)
{
    static const struct slice prefix = {"lmtp:", 5};
    text = slice_trim(text);
    bool lmtp = text.n > prefix.n && slice_is_nocase((struct slice){text.p, prefix.n}, prefix.p);
    if (lmtp)
        text = slice_trim((struct slice){text.p + prefix.n, text.n - prefix.n});
    if (!nexthop_parse(text, lmtp ? LMTP_PORT : SMTP_PORT, arena, hop_out, err))
        return false;
    if (lmtp && hop_out->port == SMTP_PORT)
        return err_set(err, ERR_RANGE,
                       "lmtp:%s at port 25, where only SMTP is spoken; a port is often 24 or 2003",
                       hop_out->host);
    hop_out->lmtp = lmtp;
    hop_out->mx = hop_out->mx && !lmtp;
    return true;
}

/* A host of a route is often a plain host name: its addresses are asked for
 * together with its MX. A domain nearly always has an MX. */
static void ask_sources(struct search *search)
{
    for (size_t i = 0; i < search->nsources; i++) {
        struct source *source = &search->sources[i];
        if (source->has_mx)
            source->mx = dns_ask(search->dns, DNS_MX, source->self.name, search->deadline);
        if (search->question->nhosts > 0)
            ask_addresses(search, &source->self);
    }
}

enum servers_outcome servers_resolve(struct dns *dns, const struct servers_question *question,
                                     mono_us deadline, void (*about_to_wait)(void *arg), void *arg,
                                     struct servers *servers_out)
{
    struct search search = {.dns = dns,
                            .question = question,
                            .deadline = deadline,
                            .about_to_wait = about_to_wait,
                            .arg = arg,
                            .guarded = question->untrusted || question->nhosts == 0,
                            .out = servers_out,
                            .best_own = NOWHERE};
    const struct nexthop domain = {.host = question->mx_domain, .mx = true, .port = SMTP_PORT};
    *servers_out = (struct servers){.outcome = SERVERS_NONE};
    for (size_t i = 0; i < question->nhosts; i++)
        add_source(&search, &question->hosts[i]);
    if (question->nhosts == 0)
        add_source(&search, &domain);
    ask_sources(&search);
    for (size_t i = 0; i < search.nsources; i++)
        serve_source(&search, &search.sources[i], i + 1 == search.nsources);
    for (size_t i = 0; i < search.nsources; i++) {
        dns_drop(search.sources[i].mx);
        drop_target(&search.sources[i].self);
    }
    if (servers_out->n > 0) {
        servers_out->outcome = SERVERS_FOUND;
        servers_out->why[0] = '\0';
    }
    return servers_out->outcome;
}
