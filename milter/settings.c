/*
 * settings.c - see settings.h.
 */
#include "milter/settings.h"

#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include "lib/base/domain.h"
#include "lib/base/ip.h"
#include "lib/gate/mark.h"

static const char *const settings_mode_words[] = {"enforce", "monitor", NULL};
static const char *const settings_level_words[] = {"error", "warning", "info", "debug", NULL};
static const char *const settings_facility_words[] = {
    "mail",   "daemon", "user",   "auth",   "local0", "local1", "local2",
    "local3", "local4", "local5", "local6", "local7", NULL};
static const int facilities[] = {LOG_MAIL,   LOG_DAEMON, LOG_USER,   LOG_AUTH,
                                 LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3,
                                 LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};

#define KEY_STRUCT struct settings_keys
const struct key_row settings_rows[] = {
#include "lib/base/key_rows.h"
#include "milter/gatehouse.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t settings_nrows = ARRAY_LEN(settings_rows);

struct building {
    const struct conf *conf;
    const struct conf_section *section;
    struct settings *settings;
    struct problems *problems;
};

/* What follows prefix in text; NULL when text does not begin with it. */
static const char *after(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static void wrong(const struct building *b, const char *key, const char *value, const char *allowed)
{
    conf_error(b->problems, b->section, key, "\"%.80s\" is wrong; allowed: %s", value, allowed);
}

static const char *absolute(const struct building *b, const char *key, const char *path)
{
    const char *text = conf_absolute(b->conf, path);
    if (!text)
        conf_error(b->problems, b->section, key, "out of memory");
    return text;
}

static const char socket_forms[] = "unix:PATH, inet:PORT@HOST or inet6:PORT@HOST";

/* PORT@HOST. An address belongs to one family, and libmilter asks for the other in vain. */
static void understand_inet(const struct building *b, const char *inet, bool v6)
{
    const char *text = b->settings->keys->socket;
    const char *at = strchr(inet, '@');
    struct slice host = slice_of(at ? at + 1 : "");
    char canonical[DOMAIN_MAX];
    uint64_t port = 0;
    struct ip ip;
    if (host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct slice){host.p + 1, host.n - 2};
    bool is_ip = ip_parse(host, &ip);
    bool is_v6 = is_ip && memchr(host.p, ':', host.n);
    if (!at || !str_to_uint((struct slice){inet, (size_t)(at - inet)}, 65535, &port) || port == 0 ||
        (!is_ip && (at[1] == '[' || !domain_canon(host, canonical)))) {
        wrong(b, "socket", text, socket_forms);
    } else if (is_ip && is_v6 != v6) {
        char form[100];
        snprintf(form, sizeof form, "%s:%u@%.*s for an %s address", is_v6 ? "inet6" : "inet",
                 (unsigned)port, (int)host.n, host.p, is_v6 ? "IPv6" : "IPv4");
        wrong(b, "socket", text, form);
    } else {
        b->settings->socket = text;
    }
}

static void understand_unix(const struct building *b, const char *written)
{
    struct settings *settings = b->settings;
    size_t longest = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    const char *path = absolute(b, "socket", written);
    if (!path)
        return;
    if (strlen(path) > longest) {
        conf_error(b->problems, b->section, "socket",
                   "the path has %zu bytes; allowed: at most %zu", strlen(path), longest);
        return;
    }
    settings->socket_path = path;
    settings->socket = arena_printf(conf_arena(b->conf), "unix:%s", path);
    if (!settings->socket)
        conf_error(b->problems, b->section, "socket", "out of memory");
}

static void understand_socket(const struct building *b)
{
    const char *text = b->settings->keys->socket;
    const char *path = after(text, "unix:");
    const char *inet = after(text, "inet:"), *inet6 = after(text, "inet6:");
    if (inet || inet6)
        understand_inet(b, inet ? inet : inet6, inet6 != NULL);
    else if (path && path[0])
        understand_unix(b, path);
    else
        wrong(b, "socket", text, socket_forms);
}

static void understand_mode(const struct building *b)
{
    const char *text = b->settings->keys->socket_mode;
    unsigned mode = 0;
    size_t n = strspn(text, "01234567");
    if (n == 0 || n > 4 || text[n]) {
        wrong(b, "socket_mode", text, "octal permissions, 0600..0777");
        return;
    }
    for (size_t i = 0; i < n; i++)
        mode = mode * 8 + (unsigned)(text[i] - '0');
    if (mode > 0777 || (mode & 0600) != 0600)
        wrong(b, "socket_mode", text, "octal permissions, 0600..0777");
    b->settings->socket_mode = (mode_t)mode;
}

static void understand_log(const struct building *b)
{
    struct settings *settings = b->settings;
    const char *text = settings->keys->log;
    const char *path = after(text, "file:");
    settings->log_facility = facilities[settings->keys->log_facility];
    settings->log_level = (enum log_level)settings->keys->log_level;
    if (strcmp(text, "syslog") == 0) {
        settings->log_target = LOG_TO_SYSLOG;
    } else if (strcmp(text, "stderr") == 0) {
        settings->log_target = LOG_TO_STDERR;
    } else if (path && path[0]) {
        settings->log_target = LOG_TO_FILE;
        settings->log_path = absolute(b, "log", path);
    } else {
        wrong(b, "log", text, "syslog, stderr or file:PATH");
    }
}

static void check_names(const struct building *b)
{
    char canonical[DOMAIN_MAX];
    const struct settings_keys *keys = b->settings->keys;
    if (keys->hostname[0] && !domain_canon(slice_of(keys->hostname), canonical))
        wrong(b, "hostname", keys->hostname, "a host name");
    if (!keys->user[0])
        conf_error(b->problems, b->section, "user", "is empty; allowed: the name of a user");
    if (strcmp(keys->user, "root") == 0)
        wrong(b, "user", keys->user, "any user but root");
    if (keys->header[0] && !mark_name_ok(keys->header))
        wrong(b, "header", keys->header,
              "X- and after it letters, digits and '-', not more than 64 bytes");
}

static void check_paths(const struct building *b)
{
    const struct settings_keys *keys = b->settings->keys;
    size_t longest = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    if (!keys->control_socket[0])
        conf_error(b->problems, b->section, "control_socket", "is empty; allowed: a file name");
    if (strlen(keys->control_socket) > longest)
        conf_error(b->problems, b->section, "control_socket",
                   "the path has %zu bytes; allowed: at most %zu", strlen(keys->control_socket),
                   longest);
    if (!keys->state_dir[0])
        conf_error(b->problems, b->section, "state_dir", "is empty; allowed: a file name");
}

bool settings_build(const struct conf *conf, struct settings *settings_out,
                    struct problems *problems)
{
    size_t before = problems_errors(problems);
    struct building b = {conf, conf_find(conf, "gatehouse", ""), settings_out, problems};
    *settings_out = (struct settings){.keys = b.section->values};
    understand_socket(&b);
    understand_mode(&b);
    understand_log(&b);
    check_names(&b);
    check_paths(&b);
    return problems_errors(problems) == before;
}

/* As the system's resolver would make a full name of a short one, but for asking
 * whether there is such a name. */
static void add_search_domain(char *name, size_t room)
{
    struct __res_state state = {0};
    size_t n = strlen(name);

    if (res_ninit(&state) != 0)
        return;
    if (state.dnsrch[0] != NULL && state.dnsrch[0][0] != '\0')
        snprintf(name + n, room - n, ".%s", state.dnsrch[0]);
    res_nclose(&state);
}

/* The hosts file may have the full name (dial_setup() lets nobody else be asked). */
void settings_hostname(const struct settings *settings, char *name_out, size_t room)
{
    char canonical[DOMAIN_MAX], own[256] = "";
    struct addrinfo hints = {.ai_flags = AI_CANONNAME}, *found = NULL;
    const char *name = settings->keys->hostname;
    if (!name[0] && gethostname(own, sizeof own - 1) == 0)
        name = own;
    if (!strchr(name, '.') && name[0] && getaddrinfo(name, NULL, &hints, &found) == 0 &&
        found->ai_canonname && strchr(found->ai_canonname, '.'))
        name = found->ai_canonname;
    else if (name == own && !strchr(own, '.') && own[0])
        add_search_domain(own, sizeof own);
    bool good = domain_canon(slice_of(name), canonical);
    snprintf(name_out, room, "%s", good ? canonical : "localhost");
    if (found)
        freeaddrinfo(found);
}
