/*
 * sendmail_config.c - the lines for sendmail.mc; mtaconfig.h has the contract.
 */
#include <string.h>

#include "lib/base/authorities.h"
#include "lib/mta/mtaconfig.h"
#include "lib/mta/offers.h"
#include "lib/mta/sendmail_ldap.h"
#include "lib/mta/sendmail_maps.h"
#include "lib/mta/socketname.h"

#define NO_MESSAGE_LIMIT (INT64_MAX / 2)
#define SENDMAIL_INT_MAX 2147483647
#define PORTS_MAX 65536
#define BANNER_MAX 400 /* bytes: a reply has 512 */
#define MECHANISMS "SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5 CRAM-MD5 PLAIN LOGIN"

static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (ascii_is_space(*text) || ascii_is_control(*text) || strchr(",;()`'$#\"", *text) != NULL)
            return false;
    return true;
}

static bool is_plain_slice(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        char one[2] = {text.p[i], '\0'};
        if (!is_plain(one))
            return false;
    }
    return true;
}

/* --- the filter ----------------------------------------------------------------- */

/* false: it cannot be written. */
static bool put_socket(const char *text, struct strbuf *out)
{
    struct socketname name;
    if (!socketname_parse(text, &name))
        return false;
    if (name.path != NULL) {
        strbuf_printf(out, "unix:%s", name.path);
        return is_plain(name.path);
    }
    bool v6 = memchr(name.host.p, ':', name.host.n) != NULL;
    strbuf_printf(out, "%s:%u@%s%.*s%s", v6 || name.v6 ? "inet6" : "inet", name.port, v6 ? "[" : "",
                  (int)name.host.n, name.host.p, v6 ? "]" : "");
    return is_plain_slice(name.host);
}

static bool put_filter(const struct maps_input *input, struct strbuf *out, struct err *err)
{
    strbuf_puts(out, "dnl Without an answer from Gatehouse clients are told to try again later "
                     "(F=T). Without F=T\n"
                     "dnl all mail would pass unseen. R: and E: (end of message) are longer than\n"
                     "dnl command_deadline, and short enough for clients while a daemon hangs.\n"
                     "INPUT_MAIL_FILTER(`gatehouse', `S=");
    if (!put_socket(input->socket, out))
        return err_set(err, ERR_SYNTAX,
                       "[gatehouse] socket: \"%s\" cannot be written for Sendmail; unix:PATH, "
                       "inet:PORT@HOST and inet6:PORT@HOST are allowed, without blanks, quotes and "
                       "commas",
                       input->socket);
    long long seconds = (long long)mtaconfig_milter_seconds(&input->limits);
    strbuf_printf(out, ", F=T, T=C:30s;S:%llds;R:%llds;E:%llds')dnl\n", seconds, seconds, seconds);
    return true;
}

/* --- features and limits -------------------------------------------------------- */

static void put_features(const struct maps_input *input, const struct mtaconfig_options *options,
                         struct strbuf *out)
{
    strbuf_printf(
        out,
        "\ndnl Delivery by the SMTP routes. Names are used as they are written: the routes are "
        "for\n"
        "dnl these names, and not for what DNS makes of them.%s\n"
        "FEATURE(`nocanonify')dnl\n"
        "FEATURE(`mailertable', `%s %s/" SENDMAIL_MAILERTABLE "')dnl\n"
        "dnl Who may relay, by service, and TLS of routes. FEATURE(`delay_checks') must not be "
        "used.\n"
        "FEATURE(`access_db', `%s -T<TMPF> %s/" SENDMAIL_ACCESS "', `skip', `lookupdotdomain')dnl\n"
        "define(`confUSE_COMPRESSED_IPV6_ADDRESSES', `False')dnl\n",
        input->monitor ? ""
                       : " No domain of a RAT may be in class {w}\n"
                         "dnl (local-host-names): its mail would stay here.",
        options->type, options->folder, options->type, options->folder);
    if (maps_have_auth(input))
        strbuf_printf(
            out,
            "dnl Credentials of routes: sent only to the hosts they are for, never without TLS.\n"
            "FEATURE(`authinfo', `%s %s/" SENDMAIL_AUTHINFO "')dnl\n",
            options->type, options->folder);
    if (maps_have_verify(input->routes))
        strbuf_puts(out, "define(`confCACERT_PATH', `" AUTHORITIES_DIR "')dnl\n"
                         "define(`confCACERT', `" AUTHORITIES_FILE "')dnl\n");
    if (input->monitor)
        strbuf_puts(out, "dnl [gatehouse] mode = monitor: Gatehouse refuses nobody, so that "
                         "Sendmail's own checks of\n"
                         "dnl senders and recipients stay as they are: class {w}, virtusertable, "
                         "FEATURE(`ldap_routing').\n"
                         "dnl With mode = enforce apply these lines again.\n");
    else
        strbuf_puts(out, "dnl Gatehouse checks envelope senders.\n"
                         "FEATURE(`accept_unresolvable_domains')dnl\n"
                         "FEATURE(`accept_unqualified_senders')dnl\n");
}

/* PLAIN and LOGIN are not among Sendmail's own; p keeps these inside TLS. */
static void put_auth(const struct offers *offers, struct strbuf *out)
{
    strbuf_puts(out, "dnl Clients that authenticate may relay. SASL checks their passwords.\n"
                     "define(`confAUTH_MECHANISMS', `" MECHANISMS "')dnl\n"
                     "TRUST_AUTH_MECH(`" MECHANISMS "')dnl\n");
    if (!offers->auth_in_clear)
        strbuf_puts(out, "define(`confAUTH_OPTIONS', `A p')dnl\n");
    else
        strbuf_puts(out, "dnl Some policy has auth_requires_tls off: Sendmail has one AUTH_OPTIONS "
                         "for all services,\n"
                         "dnl so that PLAIN and LOGIN are offered in clear at each of them.\n");
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* KEY_NO_LIMIT and what does not fit is 0, no limit. */
static long long limit(int64_t value)
{
    return value == KEY_NO_LIMIT || value > SENDMAIL_INT_MAX ? 0 : (long long)value;
}

static void put_limits(const struct maps_input *input, struct strbuf *out)
{
    const struct maps_limits *limits = &input->limits;
    bool any_size = limits->max_message_size > NO_MESSAGE_LIMIT;
    int64_t bad = larger(limits->max_recipients, limits->max_invalid);
    strbuf_printf(out,
                  "\ndnl Limits of Sendmail, none below the largest value of any policy: the "
                  "policies judge.\n"
                  "dnl No FEATURE(`ratecontrol') or (`conncontrol') may be tighter than they are.\n"
                  "define(`confMAX_MESSAGE_SIZE', `%lld')dnl\n"
                  "define(`confMAX_RCPTS_PER_MESSAGE', `%lld')dnl\n"
                  "define(`confBAD_RCPT_THROTTLE', `%lld')dnl\n"
                  "define(`confMAX_DAEMON_CHILDREN', `0')dnl\n",
                  any_size ? 0 : (long long)limits->max_message_size + 65536,
                  limit(limits->max_recipients), limit(bad));
}

/* --- services --------------------------------------------------------------------- */

static void put_service(const struct maps_listener *listener, struct strbuf *out)
{
    const char *address = listener->local_address;
    bool v6 = strchr(address, ':') != NULL;
    strbuf_printf(out, "dnl [listener %s], %s\n", listener->name,
                  listener->private ? "private" : "public");
    strbuf_printf(out, "DAEMON_OPTIONS(`Name=%s, Family=%s", sendmail_service(listener),
                  v6 ? "inet6" : "inet");
    if (address[0] != '\0')
        strbuf_printf(out, ", Addr=%s", address);
    strbuf_printf(out, ", Port=%lld')dnl\n",
                  listener->local_port != 0 ? (long long)listener->local_port : 25);
    if (address[0] == '\0')
        strbuf_puts(out, "dnl IPv4 only. If the host has IPv6, Family=inet6 accepts both.\n");
}

static bool put_services(const struct maps_input *input, struct strbuf *out, struct err *err)
{
    strbuf_puts(out, "\ndnl One service for each listener, in place of the existing ones.\n"
                     "FEATURE(`no_default_msa')dnl\n");
    for (size_t i = 0; i < input->nlisteners; i++) {
        const struct maps_listener *listener = &input->listeners[i];
        if (!is_plain(listener->local_address))
            return err_set(err, ERR_SYNTAX,
                           "[listener %s] local_address cannot be written for Sendmail; no blanks, "
                           "quotes and commas are allowed",
                           listener->name);
        put_service(listener, out);
    }
    return true;
}

/* Would neither m4 nor Sendmail see more in it than text? */
static bool is_text(const char *text)
{
    size_t n = 0;
    for (; text[n] != '\0'; n++)
        if (text[n] < ' ' || text[n] > '~' || strchr("`'$#\\", text[n]) != NULL)
            return false;
    return n <= BANNER_MAX;
}

/* Sendmail has one greeting for all services, so it can only be one that all public
 * listeners have; the word ESMTP comes from itself, behind the first one. */
static void put_banner(const struct maps_input *input, const struct offers *offers,
                       struct strbuf *out)
{
    const struct policy_keys *keys = offers_greeting(input);

    if (!offers->has_banner && !offers->other_banners)
        return;
    bool good = keys != NULL && is_text(keys->banner_text) && is_plain(keys->banner_hostname) &&
                is_text(keys->banner_hostname);
    const char *text = good ? keys->banner_text : "", *host = good ? keys->banner_hostname : "";
    bool as_mta = good && policy_greets_as_mta(keys);
    bool own = text[0] != '\0' || (host[0] != '\0' && !as_mta);
    if (own)
        strbuf_printf(out, "define(`confSMTP_LOGIN_MSG', ``%s%s%s'')dnl\n", as_mta ? "$j" : host,
                      host[0] != '\0' && text[0] != '\0' ? " " : "", text);
    if (!own || offers->other_banners)
        strbuf_printf(out,
                      "dnl Sendmail has one greeting for all services, confSMTP_LOGIN_MSG, without "
                      "variables: %s.\n",
                      own ? "banner_text of\ndnl other policies than that of ALL is not used"
                          : "it is not\ndnl set where public listeners have several (banner_text, "
                            "banner_hostname)");
}

/* What Sendmail does not do by a line of ours. */
static void put_advice(const struct offers *offers, struct strbuf *out)
{
    if (offers->tls)
        strbuf_puts(out, "dnl Policies use TLS: confSERVER_CERT and confSERVER_KEY must name a "
                         "certificate and its\ndnl key.\n");
    if (offers->certificate)
        strbuf_puts(out,
                    "dnl Client certificates are trusted if a CA in confCACERT has signed them.\n");
}

/* --- mailers ---------------------------------------------------------------------- */

static void put_mailer(const char *name, unsigned port, struct strbuf *out)
{
    strbuf_printf(out,
                  "M%s%u, P=[IPC], F=mDFMuXa8, S=EnvFromSMTP/HdrFromSMTP, R=MasqSMTP, E=\\r\\n, "
                  "L=2040,\n"
                  "\tT=DNS/RFC822/SMTP, A=TCP $h %u\n",
                  name, port, port);
}

/* Ports of routes that need a mailer. */
struct ports {
    bool used[PORTS_MAX];
    unsigned v[PORTS_MAX];
    size_t n;
};

/* NULL: out of memory. */
static struct ports *new_ports(const struct routes *routes)
{
    struct ports *ports = calloc(1, sizeof *ports);
    if (ports == NULL)
        return NULL;
    for (size_t i = 0; i < routes_count(routes); i++)
        ports->used[sendmail_port(routes_get(routes, i))] = true;
    for (unsigned port = 1; port < PORTS_MAX; port++)
        if (ports->used[port] && port != ROUTES_PORT)
            ports->v[ports->n++] = port;
    return ports;
}

static bool discards(const struct routes *routes)
{
    for (size_t i = 0; i < routes_count(routes); i++)
        if (routes_get(routes, i)->kind == ROUTE_DISCARD)
            return true;
    return false;
}

static void put_mailers(const struct maps_input *input, const struct ports *ports,
                        struct strbuf *out)
{
    strbuf_puts(out,
                "\nMAILER_DEFINITIONS\n"
                "# For routes with a port and for /dev/null, which a mailertable does not know.\n");
    for (size_t i = 0; i < ports->n; i++)
        put_mailer(input->transport, ports->v[i], out);
    if (discards(input->routes))
        strbuf_puts(out, "M" SENDMAIL_DEVNULL ", P=[FILE], F=DFMlsu, S=EnvFromL/HdrFromL, "
                         "R=EnvToL/HdrToL, T=DNS/RFC822/X-Unix,\n\tA=FILE /dev/null\n");
}

/* --- rulesets ---------------------------------------------------------------------- */

/* relay-domains holds "example.com" and ".example.com"; the second class gets
 * the latter without their dots. */
static void put_rules(const struct maps_input *input, const char *folder, const struct ports *ports,
                      struct strbuf *out)
{
    strbuf_printf(out,
                  "\nLOCAL_CONFIG\n"
                  "F{GatehouseDomains}%s/" SENDMAIL_RELAY_DOMAINS " %%[^\\#]\n"
                  "F{GatehouseBelow}%s/" SENDMAIL_RELAY_DOMAINS " .%%[^\\#]\n",
                  folder, folder);
    if (input->directory != NULL) {
        sendmail_ldap_put_maps(input, folder, ports->v, ports->n, out);
        sendmail_ldap_put_rules(input, ports->v, ports->n, out);
    }
    strbuf_puts(out, "\nLOCAL_RULESETS\n"
                     "# <tag:service> <address>: what access says of the longest prefix it holds\n"
                     "SGatehouseClient\n"
                     "R<$+> <$+>\t\t$: <$(access $1:$2 $: ? $)> <$1> <$2>\n"
                     "R<?> <$+> <$+:$->\t$@ $>GatehouseClient <$1> <$2>\n"
                     "R<?> <$+> <$+.$->\t$@ $>GatehouseClient <$1> <$2>\n"
                     "R<$*> <$+> <$+>\t\t$@ $1\n"
                     "\n# tcprefuse\n"
                     "SLocal_check_relay\n"
                     "R$*\t\t\t$: $>GatehouseClient <" SENDMAIL_REFUSE_TAG ":$&{daemon_name}> "
                     "<$&{client_addr}>\n"
                     "R" SENDMAIL_REFUSE "\t\t\t$#error $@ 4.7.1 $: \"421 Access denied\"\n"
                     "\n# Clients that may relay on this service; then domains of a RAT, which "
                     "Gatehouse judges\n"
                     "SLocal_check_rcpt\n"
                     "R$*\t\t\t$: $1 $| $>GatehouseClient <" SENDMAIL_RELAY_TAG ":$&{daemon_name}> "
                     "<$&{client_addr}>\n"
                     "R$* $| " SENDMAIL_RELAY "\t\t$# OK\n"
                     "R$* $| $*\t\t$: <?> $>ParseRecipient $1\n"
                     "R<?> $* $=O $* < @ $* >\t$@ NO\n"
                     "R<?> $+ < @ $={GatehouseDomains} >\t$# OK\n"
                     "R<?> $+ < @ $+ . $={GatehouseBelow} >\t$# OK\n");
}

bool mtaconfig_sendmail(const struct maps_input *input, const struct mtaconfig_options *options,
                        struct strbuf *out, struct err *err)
{
    if (options->folder[0] != '/' || !is_plain(options->folder))
        return err_set(err, ERR_SYNTAX,
                       "the output folder \"%s\" cannot be written for Sendmail; an absolute path "
                       "without blanks, quotes, commas, '$' and '#' is allowed",
                       options->folder);
    strbuf_puts(out,
                "dnl === sendmail.mc, before the lines with MAILER =======================\n\n");
    if (!put_filter(input, out, err))
        return false;
    struct offers offers;
    offers_of_all(input, &offers);
    put_features(input, options, out);
    put_auth(&offers, out);
    put_banner(input, &offers, out);
    put_limits(input, out);
    if (!put_services(input, out, err))
        return false;
    put_advice(&offers, out);
    strbuf_puts(out,
                "\ndnl === sendmail.mc, at its end; after MAILER(`smtp') ==================\n");
    struct ports *ports = new_ports(input->routes);
    if (ports != NULL) {
        put_mailers(input, ports, out);
        put_rules(input, options->folder, ports, out);
    }
    bool whole = ports != NULL && !out->failed;
    free(ports);
    return whole || err_set(err, ERR_MEMORY, "out of memory");
}
