/*
 * ip_fuzz.c - any text as an address: what is taken must print and be taken again.
 */
#include <string.h>
#include "lib/base/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ip ip, again;
    if (!ip_parse((struct slice){(const char *)data, size}, &ip))
        return 0;
    char text[IP_TEXT_MAX], name[80];
    CHECK(strlen(ip_text(&ip, text)) < IP_TEXT_MAX);
    CHECK(ip_parse(slice_of(text), &again) && ip_equal(&ip, &again));
    CHECK(ip_reverse_name(&ip, "in-addr.arpa", "ip6.arpa", name, sizeof name) > 0);
    (void)ip_is_special(&ip);
    for (unsigned bits = 0; bits <= 128; bits++) {
        struct ip first = ip_masked(&ip, bits), last = ip_last(&ip, bits);
        CHECK(ip_compare(&first, &ip) <= 0 && ip_compare(&ip, &last) <= 0);
    }
    return 0;
}
