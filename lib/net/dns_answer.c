/*
 * dns_answer.c - outcome, number of records, whether some are missing, then of each record its
 * fixed part and its text with a NUL. Unpacking copies the bytes behind the records, whose strings
 * point into the copy.
 */
#include "lib/net/dns_answer.h"

#include <string.h>
#include "lib/state/cache.h"

struct head {
    uint32_t outcome, count, cut;
};

struct fixed_part {
    struct ip ip;
    uint16_t preference;
    uint16_t length; /* of the text, without its NUL */
};

void dns_pack_begin(struct strbuf *out, enum dns_outcome outcome)
{
    struct head head = {.outcome = outcome};
    strbuf_reset(out);
    strbuf_add(out, (const char *)&head, sizeof head);
}

size_t dns_pack_count(const struct strbuf *packed)
{
    struct head head = {0};
    if (!packed->failed && packed->n >= sizeof head)
        memcpy(&head, packed->p, sizeof head);
    return head.count;
}

bool dns_pack_record(struct strbuf *out, const struct ip *ip, uint16_t preference,
                     struct slice text)
{
    struct fixed_part fixed = {.preference = preference, .length = (uint16_t)text.n};
    struct head head;
    if (out->failed)
        return false;
    memcpy(&head, out->p, sizeof head);
    if (head.count >= DNS_RECORDS_MAX || text.n > UINT16_MAX ||
        out->n + sizeof fixed + text.n + 1 > CACHE_VALUE_MAX) {
        head.cut = true;
        memcpy(out->p, &head, sizeof head);
        return false;
    }
    if (ip != NULL)
        fixed.ip = *ip;
    strbuf_add(out, (const char *)&fixed, sizeof fixed);
    strbuf_add(out, text.p, text.n);
    strbuf_putc(out, '\0');
    if (out->failed)
        return false;
    head.count++;
    memcpy(out->p, &head, sizeof head);
    return true;
}

static bool unpack_records(struct slice bytes, enum dns_type type, struct dns_record *records,
                           size_t count)
{
    struct fixed_part fixed;
    for (size_t i = 0; i < count; i++) {
        if (bytes.n < sizeof fixed)
            return false;
        memcpy(&fixed, bytes.p, sizeof fixed);
        const char *text = bytes.p + sizeof fixed;
        size_t whole = sizeof fixed + fixed.length + 1;
        if (bytes.n < whole || text[fixed.length] != '\0')
            return false;
        records[i] = (struct dns_record){.ip = fixed.ip,
                                         .preference = fixed.preference,
                                         .name = type == DNS_TXT ? "" : text,
                                         .text = type == DNS_TXT ? text : ""};
        bytes.p += whole;
        bytes.n -= whole;
    }
    return bytes.n == 0;
}

struct dns_answer *dns_unpack(struct slice packed, enum dns_type type, bool cached)
{
    struct head head;
    if (packed.n < sizeof head)
        return NULL;
    memcpy(&head, packed.p, sizeof head);
    if (head.count > DNS_RECORDS_MAX || head.outcome > DNS_TIMEOUT)
        return NULL;
    size_t records_size = head.count * sizeof(struct dns_record);
    struct dns_answer *answer = malloc(sizeof *answer + records_size + packed.n);
    if (answer == NULL)
        return NULL;
    struct dns_record *records = (struct dns_record *)(void *)(answer + 1);
    char *bytes = (char *)(answer + 1) + records_size;
    memcpy(bytes, packed.p, packed.n);
    *answer = (struct dns_answer){.outcome = (enum dns_outcome)head.outcome,
                                  .n = head.count,
                                  .records = records,
                                  .cut = head.cut != 0,
                                  .cached = cached};
    struct slice rest = {bytes + sizeof head, packed.n - sizeof head};
    if (!unpack_records(rest, type, records, head.count)) {
        free(answer);
        return NULL;
    }
    return answer;
}
