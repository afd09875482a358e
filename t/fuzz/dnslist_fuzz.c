/*
 * dnslist_fuzz.c - what a DNS list answers, from the bytes of a message on: a listing is
 * an answer all of whose addresses a list may give.
 */
#include "lib/net/dnslist_read.h"

#include <stdlib.h>
#include <string.h>

#include "lib/net/dns_answer.h"
#include "lib/net/dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME "2.0.0.127.list.example"

static bool may_list(const struct ip *ip)
{
    return ip_is_v4(ip) && ip_v4(ip) >> 24 == 127 && ip_v4(ip) >> 8 != 0x7fffff;
}

static void check(const struct dns_answer *answer)
{
    enum dnslist_class class = dnslist_read(answer);
    size_t good = 0;

    for (size_t i = 0; answer->outcome == DNS_FOUND && i < answer->n; i++)
        good += may_list(&answer->records[i].ip);
    CHECK(dnslist_class_name(class) != NULL);
    CHECK((class == DNSLIST_LISTED) ==
          (answer->outcome == DNS_FOUND && answer->n > 0 && good == answer->n));
    if (answer->outcome == DNS_SERVFAIL || answer->outcome == DNS_TIMEOUT)
        CHECK(class == DNSLIST_FAILED || class == DNSLIST_TIMEOUT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf packed;

    strbuf_init(&packed);
    (void)dns_message_read(data, size, DNS_A, NAME, &packed);
    CHECK(!packed.failed);
    struct dns_answer *answer = dns_unpack((struct slice){packed.p, packed.n}, DNS_A, false);
    CHECK(answer != NULL);
    check(answer);
    free(answer);
    strbuf_done(&packed);
    return 0;
}
