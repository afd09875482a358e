#include "lib/mta/mtaconfig.h"

#include <string.h>

#include "lib/base/authorities.h"
#include "lib/mta/ldap_maps.h"
#include "lib/mta/offers.h"
#include "lib/mta/postfix_maps.h"
#include "lib/mta/socketname.h"

/* Postfix's own defaults: nothing is made smaller than what is there without us. */
#define DEFAULT_MESSAGE_SIZE 10240000
#define DEFAULT_MAILBOX_SIZE 51200000
#define DEFAULT_RECIPIENTS 1000
#define DEFAULT_CONNECTIONS 50
#define DEFAULT_PROCESSES 100
#define DEFAULT_HARD_ERRORS 20

#define POSTFIX_INT_MAX 2147483647
#define NO_MESSAGE_LIMIT (INT64_MAX / 2)
#define SOCKET_MAX 512

struct milter_socket {
    char text[SOCKET_MAX]; /* as smtpd_milters takes it */
    bool in_chroot;        /* reachable from there */
};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t at_most_int(int64_t value)
{
    return value < POSTFIX_INT_MAX ? value : POSTFIX_INT_MAX;
}

/* May text stand in a list of main.cf? */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (ascii_is_space(*text) || ascii_is_control(*text) || strchr(",{}$#\"", *text) != NULL)
            return false;
    return true;
}

/* --- the socket -------------------------------------------------------------- */

static bool bad_socket(const char *socket, struct err *err)
{
    return err_set(err, ERR_SYNTAX,
                   "[gatehouse] socket: \"%s\" cannot be written for Postfix; unix:PATH, "
                   "inet:PORT@HOST and inet6:PORT@HOST are allowed, without blanks",
                   socket);
}

/* smtpd works in its queue directory, with or without the chroot, so a path
 * relative to it is the one that always works. */
static bool unix_socket(const char *path, const char *queue, struct milter_socket *socket_out)
{
    size_t n = strlen(queue);
    while (n > 1 && queue[n - 1] == '/')
        n--;
    socket_out->in_chroot = strncmp(path, queue, n) == 0 && path[n] == '/';
    const char *shown = path;
    if (socket_out->in_chroot)
        shown += n + strspn(path + n, "/");
    int done = snprintf(socket_out->text, SOCKET_MAX, "unix:%s", shown);
    return done < SOCKET_MAX;
}

static bool inet_socket(const struct socketname *name, struct milter_socket *socket_out)
{
    bool literal = memchr(name->host.p, ':', name->host.n) != NULL;
    int done = snprintf(socket_out->text, SOCKET_MAX, literal ? "inet:[%.*s]:%u" : "inet:%.*s:%u",
                        (int)name->host.n, name->host.p, name->port);
    socket_out->in_chroot = true;
    return name->host.n < SOCKET_MAX && done < SOCKET_MAX;
}

static bool read_socket(const char *text, const char *queue, struct milter_socket *socket_out,
                        struct err *err)
{
    *socket_out = (struct milter_socket){0};
    struct socketname name;
    bool ok = socketname_parse(text, &name) && is_plain(text) &&
              (name.path != NULL ? unix_socket(name.path, queue, socket_out)
                                 : inet_socket(&name, socket_out));
    return ok || bad_socket(text, err);
}

/* Does the directory name other addresses? */
static bool rewrites(const struct maps_input *input)
{
    return input->directory != NULL && input->directory->address_attr[0] != '\0';
}

/* --- main.cf ----------------------------------------------------------------- */

int64_t mtaconfig_milter_seconds(const struct maps_limits *limits)
{
    return larger((limits->command_deadline + 999) / 1000 + 5, MTACONFIG_MILTER_SECONDS);
}

static void put_milter(const struct maps_input *input, const struct milter_socket *socket,
                       struct strbuf *out)
{
    long long seconds = (long long)mtaconfig_milter_seconds(&input->limits);
    strbuf_printf(out,
                  "# Without an answer from Gatehouse clients are told to try again later (never "
                  "\"accept\": that\n"
                  "# would accept everything for relay_domains). The time-outs, also that of the "
                  "end of a message,\n"
                  "# are longer than command_deadline, and short enough for clients if a daemon "
                  "hangs.\n"
                  "smtpd_milters = { %s, command_timeout=%llds, content_timeout=%llds, "
                  "default_action=tempfail }\n"
                  "milter_protocol = 6\n"
                  "milter_default_action = tempfail\n",
                  socket->text, seconds, seconds);
    if (strncmp(socket->text, "unix:", 5) == 0)
        strbuf_puts(
            out,
            "# The user postfix must be in the group of the socket ([gatehouse] socket_group).\n");
}

/* Hosts that have a route, by its key; then those below a key; then any, where
 * two results make one: "relay:" and the hosts. */
static void put_directory(const struct maps_input *input, const struct mtaconfig_options *options,
                          struct strbuf *out)
{
    const char *type = options->type, *folder = options->folder;
    strbuf_printf(out,
                  "\n# Delivery to the mail hosts that [ldap %s] names, through the SMTP routes; "
                  "then by the SMTP routes.\n# While the directory does not answer, recipients get "
                  "a temporary answer, and mail stays in the queue.\n"
                  "transport_maps =\n"
                  "    pipemap:{ldap:%s/" LDAP_ROUTING ", %s:%s/" LDAP_ROUTES "},\n"
                  "    pipemap:{ldap:%s/" LDAP_ROUTING ", regexp:%s/" LDAP_SUBDOMAINS "},\n",
                  input->directory->name, folder, type, folder, folder, folder);
    strbuf_printf(out,
                  "    unionmap:{pipemap:{ldap:%s/" LDAP_ROUTING ", regexp:%s/" LDAP_LISTS
                  "}, ldap:%s/" LDAP_HOSTS "},\n"
                  "    %s:%s/" POSTFIX_TRANSPORT "\n",
                  folder, folder, folder, type, folder);
    if (rewrites(input))
        strbuf_printf(out,
                      "# The address that mail is sent on to, if an entry has one. While it is "
                      "wrong, clients are told to try again later.\n"
                      "virtual_alias_maps = pipemap:{ldap:%s/" LDAP_ALIASES ",\n"
                      "    unionmap:{regexp:%s/" LDAP_ADDRESSES ", pipemap:{regexp:%s/" LDAP_WRONG
                      ", fail:wrong_address_in_directory}}}\n",
                      folder, folder, folder);
}

/* In monitor mode Gatehouse refuses nobody: were Postfix told not to look, it would take mail
 * for everybody, and send bounces to forged senders. */
static void put_recipients(const struct maps_input *input, const struct mtaconfig_options *options,
                           struct strbuf *out)
{
    if (input->monitor)
        strbuf_printf(
            out,
            "\n# [gatehouse] mode = monitor: Gatehouse refuses nobody, so Postfix still decides "
            "which "
            "recipients\n"
            "# exist. mydestination, relay_recipient_maps, local_recipient_maps and all of "
            "virtual_* stay as they\n"
            "# are. A domain that is in relay_domains only accepts mail for everybody while "
            "relay_recipient_maps\n"
            "# is empty. With mode = enforce apply these lines again.\n"
            "relay_domains = %s:%s/" POSTFIX_RELAY_DOMAINS "\n",
            options->type, options->folder);
    else
        strbuf_printf(
            out,
            "\n# Recipients: relay_domains is the safeguard that works without Gatehouse; "
            "Gatehouse "
            "alone decides\n"
            "# which recipients exist in these domains. Postfix would refuse unknown users of "
            "mydestination,\n"
            "# virtual_alias_domains and virtual_mailbox_domains before it asks Gatehouse: none "
            "of them may\n"
            "# name a domain that a RAT accepts. Names of this host that no RAT accepts may stay "
            "in\n"
            "# mydestination.\n"
            "relay_domains = %s:%s/" POSTFIX_RELAY_DOMAINS "\n"
            "relay_recipient_maps =\n"
            "mydestination =\n",
            options->type, options->folder);
}

static void put_maps(const struct maps_input *input, const struct mtaconfig_options *options,
                     struct strbuf *out)
{
    if (input->directory != NULL)
        put_directory(input, options, out);
    else
        strbuf_printf(out,
                      "\n# Delivery by the SMTP routes.\n"
                      "transport_maps = %s:%s/" POSTFIX_TRANSPORT "\n",
                      options->type, options->folder);
    if (maps_have_tls(input->routes))
        strbuf_printf(out, "smtp_tls_policy_maps = %s:%s/" POSTFIX_TLS_POLICY "\n", options->type,
                      options->folder);
    if (maps_have_verify(input->routes))
        strbuf_puts(out, "# tls=verify: the CAs of the certificates of mailbox hosts.\n"
                         "smtp_tls_CAfile = " AUTHORITIES_FILE "\n");
    if (maps_have_auth(input))
        strbuf_printf(
            out,
            "# Credentials of routes: sent only to the hosts they are for, never without TLS.\n"
            "smtp_sasl_auth_enable = yes\n"
            "smtp_sasl_password_maps = %s:%s/" POSTFIX_SASL_PASSWD "\n"
            "smtp_sasl_security_options = noanonymous, noplaintext\n"
            "smtp_sasl_tls_security_options = noanonymous\n",
            options->type, options->folder);
    put_recipients(input, options, out);
    strbuf_puts(
        out,
        "# The default without relay_domains: example.com in relay_domains then means example.com "
        "alone,\n"
        "# as it does in transport.\n"
        "parent_domain_matches_subdomains = debug_peer_list, fast_flush_domains, mynetworks,\n"
        "    permit_mx_backup_networks, qmqpd_authorized_clients, smtpd_access_maps\n"
        "# For services without lines of their own in master.cf; mynetworks is for this host "
        "only.\n"
        "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated,\n"
        "    reject_unauth_destination\n");
}

/* Postfix counts the envelope and its own header fields, Gatehouse the bytes
 * that arrive: leave room for the difference. 0: no limit. */
static int64_t message_size(const struct maps_limits *limits)
{
    if (limits->max_message_size > NO_MESSAGE_LIMIT)
        return 0;
    int64_t recipients = at_most_int(larger(limits->max_recipients, DEFAULT_RECIPIENTS));
    return larger(limits->max_message_size + 65536 + recipients * 512, DEFAULT_MESSAGE_SIZE);
}

static int64_t processes(const struct maps_input *input)
{
    int64_t most = DEFAULT_PROCESSES;
    if (input->limits.max_connections_ip != KEY_NO_LIMIT)
        most = larger(most, input->limits.max_connections_ip);
    for (size_t i = 0; i < input->nlisteners; i++)
        most = larger(most, input->listeners[i].max_connections);
    return at_most_int(most);
}

/* Each refused recipient is an error to Postfix: a message with as many recipients as a
 * policy lets through, all refused, must reach its end. */
int64_t mtaconfig_errors(const struct maps_limits *limits)
{
    int64_t errors = larger(at_most_int(limits->max_recipients), limits->max_invalid);
    return errors < POSTFIX_INT_MAX / 2 ? errors : POSTFIX_INT_MAX / 2;
}

static void put_limits(const struct maps_input *input, struct strbuf *out)
{
    const struct maps_limits *limits = &input->limits;
    int64_t size = message_size(limits);
    int64_t connections = limits->max_connections_ip == KEY_NO_LIMIT
                              ? 0
                              : larger(limits->max_connections_ip, DEFAULT_CONNECTIONS);
    int64_t errors = larger(mtaconfig_errors(limits), DEFAULT_HARD_ERRORS);
    strbuf_printf(
        out,
        "\n# Limits of Postfix, none below the largest value of any policy: the policies decide.\n"
        "message_size_limit = %lld\n",
        (long long)size);
    if (size == 0 || size > DEFAULT_MAILBOX_SIZE)
        strbuf_puts(out, "mailbox_size_limit = 0\nvirtual_mailbox_limit = 0\n");
    strbuf_printf(out,
                  "smtpd_recipient_limit = %lld\n"
                  "smtpd_client_connection_count_limit = %lld\n"
                  "default_process_limit = %lld\n"
                  "smtpd_soft_error_limit = %lld\n"
                  "smtpd_hard_error_limit = %lld\n"
                  "smtpd_error_sleep_time = 1s\n",
                  (long long)at_most_int(larger(limits->max_recipients, DEFAULT_RECIPIENTS)),
                  (long long)at_most_int(connections), (long long)processes(input),
                  (long long)errors, (long long)errors + 10);
}

/* --- master.cf ---------------------------------------------------------------- */

/* "smtp", "2525", "192.0.2.1:25", "[2001:db8::1]:25" */
static void put_service(const struct maps_listener *listener, struct strbuf *out)
{
    const char *address = listener->local_address;
    if (address[0] != '\0')
        strbuf_printf(out, strchr(address, ':') != NULL ? "[%s]:" : "%s:", address);
    if (listener->local_port != 0)
        strbuf_printf(out, "%lld", (long long)listener->local_port);
    else
        strbuf_puts(out, address[0] != '\0' ? "25" : "smtp");
}

static bool same_service(const struct maps_listener *a, const struct maps_listener *b)
{
    int64_t port_a = a->local_port != 0 ? a->local_port : 25;
    int64_t port_b = b->local_port != 0 ? b->local_port : 25;
    return port_a == port_b && strcmp(a->local_address, b->local_address) == 0;
}

/* The greeting cannot follow the client's group; the group ALL is most of them. */
static void put_banner(const struct offers *offers, struct strbuf *out)
{
    const char *text = offers->all->banner_text, *host = offers->all->banner_hostname;

    if (offers->other_banners)
        strbuf_puts(out, "    # Postfix greets before Gatehouse knows the client: the greeting is "
                         "that of ALL,\n    # other policies' banner_text is not used\n");
    if (offers->all->banner_code != 220)
        strbuf_printf(out, "    # banner_code %d is not used: Postfix greets with 220\n",
                      offers->all->banner_code);
    if (!offers->has_banner)
        return;
    if (strpbrk(text, "${}\n") != NULL || !is_plain(host)) {
        strbuf_puts(out, "    # banner_text has variables, braces or several lines: Postfix cannot "
                         "say it\n");
        return;
    }
    if (policy_greets_as_mta(offers->all))
        host = "$myhostname";
    strbuf_printf(out, "    -o { smtpd_banner = %s%sESMTP%s%s }\n", host,
                  host[0] != '\0' ? " " : "", text[0] != '\0' ? " " : "", text);
}

/* What one of the policies may require is offered. A password in clear is heard by others
 * before Gatehouse can refuse it, so that AUTH stays inside TLS whatever `tls` says. */
static void put_security(const struct offers *offers, struct strbuf *out)
{
    if (offers->tls)
        strbuf_puts(out, "    -o smtpd_tls_security_level=may\n");
    if (offers->certificate)
        strbuf_puts(out, "    -o smtpd_tls_ask_ccert=yes\n");
    if (!offers->auth_in_clear)
        strbuf_puts(out, "    -o smtpd_tls_auth_only=yes\n");
    if (!offers->auth_in_clear && !offers->tls)
        strbuf_puts(out,
                    "    # auth_requires_tls, and no policy with tls: no AUTH is offered here\n");
}

static void put_tls_advice(const struct maps_input *input, struct strbuf *out)
{
    struct offers offers;

    offers_of_all(input, &offers);
    if (offers.tls)
        strbuf_puts(out, "\n# Policies use TLS: smtpd_tls_chain_files must name a key and its "
                         "certificate.\n");
    if (offers.certificate)
        strbuf_puts(
            out,
            "# Client certificates are trusted if a CA in smtpd_tls_CAfile has signed them.\n");
}

static void put_listener(const struct maps_listener *listener, const char *folder, bool chrooted,
                         struct strbuf *out)
{
    struct offers offers;

    offers_of(listener, &offers);
    put_service(listener, out);
    strbuf_printf(out, " inet n - %s - - smtpd\n", chrooted ? "y" : "n");
    if (listener->daemon_name[0] != '\0')
        strbuf_printf(out, "    -o { milter_macro_daemon_name = %s }\n", listener->daemon_name);
    put_banner(&offers, out);
    put_security(&offers, out);
    strbuf_printf(out,
                  "    -o smtpd_delay_reject=no\n"
                  "    -o { smtpd_client_restrictions = check_client_access "
                  "cidr:%s/" POSTFIX_REFUSED_CLIENTS ".%s }\n",
                  folder, listener->name);
    strbuf_printf(out,
                  "    -o { smtpd_relay_restrictions = check_client_access "
                  "cidr:%s/" POSTFIX_RELAY_CLIENTS ".%s,\n"
                  "         permit_sasl_authenticated, reject_unauth_destination }\n",
                  folder, listener->name);
}

static void put_listeners(const struct maps_input *input, const struct mtaconfig_options *options,
                          const struct milter_socket *socket, struct strbuf *out)
{
    for (size_t i = 0; i < input->nlisteners; i++) {
        const struct maps_listener *listener = &input->listeners[i];
        strbuf_printf(out, "\n# [listener %s], %s\n", listener->name,
                      listener->private ? "private" : "public");
        for (size_t j = 0; j < i; j++)
            if (same_service(listener, &input->listeners[j]))
                strbuf_printf(
                    out, "# The same address and port as [listener %s]: give this one its own\n",
                    input->listeners[j].name);
        put_listener(listener, options->folder, socket->in_chroot && !rewrites(input), out);
    }
    if (strcmp(input->transport, "relay") != 0 && strcmp(input->transport, "smtp") != 0)
        strbuf_printf(out, "\n# [routes] transport\n%s unix - - y - - smtp\n", input->transport);
}

/* The same lines as in Postfix's own master.cf, but for the chroot. */
static void put_askers(const struct maps_input *input, struct strbuf *out)
{
    strbuf_puts(out, "# Programs that ask the directory need its name and the files of [tls]: they "
                     "run outside a chroot.\n"
                     "rewrite unix - - n - - trivial-rewrite\n");
    if (rewrites(input))
        strbuf_puts(out, "cleanup unix n - n - 0 cleanup\n");
}

static void put_chroot_advice(const struct mtaconfig_options *options,
                              const struct milter_socket *socket, struct strbuf *out)
{
    if (!socket->in_chroot)
        strbuf_printf(out,
                      "# The socket is outside %s, where a chrooted smtpd cannot\n"
                      "# reach it; so the chroot column (the fifth) is n. To keep the chroot, set\n"
                      "#     [gatehouse] socket = unix:%s/gatehouse/milter.sock\n",
                      options->queue_directory, options->queue_directory);
}

/* --- all of it ---------------------------------------------------------------- */

static bool check_path(const char *what, const char *path, struct err *err)
{
    if (path[0] == '/' && is_plain(path))
        return true;
    return err_set(err, ERR_SYNTAX,
                   "%s \"%s\" cannot be written for Postfix; an absolute path without blanks, "
                   "commas, braces, '$' and '#' is allowed",
                   what, path);
}

static bool check_listeners(const struct maps_input *input, struct err *err)
{
    for (size_t i = 0; i < input->nlisteners; i++) {
        const struct maps_listener *listener = &input->listeners[i];
        if (!is_plain(listener->daemon_name) || !is_plain(listener->local_address))
            return err_set(err, ERR_SYNTAX,
                           "[listener %s] daemon_name and local_address cannot be written for "
                           "Postfix; no blanks, commas, braces, '$' and '#' are allowed",
                           listener->name);
    }
    return true;
}

bool mtaconfig_postfix(const struct maps_input *input, const struct mtaconfig_options *options,
                       struct strbuf *out, struct err *err)
{
    struct milter_socket socket;
    if (!check_path("the output folder", options->folder, err) ||
        !check_path("the queue directory", options->queue_directory, err) ||
        !read_socket(input->socket, options->queue_directory, &socket, err) ||
        !check_listeners(input, err))
        return false;
    strbuf_puts(out,
                "# === main.cf: these lines replace lines with the same name ================\n\n");
    put_milter(input, &socket, out);
    put_maps(input, options, out);
    put_limits(input, out);
    put_tls_advice(input, out);
    strbuf_puts(
        out,
        "\n# === master.cf: these services replace smtp inet ============================\n\n");
    if (input->directory != NULL)
        put_askers(input, out);
    put_chroot_advice(options, &socket, out);
    put_listeners(input, options, &socket, out);
    return !out->failed || err_set(err, ERR_MEMORY, "out of memory");
}
