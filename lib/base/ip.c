/*
 * ip.c - addresses as 16 bytes: text both ways, networks, special ranges.
 */
#include "lib/base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define GROUPS 8

static const uint8_t V4_PREFIX[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool ip_is_v4(const struct ip *ip)
{
    return memcmp(ip->b, V4_PREFIX, sizeof V4_PREFIX) == 0;
}

static uint32_t read_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint32_t ip_v4(const struct ip *ip)
{
    return read_be32(ip->b + 12);
}

struct ip ip_from_v4(uint32_t address)
{
    struct ip ip;
    memcpy(ip.b, V4_PREFIX, sizeof V4_PREFIX);
    for (unsigned i = 0; i < 4; i++)
        ip.b[12 + i] = (uint8_t)(address >> (24 - 8 * i));
    return ip;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return ip_compare(a, b) == 0;
}

bool ip_parse(struct slice text, struct ip *ip_out)
{
    char copy[IP_TEXT_MAX];
    if (text.n == 0 || text.n >= sizeof copy || memchr(text.p, '\0', text.n) != NULL)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    struct in_addr four;
    if (inet_pton(AF_INET, copy, &four) == 1) {
        *ip_out = ip_from_v4(ntohl(four.s_addr));
        return true;
    }
    return inet_pton(AF_INET6, copy, ip_out->b) == 1;
}

bool ip_from_sockaddr(const struct sockaddr *sa, struct ip *ip_out)
{
    /* Copied because libmilter's pointers need not be aligned for the type. */
    if (sa != NULL && sa->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, sa, sizeof four);
        *ip_out = ip_from_v4(ntohl(four.sin_addr.s_addr));
        return true;
    }
    if (sa != NULL && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, sa, sizeof six);
        memcpy(ip_out->b, six.sin6_addr.s6_addr, sizeof ip_out->b);
        return true;
    }
    return false;
}

socklen_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ss_out)
{
    memset(ss_out, 0, sizeof *ss_out);
    if (ip_is_v4(ip)) {
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
        four.sin_addr.s_addr = htonl(ip_v4(ip));
        memcpy(ss_out, &four, sizeof four);
        return sizeof four;
    }
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(six.sin6_addr.s6_addr, ip->b, sizeof ip->b);
    memcpy(ss_out, &six, sizeof six);
    return sizeof six;
}

static unsigned group(const struct ip *ip, unsigned i)
{
    return (unsigned)ip->b[2 * i] << 8 | ip->b[2 * i + 1];
}

/* The longest run of two or more zero groups, the first of equals. */
static unsigned longest_zeros(const struct ip *ip, unsigned *length_out)
{
    unsigned best = GROUPS, best_length = 1;
    for (unsigned i = 0; i < GROUPS; i++) {
        unsigned n = 0;
        while (i + n < GROUPS && group(ip, i + n) == 0)
            n++;
        if (n > best_length) {
            best = i;
            best_length = n;
        }
        i += n;
    }
    *length_out = best_length;
    return best;
}

/* Written here and not with inet_ntop(): that one prints ::1:0 as ::0.1.0.0 on
 * some systems, and this text is compared. */
const char *ip_text(const struct ip *ip, char text[IP_TEXT_MAX])
{
    if (ip_is_v4(ip)) {
        snprintf(text, IP_TEXT_MAX, "%u.%u.%u.%u", ip->b[12], ip->b[13], ip->b[14], ip->b[15]);
        return text;
    }
    unsigned length;
    unsigned gap = longest_zeros(ip, &length);
    size_t n = 0;
    for (unsigned i = 0; i < GROUPS; i++) {
        if (i == gap) {
            text[n++] = ':';
            text[n++] = ':';
            i += length - 1;
            continue;
        }
        bool colon = n > 0 && text[n - 1] != ':';
        n += (size_t)snprintf(text + n, IP_TEXT_MAX - n, "%s%x", colon ? ":" : "", group(ip, i));
    }
    text[n] = '\0';
    return text;
}

/* Bits counted from the front of the 16 bytes. */
static unsigned host_bits_start(const struct ip *ip, unsigned bits)
{
    if (ip_is_v4(ip))
        return 96 + (bits < 32 ? bits : 32);
    return bits < 128 ? bits : 128;
}

struct ip ip_masked(const struct ip *ip, unsigned bits)
{
    struct ip result = *ip;
    for (unsigned at = host_bits_start(ip, bits); at < 128; at = (at / 8 + 1) * 8)
        result.b[at / 8] &= (uint8_t) ~(0xffu >> at % 8);
    return result;
}

struct ip ip_last(const struct ip *ip, unsigned bits)
{
    struct ip result = *ip;
    for (unsigned at = host_bits_start(ip, bits); at < 128; at = (at / 8 + 1) * 8)
        result.b[at / 8] |= (uint8_t)(0xffu >> at % 8);
    return result;
}

bool ip_embedded_v4(const struct ip *ip, struct ip *v4_out)
{
    static const uint8_t zero[12];
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b}; /* RFC 6052 */
    static const uint8_t sixtofour[2] = {0x20, 0x02};          /* RFC 3056 */
    static const uint8_t teredo[4] = {0x20, 0x01, 0x00, 0x00}; /* RFC 4380 */
    const uint8_t *b = ip->b;

    /* The zero prefix is also that of :: and ::1, which are themselves. */
    if (ip_is_v4(ip) || memcmp(b, nat64, sizeof nat64) == 0 ||
        (memcmp(b, zero, sizeof zero) == 0 && read_be32(b + 12) > 1))
        *v4_out = ip_from_v4(read_be32(b + 12));
    else if (memcmp(b, sixtofour, sizeof sixtofour) == 0)
        *v4_out = ip_from_v4(read_be32(b + 2));
    else if (memcmp(b, teredo, sizeof teredo) == 0)
        *v4_out = ip_from_v4(~read_be32(b + 12)); /* section 4: the client's, obfuscated */
    else
        return false;
    return true;
}

/* "This network", loopback, link-local, multicast, reserved and broadcast. */
static bool v4_is_special(uint32_t address)
{
    uint32_t top = address >> 24;
    return top == 0 || top == 127 || top >= 224 || address >> 16 == 0xa9fe;
}

bool ip_is_special(const struct ip *ip)
{
    static const uint8_t zero[15];
    struct ip v4;

    if (ip_embedded_v4(ip, &v4))
        return v4_is_special(ip_v4(&v4));
    return memcmp(ip->b, zero, sizeof zero) == 0 || ip->b[0] == 0xff ||
           (ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80);
}

bool ip_is_local(const struct ip *ip)
{
    static const struct {
        uint32_t network;
        unsigned bits;
    } shared[] = {{0x0a000000, 8}, {0xac100000, 12}, {0xc0a80000, 16}, {0x64400000, 10}};

    if (ip_is_special(ip) || (!ip_is_v4(ip) && (ip->b[0] & 0xfe) == 0xfc))
        return true;
    for (size_t i = 0; ip_is_v4(ip) && i < ARRAY_LEN(shared); i++) {
        if (ip_v4(ip) >> (32 - shared[i].bits) == shared[i].network >> (32 - shared[i].bits))
            return true;
    }
    return false;
}

static size_t reverse_nibbles(const struct ip *ip, char out[65])
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (unsigned i = sizeof ip->b; i-- > 0;) {
        out[n++] = hex[ip->b[i] & 15];
        out[n++] = '.';
        out[n++] = hex[ip->b[i] >> 4];
        out[n++] = '.';
    }
    out[n] = '\0';
    return n;
}

size_t ip_reverse_name(const struct ip *ip, const char *zone4, const char *zone6, char *out,
                       size_t room)
{
    char front[65];
    bool four = ip_is_v4(ip);
    if (four)
        snprintf(front, sizeof front, "%u.%u.%u.%u.", ip->b[15], ip->b[14], ip->b[13], ip->b[12]);
    else
        reverse_nibbles(ip, front);
    int n = snprintf(out, room, "%s%s", front, four ? zone4 : zone6);
    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}
