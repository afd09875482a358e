/*
 * dial.c - see dial.h.
 *
 * The forms of a name, with each domain of the search list and as it is, are asked for
 * together and judged in their order: the first that has an address is the one.
 */
#include "lib/net/dial.h"

#include <errno.h>
#ifdef __GLIBC__
#include <nss.h>
#endif
#include <poll.h>
#include <string.h>

#include "lib/base/domain.h"
#include "lib/net/hostsfile.h"
#include "lib/net/sock.h"

#define FORMS_MAX (DNS_SEARCH_MAX + 1)
#define DOING "looking up its address"

void dial_setup(void)
{
#ifdef __GLIBC__
    (void)__nss_configure_lookup("hosts", "files myhostname");
#endif
}

/* --- DNS ------------------------------------------------------------------------------ */

struct search {
    struct dns *dns;
    int stop_fd;
    mono_us deadline;
    struct form {
        struct dns_query *a, *aaaa; /* owned */
    } forms[FORMS_MAX];
    size_t n;
    enum dns_outcome worst; /* DNS_NXDOMAIN at first */
    bool ours;              /* for want of something here */
    struct ip *ips;
    size_t nips;
};

static bool is_stopped(int stop_fd)
{
    struct pollfd fd = {.fd = stop_fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static void ask(struct search *search, const char *name)
{
    struct form *form = &search->forms[search->n++];
    form->a = dns_ask(search->dns, DNS_A, name, search->deadline);
    form->aaaa = dns_ask(search->dns, DNS_AAAA, name, search->deadline);
}

static void ask_forms(struct search *search, const char *name)
{
    char domains[DNS_SEARCH_MAX][DOMAIN_MAX], form[DOMAIN_MAX];
    size_t n = strchr(name, '.') == NULL ? dns_search_list(search->dns, domains) : 0;

    for (size_t i = 0; i < n; i++) {
        int length = snprintf(form, sizeof form, "%s.%s", name, domains[i]);
        if (length > 0 && (size_t)length < sizeof form)
            ask(search, form);
    }
    ask(search, name);
}

static bool has_found(struct dns_query *query)
{
    return dns_ready(query) && dns_wait(query, 0)->outcome == DNS_FOUND;
}

/* Until both answers are there; where only one is, not long for the other. */
static void wait_for_both(const struct search *search, const struct form *form)
{
    mono_us until = search->deadline, now = mono_now();
    bool graced = false;

    while (!(dns_ready(form->a) && dns_ready(form->aaaa)) && now < until &&
           !is_stopped(search->stop_fd)) {
        mono_us look = now + DIAL_LOOK < until ? now + DIAL_LOOK : until;
        (void)dns_wait(dns_ready(form->a) ? form->aaaa : form->a, look);
        now = mono_now();
        if (!graced && (has_found(form->a) || has_found(form->aaaa))) {
            mono_us part = (until - now) / 4;
            until = now + (part < DIAL_GRACE ? part : DIAL_GRACE);
            graced = true;
        }
    }
}

static void take(struct search *search, struct dns_query *query)
{
    const struct dns_answer *answer = dns_wait(query, 0);

    for (size_t i = 0; i < answer->n && search->nips < DIAL_ADDRESSES_MAX; i++)
        search->ips[search->nips++] = answer->records[i].ip;
    if (answer->outcome > search->worst)
        search->worst = answer->outcome;
    search->ours = search->ours || answer->ours;
}

static bool tell_why(const struct search *search, struct err *err)
{
    if (is_stopped(search->stop_fd))
        return err_system(err, ECANCELED, DOING);
    if (search->ours)
        return err_set(err, ERR_MEMORY,
                       DOING ": this host has no descriptor or memory left for it");
    switch (search->worst) {
    case DNS_TIMEOUT:
        return err_set(err, ERR_TIMEOUT, DOING ": no answer in time");
    case DNS_SERVFAIL:
        return err_set(err, ERR_PEER, DOING ": the name servers fail");
    case DNS_NXDOMAIN:
        return err_set(err, ERR_PEER, DOING ": there is no such host");
    case DNS_FOUND:
    case DNS_NODATA:
        break;
    }
    return err_set(err, ERR_PEER, DOING ": it has none");
}

static bool search_dns(const struct dialer *dialer, const char *name, int stop_fd, mono_us deadline,
                       struct ip *ips_out, size_t *n_out, struct err *err)
{
    struct search search = {.dns = dialer->dns,
                            .stop_fd = stop_fd,
                            .deadline = deadline,
                            .worst = DNS_NXDOMAIN,
                            .ips = ips_out};

    ask_forms(&search, name);
    for (size_t i = 0; i < search.n && search.nips == 0; i++) {
        wait_for_both(&search, &search.forms[i]);
        take(&search, search.forms[i].a);
        take(&search, search.forms[i].aaaa);
    }
    for (size_t i = 0; i < search.n; i++) {
        dns_drop(search.forms[i].a);
        dns_drop(search.forms[i].aaaa);
    }
    *n_out = search.nips;
    return search.nips > 0 || tell_why(&search, err);
}

/* --- names ---------------------------------------------------------------------------- */

bool dial_check_host(const char *host, struct err *err)
{
    char name[DOMAIN_MAX];
    struct ip ip;

    if (ip_parse(slice_of(host), &ip) ||
        (domain_canon(slice_of(host), name) && !domain_is_numeric(name)))
        return true;
    return err_set(err, ERR_SYNTAX, "\"%.100s\" is neither an address nor a host name", host);
}

static bool is_localhost(const char *name)
{
    static const char localhost[] = "localhost";
    size_t n = strlen(name), end = sizeof localhost - 1;

    return n >= end && strcmp(name + n - end, localhost) == 0 &&
           (n == end || name[n - end - 1] == '.');
}

bool dial_addresses(const struct dialer *dialer, const char *host, int stop_fd, mono_us deadline,
                    struct ip ips_out[DIAL_ADDRESSES_MAX], size_t *n_out, struct err *err)
{
    char name[DOMAIN_MAX];

    *n_out = 1;
    if (ip_parse(slice_of(host), &ips_out[0]))
        return true;
    if (!dial_check_host(host, err) || !domain_canon(slice_of(host), name) ||
        !hostsfile_find(dialer->hosts_file, name, ips_out, DIAL_ADDRESSES_MAX, n_out, err))
        return false;
    if (*n_out > 0)
        return true;
    if (!is_localhost(name))
        return search_dns(dialer, name, stop_fd, deadline, ips_out, n_out, err);
    *n_out = ip_parse(slice_of("127.0.0.1"), &ips_out[0]);
    *n_out += ip_parse(slice_of("::1"), &ips_out[*n_out]);
    return true;
}

/* --- connecting ----------------------------------------------------------------------- */

int dial_host(const struct dialer *dialer, const char *host, uint16_t port, int stop_fd,
              mono_us deadline, struct err *err)
{
    struct ip ips[DIAL_ADDRESSES_MAX];
    struct err why = {0};
    size_t n = 0;

    if (!dial_addresses(dialer, host, stop_fd, deadline, ips, &n, err))
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct err one = {0};
        mono_us now = mono_now();
        mono_us until = now + (deadline - now) / (mono_us)(n - i);
        struct sock *sock = sock_connect(&ips[i], port, "", stop_fd, until, &one);
        if (sock != NULL)
            return sock_release(sock);
        if (i == 0 || !err_is_shortage(&one))
            why = one;
        if (one.sys == ECANCELED)
            break;
    }
    *err = why;
    return -1;
}
