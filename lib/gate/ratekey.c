#include "lib/gate/ratekey.h"

#include <string.h>

/* What is about one organisation within an owner's networks. */
#define ORGANISATION_BITS 24
#define ORGANISATION_BITS6 64
/* What one customer of a provider is given, and can choose any address of. */
#define SITE_BITS6 64

struct ratekey ratekey_network(const struct ip *ip, unsigned bits)
{
    struct ratekey key = {.n = 1 + sizeof ip->b};
    struct ip network = ip_masked(ip, bits);

    key.bytes[0] = (char)bits;
    memcpy(key.bytes + 1, network.b, sizeof network.b);
    return key;
}

struct ratekey ratekey_owner(uint32_t owner, const struct ip *ip)
{
    struct ratekey key = ratekey_network(ip, ip_is_v4(ip) ? ORGANISATION_BITS : ORGANISATION_BITS6);

    memcpy(key.bytes + key.n, &owner, sizeof owner);
    key.n += sizeof owner;
    return key;
}

struct ratekey ratekey_site(const struct ip *ip)
{
    return ratekey_network(ip, ip_is_v4(ip) ? RATEKEY_WHOLE : SITE_BITS6);
}

/* No prefix is as long. */
struct ratekey ratekey_no_address(void)
{
    return (struct ratekey){.n = 1, .bytes = {(char)0xff}};
}

struct ratekey ratekey_address(const struct conn_facts *conn)
{
    return conn->no_address ? ratekey_no_address() : ratekey_network(&conn->client, RATEKEY_WHOLE);
}

struct ratekey ratekey_of(const struct conn_facts *conn)
{
    const struct policy_keys *keys = &conn->policy->keys;

    if (conn->no_address)
        return ratekey_no_address();
    if (conn->match.by_owner && keys->use_reputation)
        return ratekey_owner(conn->owner, &conn->client);
    return ratekey_network(
        &conn->client,
        (unsigned)(ip_is_v4(&conn->client) ? keys->significant_bits : keys->significant_bits6));
}

struct slice ratekey_slice(const struct ratekey *key)
{
    return (struct slice){key->bytes, key->n};
}
