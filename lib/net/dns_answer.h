/*
 * dns_answer.h - a DNS answer as one run of bytes, for the cache, and as the
 * struct callers see. Internal to the DNS modules. Plain functions, any thread.
 */
#ifndef LIB_NET_DNS_ANSWER_H
#define LIB_NET_DNS_ANSWER_H

#include "lib/base/str.h"
#include "lib/net/dns.h"

/* Packing: begin, any number of records, done when out->failed is false. All
 * fit into CACHE_VALUE_MAX bytes and DNS_RECORDS_MAX records: what does not is
 * left out, makes dns_pack_record() return false and the answer cut. */
void dns_pack_begin(struct strbuf *out, enum dns_outcome outcome);
bool dns_pack_record(struct strbuf *out, const struct ip *ip, uint16_t preference,
                     struct slice text);
/* How many records are in it. */
size_t dns_pack_count(const struct strbuf *packed);

/* One heap block with everything in it; free() ends it. NULL: out of memory,
 * or no packed answer. type says whether text is a name or a TXT. */
struct dns_answer *dns_unpack(struct slice packed, enum dns_type type, bool cached);

#endif
