#include <string.h>

#include "lib/mta/doctor_inner.h"
#include "lib/mta/ldap_maps.h"
#include "lib/mta/mtaconfig.h"
#include "lib/mta/postfix_maps.h"
#include "lib/mta/rat_domains.h"
#include "lib/mta/service.h"
#include "lib/mta/socketname.h"

#define WORD_MAX 600
#define DEFAULT_SECONDS 30          /* milter_command_timeout */
#define DEFAULT_CONTENT_SECONDS 300 /* milter_content_timeout */

struct exam {
    const struct maps_input *input;
    const char *folder;
    const struct postconf *found;
    const struct doctor_host *host;
    struct problems *problems;
};

static const struct place main_cf = {.file = "main.cf"}, master_cf = {.file = "master.cf"};

/* --- reading ------------------------------------------------------------------- */

/* Names and domains are so to Postfix, whatever their case. */
static bool has_word(struct slice list, const char *wanted)
{
    struct slice word;
    while (postconf_word(&list, &word))
        if (slice_is_nocase(word, wanted))
            return true;
    return false;
}

static bool begins(struct slice word, const char *start)
{
    size_t n = strlen(start);
    return word.n >= n && slice_is_nocase((struct slice){word.p, n}, start);
}

/* Is FOLDER/NAME looked up, as whatever type of map? */
static bool has_map(const struct exam *exam, struct slice list, const char *name,
                    const char *suffix)
{
    char path[WORD_MAX];
    snprintf(path, sizeof path, ":%s/%s%s%s", exam->folder, name, suffix[0] != '\0' ? "." : "",
             suffix);
    struct slice word;
    size_t n = strlen(path);
    while (postconf_word(&list, &word))
        if (word.n > n && memcmp(word.p + word.n - n, path, n) == 0)
            return true;
    return false;
}

/* --- the filter ------------------------------------------------------------------ */

/* Where the next name of a path begins: behind slashes, and "." that stands for a name. */
static const char *next_name(const char *path)
{
    while (path[0] == '/' || (path[0] == '.' && (path[1] == '/' || path[1] == '\0')))
        path++;
    return path;
}

/* Of absolute paths: "/run//gatehouse/./milter.sock". */
static bool same_path(const char *a, const char *b)
{
    size_t n;
    do {
        a = next_name(a);
        b = next_name(b);
        n = strcspn(a, "/");
        if (n != strcspn(b, "/") || strncmp(a, b, n) != 0)
            return false;
        a += n;
        b += n;
    } while (n > 0);
    return true;
}

static bool is_our_file(const struct exam *exam, const struct postconf_service *service,
                        struct slice path, const char *ours)
{
    char reached[WORD_MAX];
    if (!postconf_path(exam->found, service, path, reached, sizeof reached))
        return false;
    return same_path(reached, ours) ||
           (exam->host != NULL && exam->host->same_place(reached, ours));
}

static bool is_loopback(const struct ip *ip)
{
    static const struct ip six = {.b = {[15] = 1}};
    return ip_is_v4(ip) ? ip_v4(ip) >> 24 == 127 : ip_equal(ip, &six);
}

/* "host:port", "[address]:port", "port"; a host that is not said is this one. */
static bool is_our_address(const struct exam *exam, struct slice word,
                           const struct socketname *ours)
{
    struct ip there, wanted;
    struct slice host = word, port = word;
    const char *colon = memrchr(word.p, ':', word.n);
    host.n = colon == NULL ? 0 : (size_t)(colon - word.p);
    port.p += colon == NULL ? 0 : host.n + 1;
    port.n -= (size_t)(port.p - word.p);
    if (host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct slice){host.p + 1, host.n - 2};
    uint64_t number;
    if (!str_to_uint(port, 65535, &number) || number != ours->port)
        return false;
    bool local = host.n == 0 || slice_is_nocase(host, "localhost");
    if (!ip_parse(ours->host, &wanted))
        return host.n == ours->host.n && begins(host, ours->host.p);
    if (!ip_parse(host, &there))
        return local && is_loopback(&wanted);
    return ip_equal(&there, &wanted) ||
           (ours->any && exam->input->is_own != NULL && exam->input->is_own(&there));
}

enum reach { REACH_NOT, REACHED, LOCKED_OUT };

/* LOCKED_OUT: the word names our socket, as it would be outside the chroot. */
static enum reach reach_of(const struct exam *exam, const struct postconf_service *service,
                           struct slice word)
{
    struct socketname ours;
    struct postconf_service outside = *service;
    if (!socketname_parse(exam->input->socket, &ours))
        return REACH_NOT;
    if (ours.path == NULL)
        return begins(word, "inet:") &&
                       is_our_address(exam, (struct slice){word.p + 5, word.n - 5}, &ours)
                   ? REACHED
                   : REACH_NOT;
    if (!begins(word, "unix:"))
        return REACH_NOT;
    struct slice path = {word.p + 5, word.n - 5};
    if (is_our_file(exam, service, path, ours.path))
        return REACHED;
    outside.chrooted = false;
    return is_our_file(exam, &outside, path, ours.path) ? LOCKED_OUT : REACH_NOT;
}

/* The filter's own options in braces, up to the next one's; p NULL: none of its own. */
struct filter {
    enum reach reach;
    struct slice word; /* of smtpd_milters */
    struct slice action, command, content;
};

static void take_option(struct filter *filter, struct slice word)
{
    const struct {
        const char *start;
        struct slice *value;
    } options[] = {{"default_action=", &filter->action},
                   {"command_timeout=", &filter->command},
                   {"content_timeout=", &filter->content}};
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        size_t n = strlen(options[i].start);
        if (begins(word, options[i].start))
            *options[i].value = (struct slice){word.p + n, word.n - n};
    }
}

static struct filter find_filter(const struct exam *exam, const struct postconf_service *service)
{
    struct filter filter = {.reach = REACH_NOT};
    struct slice word, milters = postconf_value(exam->found, service, "smtpd_milters");
    while (postconf_word(&milters, &word)) {
        bool option = memchr(word.p, '=', word.n) != NULL;
        if (option && filter.reach == REACHED)
            take_option(&filter, word);
        if (option)
            continue;
        if (filter.reach == REACHED)
            break;
        enum reach reach = reach_of(exam, service, word);
        filter.reach = reach != REACH_NOT ? reach : filter.reach;
        filter.word = word;
    }
    return filter;
}

bool doctor_postfix_word(const struct maps_input *input, const struct postconf *found,
                         const struct doctor_host *host, const struct postconf_service *service,
                         struct slice *word_out)
{
    struct exam exam = {.input = input, .found = found, .host = host};
    struct filter filter = find_filter(&exam, service);
    *word_out = filter.word;
    return filter.reach == REACHED;
}

static void tell_no_filter(const struct exam *exam, const struct postconf_service *service,
                           enum reach reach)
{
    struct slice name = service->name;
    struct slice queue = postconf_main(exam->found, "queue_directory");
    if (reach == LOCKED_OUT)
        problem_error(
            exam->problems, master_cf,
            "%.*s: smtpd is chrooted to %.*s and cannot reach %s: all mail is tempfailed; "
            "write n in the fifth column, or set [gatehouse] socket = "
            "unix:%.*s/gatehouse/milter.sock",
            (int)name.n, name.p, (int)queue.n, queue.p, exam->input->socket, (int)queue.n, queue.p);
    else
        problem_error(exam->problems, master_cf,
                      "%.*s: smtpd_milters does not name %s: Gatehouse is not asked here",
                      (int)name.n, name.p, exam->input->socket);
}

/* Nobody waits for an answer for ever: a client at a daemon that hangs is held so long. */
static void check_time(const struct exam *exam, const struct postconf_service *service,
                       struct slice own, const char *parameter, int64_t otherwise)
{
    struct slice name = service->name;
    struct slice time = own.p != NULL ? own : postconf_value(exam->found, service, parameter);
    int64_t seconds = doctor_seconds(time);
    long long wanted = (long long)mtaconfig_milter_seconds(&exam->input->limits);
    if (seconds == 0)
        seconds = otherwise;
    if (seconds * 1000 <= exam->input->limits.command_deadline)
        problem_error(exam->problems, master_cf,
                      "%.*s: %s = %.*s is not longer than command_deadline; set %llds", (int)name.n,
                      name.p, parameter, (int)time.n, time.p, wanted);
    else if (seconds > MTACONFIG_PATIENCE * wanted)
        problem_warning(exam->problems, master_cf,
                        "%.*s: %s = %llds: each client waits that long for a hanging daemon; set "
                        "%llds",
                        (int)name.n, name.p, parameter, (long long)seconds, wanted);
}

static void check_filter(const struct exam *exam, const struct postconf_service *service)
{
    struct filter filter = find_filter(exam, service);
    struct slice name = service->name;
    if (filter.reach != REACHED) {
        tell_no_filter(exam, service, filter.reach);
        return;
    }
    if (filter.action.p == NULL)
        filter.action = postconf_value(exam->found, service, "milter_default_action");
    if (!slice_is(filter.action, "tempfail") && !slice_is(filter.action, "reject"))
        problem_error(
            exam->problems, master_cf,
            "%.*s: milter_default_action = %.*s: all mail passes while Gatehouse is down; "
            "set tempfail",
            (int)name.n, name.p, (int)filter.action.n, filter.action.p);
    check_time(exam, service, filter.command, "milter_command_timeout", DEFAULT_SECONDS);
    check_time(exam, service, filter.content, "milter_content_timeout", DEFAULT_CONTENT_SECONDS);
    struct slice maps = postconf_value(exam->found, service, "smtpd_milter_maps");
    if (maps.n > 0)
        problem_warning(exam->problems, master_cf,
                        "%.*s: clients in smtpd_milter_maps are handled by other filters or by "
                        "none, not by Gatehouse",
                        (int)name.n, name.p);
}

/* --- relaying --------------------------------------------------------------------- */

/* Does every client come to a word that refuses other domains? Not behind one that
 * lets all pass, nor where the refusal is but written to the log. */
static bool has_fence(struct slice list)
{
    static const char *const fences[] = {"reject_unauth_destination", "defer_unauth_destination",
                                         "reject", "defer"};
    struct slice word;
    bool warn_only = false;
    while (postconf_word(&list, &word)) {
        if (slice_is_nocase(word, "permit") || begins(word, "static:ok") ||
            begins(word, "static:permit"))
            return false;
        for (size_t i = 0; !warn_only && i < ARRAY_LEN(fences); i++)
            if (slice_is_nocase(word, fences[i]))
                return true;
        warn_only = slice_is_nocase(word, "warn_if_reject");
    }
    return false;
}

static void check_fence(const struct exam *exam, const struct postconf_service *service)
{
    if (!has_fence(postconf_value(exam->found, service, "smtpd_relay_restrictions")) &&
        !has_fence(postconf_value(exam->found, service, "smtpd_recipient_restrictions")))
        problem_error(exam->problems, master_cf,
                      "%.*s: smtpd_relay_restrictions has no reject_unauth_destination that "
                      "applies to all clients: an open relay",
                      (int)service->name.n, service->name.p);
}

/* Who stands for everybody in mynetworks? */
static void check_networks(const struct exam *exam, struct place at, struct slice service,
                           struct slice networks)
{
    static const char *const everybody[] = {"0.0.0.0/0", "0/0", "::/0", "[::]/0", "static:all"};
    for (size_t i = 0; i < ARRAY_LEN(everybody); i++)
        if (has_word(networks, everybody[i]))
            problem_error(exam->problems, at, "%.*s%smynetworks holds %s: an open relay",
                          (int)service.n, service.p, service.n > 0 ? ": " : "", everybody[i]);
}

/* "25", "192.0.2.1:smtp", "[2001:db8::1]:25"; behind postscreen (pass) nothing is known. */
const struct maps_listener *doctor_postfix_listener(const struct maps_input *input,
                                                    const struct postconf *found,
                                                    const struct postconf_service *service)
{
    struct service arrival = {.daemon_name =
                                  postconf_value(found, service, "milter_macro_daemon_name")};
    struct slice address = service->name, port = service->name;
    const char *colon = memrchr(address.p, ':', address.n);
    if (colon != NULL) {
        address.n = (size_t)(colon - address.p);
        port = (struct slice){colon + 1, port.n - address.n - 1};
        if (address.n > 1 && address.p[0] == '[' && address.p[address.n - 1] == ']')
            address = (struct slice){address.p + 1, address.n - 2};
        arrival.address = address;
    }
    if (slice_is(service->type, "inet"))
        arrival.port = service_port(port);
    return service_listener(input, &arrival);
}

static void check_clients(const struct exam *exam, const struct postconf_service *service)
{
    const struct maps_listener *mine = doctor_postfix_listener(exam->input, exam->found, service);
    struct slice relay = postconf_value(exam->found, service, "smtpd_relay_restrictions");
    struct slice name = service->name;
    for (size_t i = 0; i < exam->input->nlisteners; i++) {
        const struct maps_listener *listener = &exam->input->listeners[i];
        bool there = has_map(exam, relay, POSTFIX_RELAY_CLIENTS, listener->name);
        if (there && listener != mine)
            problem_error(exam->problems, master_cf,
                          "%.*s: clients that may relay at [listener %s] may here, "
                          "too: " POSTFIX_RELAY_CLIENTS ".%s belongs to that listener's service",
                          (int)name.n, name.p, listener->name, listener->name);
        if (!there && listener == mine)
            problem_warning(exam->problems, master_cf,
                            "%.*s: smtpd_relay_restrictions does not use " POSTFIX_RELAY_CLIENTS
                            ".%s: clients of relay groups are refused",
                            (int)name.n, name.p, listener->name);
    }
    if (mine == NULL)
        problem_error(
            exam->problems, master_cf,
            "%.*s: no listener matches this service, by milter_macro_daemon_name, address "
            "and port: Gatehouse answers 451 to every client",
            (int)name.n, name.p);
    else if (!has_map(exam, postconf_value(exam->found, service, "smtpd_client_restrictions"),
                      POSTFIX_REFUSED_CLIENTS, mine->name))
        problem_warning(exam->problems, master_cf,
                        "%.*s: smtpd_client_restrictions does not use " POSTFIX_REFUSED_CLIENTS
                        ".%s: tcprefuse is left to Gatehouse",
                        (int)name.n, name.p, mine->name);
}

/* 0 means no limit to some of them, and is then no problem. What main.cf has is told once,
 * however many services have it. */
static void check_limit(const struct exam *exam, const struct postconf_service *service,
                        const char *name, int64_t wanted, bool zero_is_none)
{
    struct slice own = postconf_own(exam->found, service, name);
    struct slice value = own.p != NULL ? own : postconf_main(exam->found, name);
    struct slice whose = own.p != NULL ? service->name : slice_of("");
    uint64_t number;
    if (wanted == KEY_NO_LIMIT || !str_to_uint(value, INT64_MAX, &number) ||
        (number == 0 && zero_is_none) || (int64_t)number >= wanted)
        return;
    problem_warning(exam->problems, own.p != NULL ? master_cf : main_cf,
                    "%.*s%s%s = %.*s is below what a policy allows (%lld): Postfix refuses first",
                    (int)whose.n, whose.p, whose.n > 0 ? ": " : "", name, (int)value.n, value.p,
                    (long long)wanted);
}

static void check_processes(const struct exam *exam, const struct postconf_service *service)
{
    const struct maps_listener *listener =
        doctor_postfix_listener(exam->input, exam->found, service);
    struct slice value = service->processes;
    uint64_t number;
    if (slice_is(value, "-"))
        value = postconf_main(exam->found, "default_process_limit");
    if (listener == NULL || !str_to_uint(value, INT64_MAX, &number) || number == 0 ||
        (int64_t)number >= listener->max_connections)
        return;
    problem_warning(exam->problems, master_cf,
                    "%.*s: %llu processes are fewer than max_connections of [listener %s] (%lld): "
                    "more clients wait for a greeting; set default_process_limit, or the seventh "
                    "column",
                    (int)service->name.n, service->name.p, (unsigned long long)number,
                    listener->name, (long long)listener->max_connections);
}

static void check_limits(const struct exam *exam, const struct postconf_service *service)
{
    const struct maps_limits *limits = &exam->input->limits;
    int64_t errors = mtaconfig_errors(limits);
    check_limit(exam, service, "message_size_limit", limits->max_message_size, true);
    check_limit(exam, service, "smtpd_recipient_limit", limits->max_recipients, false);
    check_limit(exam, service, "smtpd_client_connection_count_limit", limits->max_connections_ip,
                true);
    check_limit(exam, service, "smtpd_soft_error_limit", errors, false);
    check_limit(exam, service, "smtpd_hard_error_limit", errors + 1, false);
    check_processes(exam, service);
}

static void check_service(const struct exam *exam, const struct postconf_service *service)
{
    static const char *const early[] = {"reject_unverified_recipient", "reject_unlisted_recipient"};
    check_filter(exam, service);
    check_fence(exam, service);
    check_networks(exam, master_cf, service->name,
                   postconf_own(exam->found, service, "mynetworks"));
    check_clients(exam, service);
    check_limits(exam, service);
    const struct maps_listener *listener =
        doctor_postfix_listener(exam->input, exam->found, service);
    if (listener != NULL)
        doctor_postfix_security(listener, exam->found, service, exam->host, exam->problems);
    for (size_t i = 0; !exam->input->monitor && i < ARRAY_LEN(early); i++)
        if (has_word(postconf_value(exam->found, service, "smtpd_recipient_restrictions"),
                     early[i]))
            problem_warning(exam->problems, master_cf,
                            "%.*s: %s refuses recipients before Gatehouse is asked",
                            (int)service->name.n, service->name.p, early[i]);
}

/* The smtpd services of master.cf; behind postscreen their type is pass. */
static void check_services(const struct exam *exam)
{
    size_t found = 0;
    struct postconf_service service;
    for (const char *at = exam->found->services; postconf_next(exam->found, &at, &service);)
        if (slice_is(service.program, "smtpd")) {
            check_service(exam, &service);
            found++;
        }
    if (found == 0)
        problem_error(exam->problems, master_cf, "no smtpd service: Postfix accepts no mail");
}

/* --- main.cf ------------------------------------------------------------------------ */

static void need_map(const struct exam *exam, const char *parameter, const char *map)
{
    if (!has_map(exam, postconf_main(exam->found, parameter), map, ""))
        problem_error(exam->problems, main_cf, "%s does not use %s/%s", parameter, exam->folder,
                      map);
}

/* A chroot has neither the certificates nor, at most hosts, the names. */
static void check_chroot(const struct exam *exam, const char *program)
{
    struct postconf_service service;
    for (const char *at = exam->found->services; postconf_next(exam->found, &at, &service);)
        if (slice_is(service.program, program) && service.chrooted)
            problem_warning(
                exam->problems, master_cf,
                "%.*s is chrooted: %s may not reach the directory; write n in the fifth "
                "column",
                (int)service.name.n, service.name.p, program);
}

/* Unlike smtp_tls_CAfile, the folder is looked into from where the service is. */
static void check_authorities(const struct exam *exam)
{
    struct postconf_service service;
    if (postconf_main(exam->found, "smtp_tls_CAfile").n > 0)
        return;
    struct slice folder = postconf_main(exam->found, "smtp_tls_CApath");
    if (folder.n == 0)
        problem_error(exam->problems, main_cf,
                      "smtp_tls_CAfile and smtp_tls_CApath are empty: routes with tls=verify trust "
                      "nobody, and deliver nothing");
    for (const char *at = exam->found->services;
         folder.n > 0 && postconf_next(exam->found, &at, &service);)
        if (service.chrooted && slice_is(service.name, exam->input->transport))
            problem_warning(exam->problems, master_cf,
                            "%s is chrooted: it looks for smtp_tls_CApath = %.*s inside "
                            "queue_directory; set smtp_tls_CAfile",
                            exam->input->transport, (int)folder.n, folder.p);
}

static void check_directory(const struct exam *exam)
{
    static const char *const maps[] = {LDAP_ROUTING, LDAP_HOSTS, LDAP_ROUTES, LDAP_SUBDOMAINS,
                                       LDAP_LISTS};
    static const char *const aliases[] = {LDAP_ALIASES, LDAP_ADDRESSES, LDAP_WRONG};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        need_map(exam, "transport_maps", maps[i]);
    check_chroot(exam, "trivial-rewrite");
    if (exam->input->directory->address_attr[0] == '\0')
        return;
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
        need_map(exam, "virtual_alias_maps", aliases[i]);
    check_chroot(exam, "cleanup");
    check_chroot(exam, "smtpd");
}

static void check_maps(const struct exam *exam)
{
    need_map(exam, "transport_maps", POSTFIX_TRANSPORT);
    if (exam->input->directory != NULL)
        check_directory(exam);
    need_map(exam, "relay_domains", POSTFIX_RELAY_DOMAINS);
    if (maps_have_tls(exam->input->routes))
        need_map(exam, "smtp_tls_policy_maps", POSTFIX_TLS_POLICY);
    if (maps_have_auth(exam->input))
        need_map(exam, "smtp_sasl_password_maps", POSTFIX_SASL_PASSWD);
    if (maps_have_auth(exam->input) &&
        !slice_is(postconf_main(exam->found, "smtp_sasl_auth_enable"), "yes"))
        problem_error(exam->problems, main_cf,
                      "smtp_sasl_auth_enable is not yes: routes with auth= deliver without it");
    if (maps_have_verify(exam->input->routes))
        check_authorities(exam);
}

static void check_relaying(const struct exam *exam)
{
    struct slice domains = postconf_main(exam->found, "relay_domains"), word;
    bool any = false;
    while (postconf_word(&domains, &word))
        any = any || begins(word, "static:") || slice_is(word, "*");
    if (any)
        problem_error(exam->problems, main_cf,
                      "relay_domains accepts every domain: an open relay when a filter is "
                      "missing");
    if (has_word(postconf_main(exam->found, "parent_domain_matches_subdomains"), "relay_domains"))
        problem_warning(exam->problems, main_cf,
                        "parent_domain_matches_subdomains names relay_domains: example.com there "
                        "also accepts sub.example.com");
    check_networks(exam, main_cf, slice_of(""), postconf_main(exam->found, "mynetworks"));
}

/* Ways that mail may take instead of those of the SMTP routes. */
static void check_ways(const struct exam *exam)
{
    struct postconf_service transport = {.name = slice_of(exam->input->transport),
                                         .type = slice_of("unix")};
    struct slice fallback = postconf_value(exam->found, &transport, "smtp_fallback_relay");
    if (fallback.n > 0)
        problem_warning(exam->problems, main_cf,
                        "smtp_fallback_relay = %.*s: mail for hosts that are down leaves its route",
                        (int)fallback.n, fallback.p);
    struct slice relayhost = postconf_main(exam->found, "relayhost");
    if (relayhost.n > 0 && !maps_have_default(exam->input->routes))
        problem_warning(exam->problems, main_cf,
                        "relayhost = %.*s: mail without an SMTP route goes there, and not where MX "
                        "records point",
                        (int)relayhost.n, relayhost.p);
}

/* Recipients of these domains would be looked up here, before Gatehouse is asked. */
static void check_domain(void *arg, const char *domain, struct place at)
{
    static const char *const lists[] = {"mydestination", "virtual_alias_domains",
                                        "virtual_mailbox_domains"};
    const struct exam *exam = arg;
    (void)at;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (has_word(postconf_main(exam->found, lists[i]), domain))
            problem_error(exam->problems, main_cf,
                          "%s names %s: Postfix keeps its mail and refuses unknown users before "
                          "Gatehouse is asked",
                          lists[i], domain);
}

static void check_recipients(struct exam *exam)
{
    struct slice maps = postconf_main(exam->found, "relay_recipient_maps");
    if (exam->input->monitor) {
        doctor_postfix_monitor(exam->found, exam->problems);
        return;
    }
    if (maps.n > 0)
        problem_warning(exam->problems, main_cf,
                        "relay_recipient_maps = %.*s: recipients are refused before Gatehouse is "
                        "asked",
                        (int)maps.n, maps.p);
    for (size_t i = 0; i < exam->input->nlisteners; i++)
        if (exam->input->listeners[i].rat != NULL &&
            !rat_domains_each(exam->input->listeners[i].rat, check_domain, exam))
            problem_error(exam->problems, main_cf, "out of memory");
}

void doctor_postfix(const struct maps_input *input, const char *folder,
                    const struct postconf *found, const struct doctor_host *host,
                    struct problems *problems)
{
    struct exam exam = {input, folder, found, host, problems};
    check_services(&exam);
    check_maps(&exam);
    check_relaying(&exam);
    check_ways(&exam);
    check_recipients(&exam);
}
