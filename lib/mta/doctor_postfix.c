#include <string.h>

#include "lib/mta/doctor.h"
#include "lib/mta/ldap_maps.h"
#include "lib/mta/mtaconfig.h"
#include "lib/mta/postfix_maps.h"
#include "lib/mta/rat_domains.h"
#include "lib/mta/service.h"
#include "lib/mta/socketname.h"

#define WORD_MAX 600
#define SERVICE_WORDS 8    /* the last one is the program */
#define DEFAULT_SECONDS 30 /* milter_command_timeout */

struct exam {
    const struct maps_input *input;
    const char *folder;
    const struct doctor_postfix *found;
    struct problems *problems;
};

/* A line of master.cf. */
struct smtpd {
    struct slice name, type; /* "127.0.0.1:25", "inet" */
};

static const struct place main_cf = {.file = "main.cf"}, master_cf = {.file = "master.cf"};

/* --- reading ------------------------------------------------------------------- */

/* What stands behind "name = " on a line of its own; p NULL: no such line. */
static struct slice value_of(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = text; *line != '\0';) {
        size_t end = strcspn(line, "\n");
        if (end >= n + 2 && memcmp(line, name, n) == 0 && memcmp(line + n, " =", 2) == 0)
            return slice_trim((struct slice){line + n + 2, end - n - 2});
        line += end + (line[end] == '\n');
    }
    return (struct slice){NULL, 0};
}

/* What a service has of its own (-o); p NULL: nothing. */
static struct slice own_value(const struct exam *exam, const struct smtpd *service,
                              const char *name)
{
    char full[WORD_MAX];
    snprintf(full, sizeof full, "%.*s/%.*s/%s", (int)service->name.n, service->name.p,
             (int)service->type.n, service->type.p, name);
    return value_of(exam->found->changes, full);
}

/* The value a service has: its own, or that of main.cf. */
static struct slice effective(const struct exam *exam, const struct smtpd *service,
                              const char *name)
{
    struct slice own = own_value(exam, service, name);
    return own.p != NULL ? own : value_of(exam->found->main, name);
}

static bool cut_word(struct slice *rest, struct slice *word_out)
{
    static const char between[] = " \t,{}";
    while (rest->n > 0 && strchr(between, rest->p[0]) != NULL)
        *rest = (struct slice){rest->p + 1, rest->n - 1};
    size_t n = 0;
    while (n < rest->n && strchr(between, rest->p[n]) == NULL)
        n++;
    *word_out = (struct slice){rest->p, n};
    *rest = (struct slice){rest->p + n, rest->n - n};
    return n > 0;
}

/* Names and domains are so to Postfix, whatever their case. */
static bool has_word(struct slice list, const char *wanted)
{
    struct slice word;
    while (cut_word(&list, &word))
        if (slice_is_nocase(word, wanted))
            return true;
    return false;
}

static bool begins(struct slice word, const char *start)
{
    size_t n = strlen(start);
    return word.n >= n && slice_is_nocase((struct slice){word.p, n}, start);
}

/* The columns of the next line of master.cf; p NULL: it has fewer. */
static bool next_service(const char **at, struct slice words_out[SERVICE_WORDS])
{
    size_t end = strcspn(*at, "\n"), n = 0;
    struct slice rest = {*at, end};
    if (**at == '\0')
        return false;
    while (n < SERVICE_WORDS && cut_word(&rest, &words_out[n]))
        n++;
    while (n < SERVICE_WORDS)
        words_out[n++] = (struct slice){NULL, 0};
    *at += end + ((*at)[end] == '\n');
    return true;
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
    while (cut_word(&list, &word))
        if (word.n > n && memcmp(word.p + word.n - n, path, n) == 0)
            return true;
    return false;
}

/* --- the filter ------------------------------------------------------------------ */

static bool is_our_socket(const struct exam *exam, struct slice word)
{
    struct socketname name;
    char text[WORD_MAX];
    if (!socketname_parse(exam->input->socket, &name))
        return false;
    if (name.path == NULL) {
        bool v6 = memchr(name.host.p, ':', name.host.n) != NULL;
        snprintf(text, sizeof text, v6 ? "inet:[%.*s]:%u" : "inet:%.*s:%u", (int)name.host.n,
                 name.host.p, name.port);
        return slice_is(word, text);
    }
    if (word.n < 5 || memcmp(word.p, "unix:", 5) != 0)
        return false;
    struct slice path = {word.p + 5, word.n - 5};
    struct slice queue = value_of(exam->found->main, "queue_directory");
    if (slice_is(path, name.path))
        return true;
    /* Below the queue, which is where smtpd is and may be locked up. */
    snprintf(text, sizeof text, "%.*s/%.*s", (int)queue.n, queue.p, (int)path.n, path.p);
    return strcmp(text, name.path) == 0;
}

/* The filter's own options in braces, up to the next one's. */
struct filter {
    bool there;
    struct slice action; /* p NULL: none of its own */
    struct slice time;
};

static struct filter find_filter(const struct exam *exam, struct slice milters)
{
    struct filter filter = {0};
    struct slice word;
    static const char action[] = "default_action=", time[] = "command_timeout=";
    while (cut_word(&milters, &word)) {
        bool option = memchr(word.p, '=', word.n) != NULL;
        if (filter.there && !option)
            break;
        if (!option)
            filter.there = is_our_socket(exam, word);
        else if (filter.there && word.n > strlen(action) &&
                 memcmp(word.p, action, strlen(action)) == 0)
            filter.action = (struct slice){word.p + strlen(action), word.n - strlen(action)};
        else if (filter.there && word.n > strlen(time) && memcmp(word.p, time, strlen(time)) == 0)
            filter.time = (struct slice){word.p + strlen(time), word.n - strlen(time)};
    }
    return filter;
}

static void check_filter(const struct exam *exam, const struct smtpd *service)
{
    struct filter filter = find_filter(exam, effective(exam, service, "smtpd_milters"));
    struct slice name = service->name;
    if (!filter.there) {
        problem_error(exam->problems, master_cf,
                      "%.*s: smtpd_milters does not name %s: Gatehouse is not asked here",
                      (int)name.n, name.p, exam->input->socket);
        return;
    }
    if (filter.action.p == NULL)
        filter.action = effective(exam, service, "milter_default_action");
    if (!slice_is(filter.action, "tempfail") && !slice_is(filter.action, "reject"))
        problem_error(
            exam->problems, master_cf,
            "%.*s: milter_default_action = %.*s: all mail passes while Gatehouse is away; "
            "set tempfail",
            (int)name.n, name.p, (int)filter.action.n, filter.action.p);
    if (filter.time.p == NULL)
        filter.time = effective(exam, service, "milter_command_timeout");
    int64_t seconds = doctor_seconds(filter.time);
    if ((seconds != 0 ? seconds : DEFAULT_SECONDS) * 1000 <= exam->input->limits.command_deadline)
        problem_error(
            exam->problems, master_cf,
            "%.*s: milter_command_timeout = %.*s is not longer than command_deadline; set "
            "%llds",
            (int)name.n, name.p, (int)filter.time.n, filter.time.p,
            (long long)mtaconfig_milter_seconds(&exam->input->limits));
    struct slice maps = effective(exam, service, "smtpd_milter_maps");
    if (maps.n > 0)
        problem_warning(exam->problems, master_cf,
                        "%.*s: clients that smtpd_milter_maps names come to other filters, or to "
                        "none, and not to Gatehouse",
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
    while (cut_word(&list, &word)) {
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

static void check_fence(const struct exam *exam, const struct smtpd *service)
{
    if (!has_fence(effective(exam, service, "smtpd_relay_restrictions")) &&
        !has_fence(effective(exam, service, "smtpd_recipient_restrictions")))
        problem_error(exam->problems, master_cf,
                      "%.*s: no reject_unauth_destination that all clients come to in "
                      "smtpd_relay_restrictions: an open relay",
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
static const struct maps_listener *listener_of(const struct exam *exam, const struct smtpd *service)
{
    struct service arrival = {.daemon_name = effective(exam, service, "milter_macro_daemon_name")};
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
    return service_listener(exam->input, &arrival);
}

static void check_clients(const struct exam *exam, const struct smtpd *service)
{
    const struct maps_listener *mine = listener_of(exam, service);
    struct slice relay = effective(exam, service, "smtpd_relay_restrictions");
    struct slice name = service->name;
    for (size_t i = 0; i < exam->input->nlisteners; i++) {
        const struct maps_listener *listener = &exam->input->listeners[i];
        bool there = has_map(exam, relay, POSTFIX_RELAY_CLIENTS, listener->name);
        if (there && listener != mine)
            problem_error(
                exam->problems, master_cf,
                "%.*s: who may relay at [listener %s] may here too: " POSTFIX_RELAY_CLIENTS
                ".%s belongs to that listener's service",
                (int)name.n, name.p, listener->name, listener->name);
        if (!there && listener == mine)
            problem_warning(exam->problems, master_cf,
                            "%.*s: smtpd_relay_restrictions does not use " POSTFIX_RELAY_CLIENTS
                            ".%s: clients of relay groups are refused",
                            (int)name.n, name.p, listener->name);
    }
    if (mine == NULL)
        problem_error(exam->problems, master_cf,
                      "%.*s: no listener is for this service, by milter_macro_daemon_name, address "
                      "and port: Gatehouse answers 451 to every client",
                      (int)name.n, name.p);
    else if (!has_map(exam, effective(exam, service, "smtpd_client_restrictions"),
                      POSTFIX_REFUSED_CLIENTS, mine->name))
        problem_warning(exam->problems, master_cf,
                        "%.*s: smtpd_client_restrictions does not use " POSTFIX_REFUSED_CLIENTS
                        ".%s: tcprefuse is left to Gatehouse",
                        (int)name.n, name.p, mine->name);
}

static void check_service(const struct exam *exam, const struct smtpd *service)
{
    static const char *const early[] = {"reject_unverified_recipient", "reject_unlisted_recipient"};
    check_filter(exam, service);
    check_fence(exam, service);
    check_networks(exam, master_cf, service->name, own_value(exam, service, "mynetworks"));
    check_clients(exam, service);
    for (size_t i = 0; i < ARRAY_LEN(early); i++)
        if (has_word(effective(exam, service, "smtpd_recipient_restrictions"), early[i]))
            problem_warning(exam->problems, master_cf,
                            "%.*s: %s refuses recipients before Gatehouse is asked",
                            (int)service->name.n, service->name.p, early[i]);
}

/* The smtpd services of master.cf; behind postscreen their type is pass. */
static void check_services(const struct exam *exam)
{
    size_t found = 0;
    struct slice words[SERVICE_WORDS];
    for (const char *at = exam->found->services; next_service(&at, words);)
        if (words[7].p != NULL && slice_is(words[7], "smtpd")) {
            struct smtpd service = {words[0], words[1]};
            check_service(exam, &service);
            found++;
        }
    if (found == 0)
        problem_error(exam->problems, master_cf, "no smtpd service: Postfix takes no mail");
}

/* --- main.cf ------------------------------------------------------------------------ */

static void need_map(const struct exam *exam, const char *parameter, const char *map)
{
    if (!has_map(exam, value_of(exam->found->main, parameter), map, ""))
        problem_error(exam->problems, main_cf, "%s does not use %s/%s", parameter, exam->folder,
                      map);
}

/* A chroot has neither the certificates nor, at most hosts, the names. */
static void check_chroot(const struct exam *exam, const char *program)
{
    struct slice words[SERVICE_WORDS];
    for (const char *at = exam->found->services; next_service(&at, words);)
        if (words[7].p != NULL && slice_is(words[7], program) && slice_is(words[4], "y"))
            problem_warning(
                exam->problems, master_cf,
                "%.*s is chrooted: %s may not reach the directory; write n in the fifth "
                "column",
                (int)words[0].n, words[0].p, program);
}

static void check_directory(const struct exam *exam)
{
    static const char *const maps[] = {LDAP_ROUTING, LDAP_HOSTS, LDAP_ROUTES, LDAP_SUBDOMAINS,
                                       LDAP_LISTS};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        need_map(exam, "transport_maps", maps[i]);
    check_chroot(exam, "trivial-rewrite");
    if (exam->input->directory->address_attr[0] == '\0')
        return;
    need_map(exam, "virtual_alias_maps", LDAP_ALIASES);
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
        !slice_is(value_of(exam->found->main, "smtp_sasl_auth_enable"), "yes"))
        problem_error(exam->problems, main_cf,
                      "smtp_sasl_auth_enable is not yes: routes with auth= deliver without it");
    if (maps_have_verify(exam->input->routes) &&
        value_of(exam->found->main, "smtp_tls_CAfile").n == 0 &&
        value_of(exam->found->main, "smtp_tls_CApath").n == 0)
        problem_error(exam->problems, main_cf,
                      "smtp_tls_CAfile and smtp_tls_CApath are empty: routes with tls=verify trust "
                      "nobody, and deliver nothing");
}

static void check_relaying(const struct exam *exam)
{
    struct slice domains = value_of(exam->found->main, "relay_domains"), word;
    bool any = false;
    while (cut_word(&domains, &word))
        any = any || begins(word, "static:") || slice_is(word, "*");
    if (any)
        problem_error(exam->problems, main_cf,
                      "relay_domains lets every domain through: an open relay when a filter is "
                      "missing");
    if (has_word(value_of(exam->found->main, "parent_domain_matches_subdomains"), "relay_domains"))
        problem_warning(exam->problems, main_cf,
                        "parent_domain_matches_subdomains names relay_domains: example.com there "
                        "lets sub.example.com through as well");
    check_networks(exam, main_cf, slice_of(""), value_of(exam->found->main, "mynetworks"));
}

/* Ways that mail may take instead of those of the SMTP routes. */
static void check_ways(const struct exam *exam)
{
    char full[WORD_MAX];
    snprintf(full, sizeof full, "%s/unix/smtp_fallback_relay", exam->input->transport);
    struct slice fallback = value_of(exam->found->changes, full);
    if (fallback.p == NULL)
        fallback = value_of(exam->found->main, "smtp_fallback_relay");
    if (fallback.n > 0)
        problem_warning(exam->problems, main_cf,
                        "smtp_fallback_relay = %.*s: mail for hosts that are down leaves its route",
                        (int)fallback.n, fallback.p);
    struct slice relayhost = value_of(exam->found->main, "relayhost");
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
        if (has_word(value_of(exam->found->main, lists[i]), domain))
            problem_error(exam->problems, main_cf,
                          "%s names %s: Postfix keeps its mail and refuses unknown users before "
                          "Gatehouse is asked",
                          lists[i], domain);
}

static void check_recipients(struct exam *exam)
{
    struct slice maps = value_of(exam->found->main, "relay_recipient_maps");
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

/* 0 means no limit to some of them, and is then no problem. */
static void check_limit(const struct exam *exam, const char *name, int64_t wanted,
                        bool zero_is_none)
{
    struct slice value = value_of(exam->found->main, name);
    uint64_t number;
    if (wanted == KEY_NO_LIMIT || !str_to_uint(value, INT64_MAX, &number) ||
        (number == 0 && zero_is_none) || (int64_t)number >= wanted)
        return;
    problem_warning(exam->problems, main_cf,
                    "%s = %.*s is below what a policy allows (%lld): Postfix refuses first", name,
                    (int)value.n, value.p, (long long)wanted);
}

static void check_limits(const struct exam *exam)
{
    const struct maps_limits *limits = &exam->input->limits;
    check_limit(exam, "message_size_limit", limits->max_message_size, true);
    check_limit(exam, "smtpd_recipient_limit", limits->max_recipients, false);
    check_limit(exam, "smtpd_client_connection_count_limit", limits->max_connections_ip, true);
    check_limit(exam, "smtpd_hard_error_limit", limits->max_invalid + 1, false);
}

void doctor_postfix(const struct maps_input *input, const char *folder,
                    const struct doctor_postfix *found, struct problems *problems)
{
    struct exam exam = {input, folder, found, problems};
    check_services(&exam);
    check_maps(&exam);
    check_relaying(&exam);
    check_ways(&exam);
    check_recipients(&exam);
    check_limits(&exam);
}
