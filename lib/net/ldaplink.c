/* ldaplink.c - see ldaplink.h. */
#include "lib/net/ldaplink.h"

#include <errno.h>
#include <fcntl.h>
#include <ldap.h>
#include <openldap.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/authorities.h"
#include "lib/base/escape.h"
#include "lib/net/ldapvalue.h"

#define MESSAGE_MAX (1024 * 1024)
#define SKIPPED_MAX 64 /* messages to nobody, in a row */
/* One more than anybody needs: enough for match or no match, and the first
 * entry names the hosts. */
#define ENTRIES_MAX 2

struct ldaplink {
    LDAP *ld;
    int fd; /* the library's from ldap_init_fd() on */
};

void ldaplink_setup(void)
{
    LDAPAPIInfo info = {.ldapai_info_version = LDAP_API_INFO_VERSION};

    /* What is asked of whom stands in our configuration, not in ldap.conf, in
     * .ldaprc or in the environment. */
    (void)setenv("LDAPNOINIT", "1", 1);
    if (ldap_get_option(NULL, LDAP_OPT_API_INFO, &info) != LDAP_OPT_SUCCESS)
        return;
    ldap_memvfree((void **)info.ldapai_extensions);
    ldap_memfree(info.ldapai_vendor_name);
}

/* --- what went wrong ---------------------------------------------------------------- */

static enum err_kind kind_of(int code)
{
    return code == LDAP_NO_MEMORY ? ERR_MEMORY : ERR_PEER;
}

static bool failed(struct err *err, const char *doing, int code)
{
    return err_set(err, kind_of(code), "%s: %s", doing, ldap_err2string(code));
}

/* The library's reason with the details it kept, which can be the server's words. */
static bool failed_here(LDAP *ld, struct err *err, const char *doing)
{
    int code = LDAP_OTHER;
    char *detail = NULL, clean[160] = "";
    ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &code);
    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &detail);
    escape_reply(slice_of(detail), clean, sizeof clean);
    ldap_memfree(detail);
    return err_set(err, kind_of(code), "%s: %s%s%s", doing, ldap_err2string(code),
                   clean[0] != '\0' ? ": " : "", clean);
}

static bool set_blocking(int fd, bool blocking, struct err *err)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) == 0)
        return true;
    return err_system(err, errno, "connecting");
}

/* --- servers ------------------------------------------------------------------------ */

/* Of one server and nothing else; free with ldap_free_urldesc(). NULL: not so. */
static LDAPURLDesc *parse_uri(const char *uri)
{
    LDAPURLDesc *url = NULL;

    if (ldap_url_parse(uri, &url) != LDAP_URL_SUCCESS)
        return NULL;
    bool good = url->lud_host != NULL && url->lud_host[0] != '\0' && url->lud_port >= 0 &&
                url->lud_port <= UINT16_MAX && strchr(uri, '?') == NULL &&
                (url->lud_dn == NULL || url->lud_dn[0] == '\0') &&
                (strcmp(url->lud_scheme, "ldap") == 0 || strcmp(url->lud_scheme, "ldaps") == 0 ||
                 strcmp(url->lud_scheme, "ldapi") == 0);
    if (good)
        return url;
    ldap_free_urldesc(url);
    return NULL;
}

static int connect_path(const char *path, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path) {
        err_set(err, ERR_RANGE, "connecting: the path is too long");
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    err_system(err, errno, "connecting");
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static int connect_url(const struct dialer *dialer, const LDAPURLDesc *url, int stop_fd,
                       mono_us deadline, struct err *err)
{
    if (strcmp(url->lud_scheme, "ldapi") == 0)
        return connect_path(url->lud_host, err);
    return dial_host(dialer, url->lud_host, (uint16_t)url->lud_port, stop_fd, deadline, err);
}

/* --- settings ----------------------------------------------------------------------- */

static bool set_text(LDAP *ld, int option, const char *value)
{
    return value[0] == '\0' || ldap_set_option(ld, option, value) == LDAP_OPT_SUCCESS;
}

/* With GnuTLS the library does not look at the oldest version it was given: with words
 * for that one it goes there; without any has_version() must do, since libldap 2.5 loses
 * 8 KiB for each connection that is given words. */
static bool set_versions(LDAP *ld, const struct ldaplink_settings *settings)
{
    static const struct {
        int number;
        const char *off;
    } versions[] = {{LDAP_OPT_X_TLS_PROTOCOL_TLS1_0, ""},
                    {LDAP_OPT_X_TLS_PROTOCOL_TLS1_1, ":-VERS-TLS1.0"},
                    {LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, ":-VERS-TLS1.0:-VERS-TLS1.1"},
                    {LDAP_OPT_X_TLS_PROTOCOL_TLS1_3, ":-VERS-TLS1.0:-VERS-TLS1.1:-VERS-TLS1.2"}};
    char *package = NULL;
    struct strbuf text;

    if (ldap_set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &versions[settings->tls_min].number) != 0)
        return false;
    if (settings->tls_priority[0] == '\0')
        return true;
    strbuf_init(&text);
    ldap_get_option(ld, LDAP_OPT_X_TLS_PACKAGE, &package);
    strbuf_puts(&text, settings->tls_priority);
    if (package != NULL && strcmp(package, "GnuTLS") == 0)
        strbuf_puts(&text, versions[settings->tls_min].off);
    ldap_memfree(package);
    bool good = !text.failed && set_text(ld, LDAP_OPT_X_TLS_CIPHER_SUITE, strbuf_text(&text));
    strbuf_done(&text);
    return good;
}

/* Is the version spoken new enough? It is "TLS1.2" or, of OpenSSL, "TLSv1.2". */
static bool has_version(LDAP *ld, int tls_min, struct err *err)
{
    static const char *const versions[] = {"1.0", "1.1", "1.2", "1.3"};
    char *spoken = NULL;
    bool good = false;

    ldap_get_option(ld, LDAP_OPT_X_TLS_VERSION, &spoken);
    for (size_t i = (size_t)tls_min; spoken != NULL && i < ARRAY_LEN(versions); i++)
        good = good || (strncmp(spoken, "TLS", 3) == 0 && strstr(spoken, versions[i]) != NULL);
    if (!good)
        err_set(err, ERR_TLS, "TLS: the server speaks %s only, which is older than min_version",
                spoken != NULL ? spoken : "an unknown version");
    ldap_memfree(spoken);
    return good;
}

static bool set_files(LDAP *ld, const struct ldaplink_settings *settings)
{
    const char *ca_file = settings->ca_file;
    if (ca_file[0] == '\0' && settings->ca_dir[0] == '\0')
        ca_file = AUTHORITIES_FILE;
    return set_text(ld, LDAP_OPT_X_TLS_CACERTFILE, ca_file) &&
           set_text(ld, LDAP_OPT_X_TLS_CACERTDIR, settings->ca_dir) &&
           set_text(ld, LDAP_OPT_X_TLS_CERTFILE, settings->certificate) &&
           set_text(ld, LDAP_OPT_X_TLS_KEYFILE,
                    settings->key[0] != '\0' ? settings->key : settings->certificate);
}

static bool new_context(LDAP *ld)
{
    int demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
    return ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
}

/* The library does not tell why it could not read a file. */
static bool set_tls(struct ldaplink *link, const struct ldaplink_settings *settings,
                    struct err *err)
{
    if (set_versions(link->ld, settings) && set_files(link->ld, settings) && new_context(link->ld))
        return true;
    int other = fcntl(link->fd, F_DUPFD_CLOEXEC, 0);
    if (other < 0)
        return err_system(err, errno, "TLS: reading certificates");
    (void)close(other);
    return err_set(err, ERR_TLS, "TLS: a certificate or key cannot be used");
}

static bool set_options(LDAP *ld, struct err *err)
{
    int version = LDAP_VERSION3;
    Sockbuf *sockbuf = NULL;
    ber_len_t most = MESSAGE_MAX;
    /* Where it has a time-out the library spins in a handshake. */
    const struct timeval never = {.tv_sec = -1};
    if (ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &never) == LDAP_OPT_SUCCESS &&
        ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
        ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
        ldap_get_option(ld, LDAP_OPT_SOCKBUF, &sockbuf) == LDAP_OPT_SUCCESS && sockbuf != NULL &&
        ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_SET_MAX_INCOMING, &most) == 1)
        return true;
    return err_set(err, ERR_MEMORY, "starting: an option cannot be set");
}

static bool wants_tls(const struct ldaplink_settings *settings, const LDAPURLDesc *url)
{
    return strcmp(url->lud_scheme, "ldaps") == 0 ||
           (strcmp(url->lud_scheme, "ldap") == 0 && settings->start_tls);
}

bool ldaplink_check(const struct ldaplink_settings *settings, const char *uri, bool *tls_out,
                    struct err *err)
{
    LDAPURLDesc *url = parse_uri(uri);
    if (url == NULL)
        return err_set(err, ERR_SYNTAX,
                       "\"%.100s\" is wrong; allowed: ldap://HOST[:PORT], ldaps://HOST[:PORT] or "
                       "ldapi://PATH with %%2F for each /",
                       uri);
    *tls_out = wants_tls(settings, url);
    bool good = strcmp(url->lud_scheme, "ldapi") == 0 || dial_check_host(url->lud_host, NULL) ||
                err_set(err, ERR_SYNTAX,
                        "\"%.100s\" is neither an address nor a host name; allowed: one of these",
                        url->lud_host);
    ldap_free_urldesc(url);
    return good;
}

bool ldaplink_check_priority(const struct ldaplink_settings *settings, struct err *err)
{
    LDAP *ld = NULL;
    bool good = ldap_create(&ld) == LDAP_SUCCESS && set_versions(ld, settings) && new_context(ld);
    if (ld != NULL)
        ldap_unbind_ext(ld, NULL, NULL);
    return good || err_set(err, ERR_TLS,
                           "\"%.100s\" is wrong, or leaves nothing of [tls] min_version; allowed: "
                           "words of the TLS library that libldap has, as NORMAL",
                           settings->tls_priority);
}

bool ldaplink_check_dn(const char *dn)
{
    LDAPDN parsed = NULL;
    bool good = ldap_str2dn(dn, &parsed, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS;
    ldap_dnfree(parsed);
    return good;
}

/* --- the handshake ------------------------------------------------------------------ */

/* The library stays in a handshake for as long as the server likes, so a thread
 * ends the connection when time is up. */
struct guard {
    int fd, done_fd, stop_fd;
    mono_us deadline;
};

static void *run_guard(void *arg)
{
    const struct guard *guard = arg;
    struct pollfd fds[2] = {{guard->done_fd, POLLIN, 0}, {guard->stop_fd, POLLIN, 0}};

    while (poll(fds, 2, mono_poll_ms(guard->deadline)) < 0 && errno == EINTR)
        ;
    if (fds[0].revents == 0)
        (void)shutdown(guard->fd, SHUT_RDWR);
    return NULL;
}

static bool install_tls(struct ldaplink *link, int stop_fd, mono_us deadline, struct err *err)
{
    struct guard guard = {.fd = link->fd, .stop_fd = stop_fd, .deadline = deadline};
    pthread_t thread;

    guard.done_fd = eventfd(0, EFD_CLOEXEC);
    if (guard.done_fd < 0)
        return err_system(err, errno, "TLS");
    int started = pthread_create(&thread, NULL, run_guard, &guard);
    bool good = started == 0 ? set_blocking(link->fd, true, err)
                             : err_system(err, started, "TLS: starting a thread");
    if (good && ldap_install_tls(link->ld) != LDAP_SUCCESS)
        good = mono_now() < deadline ? failed_here(link->ld, err, "TLS")
                                     : err_set(err, ERR_TIMEOUT, "TLS: no answer in time");
    if (started == 0) {
        eventfd_write(guard.done_fd, 1);
        pthread_join(thread, NULL);
    }
    (void)close(guard.done_fd);
    return good && set_blocking(link->fd, false, err);
}

/* --- opening ------------------------------------------------------------------------ */

/* A message to id if a whole one is here, as ldap_result(). The library returns
 * after one that nobody waits for, even where the next one lies in the buffer of
 * TLS, which poll() does not see. */
static int take_message(struct ldaplink *link, int id, LDAPMessage **message_out)
{
    struct timeval at_once = {0};
    Sockbuf *sockbuf = NULL;
    int got = 0;

    ldap_get_option(link->ld, LDAP_OPT_SOCKBUF, &sockbuf);
    for (unsigned i = 0; i < SKIPPED_MAX; i++) {
        got = ldap_result(link->ld, id, LDAP_MSG_ONE, &at_once, message_out);
        if (got != 0 || ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_DATA_READY, NULL) <= 0)
            break;
    }
    return got;
}

/* Waits for the answer to id; its result code must be success. */
static bool wait_for(struct ldaplink *link, int id, int type, const char *doing, int stop_fd,
                     mono_us deadline, struct err *err)
{
    LDAPMessage *message = NULL;
    int got, code = LDAP_OTHER;

    while ((got = take_message(link, id, &message)) == 0) {
        struct pollfd fds[2] = {{link->fd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
        if (mono_now() >= deadline)
            return err_set(err, ERR_TIMEOUT, "%s: no answer in time", doing);
        if (poll(fds, 2, mono_poll_ms(deadline)) < 0 && errno != EINTR)
            return err_system(err, errno, "%s", doing);
        if (fds[1].revents != 0)
            return err_system(err, ECANCELED, "%s", doing);
    }
    if (got < 0)
        return failed_here(link->ld, err, doing);
    bool right = ldap_msgtype(message) == type;
    int parsed = ldap_parse_result(link->ld, message, &code, NULL, NULL, NULL, NULL, 1);
    if (!right)
        return err_set(err, ERR_PEER, "%s: an answer of the wrong kind", doing);
    if (parsed == LDAP_SUCCESS && code == LDAP_SUCCESS)
        return true;
    return failed(err, doing, parsed != LDAP_SUCCESS ? parsed : code);
}

static bool start_tls(struct ldaplink *link, int stop_fd, mono_us deadline, struct err *err)
{
    int id;
    if (ldap_start_tls(link->ld, NULL, NULL, &id) != LDAP_SUCCESS)
        return failed_here(link->ld, err, "StartTLS");
    return wait_for(link, id, LDAP_RES_EXTENDED, "StartTLS", stop_fd, deadline, err);
}

static bool bind_link(struct ldaplink *link, const struct ldaplink_settings *settings, int stop_fd,
                      mono_us deadline, struct err *err)
{
    /* Only read, though the library's type does not say so. */
    struct berval password = {.bv_len = strlen(settings->password),
                              .bv_val = (char *)(uintptr_t)settings->password};
    int id;
    if (ldap_sasl_bind(link->ld, settings->bind_dn, LDAP_SASL_SIMPLE, &password, NULL, NULL, &id) !=
        LDAP_SUCCESS)
        return failed_here(link->ld, err, "binding");
    return wait_for(link, id, LDAP_RES_BIND, "binding", stop_fd, deadline, err);
}

static bool greet(struct ldaplink *link, const struct ldaplink_settings *settings,
                  const LDAPURLDesc *url, int stop_fd, mono_us deadline, struct err *err)
{
    bool tls = wants_tls(settings, url);

    if (!set_options(link->ld, err) || (tls && !set_tls(link, settings, err)))
        return false;
    if (tls && strcmp(url->lud_scheme, "ldap") == 0 && !start_tls(link, stop_fd, deadline, err))
        return false;
    return (!tls || (install_tls(link, stop_fd, deadline, err) &&
                     has_version(link->ld, settings->tls_min, err))) &&
           bind_link(link, settings, stop_fd, deadline, err);
}

/* fd becomes the link's, or is closed. */
static struct ldaplink *link_new(int fd, const LDAPURLDesc *url, const char *uri, struct err *err)
{
    struct ldaplink *link = calloc(1, sizeof *link);
    int proto = strcmp(url->lud_scheme, "ldapi") == 0 ? LDAP_PROTO_IPC : LDAP_PROTO_TCP;
    int code = link != NULL ? ldap_init_fd(fd, proto, uri, &link->ld) : LDAP_NO_MEMORY;

    if (code == LDAP_SUCCESS) {
        link->fd = fd;
        return link;
    }
    failed(err, "starting", code);
    (void)close(fd);
    free(link);
    return NULL;
}

struct ldaplink *ldaplink_open(const struct ldaplink_settings *settings,
                               const struct dialer *dialer, const char *uri, int stop_fd,
                               mono_us deadline, struct err *err)
{
    LDAPURLDesc *url = parse_uri(uri);
    struct ldaplink *link = NULL;

    if (url == NULL) {
        err_set(err, ERR_MEMORY, "starting: out of memory");
        return NULL;
    }
    int fd = connect_url(dialer, url, stop_fd, deadline, err);
    if (fd >= 0)
        link = link_new(fd, url, uri, err);
    if (link != NULL && !greet(link, settings, url, stop_fd, deadline, err)) {
        ldaplink_close(link);
        link = NULL;
    }
    ldap_free_urldesc(url);
    return link;
}

void ldaplink_close(struct ldaplink *link)
{
    if (link == NULL)
        return;
    ldap_unbind_ext(link->ld, NULL, NULL);
    free(link);
}

int ldaplink_fd(const struct ldaplink *link)
{
    return link->fd;
}

/* --- searching ---------------------------------------------------------------------- */

bool ldaplink_search(struct ldaplink *link, const struct ldaplink_search *search, int *id_out,
                     struct err *err)
{
    static const int scopes[] = {LDAP_SCOPE_BASE, LDAP_SCOPE_ONELEVEL, LDAP_SCOPE_SUBTREE};
    static const char none[] = LDAP_NO_ATTRS;
    struct timeval limit = {.tv_sec = search->timeout / MONO_SECONDS(1) + 1};
    char *attributes[LDAPLINK_ATTRIBUTES + 2] = {NULL};
    size_t n = 0;

    for (size_t i = 0; i < LDAPLINK_ATTRIBUTES; i++) {
        if (search->attribute[i] != NULL && search->attribute[i][0] != '\0')
            attributes[n++] = (char *)(uintptr_t)search->attribute[i];
    }
    if (n == 0)
        attributes[n] = (char *)(uintptr_t)none;
    if (ldap_search_ext(link->ld, search->base, scopes[search->scope], search->filter, attributes,
                        0, NULL, NULL, &limit, ENTRIES_MAX, id_out) == LDAP_SUCCESS)
        return true;
    return failed_here(link->ld, err, "searching");
}

void ldaplink_abandon(struct ldaplink *link, int id)
{
    ldap_abandon_ext(link->ld, id, NULL, NULL);
}

static bool is_one_line(const struct berval *value)
{
    return memchr(value->bv_val, '\0', value->bv_len) == NULL &&
           memchr(value->bv_val, '\n', value->bv_len) == NULL;
}

static void add_value(const struct berval *value, char *out, bool *cut)
{
    size_t n = strlen(out);
    if (value->bv_len == 0)
        return;
    if (n + value->bv_len + 2 > LDAPLINK_VALUE_MAX || !is_one_line(value)) {
        *cut = true;
        return;
    }
    if (n > 0)
        out[n++] = '\n';
    memcpy(out + n, value->bv_val, value->bv_len);
    out[n + value->bv_len] = '\0';
}

static bool is_foreign(const struct berval *value)
{
    struct slice rest;
    return ldapvalue_kind((struct slice){value->bv_val, value->bv_len}, &rest) == LDAPVALUE_FOREIGN;
}

static void read_entry(LDAP *ld, LDAPMessage *entry, const struct ldaplink_search *search,
                       struct ldaplink_message *out)
{
    for (size_t i = 0; i < LDAPLINK_ATTRIBUTES; i++) {
        if (search->attribute[i] == NULL || search->attribute[i][0] == '\0')
            continue;
        struct berval **values = ldap_get_values_len(ld, entry, search->attribute[i]);
        for (size_t k = 0; values != NULL && values[k] != NULL; k++) {
            if (!search->mail[i] || !is_foreign(values[k]))
                add_value(values[k], out->values[i], &out->cut[i]);
        }
        ldap_value_free_len(values);
    }
}

/* Active Directory refers to these from the top of its tree in every search; no
 * recipients are there. */
static bool is_empty_part(const char *uri)
{
    static const char *const parts[] = {"DC=ForestDnsZones,", "DC=DomainDnsZones,",
                                        "CN=Configuration,"};
    LDAPURLDesc *url = NULL;
    bool empty = false;

    if (ldap_url_parse(uri, &url) != LDAP_URL_SUCCESS)
        return false;
    for (size_t i = 0; url->lud_dn != NULL && i < ARRAY_LEN(parts); i++)
        empty = empty || strncasecmp(url->lud_dn, parts[i], strlen(parts[i])) == 0;
    ldap_free_urldesc(url);
    return empty;
}

static enum ldaplink_event read_reference(LDAP *ld, LDAPMessage *message)
{
    char **uris = NULL;
    bool empty = ldap_parse_reference(ld, message, &uris, NULL, 0) == LDAP_SUCCESS && uris != NULL;

    for (size_t i = 0; empty && uris[i] != NULL; i++)
        empty = is_empty_part(uris[i]);
    ldap_memvfree((void **)uris);
    return empty ? LDAPLINK_SKIPPED : LDAPLINK_ELSEWHERE;
}

static enum ldaplink_event read_end(LDAP *ld, LDAPMessage *message, struct err *err)
{
    int code = LDAP_OTHER;
    int parsed = ldap_parse_result(ld, message, &code, NULL, NULL, NULL, NULL, 0);
    if (parsed != LDAP_SUCCESS)
        code = parsed;
    if (code == LDAP_SUCCESS)
        return LDAPLINK_END;
    failed(err, "searching", code);
    return code == LDAP_BUSY || code == LDAP_UNAVAILABLE ? LDAPLINK_UNABLE : LDAPLINK_REFUSED;
}

static enum ldaplink_event read_message(LDAP *ld, LDAPMessage *message,
                                        const struct ldaplink_search *search,
                                        struct ldaplink_message *out, struct err *err)
{
    switch (ldap_msgtype(message)) {
    case LDAP_RES_SEARCH_ENTRY:
        read_entry(ld, message, search, out);
        return LDAPLINK_ENTRY;
    case LDAP_RES_SEARCH_REFERENCE:
        return read_reference(ld, message);
    case LDAP_RES_SEARCH_RESULT:
        return read_end(ld, message, err);
    default:
        err_set(err, ERR_PEER, "the server sent an answer of the wrong kind");
        return LDAPLINK_BROKEN;
    }
}

enum ldaplink_event ldaplink_next(struct ldaplink *link,
                                  const struct ldaplink_search *(*find)(void *arg, int id),
                                  void *arg, struct ldaplink_message *message_out, struct err *err)
{
    LDAPMessage *message = NULL;
    int got = take_message(link, LDAP_RES_ANY, &message);

    if (got == 0)
        return LDAPLINK_NOTHING;
    if (got < 0) {
        failed_here(link->ld, err, "reading");
        return LDAPLINK_BROKEN;
    }
    *message_out = (struct ldaplink_message){.id = ldap_msgid(message)};
    const struct ldaplink_search *search = find(arg, message_out->id);
    enum ldaplink_event event = LDAPLINK_BROKEN;
    if (search != NULL)
        event = read_message(link->ld, message, search, message_out, err);
    else /* such as a notice that the server hangs up */
        err_set(err, ERR_PEER, "the server ended the connection");
    ldap_msgfree(message);
    return event;
}
