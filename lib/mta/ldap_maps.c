/* ldap_maps.c - see ldap_maps.h. */
#include "lib/mta/ldap_maps.h"

#include <string.h>

#include "lib/mta/keytable.h"
#include "lib/mta/postfix_maps.h"

/* The recipient as Postfix looks it up. Not %s: that is also what is left of an
 * address when Postfix asks for its domain alone, and matches no entry here. */
#define ADDRESS "%u@%d"

/* --- what can be written --------------------------------------------------------- */

static bool is_attribute(const char *text)
{
    size_t n = 0;
    for (; text[n] != '\0'; n++)
        if (!ascii_is_alnum(text[n]) && strchr("-;.", text[n]) == NULL)
            return false;
    return n > 0;
}

bool ldap_maps_check_attributes(const struct maps_directory *directory, struct err *err)
{
    bool good = is_attribute(directory->host_attr);
    if (good && (directory->address_attr[0] == '\0' || is_attribute(directory->address_attr)))
        return true;
    return err_set(err, ERR_SYNTAX, "%s: \"%.80s\" is not an attribute",
                   good ? "routing_address_attr" : "routing_host_attr",
                   good ? directory->address_attr : directory->host_attr);
}

/* A line of a cf file keeps everything but what stands at its ends. */
static bool check_value(const char *key, const char *value, struct err *err)
{
    struct slice text = slice_of(value);
    for (size_t i = 0; i < text.n; i++)
        if (ascii_is_control(text.p[i]))
            return err_set(err, ERR_SYNTAX, "%s: a control byte cannot be written for Postfix",
                           key);
    if (slice_trim(text).n != text.n)
        return err_set(err, ERR_SYNTAX,
                       "%s: a blank at its beginning or end cannot be written for Postfix", key);
    return true;
}

/* Servers that StartTLS is for; the others have TLS from the start, or need none. */
static size_t plain_servers(const struct maps_directory *directory)
{
    static const char scheme[] = "ldap://";
    size_t n = 0;
    for (size_t i = 0; i < directory->nuris; i++) {
        struct slice uri = slice_of(directory->uris[i]);
        uri.n = uri.n < strlen(scheme) ? uri.n : strlen(scheme);
        n += slice_is_nocase(uri, scheme);
    }
    return n;
}

bool ldap_maps_check(const struct maps_directory *directory, struct err *err)
{
    size_t plain = plain_servers(directory);
    const struct {
        const char *key, *value;
    } values[] = {
        {"bind_dn", directory->bind_dn},
        {"bind_password", directory->password},
        {"base_dn", directory->base_dn},
        {"routing_query", directory->query},
        {"tls_priority", directory->tls_priority},
        {"[tls] ca_file", directory->ca_file},
        {"[tls] ca_dir", directory->ca_dir},
        {"[tls] certificate", directory->certificate},
        {"[tls] key", directory->key},
    };
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (!check_value(values[i].key, values[i].value, err))
            return false;
    if (!ldap_maps_check_attributes(directory, err))
        return false;
    if (directory->start_tls && plain > 0 && plain < directory->nuris)
        return err_set(err, ERR_SYNTAX,
                       "start_tls: Postfix starts TLS with all servers of uri or with none; write "
                       "ldap:// for all of them, or ldaps://");
    return true;
}

/* --- cf files -------------------------------------------------------------------- */

/* To Postfix '%' begins a token of its own. */
static void put_plain(char c, struct strbuf *out)
{
    strbuf_puts(out, c == '%' ? "%" : "");
    strbuf_putc(out, c);
}

/* {f} is empty, as it is to call-ahead. */
static void put_query(const char *query, struct strbuf *out)
{
    for (const char *at = query; *at != '\0'; at++) {
        if (*at != '{') {
            put_plain(*at, out);
            continue;
        }
        if (at[1] == 'a')
            strbuf_puts(out, ADDRESS);
        else if (at[1] != 'f')
            strbuf_puts(out, at[1] == 'u' ? "%u" : "%d");
        at += 2;
    }
}

/* Of a key without '@' Postfix gives all to %u, and asks nothing where there is
 * %d. So %d is there in any case, at worst where it means nothing. */
static void put_own_filter(const char *query, struct strbuf *out)
{
    bool domain = strstr(query, "{a}") != NULL || strstr(query, "{d}") != NULL;
    strbuf_puts(out, domain ? "" : "(&");
    put_query(query, out);
    strbuf_puts(out, domain ? "" : "(|(objectClass=*)(objectClass=%d)))");
}

/* Mail of an entry with another address has that one when its host is looked up.
 * Directories compare mail addresses without regard to case: smtp: is SMTP: too. */
static void put_host_filter(const struct maps_directory *directory, struct strbuf *out)
{
    if (directory->address_attr[0] == '\0') {
        put_own_filter(directory->query, out);
        return;
    }
    strbuf_puts(out, "(|");
    put_query(directory->query, out);
    strbuf_printf(out, "(%s=%s)(%s=smtp:%s))", directory->address_attr, ADDRESS,
                  directory->address_attr, ADDRESS);
}

/* An empty value would stand for Postfix's default. */
static void put_line(const char *name, const char *value, struct strbuf *out)
{
    if (value[0] != '\0')
        strbuf_printf(out, "%s = %s\n", name, value);
}

static void put_tls(const struct maps_directory *directory, struct strbuf *out)
{
    strbuf_printf(out, "start_tls = %s\ntls_require_cert = yes\n",
                  directory->start_tls && plain_servers(directory) > 0 ? "yes" : "no");
    put_line("tls_ca_cert_file", directory->ca_file, out);
    put_line("tls_ca_cert_dir", directory->ca_dir, out);
    put_line("tls_cert", directory->certificate, out);
    put_line("tls_key", directory->key, out);
    put_line("tls_cipher_suite", directory->tls_priority, out);
}

static void put_server(const struct maps_directory *directory, struct strbuf *out)
{
    strbuf_puts(out, MAPS_HEADING "server_host =");
    for (size_t i = 0; i < directory->nuris; i++)
        strbuf_printf(out, " %s", directory->uris[i]);
    strbuf_printf(out, "\nversion = 3\ntimeout = %lld\n",
                  (long long)(directory->timeout + 999) / 1000);
    strbuf_printf(out, "bind = %s\n", directory->bind_dn[0] != '\0' ? "yes" : "no");
    put_line("bind_dn", directory->bind_dn, out);
    put_line("bind_pw", directory->password, out);
    put_tls(directory, out);
    strbuf_puts(out, "search_base = ");
    for (const char *at = directory->base_dn; *at != '\0'; at++)
        put_plain(*at, out);
    strbuf_printf(out, "\nscope = %s\n", directory->scope);
}

/* transport: put before each value. by_address: an entry is found by the address its
 * mail goes to, too. */
static bool build_cf(const struct maps_directory *directory, const char *name,
                     const char *attribute, const char *transport, bool by_address,
                     struct maps *maps)
{
    unsigned mode = directory->password[0] != '\0' ? MAPS_SECRET_MODE : MAPS_MODE;
    struct maps_file *file = maps_add(maps, name, NULL, mode);
    if (file == NULL)
        return false;
    struct strbuf *out = &file->content;
    file->reload = true;
    put_server(directory, out);
    strbuf_puts(out, "query_filter = ");
    if (by_address)
        put_host_filter(directory, out);
    else
        put_own_filter(directory->query, out);
    strbuf_printf(out, "\nresult_attribute = %s\nresult_format = %s%s%%s\n", attribute, transport,
                  transport[0] != '\0' ? ":" : "");
    return !out->failed;
}

/* --- routes of hosts ------------------------------------------------------------- */

/* "relay:host" and "relay:[host]"; a route by MX leaves the host as it is. */
static void add_route(const struct route *route, const char *transport, struct keytable *table)
{
    struct strbuf key, value;
    strbuf_init(&key);
    strbuf_init(&value);
    for (size_t i = 0; i < 2; i++) {
        strbuf_reset(&key);
        strbuf_reset(&value);
        strbuf_printf(&key, i == 0 ? "%s:%s" : "%s:[%s]", transport, route->key);
        if (route->kind == ROUTE_USEDNS)
            strbuf_puts(&value, strbuf_text(&key));
        else
            postfix_put_destination(route, transport, &value);
        if (!key.failed)
            ascii_lower_in_place(key.p);
        keytable_add(table, strbuf_text(&key), strbuf_text(&value));
    }
    table->failed = table->failed || key.failed || value.failed;
    strbuf_done(&key);
    strbuf_done(&value);
}

static bool is_subdomains(const struct route *route)
{
    return route->key[0] == '.' || strcmp(route->key, "ALL") == 0;
}

static void add_routes(const struct maps_input *input, struct keytable *table)
{
    for (size_t i = 0; i < routes_count(input->routes); i++) {
        const struct route *route = routes_get(input->routes, i);
        if (!is_subdomains(route))
            add_route(route, input->transport, table);
    }
}

static void put_pattern(const char *text, struct strbuf *out)
{
    for (; *text != '\0'; text++) {
        strbuf_puts(out, *text == '.' ? "\\" : "");
        strbuf_putc(out, *text);
    }
}

/* A name, as the host alone, below the key of a route. */
static void put_host_pattern(const struct route *route, const char *transport, struct strbuf *out)
{
    strbuf_puts(out, "/^");
    put_pattern(transport, out);
    strbuf_puts(out, ":\\[?[a-z0-9._-]+");
    if (route->key[0] == '.')
        put_pattern(route->key, out);
    strbuf_puts(out, "\\]?$/");
}

/* The more specific first; keys of the same length do not compete. ALL is last. */
static int by_length(const void *a, const void *b)
{
    const struct route *one = *(const struct route *const *)a;
    const struct route *other = *(const struct route *const *)b;
    size_t n = one->key[0] == '.' ? strlen(one->key) : 0;
    size_t m = other->key[0] == '.' ? strlen(other->key) : 0;
    return n != m ? (n < m) - (n > m) : strcmp(one->key, other->key);
}

/* Addresses have no routes. Where a route says "by MX", the less specific ones
 * must not be reached: what follows is for other hosts only. */
static void put_subdomains(const struct route *const *list, size_t n, const char *transport,
                           struct strbuf *out)
{
    size_t depth = 1;
    strbuf_puts(out, "if !/:\\[?[0-9.]+\\]?$/\n");
    for (size_t i = 0; i < n; i++) {
        bool by_mx = list[i]->kind == ROUTE_USEDNS;
        if (list[i]->kind == ROUTE_NONE)
            continue;
        strbuf_puts(out, by_mx ? "if !" : "");
        put_host_pattern(list[i], transport, out);
        if (!by_mx) {
            strbuf_putc(out, ' ');
            postfix_put_destination(list[i], transport, out);
        }
        strbuf_putc(out, '\n');
        depth += by_mx;
    }
    while (depth-- > 0)
        strbuf_puts(out, "endif\n");
}

static struct maps_file *add_regexp(const char *name, struct maps *maps)
{
    struct maps_file *file = maps_add(maps, name, NULL, MAPS_MODE);
    if (file != NULL) {
        file->reload = true;
        strbuf_puts(&file->content, MAPS_HEADING);
    }
    return file;
}

static bool build_subdomains(const struct maps_input *input, struct maps *maps)
{
    size_t count = routes_count(input->routes), n = 0;
    const struct route **list = calloc(count + 1, sizeof *list);
    struct maps_file *file = list == NULL ? NULL : add_regexp(LDAP_SUBDOMAINS, maps);
    if (file != NULL) {
        for (size_t i = 0; i < count; i++)
            if (is_subdomains(routes_get(input->routes, i)))
                list[n++] = routes_get(input->routes, i);
        qsort(list, n, sizeof(const struct route *), by_length);
        put_subdomains(list, n, input->transport, &file->content);
    }
    free(list);
    return file != NULL && !file->content.failed;
}

/* --- any hosts ------------------------------------------------------------------- */

/* What Postfix takes for a host as nexthop.h does. Port 65536 would end its
 * client, and an IPv6 address without brackets would be cut at a colon. */
#define HOST "([a-z0-9._-]+|\\[[a-z0-9._-]+\\]|\\[[0-9a-f:.]+\\])"
#define PORT                                                                                       \
    "(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))?"

/* Values come as one or as several, TRANSPORT: before each. */
static bool build_lists(const struct maps_input *input, struct maps *maps)
{
    struct maps_file *file = add_regexp(LDAP_LISTS, maps);
    if (file == NULL)
        return false;
    struct strbuf *out = &file->content;
    strbuf_puts(out, "/^");
    put_pattern(input->transport, out);
    strbuf_puts(out, ": *" HOST PORT "( *, *(");
    put_pattern(input->transport, out);
    strbuf_printf(out, ": *)?" HOST PORT ")* *$/ %s:\n", input->transport);
    strbuf_puts(out,
                "# This cannot be guessed, and is no reason to return mail: it must be corrected.\n"
                "/^/ retry:4.3.5 wrong mail host in the directory: \n");
    return !out->failed;
}

/* --- other addresses ------------------------------------------------------------- */

/* Values of attributes as ldapvalue.h has them, joined by commas. Upper and lower case
 * are spelt out: a pattern that tells SMTP: from smtp: tells them apart everywhere. */
#define KIND "[A-Za-z0-9_-]"
#define NOT_SMTP /* 1 group */                                                                     \
    "(" KIND "{1,3}|" KIND "{5,}|[A-RT-Za-rt-z0-9_-]" KIND "{3}|[Ss][A-LN-Za-ln-z0-9_-]" KIND      \
    "{2}|[Ss][Mm][A-SU-Za-su-z0-9_-]" KIND "|[Ss][Mm][Tt][A-OQ-Za-oq-z0-9_-])"
#define NO_CAPITALS "(s[Mm][Tt][Pp]|Sm[Tt][Pp]|SMt[Pp]|SMTp)" /* 1 group */
#define QUOTED "\"([^\"\\\\]|\\\\.)*\""                       /* 1 group */

/* With 2 groups. Call-ahead, which knows where addresses end, looks at each closely;
 * here it is enough to find the same ends. */
#define MAILBOX "([^\",:<>@ ]+|" QUOTED ")@[^\",<>@ ]+"

/* With 2 groups: an address of another network; what follows a comma may be more of it. */
#define FOREIGN " *" NOT_SMTP ":[^,]*(,[^\",:@]*)*"

/* With 5 groups: what need not be looked at where one address is in capitals. */
#define ALIAS "(" FOREIGN "| *" NO_CAPITALS ":([^\",]|" QUOTED ")*)"

#define BEFORE "^(" FOREIGN ",)* *" /* 3 groups */
#define BEHIND " *(," FOREIGN ")*$"

#define PRIMARY "/^(" ALIAS ",)* *SMTP: *(" MAILBOX ") *(," ALIAS ")*$/i"
#define SINGLE "/" BEFORE "smtp: *(" MAILBOX ")" BEHIND "/"
#define LIST "/" BEFORE "(" MAILBOX "( *, *" MAILBOX ")*)" BEHIND "/"
#define NOTHING "/^" FOREIGN "(," FOREIGN ")*$/"

static bool build_addresses(struct maps *maps)
{
    struct maps_file *file = add_regexp(LDAP_ADDRESSES, maps);
    if (file == NULL)
        return false;
    strbuf_puts(&file->content,
                "# One in capitals among others with smtp: in front\n" PRIMARY " ${8}\n"
                "# One\n" SINGLE " ${4}\n"
                "# One or several without smtp:\n" LIST " ${4}\n");
    if (file->content.failed || (file = add_regexp(LDAP_WRONG, maps)) == NULL)
        return false;
    strbuf_puts(&file->content, "if !" PRIMARY "\n"
                                "if !" SINGLE "\n"
                                "if !" LIST "\n"
                                "# Of other networks alone\n"
                                "if !" NOTHING "\n"
                                "/^/ wrong\n"
                                "endif\nendif\nendif\nendif\n");
    return !file->content.failed;
}

bool ldap_maps_build(const struct maps_input *input, struct maps *maps)
{
    const struct maps_directory *directory = input->directory;
    return build_cf(directory, LDAP_ROUTING, directory->host_attr, input->transport, true, maps) &&
           build_cf(directory, LDAP_HOSTS, directory->host_attr, "", true, maps) &&
           (directory->address_attr[0] == '\0' ||
            (build_cf(directory, LDAP_ALIASES, directory->address_attr, "", false, maps) &&
             build_addresses(maps))) &&
           maps_add_compiled(maps, LDAP_ROUTES, MAPS_MODE, input, add_routes) &&
           build_subdomains(input, maps) && build_lists(input, maps);
}
