/*
 * dns_message.c - names are compared in their wire form (length, bytes, length,
 * bytes ... 0, lower-case): a dot inside a label cannot be mistaken there.
 */
#include "lib/net/dns_message.h"

#include <string.h>
#include "lib/base/domain.h"
#include "lib/net/dns_answer.h"

#define HEADER_SIZE 12
#define WIRE_MAX 255
#define LABEL_MAX 63
#define CLASS_IN 1

enum rrtype {
    RR_A = 1,
    RR_NS = 2,
    RR_CNAME = 5,
    RR_SOA = 6,
    RR_PTR = 12,
    RR_MX = 15,
    RR_TXT = 16,
    RR_AAAA = 28
};

struct wire {
    size_t n; /* with the final 0 */
    uint8_t b[WIRE_MAX];
};

struct reader {
    const uint8_t *m;
    size_t n;
};

struct record {
    size_t owner; /* where its name begins */
    unsigned type, class;
    uint32_t ttl;
    size_t at, length; /* of the data */
};

int dns_message_rrtype(enum dns_type type)
{
    static const int types[] = {[DNS_A] = RR_A,
                                [DNS_AAAA] = RR_AAAA,
                                [DNS_MX] = RR_MX,
                                [DNS_PTR] = RR_PTR,
                                [DNS_TXT] = RR_TXT};
    return types[type];
}

/* --- names ---------------------------------------------------------------- */

static bool wire_add(struct wire *wire, const uint8_t *label, size_t n)
{
    if (wire->n + 1 + n + 1 > WIRE_MAX)
        return false;
    wire->b[wire->n++] = (uint8_t)n;
    for (size_t i = 0; i < n; i++)
        wire->b[wire->n++] = (uint8_t)ascii_lower((char)label[i]);
    return true;
}

static bool wire_from_text(const char *name, struct wire *wire_out)
{
    wire_out->n = 0;
    for (const char *label = name; *label != '\0';) {
        size_t n = strcspn(label, ".");
        if (n == 0 || n > LABEL_MAX || !wire_add(wire_out, (const uint8_t *)label, n))
            return false;
        label += n;
        if (*label == '.')
            label++;
    }
    wire_out->b[wire_out->n++] = 0;
    return true;
}

bool dns_message_askable(const char *name)
{
    struct wire wire;
    for (const char *p = name; *p != '\0'; p++) {
        if (ascii_is_control(*p) || *p == ' ' || *p == '\\')
            return false;
    }
    return name[0] != '\0' && wire_from_text(name, &wire);
}

/* A name may continue elsewhere; each jump must lead before the place where the
 * part that jumps began, so there is an end to it. */
static bool read_name(const struct reader *in, size_t at, struct wire *wire_out, size_t *next_out)
{
    size_t part = at;
    bool jumped = false;
    wire_out->n = 0;
    for (;;) {
        if (at >= in->n)
            return false;
        uint8_t length = in->m[at];
        if (length > LABEL_MAX) {
            if ((length & 0xc0) != 0xc0 || at + 2 > in->n)
                return false;
            size_t to = (size_t)(length & 0x3f) << 8 | in->m[at + 1];
            if (to >= part)
                return false;
            if (!jumped)
                *next_out = at + 2;
            jumped = true;
            part = at = to;
            continue;
        }
        if (at + 1 + length > in->n)
            return false;
        if (length == 0)
            break;
        if (!wire_add(wire_out, in->m + at + 1, length))
            return false;
        at += 1 + (size_t)length;
    }
    wire_out->b[wire_out->n++] = 0;
    if (!jumped)
        *next_out = at + 1;
    return true;
}

static bool same_wire(const struct wire *a, const struct wire *b)
{
    return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

/* Canonical text of a host name; "" for the root. */
static bool wire_to_host(const struct wire *wire, char out[DOMAIN_MAX])
{
    char text[WIRE_MAX];
    size_t n = 0;
    out[0] = '\0';
    if (wire->n == 1)
        return true;
    for (size_t at = 0; wire->b[at] != 0; at += 1 + (size_t)wire->b[at]) {
        for (size_t i = 1; i <= wire->b[at]; i++) {
            uint8_t byte = wire->b[at + i];
            if (byte == '.' || byte >= 0x80)
                return false;
            text[n++] = (char)byte;
        }
        text[n++] = '.';
    }
    return domain_canon((struct slice){text, n - 1}, out);
}

/* --- records -------------------------------------------------------------- */

static unsigned read_u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)read_u16(p) << 16 | read_u16(p + 2);
}

/* RFC 2181 section 8: a life with the highest bit set is none. */
static uint32_t read_ttl(const uint8_t *p)
{
    uint32_t ttl = read_u32(p);
    return ttl > INT32_MAX ? 0 : ttl;
}

static bool read_record(const struct reader *in, size_t *at, struct record *record_out)
{
    struct wire owner;
    size_t next = 0;
    if (!read_name(in, *at, &owner, &next) || in->n - next < 10)
        return false;
    const uint8_t *p = in->m + next;
    *record_out = (struct record){.owner = *at,
                                  .type = read_u16(p),
                                  .class = read_u16(p + 2),
                                  .ttl = read_ttl(p + 4),
                                  .at = next + 10,
                                  .length = read_u16(p + 8)};
    if (in->n - record_out->at < record_out->length)
        return false;
    *at = record_out->at + record_out->length;
    return true;
}

static bool belongs(const struct reader *in, const struct record *record, unsigned type,
                    const struct wire *owner)
{
    struct wire wire;
    size_t next;
    return record->type == type && record->class == CLASS_IN &&
           read_name(in, record->owner, &wire, &next) && same_wire(&wire, owner);
}

/* A name that is the whole rest of the record's data after `skip` bytes. */
static bool name_in_data(const struct reader *in, const struct record *record, size_t skip,
                         struct wire *wire_out)
{
    size_t next = 0;
    return record->length > skip && read_name(in, record->at + skip, wire_out, &next) &&
           next == record->at + record->length;
}

/* --- answer section ------------------------------------------------------- */

struct answer_section {
    size_t n;
    struct record records[DNS_WALK_MAX];
};

enum walk { WALK_RECORDS, WALK_NOTHING, WALK_MALFORMED };

/* Are both the alias of one name for another, the same one? */
static bool same_alias(const struct reader *in, const struct record *a, const struct record *b)
{
    struct wire first, second;
    return name_in_data(in, a, 0, &first) && name_in_data(in, b, 0, &second) &&
           same_wire(&first, &second);
}

/* Go from *name along its aliases to the name that has the wanted records. A name has
 * one alias at most (RFC 2181 section 10.1): of two the order would decide. */
static enum walk follow(const struct reader *in, const struct answer_section *section,
                        unsigned type, struct wire *name, uint32_t *ttl)
{
    for (int hops = 0; hops <= DNS_CNAMES_MAX; hops++) {
        const struct record *alias = NULL;
        bool several = false;
        for (size_t i = 0; i < section->n; i++) {
            const struct record *record = &section->records[i];
            if (belongs(in, record, type, name))
                return WALK_RECORDS;
            if (!belongs(in, record, RR_CNAME, name))
                continue;
            several = several || (alias != NULL && !same_alias(in, alias, record));
            alias = record;
        }
        if (alias == NULL)
            return WALK_NOTHING;
        if (several || !name_in_data(in, alias, 0, name))
            return WALK_MALFORMED;
        if (alias->ttl < *ttl)
            *ttl = alias->ttl;
    }
    return WALK_MALFORMED; /* aliases in a circle */
}

/* One record that was asked for, read. */
struct item {
    struct ip ip;
    uint16_t preference;
    size_t at, n; /* its text, in `texts` */
};

struct items {
    struct strbuf texts;
    size_t n;
    struct item v[DNS_WALK_MAX];
};

static void add_text(struct items *items, struct item *item, struct slice text)
{
    item->at = items->texts.n;
    item->n = text.n;
    strbuf_add(&items->texts, text.p, text.n);
}

static bool read_address(const struct reader *in, const struct record *record, struct item *item)
{
    const uint8_t *p = in->m + record->at;
    if (record->type == RR_A && record->length == 4)
        item->ip = ip_from_v4(read_u32(p));
    else if (record->type == RR_AAAA && record->length == sizeof item->ip.b)
        memcpy(item->ip.b, p, sizeof item->ip.b);
    else
        return false;
    return true;
}

static bool read_host(const struct reader *in, const struct record *record, struct items *items,
                      struct item *item)
{
    bool mx = record->type == RR_MX;
    struct wire wire;
    char host[DOMAIN_MAX];
    if (!name_in_data(in, record, mx ? 2 : 0, &wire) || !wire_to_host(&wire, host) ||
        (!mx && host[0] == '\0'))
        return false;
    if (mx)
        item->preference = (uint16_t)read_u16(in->m + record->at);
    add_text(items, item, slice_of(host));
    return true;
}

static bool read_text(const struct reader *in, const struct record *record, struct items *items,
                      struct item *item)
{
    char text[DNS_TEXT_MAX];
    size_t n = 0, end = record->at + record->length;
    for (size_t at = record->at; at < end;) {
        size_t length = in->m[at++];
        if (length > end - at)
            return false;
        for (size_t i = 0; i < length && n < sizeof text - 1; i++) {
            uint8_t byte = in->m[at + i];
            text[n++] = byte >= ' ' && byte < 127 ? (char)byte : '?';
        }
        at += length;
    }
    add_text(items, item, (struct slice){text, n});
    return true;
}

/* What no record of its type can be is left out. */
static void read_item(const struct reader *in, const struct record *record, struct items *items)
{
    struct item item = {.preference = 0};
    bool good;
    switch (record->type) {
    case RR_A:
    case RR_AAAA:
        good = read_address(in, record, &item);
        break;
    case RR_TXT:
        good = read_text(in, record, items, &item);
        break;
    default:
        good = read_host(in, record, items, &item);
        break;
    }
    if (good)
        items->v[items->n++] = item;
}

static int compare_items(const struct items *items, const struct item *a, const struct item *b)
{
    if (a->preference != b->preference)
        return a->preference < b->preference ? -1 : 1;
    size_t n = a->n < b->n ? a->n : b->n;
    int order = n > 0 ? memcmp(items->texts.p + a->at, items->texts.p + b->at, n) : 0;
    if (order == 0 && a->n != b->n)
        order = a->n < b->n ? -1 : 1;
    return order != 0 ? order : ip_compare(&a->ip, &b->ip);
}

/* By insertion; the same record again is dropped. */
static void sort_items(struct items *items)
{
    size_t n = 0;
    for (size_t i = 0; i < items->n; i++) {
        struct item item = items->v[i];
        size_t j = n;
        while (j > 0 && compare_items(items, &items->v[j - 1], &item) > 0)
            j--;
        if (j > 0 && compare_items(items, &items->v[j - 1], &item) == 0)
            continue;
        memmove(&items->v[j + 1], &items->v[j], (n - j) * sizeof item);
        items->v[j] = item;
        n++;
    }
    items->n = n;
}

/* "." is only a null MX when it stands alone (RFC 7505 section 3). */
static bool is_root_mx(const struct reader *in, const struct record *record)
{
    struct wire wire;
    return name_in_data(in, record, 2, &wire) && wire.n == 1;
}

/* Which records an answer begins with is chance, or rotation by a name server: it
 * must not decide anything. So they are sorted, but addresses, whose order spreads the
 * load where mail is sent to; those, too, before some are cut off. */
static void pack_items(struct items *items, unsigned type, struct strbuf *packed)
{
    bool addresses = type == RR_A || type == RR_AAAA;
    if (!addresses || items->n > DNS_RECORDS_MAX)
        sort_items(items);
    for (size_t i = 0; i < items->n; i++) {
        const struct item *item = &items->v[i];
        struct slice text = {item->n > 0 ? items->texts.p + item->at : "", item->n};
        if (!dns_pack_record(packed, &item->ip, item->preference, text))
            return;
    }
}

static void pack_records(const struct reader *in, const struct answer_section *section,
                         unsigned type, const struct wire *owner, uint32_t *ttl,
                         struct strbuf *packed)
{
    struct items items = {.n = 0};
    const struct record *own[DNS_WALK_MAX];
    size_t n = 0;
    for (size_t i = 0; i < section->n; i++) {
        const struct record *record = &section->records[i];
        if (!belongs(in, record, type, owner))
            continue;
        if (record->ttl < *ttl)
            *ttl = record->ttl;
        if (type != RR_MX || record->length >= 3)
            own[n++] = record;
    }
    strbuf_init(&items.texts);
    for (size_t i = 0; i < n; i++) {
        if (type != RR_MX || n == 1 || !is_root_mx(in, own[i]))
            read_item(in, own[i], &items);
    }
    if (items.texts.failed)
        packed->failed = true;
    else
        pack_items(&items, type, packed);
    strbuf_done(&items.texts);
}

/* --- the whole message ---------------------------------------------------- */

struct header {
    unsigned flags, questions, answers, authorities;
};

#define FLAG_REPLY 0x8000u
#define FLAG_AUTHORITATIVE 0x0400u
#define FLAG_TRUNCATED 0x0200u
#define FLAG_RECURSION 0x0080u
#define RCODE_MASK 0x000fu
#define RCODE_NOERROR 0
#define RCODE_NXDOMAIN 3

static bool read_header(const struct reader *in, struct header *header_out, size_t *at)
{
    struct wire name;
    if (in->n < HEADER_SIZE)
        return false;
    *header_out = (struct header){.flags = read_u16(in->m + 2),
                                  .questions = read_u16(in->m + 4),
                                  .answers = read_u16(in->m + 6),
                                  .authorities = read_u16(in->m + 8)};
    unsigned rcode = header_out->flags & RCODE_MASK;
    if (!(header_out->flags & FLAG_REPLY) || header_out->questions != 1 ||
        (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN))
        return false;
    if (!read_name(in, HEADER_SIZE, &name, at) || in->n - *at < 4)
        return false;
    *at += 4;
    return true;
}

/* Without an SOA record it takes some trust that there is nothing: not after name
 * servers to ask instead (a referral), not at the end of an alias that a server
 * without recursion did not follow, not when part of the message is missing. */
static bool is_sure(const struct header *header, bool name_servers, bool aliased)
{
    if (header->flags & FLAG_TRUNCATED)
        return false;
    if ((header->flags & RCODE_MASK) == RCODE_NXDOMAIN)
        return true;
    if (aliased)
        return (header->flags & FLAG_RECURSION) != 0;
    return !name_servers || (header->flags & FLAG_AUTHORITATIVE) != 0;
}

/* The life of a negative answer is in the SOA record (RFC 2308 section 5). ttl:
 * of the aliases on the way, UINT32_MAX for none. */
static struct dns_verdict read_negative(const struct reader *in, const struct header *header,
                                        size_t at, enum dns_outcome outcome, uint32_t ttl)
{
    struct dns_verdict verdict = {.outcome = outcome};
    bool name_servers = false;
    struct record record;
    for (unsigned i = 0; i < header->authorities && i < DNS_WALK_MAX; i++) {
        if (!read_record(in, &at, &record))
            break;
        name_servers = name_servers || record.type == RR_NS;
        if (record.type != RR_SOA || record.length < 20)
            continue;
        uint32_t minimum = read_ttl(in->m + record.at + record.length - 4);
        verdict.has_ttl = true;
        verdict.ttl = record.ttl < minimum ? record.ttl : minimum;
        if (ttl < verdict.ttl)
            verdict.ttl = ttl;
        return verdict;
    }
    if (!is_sure(header, name_servers, ttl != UINT32_MAX))
        verdict.outcome = DNS_SERVFAIL;
    return verdict;
}

static struct dns_verdict read_reply(const struct reader *in, enum dns_type type, const char *name,
                                     struct strbuf *packed)
{
    const struct dns_verdict malformed = {.outcome = DNS_SERVFAIL};
    struct answer_section section = {0};
    struct header header = {0};
    struct wire owner;
    size_t at = 0;
    uint32_t ttl = UINT32_MAX;
    if (!read_header(in, &header, &at) || !wire_from_text(name, &owner) ||
        header.answers > DNS_WALK_MAX)
        return malformed;
    for (; section.n < header.answers; section.n++) {
        if (!read_record(in, &at, &section.records[section.n]))
            return malformed;
    }
    unsigned rrtype = (unsigned)dns_message_rrtype(type);
    enum walk walk = follow(in, &section, rrtype, &owner, &ttl);
    bool nxdomain = (header.flags & RCODE_MASK) == RCODE_NXDOMAIN;
    if (walk == WALK_MALFORMED)
        return malformed;
    if (nxdomain || walk == WALK_NOTHING)
        return read_negative(in, &header, at, nxdomain ? DNS_NXDOMAIN : DNS_NODATA, ttl);
    dns_pack_begin(packed, DNS_FOUND);
    pack_records(in, &section, rrtype, &owner, &ttl, packed);
    bool none = dns_pack_count(packed) == 0;
    return (struct dns_verdict){
        .outcome = none ? DNS_NODATA : DNS_FOUND, .has_ttl = true, .ttl = ttl};
}

struct dns_verdict dns_message_read(const uint8_t *message, size_t n, enum dns_type type,
                                    const char *name, struct strbuf *packed_out)
{
    struct reader in = {message, n};
    struct dns_verdict verdict = read_reply(&in, type, name, packed_out);
    if (verdict.outcome != DNS_FOUND)
        dns_pack_begin(packed_out, verdict.outcome);
    return verdict;
}
