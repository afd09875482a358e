/*
 * dns_message_fuzz.c - DNS replies.
 *
 * The first byte is the type asked for, the rest the reply to the question for
 * a.example. Whatever it is, the packed answer unpacks, and what is in it keeps
 * the promises of dns.h.
 */
#include "lib/net/dns_message.h"

#include <string.h>
#include "lib/base/domain.h"
#include "lib/net/dns_answer.h"
#include "lib/state/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name, bool may_be_empty)
{
    char canonical[DOMAIN_MAX];
    if (name[0] == '\0') {
        CHECK(may_be_empty);
        return;
    }
    CHECK(domain_canon(slice_of(name), canonical));
    CHECK(strcmp(name, canonical) == 0);
}

static void check_answer(const struct dns_answer *answer, enum dns_type type)
{
    CHECK(answer->n <= DNS_RECORDS_MAX);
    CHECK((answer->n > 0) == (answer->outcome == DNS_FOUND));
    for (size_t i = 0; i < answer->n; i++) {
        const struct dns_record *record = &answer->records[i];
        CHECK(i == 0 || record->preference >= answer->records[i - 1].preference);
        CHECK(strlen(record->text) < DNS_TEXT_MAX);
        for (const char *p = record->text; *p != '\0'; p++)
            CHECK(*p >= ' ' && *p < 127);
        check_name(record->name, type != DNS_PTR && (type != DNS_MX || answer->n == 1));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum dns_type type = (enum dns_type)(data[0] % (DNS_TXT + 1));
    struct strbuf packed;
    strbuf_init(&packed);
    struct dns_verdict verdict = dns_message_read(data + 1, size - 1, type, "a.example", &packed);
    CHECK(!packed.failed && packed.n <= CACHE_VALUE_MAX);
    struct dns_answer *answer = dns_unpack((struct slice){packed.p, packed.n}, type, false);
    CHECK(answer != NULL && answer->outcome == verdict.outcome);
    CHECK(verdict.outcome != DNS_TIMEOUT && (!verdict.has_ttl || verdict.ttl <= INT32_MAX));
    check_answer(answer, type);
    free(answer);
    strbuf_done(&packed);
    /* Bytes that were never packed by us. */
    free(dns_unpack((struct slice){(const char *)data, size}, type, true));
    return 0;
}
