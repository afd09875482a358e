/* hat_reference_make.c - random tables and clients; see hat_reference.h. */
#include "t/unit/tables/hat_reference.h"

#include <string.h>

static const struct policy accepting = {.name = "A", .keys = {.access = POLICY_ACCEPT}};
static const struct policy refusing = {.name = "R", .keys = {.access = POLICY_REJECT}};
static const struct policy passing = {.name = "C", .keys = {.access = POLICY_CONTINUE}};
static const struct policy fallback = {.name = "F", .keys = {.access = POLICY_ACCEPT}};

static const char *const zones[REFERENCE_ZONES] = {"a.bl", "b.bl", "c.bl", "d.bl"};
/* Of DNS lists, near the edges. */
static const uint32_t answers[] = {0x7f000000, 0x7f000001, 0x7f000002, 0x7f000003, 0x7f000004,
                                   0x7f000100, 0x7fff0001, 0x7ffffefe, 0x7ffffeff};
static const char *const countries[] = {"JP", "DE", "FR"};

/* --- making entries ------------------------------------------------------------------ */

/* Few values, so that entries overlap and clients hit them; edges of octets
 * among them. */
static unsigned octet(struct dice *dice)
{
    static const unsigned values[] = {0, 1, 2, 9, 10, 254, 255};
    return values[dice_below(dice, ARRAY_LEN(values))];
}

static unsigned hextet(struct dice *dice)
{
    static const unsigned values[] = {0, 1, 2, 0x10, 0xff, 0x100, 0xffff};
    return values[dice_below(dice, ARRAY_LEN(values))];
}

static void sort_two(unsigned *a, unsigned *b)
{
    if (*a > *b) {
        unsigned c = *a;
        *a = *b;
        *b = c;
    }
}

static uint32_t address4(struct dice *dice)
{
    return 10u << 24 | octet(dice) << 16 | octet(dice) << 8 | octet(dice);
}

static void print4(uint32_t a, char text[16])
{
    snprintf(text, 16, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

/* "10.1.", "10.0.1-9", "10.0.0.1-9" ... */
static void make_octets(struct dice *dice, struct reference_entry *e)
{
    unsigned n = 1 + dice_below(dice, 4), v[4] = {10, octet(dice), octet(dice), 0};
    unsigned from = octet(dice), to = octet(dice), used = 0;
    bool range = dice_below(dice, 2) == 0;
    sort_two(&from, &to);
    if (!range)
        to = from;
    for (unsigned i = 0; i + 1 < n; i++) {
        e->lo = e->lo << 8 | v[i];
        used += (unsigned)snprintf(e->text + used, sizeof e->text - used, "%u.", v[i]);
    }
    e->hi = e->lo << 8 | to;
    e->lo = e->lo << 8 | from;
    for (unsigned i = n; i < 4; i++) {
        e->lo <<= 8;
        e->hi = e->hi << 8 | 255;
    }
    used +=
        (unsigned)snprintf(e->text + used, sizeof e->text - used, range ? "%u-%u" : "%u", from, to);
    if (n < 4 && dice_below(dice, 2) == 0)
        snprintf(e->text + used, sizeof e->text - used, ".");
}

static void make_network4(struct dice *dice, struct reference_entry *e)
{
    char text[16];
    uint32_t address = address4(dice);
    unsigned bits = dice_below(dice, 33);
    uint32_t host = bits == 0 ? UINT32_MAX : (uint32_t)((UINT64_C(1) << (32 - bits)) - 1);
    e->lo = address & ~host;
    e->hi = address | host;
    print4(dice_below(dice, 2) == 0 ? e->lo : address, text);
    if (dice_below(dice, 4) == 0)
        snprintf(e->text, sizeof e->text, "::ffff:%s/%u", text, bits + 96);
    else
        snprintf(e->text, sizeof e->text, "%s/%u", text, bits);
}

static void make4(struct dice *dice, struct reference_entry *e)
{
    char from[16], to[16];
    e->kind = REF_V4;
    switch (dice_below(dice, 4)) {
    case 0:
        make_octets(dice, e);
        break;
    case 1:
        make_network4(dice, e);
        break;
    case 2:
        e->lo = address4(dice);
        e->hi = address4(dice);
        sort_two(&e->lo, &e->hi);
        print4(e->lo, from);
        print4(e->hi, to);
        snprintf(e->text, sizeof e->text, "%s-%s", from, to);
        break;
    default:
        e->lo = e->hi = address4(dice);
        print4(e->lo, from);
        snprintf(e->text, sizeof e->text, dice_below(dice, 4) == 0 ? "::ffff:%s" : "%s", from);
        break;
    }
}

static void address6(struct dice *dice, uint16_t out[8])
{
    memset(out, 0, 8 * sizeof out[0]);
    out[0] = 0x2001;
    for (unsigned i = 1; i < 8; i++) {
        if (dice_below(dice, 3) == 0 || i == 7)
            out[i] = (uint16_t)hextet(dice);
    }
}

int reference_compare6(const uint16_t a[8], const uint16_t b[8])
{
    for (unsigned i = 0; i < 8; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

static size_t print6(const uint16_t a[8], char *out, size_t room)
{
    int n = snprintf(out, room, "%x:%x:%x:%x:%x:%x:%x:%x", (unsigned)a[0], (unsigned)a[1],
                     (unsigned)a[2], (unsigned)a[3], (unsigned)a[4], (unsigned)a[5], (unsigned)a[6],
                     (unsigned)a[7]);
    return (size_t)n;
}

static void make_network6(struct dice *dice, struct reference_entry *e)
{
    unsigned bits = dice_below(dice, 129);
    address6(dice, e->first);
    size_t n = print6(e->first, e->text, sizeof e->text);
    snprintf(e->text + n, sizeof e->text - n, "/%u", bits);
    memcpy(e->last, e->first, sizeof e->last);
    for (unsigned bit = bits; bit < 128; bit++) {
        uint16_t mask = (uint16_t)(0x8000u >> bit % 16);
        e->first[bit / 16] = (uint16_t)(e->first[bit / 16] & ~mask);
        e->last[bit / 16] |= mask;
    }
}

static void make_group_range(struct dice *dice, struct reference_entry *e)
{
    unsigned from = hextet(dice), to = hextet(dice), used = 0;
    sort_two(&from, &to);
    e->kind = REF_V6_GROUP;
    address6(dice, e->first);
    e->group = dice_below(dice, 8);
    e->from = (uint16_t)from;
    e->to = (uint16_t)to;
    for (unsigned i = 0; i < 8; i++) {
        const char *colon = i < 7 ? ":" : "";
        char *at = e->text + used;
        size_t room = sizeof e->text - used;
        used += i == e->group ? (unsigned)snprintf(at, room, "%x-%x%s", from, to, colon)
                              : (unsigned)snprintf(at, room, "%x%s", (unsigned)e->first[i], colon);
    }
}

static void make6(struct dice *dice, struct reference_entry *e)
{
    e->kind = REF_V6;
    switch (dice_below(dice, 4)) {
    case 0:
        make_network6(dice, e);
        break;
    case 1:
        make_group_range(dice, e);
        break;
    case 2:
        do {
            address6(dice, e->first);
            address6(dice, e->last);
        } while (reference_compare6(e->first, e->last) > 0);
        size_t n = print6(e->first, e->text, sizeof e->text);
        e->text[n++] = '-';
        print6(e->last, e->text + n, sizeof e->text - n);
        break;
    default:
        address6(dice, e->first);
        memcpy(e->last, e->first, sizeof e->last);
        print6(e->first, e->text, sizeof e->text);
        break;
    }
}

static void make_name(struct dice *dice, char *out, size_t room)
{
    static const char *const labels[] = {"mx", "b", "example", "bexample"};
    size_t used = 0;
    for (unsigned n = 1 + dice_below(dice, 3); n > 0; n--)
        used += (size_t)snprintf(out + used, room - used, n > 1 ? "%s." : "%s",
                                 labels[dice_below(dice, ARRAY_LEN(labels))]);
}

static void copy_case(struct dice *dice, char *out, const char *in)
{
    for (; *in != '\0'; in++) {
        bool up = *in >= 'a' && *in <= 'z' && dice_below(dice, 4) == 0;
        *out++ = (char)(up ? *in - 'a' + 'A' : *in);
    }
    *out = '\0';
}

static void make_named(struct dice *dice, struct reference_entry *e)
{
    bool below = dice_below(dice, 2) == 0;
    e->kind = below ? REF_BELOW : REF_NAME;
    e->name[0] = '.';
    make_name(dice, e->name + below, sizeof e->name - 1);
    copy_case(dice, e->text, e->name);
}

static void make_score(struct dice *dice, struct reference_entry *e)
{
    int from = (int)dice_below(dice, 201) - 100, to = (int)dice_below(dice, 201) - 100;
    e->kind = dice_below(dice, 3) == 0 ? REF_NO_SCORE : REF_SCORE;
    e->score_from = (from < to ? from : to) / 10.0;
    e->score_to = (from < to ? to : from) / 10.0;
    if (e->kind == REF_SCORE)
        snprintf(e->text, sizeof e->text, "SBRS[%.1f:%.1f]", e->score_from, e->score_to);
    else
        snprintf(e->text, sizeof e->text, "sbrs[none]");
}

static void make_zone(struct dice *dice, struct reference_entry *e)
{
    char *text = e->text, from[16], to[16];
    size_t n, room = sizeof e->text;
    e->kind = REF_ZONE;
    memcpy(e->name, zones[dice_below(dice, ARRAY_LEN(zones))], 5);
    e->nanswers = dice_below(dice, 3) == 0 ? 0 : 1 + dice_below(dice, REFERENCE_ANSWERS_MAX);
    n = (size_t)snprintf(text, room, "dnslist[%s", e->name);
    for (size_t i = 0; i < e->nanswers; i++) {
        size_t first = dice_below(dice, ARRAY_LEN(answers)), last = first;
        if (dice_below(dice, 2) == 0)
            last += dice_below(dice, (uint32_t)(ARRAY_LEN(answers) - first));
        e->answers[i].first = answers[first];
        e->answers[i].last = answers[last];
        print4(answers[first], from);
        print4(answers[last], to);
        n += (size_t)snprintf(text + n, room - n, last == first ? "%c%s" : "%c%s-%s",
                              i == 0 ? '=' : ',', from, to);
    }
    snprintf(text + n, room - n, "]");
}

static void make_lookup(struct dice *dice, struct reference_entry *e)
{
    switch (dice_below(dice, 5)) {
    case 0:
    case 1:
        make_score(dice, e);
        break;
    case 2:
        e->kind = REF_OWNER;
        e->owner = 1 + dice_below(dice, 3);
        snprintf(e->text, sizeof e->text, "SBO:%u", (unsigned)e->owner);
        break;
    case 3:
        e->kind = REF_COUNTRY;
        memcpy(e->name, countries[dice_below(dice, ARRAY_LEN(countries))], 3);
        snprintf(e->text, sizeof e->text, "country:%s", e->name);
        break;
    default:
        make_zone(dice, e);
        break;
    }
}

static void make_class(struct dice *dice, struct reference_entry *e)
{
    e->kind = REF_CLASS;
    e->class = (enum hat_unverified)(1u << dice_below(dice, 3));
    snprintf(e->text, sizeof e->text, "%s",
             e->class == HAT_NO_PTR         ? "nx.domain"
             : e->class == HAT_PTR_TEMPFAIL ? "Serv.Fail"
                                            : "not.double.verified");
}

static void make_entry(struct dice *dice, struct reference_entry *e)
{
    uint32_t kind = dice_below(dice, 40);
    memset(e, 0, sizeof *e);
    if (kind < 12) {
        make4(dice, e);
    } else if (kind < 20) {
        make6(dice, e);
    } else if (kind < 26) {
        make_named(dice, e);
    } else if (kind < 37) {
        make_lookup(dice, e);
    } else if (kind < 39) {
        make_class(dice, e);
    } else {
        e->kind = REF_ALL;
        snprintf(e->text, sizeof e->text, "all");
    }
}

void reference_make(struct dice *dice, struct reference *table_out)
{
    static const struct policy *const policies[] = {&accepting, &accepting, &refusing, &passing};
    table_out->fallback = &fallback;
    table_out->n = dice_below(dice, REFERENCE_GROUPS_MAX + 1);
    for (size_t i = 0; i < table_out->n; i++) {
        struct reference_group *group = &table_out->groups[i];
        snprintf(group->name, sizeof group->name, "G%zu", i);
        group->policy = policies[dice_below(dice, ARRAY_LEN(policies))];
        group->unverified = dice_below(dice, 4) == 0 ? dice_below(dice, 8) : 0;
        group->n = dice_below(dice, REFERENCE_ENTRIES_MAX + 1);
        for (size_t j = 0; j < group->n; j++)
            make_entry(dice, &group->entries[j]);
    }
}

/* --- making clients -------------------------------------------------------------------- */

static void client_address(struct dice *dice, struct ip *ip)
{
    uint16_t groups[8];
    if (dice_below(dice, 2) == 0) {
        *ip = ip_from_v4(address4(dice) + dice_below(dice, 3) - 1);
        return;
    }
    address6(dice, groups);
    for (unsigned i = 0; i < 8; i++) {
        ip->b[2 * i] = (uint8_t)(groups[i] >> 8);
        ip->b[2 * i + 1] = (uint8_t)groups[i];
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One name, or several that differ. */
static void client_names(struct dice *dice, struct reference_client *out)
{
    size_t n = dice_below(dice, 2) == 0 ? 1 : 1 + dice_below(dice, REFERENCE_NAMES_MAX), kept = 1;
    for (size_t i = 0; i < n; i++) {
        make_name(dice, out->name[i], sizeof out->name[i]);
        out->names[i] = out->name[i];
    }
    qsort(out->names, n, sizeof *out->names, compare_names);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(out->names[i], out->names[kept - 1]) != 0)
            out->names[kept++] = out->names[i];
    }
    snprintf(out->host.name, sizeof out->host.name, "%s", out->names[0]);
    out->host.names = kept > 1 ? out->names : NULL;
    out->host.n = kept > 1 ? kept : 0;
}

static void client_listing(struct dice *dice, struct reference_client *out, size_t zone)
{
    size_t n = 1 + dice_below(dice, REFERENCE_ANSWERS_MAX);
    for (size_t i = 0; i < n; i++)
        out->answers[zone][i] = answers[dice_below(dice, ARRAY_LEN(answers))];
    out->listed[out->client.nlisted++] = (struct dnslisting){zones[zone], out->answers[zone], n};
}

void reference_client(struct dice *dice, struct reference_client *out)
{
    struct hat_client *client = &out->client;
    memset(out, 0, sizeof *out);
    client_address(dice, &client->ip);
    out->host.class = (enum host_class)dice_below(dice, HOST_UNKNOWN + 1);
    client_names(dice, out);
    client->host = dice_below(dice, 4) > 0 ? &out->host : NULL;
    client->score_known = dice_below(dice, 4) > 0;
    client->score_none = dice_below(dice, 3) == 0;
    client->score = ((int)dice_below(dice, 201) - 100) / 10.0;
    /* Just beside a bound, where rounding could go wrong. */
    static const double beside[] = {0.05, 1.0 / 30, 0.004, -0.004};
    if (dice_below(dice, 3) == 0 && client->score > -10 && client->score < 10)
        client->score += beside[dice_below(dice, ARRAY_LEN(beside))];
    client->owner = dice_below(dice, 4);
    if (dice_below(dice, 2) == 0)
        memcpy(client->country, countries[dice_below(dice, ARRAY_LEN(countries))], 3);
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        if (dice_below(dice, 4) == 0)
            client_listing(dice, out, i);
    }
    client->listed = out->listed;
    client->no_address = dice_below(dice, 16) == 0;
}
