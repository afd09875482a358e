/*
 * hat_address.c - IPv4 and IPv6 forms of sender entries, one function a form.
 *
 * All but the range in one inner group of an IPv6 address are one interval
 * from a first to a last address.
 */
#include "lib/tables/hat_address.h"

#include <string.h>
#include "lib/base/escape.h"

#define GROUPS 8
#define SHOWN_MAX 56 /* bytes of a wrong entry that an error repeats */

static const char allowed4[] = "allowed: 192.0.2.7, 192.0.2., 192.0.2.1-9, "
                               "192.0.2.1-192.0.2.9, 192.0.2.0/24";
static const char allowed6[] = "allowed: 2001:db8::1, 2001:db8::1-2001:db8::ff, 2001:db8::/32, "
                               "2001:db8:0:1-f:0:0:0:1 (eight groups)";

static bool wrong(struct slice text, const char *why, const char *allowed, struct err *err)
{
    char copy[SHOWN_MAX];
    escape_line(text, copy, sizeof copy);
    return err_set(err, ERR_SYNTAX, "\"%s\": %s; %s", copy, why, allowed);
}

/* Cut text at the first c. false: there is none. */
static bool cut(struct slice text, char c, struct slice *before_out, struct slice *after_out)
{
    const char *at = text.n > 0 ? memchr(text.p, c, text.n) : NULL;
    if (at == NULL)
        return false;
    *before_out = (struct slice){text.p, (size_t)(at - text.p)};
    *after_out = (struct slice){at + 1, text.n - before_out->n - 1};
    return true;
}

static bool parse_range(struct slice text, struct slice from, struct slice to, const char *allowed,
                        struct hat_form *form, struct err *err)
{
    if (!ip_parse(from, &form->first) || !ip_parse(to, &form->last))
        return wrong(text, "is not a range", allowed, err);
    if (ip_is_v4(&form->first) != ip_is_v4(&form->last))
        return wrong(text, "one end is IPv4 and the other IPv6", allowed, err);
    if (ip_compare(&form->first, &form->last) > 0)
        return wrong(text, "the range is descending", allowed, err);
    return true;
}

/* --- IPv4 ------------------------------------------------------------------------------ */

/* "192.0.2.", "192.0.1-9": one to four octets, the last of them perhaps a
 * range, perhaps a dot behind. */
struct octets {
    unsigned n;
    uint8_t v[4];
    uint8_t to; /* end of the last; v[n - 1] without a range */
    bool range, dot;
};

/* Decimal, no leading zero: "010" is 8 to some programs and 10 to others. */
static bool read_octet(struct slice *rest, uint8_t *octet_out)
{
    unsigned value = 0;
    size_t n = 0;
    while (n < rest->n && n < 4 && ascii_is_digit(rest->p[n]))
        value = 10 * value + (unsigned)(rest->p[n++] - '0');
    if (n == 0 || n > 3 || value > 255 || (n > 1 && rest->p[0] == '0'))
        return false;
    *octet_out = (uint8_t)value;
    *rest = (struct slice){rest->p + n, rest->n - n};
    return true;
}

static bool take(struct slice *rest, char c)
{
    if (rest->n == 0 || rest->p[0] != c)
        return false;
    *rest = (struct slice){rest->p + 1, rest->n - 1};
    return true;
}

static bool read_octets(struct slice rest, struct octets *o)
{
    *o = (struct octets){0};
    while (rest.n > 0) {
        if (o->n == 4 || o->range || !read_octet(&rest, &o->v[o->n]))
            return false;
        o->to = o->v[o->n++];
        o->range = take(&rest, '-');
        if (o->range && !read_octet(&rest, &o->to))
            return false;
        o->dot = take(&rest, '.');
        if (!o->dot && rest.n > 0)
            return false;
    }
    return o->n > 0 && !(o->n == 4 && o->dot && !o->range);
}

static uint32_t join(const struct octets *o, uint8_t last, uint8_t fill)
{
    uint32_t address = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t octet = i + 1 < o->n ? o->v[i] : i + 1 == o->n ? last : fill;
        address = address << 8 | octet;
    }
    return address;
}

static bool parse_octets4(struct slice text, struct hat_form *form, struct err *err)
{
    struct octets o;
    if (!read_octets(text, &o))
        return wrong(text, "is not an IPv4 address", allowed4, err);
    if (o.v[o.n - 1] > o.to)
        return wrong(text, "the range is descending", allowed4, err);
    form->first = ip_from_v4(join(&o, o.v[o.n - 1], 0));
    form->last = ip_from_v4(join(&o, o.to, 255));
    return true;
}

static bool parse_network4(struct slice text, struct slice address, struct slice length,
                           struct hat_form *form, struct err *err)
{
    struct octets o;
    uint64_t bits;
    if (!str_to_uint(length, 32, &bits))
        return wrong(text, "the prefix length must be 0 to 32", allowed4, err);
    if (!read_octets(address, &o) || o.range || o.dot)
        return wrong(text, "is not an IPv4 network", allowed4, err);
    struct ip ip = ip_from_v4(join(&o, o.v[o.n - 1], 0));
    form->first = ip_masked(&ip, (unsigned)bits);
    form->last = ip_last(&ip, (unsigned)bits);
    form->network_bits = (unsigned)bits;
    form->host_bits = !ip_equal(&form->first, &ip);
    return true;
}

static bool parse4(struct slice text, struct hat_form *form, struct err *err)
{
    struct slice before, after;
    struct ip ip;
    if (cut(text, '/', &before, &after))
        return parse_network4(text, before, after, form, err);
    if (cut(text, '-', &before, &after) && ip_parse(after, &ip))
        return parse_range(text, before, after, allowed4, form, err);
    return parse_octets4(text, form, err);
}

/* --- IPv6 ------------------------------------------------------------------------------ */

/* Over all 16 bytes, other than ip_masked(): ::ffff:0:0/96 has 96 bits. */
static void network6(const struct ip *ip, unsigned bits, struct ip *first_out, struct ip *last_out)
{
    *first_out = *last_out = *ip;
    for (unsigned i = bits; i < 128; i = (i / 8 + 1) * 8) {
        uint8_t host = (uint8_t)(0xff >> i % 8);
        first_out->b[i / 8] &= (uint8_t)~host;
        last_out->b[i / 8] |= host;
    }
}

static bool parse_network6(struct slice text, struct slice address, struct slice length,
                           struct hat_form *form, struct err *err)
{
    struct ip ip;
    uint64_t bits;
    if (!ip_parse(address, &ip))
        return wrong(text, "is not an IPv6 network", allowed6, err);
    if (!str_to_uint(length, 128, &bits))
        return wrong(text, "the prefix length must be 0 to 128", allowed6, err);
    network6(&ip, (unsigned)bits, &form->first, &form->last);
    form->network_bits = ip_is_v4(&form->first) ? (unsigned)bits - 96 : (unsigned)bits;
    form->host_bits = !ip_equal(&form->first, &ip);
    return true;
}

static bool read_group(struct slice text, unsigned *value_out)
{
    unsigned value = 0;
    if (text.n == 0 || text.n > 4)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = ascii_lower(text.p[i]);
        if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
            return false;
        value = value << 4 | (unsigned)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    *value_out = value;
    return true;
}

static void put_group(struct ip *ip, unsigned group, unsigned value)
{
    ip->b[2 * group] = (uint8_t)(value >> 8);
    ip->b[2 * group + 1] = (uint8_t)value;
}

/* "n" or "a-b" as group number i. */
static bool parse_group(struct slice text, unsigned i, struct hat_form *form)
{
    struct slice before, after;
    unsigned from, to;
    bool range = cut(text, '-', &before, &after);
    if (range ? !read_group(before, &from) || !read_group(after, &to) : !read_group(text, &from))
        return false;
    if (range) {
        if (form->group < GROUPS)
            return false;
        form->group = i;
        form->from = (uint16_t)from;
        form->to = (uint16_t)to;
    }
    put_group(&form->first, i, from);
    put_group(&form->last, i, range ? to : from);
    return true;
}

static bool parse_groups6(struct slice text, struct hat_form *form, struct err *err)
{
    struct slice rest = text, part;
    form->group = GROUPS;
    for (unsigned i = 0; i < GROUPS; i++) {
        bool more = cut(rest, ':', &part, &rest);
        if (!more)
            part = rest;
        if (more != (i < GROUPS - 1) || !parse_group(part, i, form))
            return wrong(text, "is not an IPv6 range", allowed6, err);
    }
    if (form->group == GROUPS)
        return wrong(text, "is not an IPv6 range", allowed6, err);
    if (form->from > form->to)
        return wrong(text, "the range is descending", allowed6, err);
    if (form->group == GROUPS - 1 || form->from == form->to)
        return true; /* from first to last after all */
    if (ip_is_v4(&form->first) && ip_is_v4(&form->last))
        return wrong(text, "these are IPv4 addresses", allowed4, err);
    form->kind = HAT_ENTRY_GROUP_RANGE;
    return true;
}

static bool parse6(struct slice text, struct hat_form *form, struct err *err)
{
    struct slice before, after;
    struct ip ip;
    if (cut(text, '/', &before, &after))
        return parse_network6(text, before, after, form, err);
    if (!cut(text, '-', &before, &after)) {
        if (!ip_parse(text, &form->first))
            return wrong(text, "is not an IPv6 address", allowed6, err);
        form->last = form->first;
        return true;
    }
    if (ip_parse(before, &ip) && ip_parse(after, &ip))
        return parse_range(text, before, after, allowed6, form, err);
    return parse_groups6(text, form, err);
}

/* --- both ------------------------------------------------------------------------------- */

static bool only(struct slice text, const char *bytes)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\0' || strchr(bytes, text.p[i]) == NULL)
            return false;
    }
    return true;
}

bool hat_address_is(struct slice text)
{
    if (text.n == 0 || text.p[0] == '.')
        return false;
    return only(text, "0123456789.-/") ||
           (memchr(text.p, ':', text.n) != NULL && only(text, "0123456789abcdefABCDEF:.-/"));
}

bool hat_address_parse(struct slice text, struct hat_form *form_out, struct err *err)
{
    form_out->kind = HAT_ENTRY_RANGE;
    form_out->network_bits = 0;
    form_out->host_bits = false;
    return memchr(text.p, ':', text.n) != NULL ? parse6(text, form_out, err)
                                               : parse4(text, form_out, err);
}

static unsigned group_value(const struct ip *ip, unsigned group)
{
    return (unsigned)ip->b[2 * group] << 8 | ip->b[2 * group + 1];
}

bool hat_form_holds(const struct hat_form *form, const struct ip *ip)
{
    if (form->kind == HAT_ENTRY_RANGE) {
        bool four = ip_is_v4(&form->first) && ip_is_v4(&form->last);
        return four == ip_is_v4(ip) && ip_compare(&form->first, ip) <= 0 &&
               ip_compare(ip, &form->last) <= 0;
    }
    if (form->kind != HAT_ENTRY_GROUP_RANGE)
        return false;
    for (unsigned i = 0; i < GROUPS; i++) {
        unsigned value = group_value(ip, i);
        if (i == form->group ? value < form->from || value > form->to
                             : value != group_value(&form->first, i))
            return false;
    }
    return true;
}
