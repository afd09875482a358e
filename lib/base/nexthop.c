/*
 * nexthop.c - "host:port/pri=N" and its relatives.
 *
 * The text is taken apart from its end: first the preference, then what stands
 * in brackets, then the port, so that the colons of IPv6 never compete with
 * the one before a port.
 */
#include "lib/base/nexthop.h"

#include <string.h>
#include "lib/base/domain.h"
#include "lib/base/escape.h"

#define SHOWN_MAX 80 /* bytes of a wrong text that an error repeats */

static const char *shown(struct slice text, char out[SHOWN_MAX])
{
    escape_line(text, out, SHOWN_MAX);
    return out;
}

static bool parse_priority(struct slice *text, uint16_t *priority_out, struct err *err)
{
    char copy[SHOWN_MAX];
    const char *slash = text->n > 0 ? memchr(text->p, '/', text->n) : NULL;
    *priority_out = 0;
    if (slash == NULL)
        return true;
    struct slice option = {slash, text->n - (size_t)(slash - text->p)};
    uint64_t value = 0;
    static const char name[] = "/pri=";
    size_t n = sizeof name - 1;
    if (option.n <= n || !slice_is_nocase((struct slice){option.p, n}, name) ||
        !str_to_uint((struct slice){option.p + n, option.n - n}, UINT16_MAX, &value))
        return err_set(err, ERR_SYNTAX, "\"%s\" is wrong; allowed: /pri=0 to /pri=65535",
                       shown(option, copy));
    text->n -= option.n;
    *priority_out = (uint16_t)value;
    return true;
}

static bool parse_port(struct slice digits, struct nexthop *hop, struct err *err)
{
    char copy[SHOWN_MAX];
    uint64_t port = 0;
    if (!str_to_uint(digits, UINT16_MAX, &port) || port == 0)
        return err_set(err, ERR_RANGE, "\"%s\" is not a port; allowed: 1 to 65535",
                       shown(digits, copy));
    hop->port = (uint16_t)port;
    hop->port_given = true;
    return true;
}

/* An address or a name, without brackets and port. */
static bool parse_host(struct slice text, struct nexthop *hop, struct arena *arena, struct err *err)
{
    char name[DOMAIN_MAX], copy[SHOWN_MAX];
    hop->is_ip = ip_parse(text, &hop->ip);
    if (hop->is_ip) {
        ip_text(&hop->ip, name);
        hop->mx = false;
    } else if (text.n == 0) {
        return err_set(err, ERR_SYNTAX, "a host name or address is missing");
    } else if (!domain_canon(text, name) || domain_is_numeric(name)) {
        return err_set(err, ERR_SYNTAX,
                       "\"%s\" is not a host; allowed: host, host:port, [host], 192.0.2.1, "
                       "[2001:db8::1]:25",
                       shown(text, copy));
    }
    hop->host = arena_dup(arena, name);
    return hop->host != NULL || err_set(err, ERR_MEMORY, "out of memory");
}

static bool parse_bracketed(struct slice text, struct nexthop *hop, struct arena *arena,
                            struct err *err)
{
    const char *end = memchr(text.p, ']', text.n);
    if (end == NULL)
        return err_set(err, ERR_SYNTAX, "\"]\" is missing");
    struct slice inside = {text.p + 1, (size_t)(end - text.p) - 1};
    struct slice behind = {end + 1, text.n - inside.n - 2};
    char copy[SHOWN_MAX];
    if (behind.n > 0 && behind.p[0] != ':')
        return err_set(err, ERR_SYNTAX, "\"%s\" after \"]\"; allowed: :port", shown(behind, copy));
    if (behind.n > 0 && !parse_port((struct slice){behind.p + 1, behind.n - 1}, hop, err))
        return false;
    hop->mx = false;
    return parse_host(inside, hop, arena, err);
}

bool nexthop_parse(struct slice text, uint16_t default_port, struct arena *arena,
                   struct nexthop *hop_out, struct err *err)
{
    struct nexthop hop = {.port = default_port, .mx = true};
    struct ip ip;
    if (!parse_priority(&text, &hop.priority, err))
        return false;
    if (text.n > 0 && text.p[0] == '[') {
        if (!parse_bracketed(text, &hop, arena, err))
            return false;
        *hop_out = hop;
        return true;
    }
    const char *colon = text.n > 0 ? memchr(text.p, ':', text.n) : NULL;
    if (colon != NULL && !ip_parse(text, &ip)) {
        size_t at = (size_t)(colon - text.p) + 1;
        if (!parse_port((struct slice){colon + 1, text.n - at}, &hop, err))
            return false;
        text.n = at - 1;
    }
    if (!parse_host(text, &hop, arena, err))
        return false;
    *hop_out = hop;
    return true;
}

const char *nexthop_text(const struct nexthop *hop, char *out, size_t room)
{
    bool brackets = hop->is_ip && !ip_is_v4(&hop->ip);
    snprintf(out, room, "%s%s%s:%u", brackets ? "[" : "", hop->host, brackets ? "]" : "",
             (unsigned)hop->port);
    return out;
}
