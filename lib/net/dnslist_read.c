/*
 * dnslist_read.c - see dnslist_read.h.
 */
#include "lib/net/dnslist_read.h"

/* Of ::FFFF:7F00:2 and ::FFFF:7F00:1, behind the last nibble. */
#define NIBBLES ".0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."

const char *dnslist_class_name(enum dnslist_class class)
{
    static const char *const names[] = {
        [DNSLIST_NOT_LISTED] = "not_listed", [DNSLIST_LISTED] = "listed",
        [DNSLIST_REFUSED] = "refused",       [DNSLIST_WRONG] = "wrong_answer",
        [DNSLIST_FAILED] = "failed",         [DNSLIST_TIMEOUT] = "timeout",
        [DNSLIST_NOT_ASKED] = "not_asked",
    };
    return names[class];
}

/* One address that spoils the others: a list does not mix them. */
static enum dnslist_class read_addresses(const struct dns_answer *answer)
{
    enum dnslist_class class = answer->n > 0 ? DNSLIST_LISTED : DNSLIST_NOT_LISTED;

    for (size_t i = 0; i < answer->n; i++) {
        const struct ip *ip = &answer->records[i].ip;
        if (!ip_is_v4(ip) || ip_v4(ip) >> 24 != 127)
            return DNSLIST_WRONG;
        if (ip_v4(ip) >> 8 == 0x7fffff)
            class = DNSLIST_REFUSED;
    }
    return class;
}

enum dnslist_class dnslist_read(const struct dns_answer *answer)
{
    switch (answer->outcome) {
    case DNS_FOUND:
        return read_addresses(answer);
    case DNS_NXDOMAIN:
    case DNS_NODATA:
        return DNSLIST_NOT_LISTED;
    case DNS_SERVFAIL:
        return DNSLIST_FAILED;
    case DNS_TIMEOUT:
        return DNSLIST_TIMEOUT;
    }
    return DNSLIST_FAILED;
}

size_t dnslist_name(const char *zone, const struct ip *ip, char name_out[DOMAIN_MAX])
{
    return ip_reverse_name(ip, zone, zone, name_out, DOMAIN_MAX);
}

size_t dnslist_point_name(const char *zone, enum dnslist_point point, uint32_t chance,
                          char name_out[DOMAIN_MAX])
{
    char front[80];
    int n;

    switch (point) {
    case DNSLIST_TEST4:
        snprintf(front, sizeof front, "2.0.0.127.");
        break;
    case DNSLIST_CLEAR4:
        snprintf(front, sizeof front, "1.0.0.127.");
        break;
    case DNSLIST_TEST6:
        snprintf(front, sizeof front, "2" NIBBLES);
        break;
    case DNSLIST_CLEAR6:
        snprintf(front, sizeof front, "1" NIBBLES);
        break;
    case DNSLIST_CLEAR_ANY: /* clear of 127.0.x.x, where lists keep more test points */
    case DNSLIST_POINTS:
        snprintf(front, sizeof front, "%u.%u.%u.127.", (unsigned)(1 + chance % 254),
                 (unsigned)(1 + chance / 254 % 254), (unsigned)(1 + chance / 64516 % 254));
        break;
    }
    n = snprintf(name_out, DOMAIN_MAX, "%s%s", front, zone);
    return n > 0 && n < DOMAIN_MAX ? (size_t)n : 0;
}

const char *dnslist_health_name(enum dnslist_health health)
{
    static const char *const names[] = {
        [DNSLIST_UNCHECKED] = "unchecked",
        [DNSLIST_GOOD] = "good",
        [DNSLIST_LISTS_ALL] = "lists_everything",
        [DNSLIST_NO_TEST_POINT] = "no_test_point",
        [DNSLIST_REFUSES] = "refuses",
        [DNSLIST_ANSWERS_WRONG] = "wrong_answers",
        [DNSLIST_UNANSWERED] = "unanswered",
    };
    return names[health];
}

const char *dnslist_health_text(enum dnslist_health health)
{
    static const char *const texts[] = {
        [DNSLIST_UNCHECKED] = "it was not checked yet",
        [DNSLIST_GOOD] = "it lists 127.0.0.2 and not 127.0.0.1",
        [DNSLIST_LISTS_ALL] = "it lists addresses that no list may have, as 127.0.0.1",
        [DNSLIST_NO_TEST_POINT] = "it does not list 127.0.0.2, which every list must have",
        [DNSLIST_REFUSES] = "it refuses to answer us (127.255.255.0/24)",
        [DNSLIST_ANSWERS_WRONG] = "it answers with addresses outside 127.0.0.0/8",
        [DNSLIST_UNANSWERED] = "it does not answer",
    };
    return texts[health];
}

static bool any(const enum dnslist_class points[DNSLIST_POINTS], enum dnslist_class class)
{
    for (size_t i = 0; i < DNSLIST_POINTS; i++) {
        if (points[i] == class)
            return true;
    }
    return false;
}

bool dnslist_takes_ipv6(const enum dnslist_class points[DNSLIST_POINTS])
{
    return points[DNSLIST_TEST6] == DNSLIST_LISTED || points[DNSLIST_TEST6] == DNSLIST_NOT_LISTED;
}

/* ::FFFF:7F00:1 needs no proof that it is not listed: many a list of IPv4
 * addresses fails over such a name, which takes nothing from what it is. */
enum dnslist_health dnslist_judge(const enum dnslist_class points[DNSLIST_POINTS])
{
    bool tested =
        points[DNSLIST_TEST4] == DNSLIST_LISTED || points[DNSLIST_TEST6] == DNSLIST_LISTED;
    bool clear = points[DNSLIST_CLEAR4] == DNSLIST_NOT_LISTED &&
                 points[DNSLIST_CLEAR_ANY] == DNSLIST_NOT_LISTED;

    if (points[DNSLIST_CLEAR4] == DNSLIST_LISTED || points[DNSLIST_CLEAR6] == DNSLIST_LISTED ||
        points[DNSLIST_CLEAR_ANY] == DNSLIST_LISTED)
        return DNSLIST_LISTS_ALL;
    if (tested && clear)
        return DNSLIST_GOOD;
    if (any(points, DNSLIST_REFUSED))
        return DNSLIST_REFUSES;
    if (any(points, DNSLIST_WRONG))
        return DNSLIST_ANSWERS_WRONG;
    return any(points, DNSLIST_FAILED) || any(points, DNSLIST_TIMEOUT) ? DNSLIST_UNANSWERED
                                                                       : DNSLIST_NO_TEST_POINT;
}
