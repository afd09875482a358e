#include <string.h>

#include "lib/mta/doctor.h"
#include "lib/mta/mtaconfig.h"
#include "lib/mta/postfix_maps.h"
#include "lib/mta/rat_domains.h"
#include "lib/mta/socketname.h"

#define WORD_MAX 600
#define DEFAULT_SECONDS 30 /* milter_command_timeout */

struct exam {
    const struct maps_input *input;
    const char *folder;
    const struct doctor_postfix *found;
    struct problems *problems;
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

/* The value a service has: its own (-o), or that of main.cf. */
static struct slice effective(const struct exam *exam, struct slice service, const char *name)
{
    char full[WORD_MAX];
    snprintf(full, sizeof full, "%.*s/inet/%s", (int)service.n, service.p, name);
    struct slice own = value_of(exam->found->changes, full);
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

static bool has_word(struct slice list, const char *wanted)
{
    struct slice word;
    while (cut_word(&list, &word))
        if (slice_is(word, wanted))
            return true;
    return false;
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

static void check_filter(const struct exam *exam, struct slice service)
{
    struct filter filter = find_filter(exam, effective(exam, service, "smtpd_milters"));
    if (!filter.there) {
        problem_error(exam->problems, master_cf,
                      "%.*s: smtpd_milters does not name %s: Gatehouse is not asked here",
                      (int)service.n, service.p, exam->input->socket);
        return;
    }
    if (filter.action.p == NULL)
        filter.action = effective(exam, service, "milter_default_action");
    if (!slice_is(filter.action, "tempfail") && !slice_is(filter.action, "reject"))
        problem_error(
            exam->problems, master_cf,
            "%.*s: milter_default_action = %.*s: all mail passes while Gatehouse is away; "
            "set tempfail",
            (int)service.n, service.p, (int)filter.action.n, filter.action.p);
    if (filter.time.p == NULL)
        filter.time = effective(exam, service, "milter_command_timeout");
    int64_t seconds = doctor_seconds(filter.time);
    if ((seconds != 0 ? seconds : DEFAULT_SECONDS) * 1000 <= exam->input->limits.command_deadline)
        problem_error(
            exam->problems, master_cf,
            "%.*s: milter_command_timeout = %.*s is not longer than command_deadline; set "
            "%llds",
            (int)service.n, service.p, (int)filter.time.n, filter.time.p,
            (long long)mtaconfig_milter_seconds(&exam->input->limits));
}

/* --- relaying --------------------------------------------------------------------- */

static const char *const fences[] = {"reject_unauth_destination", "defer_unauth_destination",
                                     "reject", "defer"};

static void check_fence(const struct exam *exam, struct slice service)
{
    static const char *const where[] = {"smtpd_relay_restrictions", "smtpd_recipient_restrictions"};
    for (size_t i = 0; i < ARRAY_LEN(where); i++)
        for (size_t j = 0; j < ARRAY_LEN(fences); j++)
            if (has_word(effective(exam, service, where[i]), fences[j]))
                return;
    problem_error(exam->problems, master_cf,
                  "%.*s: no reject_unauth_destination in smtpd_relay_restrictions: an open relay",
                  (int)service.n, service.p);
}

/* The listener a service is for: by name, else by address and port. */
static const struct maps_listener *listener_of(const struct exam *exam, struct slice service)
{
    struct slice name = effective(exam, service, "milter_macro_daemon_name");
    for (size_t i = 0; i < exam->input->nlisteners; i++) {
        const struct maps_listener *listener = &exam->input->listeners[i];
        if (listener->daemon_name[0] != '\0' && slice_is(name, listener->daemon_name))
            return listener;
    }
    for (size_t i = 0; i < exam->input->nlisteners; i++) {
        const struct maps_listener *listener = &exam->input->listeners[i];
        char text[WORD_MAX];
        long long port = listener->local_port != 0 ? (long long)listener->local_port : 25;
        bool v6 = strchr(listener->local_address, ':') != NULL;
        if (listener->local_address[0] != '\0')
            snprintf(text, sizeof text, v6 ? "[%s]:%lld" : "%s:%lld", listener->local_address,
                     port);
        else
            snprintf(text, sizeof text, "%lld", port);
        if (slice_is(service, text) || (strcmp(text, "25") == 0 && slice_is(service, "smtp")))
            return listener;
    }
    return NULL;
}

static void check_clients(const struct exam *exam, struct slice service)
{
    const struct maps_listener *mine = listener_of(exam, service);
    struct slice relay = effective(exam, service, "smtpd_relay_restrictions");
    for (size_t i = 0; i < exam->input->nlisteners; i++) {
        const struct maps_listener *listener = &exam->input->listeners[i];
        bool there = has_map(exam, relay, POSTFIX_RELAY_CLIENTS, listener->name);
        if (there && listener != mine)
            problem_error(
                exam->problems, master_cf,
                "%.*s: who may relay at [listener %s] may here too: " POSTFIX_RELAY_CLIENTS
                ".%s belongs to that listener's service",
                (int)service.n, service.p, listener->name, listener->name);
        if (!there && listener == mine)
            problem_warning(exam->problems, master_cf,
                            "%.*s: smtpd_relay_restrictions does not use " POSTFIX_RELAY_CLIENTS
                            ".%s: clients of relay groups are refused",
                            (int)service.n, service.p, listener->name);
    }
    if (mine == NULL)
        problem_warning(exam->problems, master_cf,
                        "%.*s: no listener is for this service, unless the fallback is",
                        (int)service.n, service.p);
    else if (!has_map(exam, effective(exam, service, "smtpd_client_restrictions"),
                      POSTFIX_REFUSED_CLIENTS, mine->name))
        problem_warning(exam->problems, master_cf,
                        "%.*s: smtpd_client_restrictions does not use " POSTFIX_REFUSED_CLIENTS
                        ".%s: tcprefuse is left to Gatehouse",
                        (int)service.n, service.p, mine->name);
}

static void check_service(const struct exam *exam, struct slice service)
{
    static const char *const early[] = {"reject_unverified_recipient", "reject_unlisted_recipient"};
    check_filter(exam, service);
    check_fence(exam, service);
    check_clients(exam, service);
    for (size_t i = 0; i < ARRAY_LEN(early); i++)
        if (has_word(effective(exam, service, "smtpd_recipient_restrictions"), early[i]))
            problem_warning(exam->problems, master_cf,
                            "%.*s: %s refuses recipients before Gatehouse is asked", (int)service.n,
                            service.p, early[i]);
}

/* The smtpd services of master.cf. */
static void check_services(const struct exam *exam)
{
    size_t found = 0;
    for (const char *line = exam->found->services; *line != '\0';) {
        size_t end = strcspn(line, "\n");
        struct slice rest = {line, end}, words[8] = {{NULL, 0}};
        for (size_t i = 0; i < ARRAY_LEN(words) && cut_word(&rest, &words[i]); i++)
            ;
        if (words[7].p != NULL && slice_is(words[1], "inet") && slice_is(words[7], "smtpd")) {
            check_service(exam, words[0]);
            found++;
        }
        line += end + (line[end] == '\n');
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

static void check_maps(const struct exam *exam)
{
    need_map(exam, "transport_maps", POSTFIX_TRANSPORT);
    need_map(exam, "relay_domains", POSTFIX_RELAY_DOMAINS);
    if (maps_have_tls(exam->input->routes))
        need_map(exam, "smtp_tls_policy_maps", POSTFIX_TLS_POLICY);
    if (maps_have_auth(exam->input))
        need_map(exam, "smtp_sasl_password_maps", POSTFIX_SASL_PASSWD);
    struct slice domains = value_of(exam->found->main, "relay_domains");
    if (has_word(domains, "static:all") || has_word(domains, "*"))
        problem_error(exam->problems, main_cf,
                      "relay_domains lets every domain through: an open relay when a filter is "
                      "missing");
    if (has_word(value_of(exam->found->main, "parent_domain_matches_subdomains"), "relay_domains"))
        problem_warning(exam->problems, main_cf,
                        "parent_domain_matches_subdomains names relay_domains: example.com there "
                        "lets sub.example.com through as well");
    static const char *const everybody[] = {"0.0.0.0/0", "0/0", "::/0", "[::]/0"};
    for (size_t i = 0; i < ARRAY_LEN(everybody); i++)
        if (has_word(value_of(exam->found->main, "mynetworks"), everybody[i]))
            problem_error(exam->problems, main_cf, "mynetworks holds %s: an open relay",
                          everybody[i]);
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
    check_recipients(&exam);
    check_limits(&exam);
}
