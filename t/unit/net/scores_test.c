/* scores_test.c - files of reputation scores. */
#include "lib/net/scores.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/mono.h"
#include "t/unit/dice.h"
#include "t/unit/tables/table_file.h"

static struct scores *load(struct table_file *file, const char *content)
{
    table_file_new(file, slice_of(content));
    return scores_load(file->path, table_file_named(), &file->problems);
}

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_true(ip_parse(slice_of(text), &ip));
    return ip;
}

static void check(const struct scores *scores, const char *address, const char *expected)
{
    struct ip ip = ip_of(address);
    double score = 99;
    char found[32] = "none";
    if (scores_get(scores, &ip, &score))
        snprintf(found, sizeof found, "%.3f", score);
    if (strcmp(found, expected) != 0)
        fail_msg("%s: %s instead of %s", address, found, expected);
}

/* --- numbers -------------------------------------------------------------------------- */

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int value;
    } rows[] = {
        {"0", 0},          {"-0", 0},       {"0.0", 0},        {"10", 10000},   {"+10", 10000},
        {"10.000", 10000}, {"9.999", 9999}, {"-10.0", -10000}, {"-2.5", -2500}, {"1.25", 1250},
        {"07", 7000},      {"0.001", 1},    {"-0.001", -1},
    };
    static const char *const wrong[] = {
        "",     "-",       "+",      ".",   ".5",   "5.",  "10.001",
        "11",   "-10.001", "1.2345", "1,5", "1e1",  "- 1", "--1",
        "+-1",  "0x1",     "nan",    "inf", "none", "1 2", "99999999999999999999",
        "1.-1", "1.+1",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int value = 77777;
        if (!scores_parse(slice_of(rows[i].text), &value) || value != rows[i].value)
            fail_msg("%s: %d", rows[i].text, value);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        int value;
        if (scores_parse(slice_of(wrong[i]), &value))
            fail_msg("\"%s\" is %d", wrong[i], value);
    }
}

/* --- files ----------------------------------------------------------------------------- */

static void test_most_specific_wins(void **state)
{
    (void)state;
    struct table_file file;
    struct scores *scores = load(&file, "# scores\n"
                                        "192.0.2.0/24\t-2.5   # a network\n"
                                        "192.0.2.7 9.999\n"
                                        "192.0.2.0/25 1\n"
                                        "192.0.2.128/32 -10\n"
                                        "\n"
                                        "  2001:db8::/32   3.5\r\n"
                                        "2001:db8::7 -1\n"
                                        "::/0 0.5\n"
                                        "203.0.113.0/24 5\n"
                                        "203.0.113.0/24 4\n"
                                        "203.0.113.0/24 6\n"
                                        "::ffff:198.51.100.0/120 7");
    assert_string_equal(table_file_problems(&file), "");
    assert_non_null(scores);
    assert_int_equal(scores_count(scores), 11);
    check(scores, "192.0.2.0", "1.000");
    check(scores, "192.0.2.7", "9.999");
    check(scores, "::ffff:192.0.2.7", "9.999");
    check(scores, "192.0.2.127", "1.000");
    check(scores, "192.0.2.128", "-10.000");
    check(scores, "192.0.2.129", "-2.500");
    check(scores, "192.0.1.255", "none");
    check(scores, "192.0.3.0", "none");
    check(scores, "2001:db8::1", "3.500");
    check(scores, "2001:db8::7", "-1.000");
    check(scores, "2001:db9::", "0.500");
    check(scores, "203.0.113.9", "4.000"); /* written more than once: the lowest */
    check(scores, "198.51.100.255", "7.000");
    check(scores, "198.51.101.0", "none"); /* ::/0 is IPv6 only */
    scores_free(scores);
    table_file_done(&file);
}

static void test_mistakes(void **state)
{
    (void)state;
    struct table_file file;
    struct scores *scores = load(&file, "192.0.2.0/24 1\n"
                                        "192.0.2.0/33 1\n"
                                        "192.0.2.0/ 1\n"
                                        "192.0.2.0/-1 1\n"
                                        " 192.0.2 1\n"
                                        "mail.example.com 1\n"
                                        "2001:db8::/129 1\n"
                                        "::ffff:192.0.2.0/95 1\n"
                                        "192.0.2.1\n"
                                        "192.0.2.1 bad\n"
                                        "192.0.2.1 10.5\n"
                                        "192.0.2.1 1 2\n"
                                        "192.0.2.1/24 1\n"
                                        "192.0.2.1 \x01\n");
    assert_null(scores);
    assert_string_equal(
        table_file_problems(&file),
        "F:2:1: \"192.0.2.0/33\" is not a network; allowed: 192.0.2.0/24 or 2001:db8::/32\n"
        "F:3:1: \"192.0.2.0/\" is not a network; allowed: 192.0.2.0/24 or 2001:db8::/32\n"
        "F:4:1: \"192.0.2.0/-1\" is not a network; allowed: 192.0.2.0/24 or 2001:db8::/32\n"
        "F:5:2: \"192.0.2\" is not a network; allowed: 192.0.2.0/24 or 2001:db8::/32\n"
        "F:6:1: \"mail.example.com\" is not a network; allowed: 192.0.2.0/24 or 2001:db8::/32\n"
        "F:7:1: \"2001:db8::/129\" is not a network; allowed: 192.0.2.0/24 or 2001:db8::/32\n"
        "F:8:1: \"::ffff:192.0.2.0/95\" is not a network; allowed: 192.0.2.0/24 or 2001:db8::/32\n"
        "F:9:1: \"192.0.2.1\" has no score; allowed: a network, a blank and a score\n"
        "F:10:11: \"bad\" is not a score; allowed: -10.0 to 10.0, three decimals at most\n"
        "F:11:11: \"10.5\" is not a score; allowed: -10.0 to 10.0, three decimals at most\n"
        "F:12:11: \"1 2\" is not a score; allowed: -10.0 to 10.0, three decimals at most\n"
        "F:13:1: warning: bits after the prefix length are set; they are ignored\n"
        "F:14:11: control byte 0x01; allowed: text and tabs\n");
    table_file_done(&file);
}

static void test_empty_and_missing(void **state)
{
    (void)state;
    struct table_file file;
    struct scores *scores = load(&file, "# nothing\n");
    assert_non_null(scores);
    assert_int_equal(scores_count(scores), 0);
    check(scores, "192.0.2.1", "none");
    scores_free(scores);
    assert_null(scores_load("/nonexistent/scores", table_file_named(), &file.problems));
    assert_int_equal(file.problems.errors, 1);
    table_file_done(&file);
    scores_free(NULL);
}

/* --- against a plain loop ----------------------------------------------------------------- */

#define NETWORKS 60

struct network {
    struct ip ip;
    unsigned bits;
    int score;
};

static bool reference(const struct network *networks, const struct ip *ip, double *score_out)
{
    const struct network *best = NULL;
    for (size_t i = 0; i < NETWORKS; i++) {
        const struct network *network = &networks[i];
        struct ip a = ip_masked(ip, network->bits), b = ip_masked(&network->ip, network->bits);
        if (ip_is_v4(ip) != ip_is_v4(&network->ip) || !ip_equal(&a, &b))
            continue;
        if (best == NULL || network->bits > best->bits ||
            (network->bits == best->bits && network->score < best->score))
            best = network;
    }
    *score_out = best != NULL ? (double)best->score / SCORES_UNIT : 0;
    return best != NULL;
}

/* Few different addresses, so that networks nest. */
static struct ip random_ip(struct dice *dice)
{
    struct ip ip = ip_from_v4(0xc0000200 + dice_below(dice, 512));
    if (dice_below(dice, 2) == 0) {
        ip = ip_of("2001:db8::");
        ip.b[5] = (uint8_t)dice_below(dice, 2);
        ip.b[15] = (uint8_t)dice_below(dice, 256);
    }
    return ip;
}

static void test_against_a_plain_loop(void **state)
{
    (void)state;
    struct dice dice = dice_start(0);
    for (int round = 0; round < 50; round++) {
        struct network networks[NETWORKS];
        struct strbuf content;
        struct table_file file;
        strbuf_init(&content);
        for (size_t i = 0; i < NETWORKS; i++) {
            struct network *n = &networks[i];
            char text[IP_TEXT_MAX];
            struct ip ip = random_ip(&dice);
            unsigned most = ip_is_v4(&ip) ? 32 : 128;
            n->bits = most - dice_below(&dice, 12) * (dice_below(&dice, 8) == 0 ? 5 : 1);
            if (n->bits > most)
                n->bits = 0;
            n->ip = ip_masked(&ip, n->bits);
            n->score = (int)dice_below(&dice, 2 * SCORES_MOST + 1) - SCORES_MOST;
            strbuf_printf(&content, "%s/%u %s%d.%03d\n", ip_text(&n->ip, text), n->bits,
                          n->score < 0 ? "-" : "", abs(n->score) / 1000, abs(n->score) % 1000);
        }
        struct scores *scores = load(&file, strbuf_text(&content));
        assert_string_equal(table_file_problems(&file), "");
        for (int i = 0; i < 500; i++) {
            struct ip ip = random_ip(&dice);
            double expected, found = 0;
            bool there = reference(networks, &ip, &expected);
            assert_int_equal(scores_get(scores, &ip, &found), there);
            assert_true(expected - found < 1e-9 && found - expected < 1e-9);
        }
        scores_free(scores);
        table_file_done(&file);
        strbuf_done(&content);
    }
}

static void test_a_million_networks(void **state)
{
    (void)state;
    struct strbuf content;
    struct table_file file;
    strbuf_init(&content);
    for (unsigned i = 0; i < 1000000; i++) {
        unsigned n = (unsigned)(i * 7919ULL % 1000000);
        strbuf_printf(&content, "%u.%u.%u.0/24 %d.%u\n", 10 + n / 65536, n / 256 % 256, n % 256,
                      (int)(n % 19) - 9, n % 10);
    }
    mono_us began = mono_now();
    struct scores *scores = load(&file, strbuf_text(&content));
    print_message("# loaded in %d ms\n", (int)((mono_now() - began) / 1000));
    assert_string_equal(table_file_problems(&file), "");
    assert_non_null(scores);
    assert_int_equal(scores_count(scores), 1000000);
    check(scores, "9.255.255.255", "none");
    check(scores, "10.0.0.255", "-9.000");
    check(scores, "10.0.1.0", "-8.100");
    check(scores, "25.66.63.1", "1.900"); /* the last */
    check(scores, "25.66.64.1", "none");
    scores_free(scores);
    table_file_done(&file);
    strbuf_done(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_most_specific_wins),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_empty_and_missing),
        cmocka_unit_test(test_against_a_plain_loop),
        cmocka_unit_test(test_a_million_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
