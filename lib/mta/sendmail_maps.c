#include "lib/mta/sendmail_maps.h"

#include <string.h>

#include "lib/base/domain.h"
#include "lib/mta/cidr.h"
#include "lib/mta/keytable.h"
#include "lib/mta/rat_domains.h"
#include "lib/mta/sendmail_ldap.h"

const char *sendmail_service(const struct maps_listener *listener)
{
    return listener->daemon_name[0] != '\0' ? listener->daemon_name : listener->name;
}

unsigned sendmail_port(const struct route *route)
{
    for (size_t i = 1; i < route->nhosts; i++)
        if (route->hosts[i].port != route->hosts[0].port)
            return 0;
    return route->nhosts == 0 ? 0 : route->hosts[0].port;
}

/* An IPv6 address as Sendmail writes one, without "::". */
static void put_ip6(const struct ip *ip, unsigned parts, struct strbuf *out)
{
    strbuf_puts(out, "ipv6");
    for (unsigned i = 0; i < parts; i++)
        strbuf_printf(out, ":%x", (unsigned)(ip->b[2 * i] << 8 | ip->b[2 * i + 1]));
}

/* --- mailertable -------------------------------------------------------------- */

/* Brackets keep Sendmail from asking for MX records. */
static void put_host(const struct nexthop *hop, struct strbuf *out)
{
    if (hop->is_ip && !ip_is_v4(&hop->ip))
        strbuf_printf(out, "[IPv6:%s]", hop->host);
    else
        strbuf_printf(out, hop->mx && !hop->is_ip ? "%s" : "[%s]", hop->host);
}

void sendmail_put_hosts(const struct route *route, struct strbuf *out)
{
    for (size_t i = 0; i < route->nhosts; i++) {
        strbuf_puts(out, i == 0 ? "" : ":");
        put_host(&route->hosts[i], out);
    }
}

static void put_hosts(const struct route *route, const char *mailer, struct strbuf *out)
{
    unsigned port = sendmail_port(route);
    strbuf_puts(out, mailer);
    if (port != ROUTES_PORT)
        strbuf_printf(out, "%u", port);
    strbuf_putc(out, ':');
    sendmail_put_hosts(route, out);
}

/* Mail by MX needs the recipient's domain for a host: the key, below a suffix
 * with what %1 stands for in front, and %1 alone for the default. */
static void put_usedns(const char *key, const char *mailer, struct strbuf *out)
{
    bool all = strcmp(key, "ALL") == 0;
    strbuf_printf(out, "%s:%s%s", mailer, all || key[0] == '.' ? "%1" : "", all ? "" : key);
}

static void put_destination(const struct route *route, const char *mailer, struct strbuf *out)
{
    switch (route->kind) {
    case ROUTE_HOSTS:
        put_hosts(route, mailer, out);
        return;
    case ROUTE_USEDNS:
        put_usedns(route->key, mailer, out);
        return;
    case ROUTE_DISCARD:
        strbuf_puts(out, SENDMAIL_DEVNULL ":" SENDMAIL_DEVNULL);
        return;
    case ROUTE_NONE: /* ALL: with nothing is what Sendmail does without "." */
        return;
    }
}

static void add_routes(const struct maps_input *input, struct keytable *table)
{
    maps_add_routes(input, table, ".", put_destination);
}

/* --- access: clients ---------------------------------------------------------- */

/* "10.1", "ipv6:2001:db8" */
static void put_prefix(const struct ip *first, bool v4, unsigned bits, struct strbuf *out)
{
    if (!v4) {
        put_ip6(first, bits / 16, out);
        return;
    }
    for (unsigned i = 0; i < bits / 8; i++)
        strbuf_printf(out, i == 0 ? "%u" : ".%u", (unsigned)first->b[12 + i]);
}

static void add_range(const struct cidr_range *range, const char *tag, const char *service,
                      const char *value, struct keytable *table)
{
    bool v4 = ip_is_v4(&range->first) && ip_is_v4(&range->last), more = true;
    struct strbuf key;
    strbuf_init(&key);
    struct ip next = range->first;
    while (more) {
        struct ip first = next;
        unsigned bits = cidr_next_parts(&next, &range->last, &more);
        if (!v4 && ip_is_v4(&first)) /* inside ::ffff:0:0/96 there is no client of this form */
            continue;
        strbuf_reset(&key);
        strbuf_printf(&key, "%s:%s:", tag, service);
        put_prefix(&first, v4, bits, &key);
        if (key.n > 0)
            ascii_lower_in_place(key.p);
        keytable_add(table, strbuf_text(&key), value);
    }
    table->failed = table->failed || key.failed;
    strbuf_done(&key);
}

static void add_clients(const struct maps_listener *listener, const struct hat *hat,
                        const struct cidr_table *clients, const char *tag, struct keytable *table)
{
    struct cidr_range *list = NULL;
    size_t n = 0;
    if (!cidr_ranges(hat, clients, &list, &n))
        table->failed = true;
    for (size_t i = 0; i < n; i++)
        add_range(&list[i], tag, sendmail_service(listener), clients->hit, table);
    free(list);
}

/* As in postfix_maps.c: a doubtful client may come as far as the filter, and
 * is not refused. */
static const struct cidr_table relay_clients = {
    .target = POLICY_RELAY, .hit = SENDMAIL_RELAY, .certain = false};
static const struct cidr_table refused_clients = {
    .target = POLICY_TCPREFUSE, .hit = SENDMAIL_REFUSE, .certain = true};

/* --- access: TLS of routes ---------------------------------------------------- */

/* What TLS_Rcpt demands of a connection; SKIP: nothing, whatever a shorter key says. */
static const char *tls_demand(const struct route *route)
{
    switch (route == NULL ? ROUTE_TLS_UNSET : maps_tls_of(route)) {
    case ROUTE_TLS_ENCRYPT:
        return "ENCR:112";
    case ROUTE_TLS_VERIFY:
        return "VERIFY:112";
    case ROUTE_TLS_UNSET:
    case ROUTE_TLS_NONE:
    case ROUTE_TLS_MAY:
        break;
    }
    return "SKIP";
}

static void add_demand(const char *domain, const struct route *route, struct keytable *table)
{
    struct strbuf key;
    strbuf_init(&key);
    strbuf_printf(&key, "tls_rcpt:%s", domain);
    keytable_add(table, strbuf_text(&key), tls_demand(route));
    table->failed = table->failed || key.failed;
    strbuf_done(&key);
}

/* Sendmail looks up DOMAIN, .PARENT, PARENT, .GRANDPARENT ... So each key needs
 * its other form too, with what holds there, or it would mean more than the
 * route does. */
static void add_demands(const struct routes *routes, const struct route *route,
                        struct keytable *table)
{
    char other[DOMAIN_MAX + 3];
    if (strcmp(route->key, "ALL") == 0) {
        add_demand("", route, table);
        return;
    }
    bool below = route->key[0] == '.';
    add_demand(route->key, route, table);
    snprintf(other, sizeof other, below ? "%s" : ".%s", route->key + (below ? 1 : 0));
    char probe[DOMAIN_MAX + 3];
    snprintf(probe, sizeof probe, below ? "%s" : "*%s", other); /* no name begins with "*" */
    add_demand(other, routes_lookup(routes, probe), table);
}

/* Hosts by which a whole connection is judged: before AUTH, so that no password
 * goes out in clear, and before STARTTLS where there shall be none. */
static void add_host(const char *tag, const struct nexthop *hop, const char *value,
                     struct keytable *table)
{
    struct strbuf key;
    strbuf_init(&key);
    strbuf_printf(&key, "%s:", tag);
    if (hop->is_ip && !ip_is_v4(&hop->ip))
        put_ip6(&hop->ip, 8, &key);
    else
        strbuf_puts(&key, hop->host);
    keytable_add(table, strbuf_text(&key), value);
    table->failed = table->failed || key.failed;
    strbuf_done(&key);
}

static void add_tls(const struct maps_input *input, struct keytable *table)
{
    for (size_t i = 0; i < routes_count(input->routes); i++) {
        const struct route *route = routes_get(input->routes, i);
        add_demands(input->routes, route, table);
        for (size_t j = 0; j < route->nhosts; j++) {
            if (route->auth != NULL)
                add_host("tls_srv", &route->hosts[j], tls_demand(route), table);
            if (maps_tls_of(route) == ROUTE_TLS_NONE)
                add_host("try_tls", &route->hosts[j], "NO", table);
        }
    }
}

static void add_access(const struct maps_input *input, struct keytable *table)
{
    for (size_t i = 0; i < input->nlisteners; i++) {
        const struct maps_listener *listener = &input->listeners[i];
        add_clients(listener, listener->hat, &relay_clients, SENDMAIL_RELAY_TAG, table);
        if (listener->blocks != NULL)
            add_clients(listener, listener->blocks, &relay_clients, SENDMAIL_RELAY_TAG, table);
        if (!input->monitor)
            add_clients(listener, listener->hat, &refused_clients, SENDMAIL_REFUSE_TAG, table);
    }
    if (maps_have_tls(input->routes))
        add_tls(input, table);
}

/* --- authinfo ------------------------------------------------------------------- */

static void put_base64(const char *text, struct strbuf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t n = strlen(text); n > 0;) {
        size_t taken = n < 3 ? n : 3;
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; i++)
            bits = bits << 8 | (i < taken ? (unsigned char)text[i] : 0U);
        for (size_t i = 0; i < 4; i++)
            strbuf_putc(out, i <= taken ? digits[bits >> (18 - 6 * i) & 63] : '=');
        text += taken;
        n -= taken;
    }
}

/* Encoded, so that any byte may be in them. */
static void put_credentials(const struct maps_auth *auth, struct strbuf *out)
{
    strbuf_puts(out, "\"U=");
    put_base64(auth->user, out);
    strbuf_puts(out, "\" \"I=");
    put_base64(auth->user, out);
    strbuf_puts(out, "\" \"P=");
    put_base64(auth->password, out);
    strbuf_puts(out, "\" \"M:SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5 CRAM-MD5 PLAIN LOGIN\"");
}

static void add_credentials(const struct maps_input *input, struct keytable *table)
{
    struct strbuf value;
    strbuf_init(&value);
    for (size_t i = 0; i < routes_count(input->routes); i++) {
        const struct route *route = routes_get(input->routes, i);
        const struct maps_auth *auth = maps_auth_of(input, route);
        if (auth == NULL || auth->password == NULL)
            continue;
        strbuf_reset(&value);
        put_credentials(auth, &value);
        for (size_t j = 0; j < route->nhosts; j++)
            add_host("authinfo", &route->hosts[j], strbuf_text(&value), table);
    }
    table->failed = table->failed || value.failed;
    strbuf_done(&value);
}

/* --- relay-domains ----------------------------------------------------------- */

/* The keys of a table alone, one a line. */
static void put_keys(const struct strbuf *table, struct strbuf *out)
{
    for (const char *line = strbuf_text(table); *line != '\0';) {
        size_t end = strcspn(line, "\n");
        size_t key = strcspn(line, "\t");
        strbuf_add(out, line, key < end ? key : end);
        strbuf_putc(out, '\n');
        line += end + (line[end] == '\n');
    }
}

static bool build_relay_domains(const struct maps_input *input, struct maps *maps)
{
    struct maps_file *file = maps_add(maps, SENDMAIL_RELAY_DOMAINS, NULL, MAPS_MODE);
    if (file == NULL)
        return false;
    file->reload = true;
    struct keytable table;
    struct strbuf lines;
    keytable_init(&table);
    strbuf_init(&lines);
    for (size_t i = 0; i < input->nlisteners; i++)
        if (input->listeners[i].rat != NULL && !rat_domains_add(input->listeners[i].rat, &table))
            table.failed = true;
    bool ok = keytable_write(&table, &lines);
    if (ok) {
        strbuf_puts(&file->content, MAPS_HEADING);
        put_keys(&lines, &file->content);
        ok = !file->content.failed;
    }
    strbuf_done(&lines);
    keytable_done(&table);
    return ok;
}

bool sendmail_maps_build(const struct maps_input *input, struct maps *maps)
{
    if (!maps_add_compiled(maps, SENDMAIL_MAILERTABLE, MAPS_MODE, input, add_routes) ||
        !build_relay_domains(input, maps) ||
        !maps_add_compiled(maps, SENDMAIL_ACCESS, MAPS_MODE, input, add_access))
        return false;
    if (!maps_add_wanted(maps, SENDMAIL_AUTHINFO, MAPS_SECRET_MODE, maps_have_auth(input), input,
                         add_credentials))
        return false;
    return input->directory == NULL || sendmail_ldap_build(input->directory, maps);
}
