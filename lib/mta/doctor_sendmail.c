#include <string.h>

#include "lib/mta/doctor_inner.h"
#include "lib/mta/mtaconfig.h"
#include "lib/mta/rat_domains.h"
#include "lib/mta/sendmail_ldap.h"
#include "lib/mta/sendmail_maps.h"
#include "lib/mta/service.h"
#include "lib/mta/socketname.h"

#define TEXT_MAX 700
#define SERVICES_MAX 100        /* Sendmail itself takes 10 */
#define DEFAULT_SECONDS 10      /* R: of T= */
#define DEFAULT_END_SECONDS 300 /* E: of T= */

const char *const doctor_classes[DOCTOR_CLASSES] = {"Cw", "C{VirtHost}", "C{LDAPRoute}"};

struct exam {
    const struct maps_input *input;
    const char *folder;
    const char *cf;
    const struct doctor_host *host;
    struct problems *problems;
};

static const struct place sendmail_cf = {.file = "sendmail.cf"};

int64_t doctor_seconds(struct slice text)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    int64_t factor = 1;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (text.n > 1 && text.p[text.n - 1] == units[i].unit) {
            factor = units[i].seconds;
            text.n--;
            break;
        }
    uint64_t number;
    return str_to_uint(text, 100000, &number) ? (int64_t)number * factor : 0;
}

/* --- reading ------------------------------------------------------------------------ */

/* The next line that begins with start, from *at on; moves *at behind it. */
static bool next_line(const char **at, const char *start, struct slice *rest_out)
{
    size_t n = strlen(start);
    while (**at != '\0') {
        const char *line = *at;
        size_t end = strcspn(line, "\n");
        *at += end + (line[end] == '\n');
        if (end >= n && memcmp(line, start, n) == 0) {
            *rest_out = (struct slice){line + n, end - n};
            return true;
        }
    }
    return false;
}

static bool has_text(struct slice line, const char *wanted)
{
    return memmem(line.p, line.n, wanted, strlen(wanted)) != NULL;
}

static bool has_line(const struct exam *exam, const char *start, const char *wanted)
{
    const char *at = exam->cf;
    struct slice rest;
    while (next_line(&at, start, &rest))
        if (has_text(rest, wanted))
            return true;
    return false;
}

/* --- the filter ------------------------------------------------------------------------ */

static bool is_our_socket(const struct exam *exam, struct slice line)
{
    struct socketname name;
    char text[TEXT_MAX];
    if (!socketname_parse(exam->input->socket, &name))
        return false;
    if (name.path != NULL) {
        snprintf(text, sizeof text, ":%s", name.path);
        const char *found = memmem(line.p, line.n, text, strlen(text));
        const char *end = found == NULL ? NULL : found + strlen(text);
        return found != NULL && (end == line.p + line.n || *end == ',' || *end == ' ');
    }
    snprintf(text, sizeof text, ":%u@", name.port);
    return has_text(line, text);
}

/* "R:" or "E:" of T=, in seconds. */
static int64_t time_of(struct slice line, const char *letter, int64_t otherwise)
{
    const char *times = memmem(line.p, line.n, "T=", 2), *end = line.p + line.n;
    while (times != NULL && times > line.p && times[-1] != ' ' && times[-1] != ',')
        times = memmem(times + 1, (size_t)(end - times - 1), "T=", 2);
    if (times == NULL)
        return otherwise;
    const char *comma = memchr(times, ',', (size_t)(end - times));
    end = comma != NULL ? comma : end;
    const char *found = memmem(times, (size_t)(end - times), letter, 2);
    if (found == NULL)
        return otherwise;
    struct slice value = {found + 2, 0};
    while (value.p + value.n < end && value.p[value.n] != ';')
        value.n++;
    return doctor_seconds(slice_trim(value));
}

/* The value of a key of DaemonPortOptions: its first letter counts; p NULL: none. */
static struct slice option(struct slice line, char letter)
{
    while (line.n > 0) {
        const char *comma = memchr(line.p, ',', line.n);
        size_t n = comma == NULL ? line.n : (size_t)(comma - line.p);
        struct slice pair = slice_trim((struct slice){line.p, n});
        const char *equals = pair.n == 0 ? NULL : memchr(pair.p, '=', pair.n);
        if (equals != NULL && ascii_lower(pair.p[0]) == letter)
            return slice_trim((struct slice){equals + 1, pair.n - (size_t)(equals + 1 - pair.p)});
        n += comma != NULL;
        line = (struct slice){line.p + n, line.n - n};
    }
    return (struct slice){NULL, 0};
}

/* A service may have filters of its own, "one;two". */
static void check_filters_of_services(const struct exam *exam, const char *filter)
{
    const char *at = exam->cf;
    struct slice line;
    while (next_line(&at, "O DaemonPortOptions=", &line)) {
        struct slice name = option(line, 'n'), own = option(line, 'i');
        bool there = own.p == NULL;
        while (!there && own.n > 0) {
            const char *end = memchr(own.p, ';', own.n);
            size_t n = end == NULL ? own.n : (size_t)(end - own.p);
            there = slice_is(slice_trim((struct slice){own.p, n}), filter);
            n += end != NULL;
            own = (struct slice){own.p + n, own.n - n};
        }
        if (!there)
            problem_error(exam->problems, sendmail_cf,
                          "%.*s: InputMailFilters does not name %s: Gatehouse is not asked here",
                          (int)name.n, name.p, filter);
    }
}

/* Nobody waits for an answer for ever: a client at a daemon that hangs is held so long. */
static void check_time(const struct exam *exam, struct slice line, const char *letter,
                       int64_t otherwise)
{
    int64_t seconds = time_of(line, letter, otherwise);
    long long wanted = (long long)mtaconfig_milter_seconds(&exam->input->limits);
    if (seconds * 1000 <= exam->input->limits.command_deadline)
        problem_error(exam->problems, sendmail_cf,
                      "INPUT_MAIL_FILTER: the time for an answer (T=%s, %llds where none is "
                      "given) is not longer than command_deadline; set %s%llds",
                      letter, (long long)otherwise, letter, wanted);
    else if (seconds > MTACONFIG_PATIENCE * wanted)
        problem_warning(exam->problems, sendmail_cf,
                        "INPUT_MAIL_FILTER: T=%s%llds: each client waits that long for a hanging "
                        "daemon; set %s%llds",
                        letter, (long long)seconds, letter, wanted);
}

static void check_filter_line(const struct exam *exam, struct slice line)
{
    if (!has_text(line, "F=T") && !has_text(line, "F=R") && !has_text(line, "F=4"))
        problem_error(exam->problems, sendmail_cf,
                      "INPUT_MAIL_FILTER without F=T: all mail passes while Gatehouse is down");
    check_time(exam, line, "R:", DEFAULT_SECONDS);
    check_time(exam, line, "E:", DEFAULT_END_SECONDS);
    size_t n = 0;
    while (n < line.n && line.p[n] != ',')
        n++;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)n, line.p);
    if (!has_line(exam, "O InputMailFilters=", name))
        problem_error(exam->problems, sendmail_cf,
                      "InputMailFilters does not name %s: Gatehouse is not asked", name);
    check_filters_of_services(exam, name);
}

static void check_filter(const struct exam *exam)
{
    const char *at = exam->cf;
    struct slice line;
    while (next_line(&at, "X", &line))
        if (is_our_socket(exam, line)) {
            check_filter_line(exam, line);
            return;
        }
    problem_error(exam->problems, sendmail_cf,
                  "no INPUT_MAIL_FILTER with the socket %s: Gatehouse is not asked",
                  exam->input->socket);
}

/* --- maps and rulesets ---------------------------------------------------------------- */

static void need(const struct exam *exam, const char *start, const char *file)
{
    char path[TEXT_MAX];
    snprintf(path, sizeof path, "%s/%s", exam->folder, file);
    if (!has_line(exam, start, path))
        problem_error(exam->problems, sendmail_cf, "%s is not used", path);
}

/* What Sendmail relays by itself. */
static void check_relaying(const struct exam *exam)
{
    static const struct {
        const char *line, *feature;
    } features[] = {
        {"# check whether FROM is allowed", "FEATURE(`relay_mail_from') or (`relay_local_from')"},
        {"# allow relaying for hosts which we MX serve", "FEATURE(`relay_based_on_MX')"},
    };
    for (size_t i = 0; i < ARRAY_LEN(features); i++)
        if (has_line(exam, features[i].line, ""))
            problem_error(exam->problems, sendmail_cf, "%s: an open relay", features[i].feature);
    char path[TEXT_MAX];
    snprintf(path, sizeof path, "%s/" SENDMAIL_RELAY_DOMAINS, exam->folder);
    if (has_line(exam, "FR", path))
        problem_error(exam->problems, sendmail_cf,
                      "class {R} is read from %s: clients with names in these domains may relay "
                      "anywhere; RELAY_DOMAIN_FILE must be another file",
                      path);
    if (has_line(exam, "O UseCompressedIPv6Addresses=", "T") ||
        has_line(exam, "O UseCompressedIPv6Addresses=", "t"))
        problem_warning(exam->problems, sendmail_cf,
                        "UseCompressedIPv6Addresses: IPv6 clients are not found in access");
}

/* Ways that mail may take instead of those of the SMTP routes. */
static void check_ways(const struct exam *exam)
{
    static const char *const fallbacks[] = {"O FallbackMXhost=", "O FallbackSmartHost="};
    for (size_t i = 0; i < ARRAY_LEN(fallbacks); i++)
        if (has_line(exam, fallbacks[i], ""))
            problem_warning(exam->problems, sendmail_cf,
                            "%s: mail for hosts that are down leaves its route", fallbacks[i] + 2);
    const char *at = exam->cf;
    struct slice host;
    if (!maps_have_default(exam->input->routes) && next_line(&at, "DS", &host) && host.n > 0)
        problem_warning(exam->problems, sendmail_cf,
                        "SMART_HOST: mail without an SMTP route goes to %.*s, and not where MX "
                        "records point",
                        (int)host.n, host.p);
}

/* The maps are there, and rules that ask them. */
static void check_directory(const struct exam *exam)
{
    const struct maps_directory *directory = exam->input->directory;
    if (!has_line(exam, "K" SENDMAIL_LDAP_HOST " ", directory->base_dn) ||
        !has_line(exam, "R", SENDMAIL_LDAP_HOST) || !has_line(exam, "R", "$>GatehouseDirectory") ||
        (directory->address_attr[0] != '\0' &&
         (!has_line(exam, "R", "$(" SENDMAIL_LDAP_ADDRESS " ") ||
          !has_line(exam, "R", "$>" SENDMAIL_LDAP_ADDRESSES " "))))
        problem_error(exam->problems, sendmail_cf,
                      "the maps and rulesets that ask [ldap %s] are missing: apply the lines of "
                      "mta-config again",
                      directory->name);
}

static void check_maps(const struct exam *exam)
{
    need(exam, "Kmailertable ", SENDMAIL_MAILERTABLE);
    need(exam, "Kaccess ", SENDMAIL_ACCESS);
    need(exam, "F{GatehouseDomains}", SENDMAIL_RELAY_DOMAINS);
    need(exam, "F{GatehouseBelow}", SENDMAIL_RELAY_DOMAINS);
    if (maps_have_auth(exam->input))
        need(exam, "Kauthinfo ", SENDMAIL_AUTHINFO);
    if (exam->input->directory != NULL)
        check_directory(exam);
    if (!has_line(exam, "R", SENDMAIL_RELAY_TAG) || !has_line(exam, "R", SENDMAIL_REFUSE_TAG))
        problem_error(
            exam->problems, sendmail_cf,
            "the rulesets Local_check_relay and Local_check_rcpt of mta-config are missing");
    if (has_line(exam, "Scheckrcpt", ""))
        problem_error(exam->problems, sendmail_cf,
                      "FEATURE(`delay_checks'): a recipient of ours would pass all other checks");
    if (strstr(exam->cf, "anything else is bogus") == NULL)
        problem_error(
            exam->problems, sendmail_cf,
            "FEATURE(`promiscuous_relay'), or no check of relaying at all: an open relay");
    check_relaying(exam);
}

/* "O MaxMessageSize=10551296"; 0, and no such line, is no limit. */
static void check_limit(const struct exam *exam, const char *name, int64_t wanted)
{
    char start[TEXT_MAX];
    const char *at = exam->cf;
    struct slice value;
    uint64_t number;
    snprintf(start, sizeof start, "O %s=", name);
    while (next_line(&at, start, &value))
        if (str_to_uint(slice_trim(value), INT64_MAX, &number) && number != 0 &&
            wanted != KEY_NO_LIMIT && (int64_t)number < wanted)
            problem_warning(exam->problems, sendmail_cf,
                            "%s = %llu is below what a policy allows (%lld): Sendmail refuses or "
                            "slows down first",
                            name, (unsigned long long)number, (long long)wanted);
}

static void check_limits(const struct exam *exam)
{
    const struct maps_limits *limits = &exam->input->limits;
    int64_t connections = 0;
    for (size_t i = 0; i < exam->input->nlisteners; i++)
        connections += exam->input->listeners[i].max_connections;
    check_limit(exam, "MaxMessageSize", limits->max_message_size);
    check_limit(exam, "MaxRecipientsPerMessage", limits->max_recipients);
    check_limit(exam, "BadRcptThrottle", mtaconfig_errors(limits));
    check_limit(exam, "MaxDaemonChildren", connections);
}

/* --- folders --------------------------------------------------------------------------- */

/* Is this among the words of DontBlameSendmail? */
static bool is_blameless(const struct exam *exam, const char *wanted)
{
    const char *at = exam->cf;
    struct slice list, word;
    while (next_line(&at, "O DontBlameSendmail=", &list))
        while (postconf_word(&list, &word))
            if (slice_is_nocase(word, wanted))
                return true;
    return false;
}

static void check_folder(const struct exam *exam, const char *folder, const char *path)
{
    unsigned mode = exam->host->permissions(folder);
    bool group = (mode & 0020) != 0 && !is_blameless(exam, "GroupWritableDirPathSafe");
    bool others = (mode & 0002) != 0 && !is_blameless(exam, "WorldWritableDirPathSafe");
    if ((mode & 01000) != 0 && is_blameless(exam, "TrustStickyBit"))
        return;
    if (group || others)
        problem_error(exam->problems, sendmail_cf,
                      "%s: its folder %s is writable by %s: Sendmail considers that unsafe, and "
                      "tempfails all mail",
                      path, folder, others ? "everybody" : "its group");
}

/* Sendmail opens nothing of which somebody else could change the path. */
static void check_path(const struct exam *exam, const char *path)
{
    char folder[TEXT_MAX];
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        int n = snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        if (n >= 0 && (size_t)n < sizeof folder)
            check_folder(exam, n == 0 ? "/" : folder, path);
    }
}

static void check_paths(const struct exam *exam)
{
    struct socketname name;
    char map[TEXT_MAX];
    if (exam->host == NULL)
        return;
    if (socketname_parse(exam->input->socket, &name) && name.path != NULL)
        check_path(exam, name.path);
    snprintf(map, sizeof map, "%s/" SENDMAIL_ACCESS, exam->folder);
    check_path(exam, map);
}

/* --- mailers and services --------------------------------------------------------------- */

static void check_mailer(const struct exam *exam, const char *name)
{
    char start[TEXT_MAX];
    snprintf(start, sizeof start, "M%s,", name);
    if (!has_line(exam, start, ""))
        problem_error(exam->problems, sendmail_cf,
                      "no mailer %s, which routes need: apply the lines of mta-config again", name);
}

static void check_mailers(const struct exam *exam)
{
    bool *told = calloc(65536, sizeof *told), discard = false;
    if (told == NULL) {
        problem_error(exam->problems, sendmail_cf, "out of memory");
        return;
    }
    for (size_t i = 0; i < routes_count(exam->input->routes); i++) {
        const struct route *route = routes_get(exam->input->routes, i);
        unsigned port = sendmail_port(route);
        char name[TEXT_MAX];
        if (route->kind == ROUTE_DISCARD && !discard)
            check_mailer(exam, SENDMAIL_DEVNULL);
        discard = discard || route->kind == ROUTE_DISCARD;
        if (port == 0 || told[port])
            continue;
        told[port] = true;
        if (port == ROUTES_PORT)
            snprintf(name, sizeof name, "%s", exam->input->transport);
        else
            snprintf(name, sizeof name, "%s%u", exam->input->transport, port);
        check_mailer(exam, name);
    }
    free(told);
}

bool doctor_sendmail_port(const struct maps_input *input, const char **at,
                          struct doctor_port *port_out)
{
    struct slice line;
    if (!next_line(at, "O DaemonPortOptions=", &line))
        return false;
    *port_out = (struct doctor_port){.name = option(line, 'n'),
                                     .address = option(line, 'a'),
                                     .port = option(line, 'p'),
                                     .modifiers = option(line, 'm')};
    struct service service = {.daemon_name = port_out->name,
                              .address = port_out->address,
                              .port = port_out->port.p == NULL ? 25 : service_port(port_out->port)};
    port_out->listener = service_listener(input, &service);
    return true;
}

struct slice doctor_sendmail_option(const char *cf, const char *name)
{
    char start[TEXT_MAX];
    struct slice found = {NULL, 0}, value;
    snprintf(start, sizeof start, "O %s=", name);
    while (next_line(&cf, start, &value))
        found = slice_trim(value);
    return found;
}

static void check_services(const struct exam *exam)
{
    for (size_t i = 0; i < exam->input->nlisteners; i++) {
        const char *name = sendmail_service(&exam->input->listeners[i]);
        char wanted[TEXT_MAX];
        snprintf(wanted, sizeof wanted, "Name=%s,", name);
        if (!has_line(exam, "O DaemonPortOptions=", wanted))
            problem_warning(exam->problems, sendmail_cf,
                            "no DAEMON_OPTIONS with Name=%s, the service of [listener %s]", name,
                            exam->input->listeners[i].name);
    }
    const char *at = exam->cf;
    struct doctor_port port;
    while (doctor_sendmail_port(exam->input, &at, &port))
        if (port.listener == NULL)
            problem_error(exam->problems, sendmail_cf,
                          "%.*s: no listener matches this service, by Name=, address and port: "
                          "Gatehouse answers 451 to every client",
                          (int)port.name.n, port.name.p);
}

/* Words of "Cwone two". */
static void check_class(const struct exam *exam, const char *class, const char *domain)
{
    const char *from = exam->cf;
    struct slice line;
    while (next_line(&from, class, &line))
        for (size_t i = 0; i < line.n;) {
            size_t start = i;
            while (i < line.n && !ascii_is_space(line.p[i]))
                i++;
            if (slice_is_nocase((struct slice){line.p + start, i - start}, domain))
                problem_error(
                    exam->problems, sendmail_cf,
                    "class %s holds %s: Sendmail keeps its mail and refuses unknown users "
                    "before Gatehouse is asked",
                    class[1] == 'w' ? "{w}" : class + 1, domain);
            i++;
        }
}

static void check_domain(void *arg, const char *domain, struct place at)
{
    (void)at;
    for (size_t i = 0; i < DOCTOR_CLASSES; i++)
        check_class(arg, doctor_classes[i], domain);
}

void doctor_sendmail(const struct maps_input *input, const char *folder, const char *cf,
                     const struct doctor_host *host, struct problems *problems)
{
    struct exam exam = {input, folder, cf, host, problems};
    check_filter(&exam);
    check_paths(&exam);
    check_maps(&exam);
    check_mailers(&exam);
    check_ways(&exam);
    check_services(&exam);
    check_limits(&exam);
    doctor_sendmail_security(input, cf, host, problems);
    if (input->monitor)
        doctor_sendmail_monitor(cf, problems);
    for (size_t i = 0; !input->monitor && i < input->nlisteners; i++)
        if (input->listeners[i].rat != NULL &&
            !rat_domains_each(input->listeners[i].rat, check_domain, &exam))
            problem_error(problems, sendmail_cf, "out of memory");
}
