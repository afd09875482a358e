/* dnslist_read_test.c - what answers of DNS lists mean, and which lists are good. */
#include "lib/net/dnslist_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/dice.h"

#define ANSWERS_MAX 6

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_true(ip_parse(slice_of(text), &ip));
    return ip;
}

/* --- the filter --------------------------------------------------------------------- */

static enum dnslist_class class_of(const char *const addresses[ANSWERS_MAX])
{
    struct dns_record records[ANSWERS_MAX];
    struct dns_answer answer = {.outcome = DNS_FOUND, .records = records};
    while (answer.n < ANSWERS_MAX && addresses[answer.n] != NULL) {
        records[answer.n] = (struct dns_record){.ip = ip_of(addresses[answer.n])};
        answer.n++;
    }
    return dnslist_read(&answer);
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *addresses[ANSWERS_MAX];
        enum dnslist_class class;
    } rows[] = {
        {{"127.0.0.2"}, DNSLIST_LISTED},
        {{"127.0.0.1"}, DNSLIST_LISTED},
        {{"127.0.0.0"}, DNSLIST_LISTED},
        {{"127.0.0.255"}, DNSLIST_LISTED},
        {{"127.1.2.3"}, DNSLIST_LISTED},
        {{"127.255.254.255"}, DNSLIST_LISTED},
        {{"127.255.255.0"}, DNSLIST_REFUSED},
        {{"127.255.255.252"}, DNSLIST_REFUSED},
        {{"127.255.255.254"}, DNSLIST_REFUSED},
        {{"127.255.255.255"}, DNSLIST_REFUSED},
        {{"128.0.0.0"}, DNSLIST_WRONG},
        {{"126.255.255.255"}, DNSLIST_WRONG},
        {{"203.0.113.5"}, DNSLIST_WRONG},
        {{"0.0.0.0"}, DNSLIST_WRONG},
        {{"::1"}, DNSLIST_WRONG},
        {{"::127.0.0.2"}, DNSLIST_WRONG},
        {{"127.0.0.2", "127.0.0.4", "127.0.0.11"}, DNSLIST_LISTED},
        {{"127.0.0.2", "203.0.113.5"}, DNSLIST_WRONG},
        {{"203.0.113.5", "127.0.0.2"}, DNSLIST_WRONG},
        {{"127.0.0.2", "127.255.255.254"}, DNSLIST_REFUSED},
        {{"127.255.255.254", "127.0.0.2"}, DNSLIST_REFUSED},
        {{"127.255.255.254", "203.0.113.5"}, DNSLIST_WRONG},
        {{NULL}, DNSLIST_NOT_LISTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum dnslist_class class = class_of(rows[i].addresses);
        if (class != rows[i].class)
            fail_msg("row %zu: %s", i, dnslist_class_name(class));
    }
}

static void test_outcomes(void **state)
{
    (void)state;
    static const struct {
        enum dns_outcome outcome;
        enum dnslist_class class;
    } rows[] = {{DNS_NXDOMAIN, DNSLIST_NOT_LISTED},
                {DNS_NODATA, DNSLIST_NOT_LISTED},
                {DNS_SERVFAIL, DNSLIST_FAILED},
                {DNS_TIMEOUT, DNSLIST_TIMEOUT}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dns_record record = {.ip = ip_of("127.0.0.2")};
        struct dns_answer answer = {.outcome = rows[i].outcome, .n = 1, .records = &record};
        assert_int_equal(dnslist_read(&answer), rows[i].class);
    }
}

/* Whatever a list answers, it lists only by proper addresses. */
static void test_only_proper_answers_list(void **state)
{
    (void)state;
    struct dice dice = dice_start(0);
    size_t listed = 0;
    for (int round = 0; round < 200000; round++) {
        struct dns_record records[3];
        struct dns_answer answer = {.outcome = DNS_FOUND, .records = records};
        bool proper = true;
        answer.n = 1 + dice_below(&dice, 3);
        for (size_t i = 0; i < answer.n; i++) {
            uint32_t high = dice_below(&dice, 4) == 0 ? dice_below(&dice, 256) : 127;
            uint32_t middle = dice_below(&dice, 3) == 0 ? 0xffff : dice_below(&dice, 65536);
            uint32_t address = high << 24 | middle << 8 | dice_below(&dice, 256);
            records[i] = (struct dns_record){.ip = ip_from_v4(address)};
            if (dice_below(&dice, 50) == 0)
                records[i].ip.b[0] = 0x20;
            proper = proper && high == 127 && middle != 0xffff && records[i].ip.b[0] == 0;
        }
        listed += proper;
        assert_int_equal(dnslist_read(&answer) == DNSLIST_LISTED, proper);
    }
    assert_in_range(listed, 1000, 190000);
}

/* --- names ----------------------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    char name[DOMAIN_MAX], zone[DOMAIN_MAX];
    struct ip four = ip_of("192.0.2.9"), six = ip_of("2001:db8::567:89ab");
    assert_true(dnslist_name("bl.example", &four, name) == strlen("9.2.0.192.bl.example"));
    assert_string_equal(name, "9.2.0.192.bl.example");
    dnslist_name("bl.example", &six, name);
    assert_string_equal(name, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
                              "bl.example");
    /* 253 bytes are a name, 254 are none. */
    memset(zone, 'a', sizeof zone);
    zone[253 - 64] = '\0';
    assert_int_equal(dnslist_name(zone, &six, name), 253);
    zone[253 - 64] = 'a';
    zone[254 - 64] = '\0';
    assert_int_equal(dnslist_name(zone, &six, name), 0);
    assert_int_not_equal(dnslist_name(zone, &four, name), 0);
}

static void test_points(void **state)
{
    (void)state;
    char name[DOMAIN_MAX], other[DOMAIN_MAX];
    dnslist_point_name("z", DNSLIST_TEST4, 5, name);
    assert_string_equal(name, "2.0.0.127.z");
    dnslist_point_name("z", DNSLIST_CLEAR4, 5, name);
    assert_string_equal(name, "1.0.0.127.z");
    dnslist_point_name("z", DNSLIST_TEST6, 5, name); /* RFC 5782 section 5: ::FFFF:7F00:2 */
    assert_string_equal(name, "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.z");
    dnslist_point_name("z", DNSLIST_CLEAR6, 5, name);
    assert_string_equal(name, "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.z");
    for (uint64_t chance = 0; chance <= UINT32_MAX; chance += 16777213) {
        unsigned a, b, c;
        assert_true(dnslist_point_name("z", DNSLIST_CLEAR_ANY, (uint32_t)chance, name) > 0);
        assert_int_equal(sscanf(name, "%u.%u.%u.127.z", &a, &b, &c), 3);
        assert_true(a >= 1 && a <= 254 && b >= 1 && b <= 254 && c >= 1 && c <= 254);
    }
    dnslist_point_name("z", DNSLIST_CLEAR_ANY, 1, name);
    dnslist_point_name("z", DNSLIST_CLEAR_ANY, 2, other);
    assert_string_not_equal(name, other);
}

/* --- health ----------------------------------------------------------------------------- */

#define NO DNSLIST_NOT_LISTED
#define YES DNSLIST_LISTED
#define OUT DNSLIST_TIMEOUT
#define FAIL DNSLIST_FAILED
#define REF DNSLIST_REFUSED
#define BAD DNSLIST_WRONG

static void test_health(void **state)
{
    (void)state;
    static const struct {
        enum dnslist_class points[DNSLIST_POINTS]; /* test4, clear4, test6, clear6, any */
        enum dnslist_health health;
    } rows[] = {
        {{YES, NO, YES, NO, NO}, DNSLIST_GOOD},
        {{YES, NO, NO, NO, NO}, DNSLIST_GOOD},     /* a list of IPv4 addresses */
        {{NO, NO, YES, NO, NO}, DNSLIST_GOOD},     /* ... of IPv6 addresses */
        {{YES, NO, FAIL, FAIL, NO}, DNSLIST_GOOD}, /* its servers choke on nibbles */
        {{YES, NO, OUT, OUT, NO}, DNSLIST_GOOD},
        {{YES, YES, NO, NO, NO}, DNSLIST_LISTS_ALL},
        {{YES, NO, YES, YES, NO}, DNSLIST_LISTS_ALL},
        {{YES, NO, NO, NO, YES}, DNSLIST_LISTS_ALL}, /* only what no cache knows tells */
        {{OUT, YES, OUT, OUT, OUT}, DNSLIST_LISTS_ALL},
        {{NO, NO, NO, NO, NO}, DNSLIST_NO_TEST_POINT},
        {{REF, REF, REF, REF, REF}, DNSLIST_REFUSES},
        {{YES, REF, NO, NO, NO}, DNSLIST_REFUSES},
        {{YES, NO, NO, NO, REF}, DNSLIST_REFUSES},
        {{REF, NO, NO, NO, NO}, DNSLIST_REFUSES},
        {{BAD, BAD, BAD, BAD, BAD}, DNSLIST_ANSWERS_WRONG}, /* a parked domain */
        {{YES, BAD, NO, NO, NO}, DNSLIST_ANSWERS_WRONG},
        {{BAD, NO, NO, NO, NO}, DNSLIST_ANSWERS_WRONG},
        {{OUT, OUT, OUT, OUT, OUT}, DNSLIST_UNANSWERED},
        {{FAIL, FAIL, FAIL, FAIL, FAIL}, DNSLIST_UNANSWERED},
        {{YES, OUT, NO, NO, NO}, DNSLIST_UNANSWERED}, /* nothing proves that it lists not all */
        {{YES, NO, NO, NO, FAIL}, DNSLIST_UNANSWERED},
        {{OUT, NO, NO, NO, NO}, DNSLIST_UNANSWERED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum dnslist_health health = dnslist_judge(rows[i].points);
        if (health != rows[i].health)
            fail_msg("row %zu: %s", i, dnslist_health_name(health));
        assert_memory_equal(dnslist_health_text(health), "it ", 3);
    }
}

/* All that any list can say about its points: good means the same each time. */
static void test_good_is_proven(void **state)
{
    (void)state;
    enum dnslist_class points[DNSLIST_POINTS] = {DNSLIST_NOT_LISTED};
    unsigned good = 0;
    for (unsigned n = 0; n < 7 * 7 * 7 * 7 * 7; n++) {
        unsigned rest = n;
        for (size_t i = 0; i < DNSLIST_POINTS; i++, rest /= 7)
            points[i] = (enum dnslist_class)(rest % 7);
        bool proven = (points[DNSLIST_TEST4] == YES || points[DNSLIST_TEST6] == YES) &&
                      points[DNSLIST_CLEAR4] == NO && points[DNSLIST_CLEAR_ANY] == NO &&
                      points[DNSLIST_CLEAR6] != YES;
        enum dnslist_health health = dnslist_judge(points);
        assert_int_equal(health == DNSLIST_GOOD, proven);
        assert_true(health != DNSLIST_UNCHECKED);
        good += proven;
    }
    assert_int_equal(good, 13 * 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_only_proper_answers_list),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_good_is_proven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
