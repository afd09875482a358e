/* sendmail_ldap.c - see sendmail_ldap.h. */
#include "lib/mta/sendmail_ldap.h"

#include <string.h>

#include "lib/mta/ldap_maps.h"
#include "lib/mta/sendmail_maps.h"

/* --- what can be written --------------------------------------------------------- */

/* Inside quotes of m4 and of a map's arguments, in a line of sendmail.cf. */
static bool check_value(const char *key, const char *value, struct err *err)
{
    for (const char *at = value; *at != '\0'; at++)
        if (ascii_is_control(*at) || strchr("`'\"$#", *at) != NULL)
            return err_set(err, ERR_SYNTAX,
                           "%s: cannot be written for Sendmail; no quotes, '$' and '#' are "
                           "allowed",
                           key);
    return true;
}

/* The one token of a query, besides {f}; 0: none, '?': several. */
static char token_of(const char *query)
{
    char token = '\0';
    for (const char *at = query; *at != '\0'; at++)
        if (*at == '{' && at[1] != 'f')
            token = token == '\0' || token == at[1] ? at[1] : '?';
    return token;
}

static bool check_password(const char *password, struct err *err)
{
    struct slice text = slice_of(password);
    bool good = text.n <= SENDMAIL_LDAP_PASSWORD_MAX && slice_trim(text).n == text.n;
    for (size_t i = 0; i < text.n; i++)
        good = good && !ascii_is_control(text.p[i]);
    return good ||
           err_set(err, ERR_SYNTAX,
                   "bind_password: cannot be written for Sendmail; at most %d bytes without "
                   "a blank at either end are allowed",
                   SENDMAIL_LDAP_PASSWORD_MAX);
}

static bool check_uris(const struct maps_directory *directory, struct err *err)
{
    for (size_t i = 0; i < directory->nuris; i++) {
        if (!check_value("uri", directory->uris[i], err))
            return false;
        if (directory->start_tls && strncmp(directory->uris[i], "ldap:", 5) == 0)
            return err_set(err, ERR_SYNTAX,
                           "start_tls: Sendmail does not know it; give ldaps:// in uri");
    }
    return true;
}

/* Sendmail takes what a map returns for an address before any rule sees it. */
static bool check_address_attribute(const char *attribute, struct err *err)
{
    return !slice_is_nocase(slice_of(attribute), "proxyAddresses") ||
           err_set(err, ERR_SYNTAX,
                   "routing_address_attr: Sendmail refuses a recipient for good whose %s are "
                   "longer than some 700 bytes together; give an attribute with one address, "
                   "such as targetAddress, or none, or use Postfix",
                   attribute);
}

bool sendmail_ldap_check(const struct maps_directory *directory, struct err *err)
{
    if (token_of(directory->query) == '?')
        return err_set(err, ERR_SYNTAX,
                       "routing_query: Sendmail has room for one of {a}, {u} and {d}, not for "
                       "several of them");
    return ldap_maps_check_attributes(directory, err) &&
           check_address_attribute(directory->address_attr, err) &&
           check_value("bind_dn", directory->bind_dn, err) &&
           check_value("base_dn", directory->base_dn, err) &&
           check_value("routing_query", directory->query, err) &&
           check_password(directory->password, err) && check_uris(directory, err);
}

/* --- the password ------------------------------------------------------------------ */

bool sendmail_ldap_build(const struct maps_directory *directory, struct maps *maps)
{
    if (directory->password[0] == '\0')
        return true;
    struct maps_file *file = maps_add(maps, SENDMAIL_LDAP_PASSWORD, NULL, MAPS_SECRET_MODE);
    if (file == NULL)
        return false;
    file->reload = true;
    strbuf_printf(&file->content, "%s\n", directory->password);
    return !file->content.failed;
}

/* --- maps -------------------------------------------------------------------------- */

/* {f} is empty, as it is to call-ahead. */
static void put_query(const char *query, struct strbuf *out)
{
    for (const char *at = query; *at != '\0'; at++) {
        if (*at == '{') {
            strbuf_puts(out, at[1] == 'f' ? "" : "%0");
            at += 2;
        } else if (*at == '%') {
            strbuf_puts(out, "\\25");
        } else {
            strbuf_putc(out, *at);
        }
    }
}

static void put_map(const struct maps_directory *directory, const char *name, const char *attribute,
                    const char *folder, struct strbuf *out)
{
    long long seconds = (long long)(directory->timeout + 999) / 1000;
    strbuf_printf(out, "`K%s ldap -T<TMPF> -z, -v %s -k \"", name, attribute);
    put_query(directory->query, out);
    strbuf_printf(out, "\" -b \"%s\" -s %s -w 3 -c %lld -l %lld -H \"", directory->base_dn,
                  directory->scope, seconds, seconds);
    for (size_t i = 0; i < directory->nuris; i++)
        strbuf_printf(out, "%s%s", i > 0 ? " " : "", directory->uris[i]);
    strbuf_puts(out, "\"");
    if (directory->bind_dn[0] != '\0')
        strbuf_printf(out, " -d \"%s\" -M simple -P %s/" SENDMAIL_LDAP_PASSWORD, directory->bind_dn,
                      folder);
    strbuf_puts(out, "'\n");
}

/* Sendmail compares words without regard to case, but for a map with -f. */
static void put_address_map(const struct maps_directory *directory, const char *folder,
                            struct strbuf *out)
{
    put_map(directory, SENDMAIL_LDAP_ADDRESS, directory->address_attr, folder, out);
    strbuf_puts(out, "`KGatehouseCapitals regex -f -aMATCH ^SMTP$$'\n"
                     "`C{GatehouseSmtp}smtp'\n");
}

#define NAME "[a-z0-9._-]*[a-z_-][a-z0-9._-]*"
#define HOST "([a-z0-9._-]+|\\[[a-z0-9.:_-]+\\])"

/* All hosts have this port. */
static void put_port(unsigned port, struct strbuf *out)
{
    const char *may = port == ROUTES_PORT ? "?" : "";
    strbuf_printf(out, "`KGatehousePort%u regex -aMATCH ^" HOST "(:%u)%s(," HOST "(:%u)%s)*$$'\n",
                  port, port, may, port, may);
}

void sendmail_ldap_put_maps(const struct maps_input *input, const char *folder,
                            const unsigned *ports, size_t nports, struct strbuf *out)
{
    const struct maps_directory *directory = input->directory;
    strbuf_printf(out,
                  "# Mail hosts of [ldap %s]; in place of the feature ldap_routing, to which "
                  "\"host:port\" is a\n# mailer and a host\n",
                  directory->name);
    put_map(directory, SENDMAIL_LDAP_HOST, directory->host_attr, folder, out);
    if (directory->address_attr[0] != '\0')
        put_address_map(directory, folder, out);
    strbuf_puts(out, "`KGatehouseName regex -aMATCH ^(" NAME "|\\[" NAME "\\])$$'\n"
                     "`KGatehouseNumbers regex -aMATCH ^[0-9.]+$$'\n");
    put_port(ROUTES_PORT, out);
    for (size_t i = 0; i < nports; i++)
        put_port(ports[i], out);
}

/* --- rules -------------------------------------------------------------------------- */

/* What the look-ups are asked for, of $1 < @ $2 . >. */
static const char *key_of(const char *query)
{
    switch (token_of(query)) {
    case 'u':
        return "$1";
    case 'd':
        return "$2";
    default:
        return "$1@$2";
    }
}

#define WRONG_ADDRESS "$# error $@ 4.3.5 $: \"451 Wrong address in the directory\""

/* Active Directory has smtp: in front of an address, and words of other networks. The
 * list stays between commas; a rule without $: repeats itself. */
static void put_addresses(struct strbuf *out)
{
    strbuf_puts(
        out,
        "\n# value, value: to the one address in capitals, or the only one\n"
        "S" SENDMAIL_LDAP_ADDRESSES "\n"
        "R$* < $*\t\t" WRONG_ADDRESS "\n"
        "R$*\t\t\t$: , $1 ,\n"
        "R$* , $~{GatehouseSmtp} : $* , $*\t$1 , $4\n"
        "R$* , $={GatehouseSmtp} : , $*\t$1 , $2 : wrong , $3\n"
        "R$* , $={GatehouseSmtp} : $* , $*\t$1 , $( GatehouseCapitals $2 $: smtp $) $| $3 , $4\n"
        "R$*\t\t\t$: < > < > $1\n"
        "R< $* > < $* > $* , MATCH $| $* , $*\t< $1 , $4 > < $2 > $3 , $5\n"
        "R< $* > < $* > $* , smtp $| $* , $*\t< $1 > < $2 , $4 > $3 , $5\n"
        "R< , $+ , $+ > < $* > $*\t$: < > < > , $1 , $2 ,\n"
        "R< , $+ > < $* > ,\t$: < > < > , $1 ,\n"
        "R< $* > < $* > $*\t$: $1 $2 $3\n"
        "R$* , , $*\t\t$1 , $2\n"
        "R, $* ,\t\t\t$: $1\n"
        "R,\t\t\t$@\n"
        "R$+ , $+\t\t\t$# error $@ 4.3.5 $: \"451 Several addresses in the directory\"\n"
        "R$+ @ $+\t\t$@ $1 @ $2\n"
        "R$*\t\t\t" WRONG_ADDRESS "\n");
}

/* An entry has another address, hosts, both, or nothing that matters. */
static void put_look_up(const struct maps_directory *directory, struct strbuf *out)
{
    const char *key = key_of(directory->query);
    strbuf_puts(out, "\n# address: to the hosts its entry names, or as it is\n"
                     "SGatehouseDirectory\n"
                     "R$+ < @ $+ . >\t\t$: <");
    if (directory->address_attr[0] != '\0')
        strbuf_printf(out, " $(" SENDMAIL_LDAP_ADDRESS " %s $: $)", key);
    strbuf_printf(out, " > < $(" SENDMAIL_LDAP_HOST " %s $: $) > $1 < @ $2 . >\n", key);
    strbuf_puts(out, "R$* < TMPF > $*\t\t$# error $@ 4.4.3 $: \"451 Directory unavailable\"\n");
    if (directory->address_attr[0] != '\0')
        strbuf_puts(out, "R< $+ > < $* > $*\t$: < $2 > $3 $| $>" SENDMAIL_LDAP_ADDRESSES " $1\n"
                         "R$* $| $# $*\t\t$@ $# $2\n"
                         "R< $* > $* $| $*\t$: < $3 > < $1 > $2\n");
    strbuf_puts(out, "R< > < > $*\t\t$@ $1\n"
                     "R< $+ > < > $*\t\t$@ $>canonify $1\n"
                     "R< $+ > < $+ > $*\t$: < > < $2 > $>canonify $1\n"
                     "R< > < $+ > $*\t\t$@ $>GatehouseHosts < $1 > $2\n");
    if (directory->address_attr[0] != '\0')
        put_addresses(out);
}

static void put_port_rules(const char *transport, unsigned port, struct strbuf *out)
{
    char mailer[200];
    snprintf(mailer, sizeof mailer, port == ROUTES_PORT ? "%s" : "%s%u", transport, port);
    strbuf_printf(out,
                  "R< > < $+ > $*\t\t$: < $(GatehousePort%u $1 $: $) > < $1 > $2\n"
                  "R< $+ > < $+ > $*\t$: < %u > $3 $| $>GatehouseList < > $2 ,\n"
                  "R< %u > $* $| $+\t$@ $# %s $@ $2 $: $1\n",
                  port, port, port, mailer);
}

void sendmail_ldap_put_rules(const struct maps_input *input, const unsigned *ports, size_t nports,
                             struct strbuf *out)
{
    strbuf_puts(out,
                "\nLOCAL_RULE_0\n"
                "# Recipients in domains of a RAT\n"
                "R$*\t\t\t$: $&{addr_type} $| $1\n"
                "Re r $| $+ < @ $={GatehouseDomains} . >\t$@ $>GatehouseDirectory $1 < @ $2 . "
                ">\n"
                "Re r $| $+ < @ $+ . $={GatehouseBelow} . >\t$@ $>GatehouseDirectory $1 < @ $2 "
                ". $3 . >\n"
                "R$* $| $*\t\t$: $2\n"
                "\nLOCAL_RULESETS");
    put_look_up(input->directory, out);
    strbuf_puts(out, "\n# <hosts> address: one name without a port by the routes\n"
                     "SGatehouseHosts\n"
                     "R< $+ > $*\t\t$: < $(GatehouseName $1 $: $) > < $1 > $2\n"
                     "R< $+ > < [ $+ ] > $*\t$: < > < [ $2 ] > $>GatehouseRoute < $2 > $3\n"
                     "R< $+ > < $+ > $*\t$: < > < $2 > $>GatehouseRoute < $2 > $3\n"
                     "R< > < $+ > $# $*\t$@ $# $2\n");
    put_port_rules(input->transport, ROUTES_PORT, out);
    for (size_t i = 0; i < nports; i++)
        put_port_rules(input->transport, ports[i], out);
    strbuf_puts(out,
                "R$*\t\t\t$# error $@ 4.3.5 $: \"451 Wrong mail host in the directory\"\n"
                "\n# <name> address\n"
                "SGatehouseRoute\n"
                "R< $+ > $*\t\t$: < $(mailertable $1 $: $) > < $1 > $2\n"
                "R< $+ > < $+ > $*\t$@ $>MailerToTriple < $1 > $3\n"
                "R< > < $+ > $*\t\t$@ $>Mailertable < $1 > $2\n"
                "\n# < > host, host, : without ports, addresses in brackets, as Sendmail lists "
                "them\n"
                "SGatehouseList\n"
                "R< $* > $+ , $*\t\t$: < $1 > < $2 > $3\n"
                "R< $* > < $+ : $- > $*\t$: < $1 > < $2 > $4\n"
                "R< $* > < [ $* : $* ] > $*\t$: < $1 : [ IPv6 : $2 : $3 ] > $4\n"
                "R< $* > < [ $+ ] > $*\t$: < $1 : [ $2 ] > $3\n"
                "R< $* > < $+ > $*\t$: < $1 > < $2 > < $(GatehouseNumbers $2 $: $) > $3\n"
                "R< $* > < $+ > < > $*\t$: < $1 : $2 > $3\n"
                "R< $* > < $+ > < $+ > $*\t$: < $1 : [ $2 ] > $4\n"
                "R< $* > $+\t\t$@ $>GatehouseList < $1 > $2\n"
                "R< : $+ >\t\t$@ $1\n");
}
