/* reputation_test.c - values of [reputation]: sources, the map, owners in TXT. */
#include "lib/net/reputation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define ALL_KINDS                                                                                  \
    (1U << REPUTATION_FROM_FILE | 1U << REPUTATION_FROM_DNS | 1U << REPUTATION_FROM_MMDB)

static void test_sources(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum reputation_kind kind;
        const char *path, *zone;
    } rows[] = {
        {"none", REPUTATION_NOWHERE, NULL, ""},
        {"file:scores", REPUTATION_FROM_FILE, "scores", ""},
        {"file:/a b/c", REPUTATION_FROM_FILE, "/a b/c", ""},
        {"dns:Score.Example.", REPUTATION_FROM_DNS, NULL, "score.example"},
        {"mmdb:asn.mmdb", REPUTATION_FROM_MMDB, "asn.mmdb", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reputation_source source;
        struct err err;
        assert_true(reputation_parse_source(rows[i].text, ALL_KINDS, &source, &err));
        assert_int_equal(source.kind, rows[i].kind);
        assert_string_equal(source.zone, rows[i].zone);
        if (rows[i].path == NULL)
            assert_null(source.path);
        else
            assert_string_equal(source.path, rows[i].path);
    }
}

static void test_wrong_sources(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned allowed;
        const char *error;
    } rows[] = {
        {"", ALL_KINDS,
         "\"\" is not a source; allowed: none or file:PATH or dns:ZONE or mmdb:PATH"},
        {"yes", 1U << REPUTATION_FROM_MMDB, "\"yes\" is not a source; allowed: none or mmdb:PATH"},
        {"file:", 1U << REPUTATION_FROM_FILE,
         "\"file:\" is not a source; allowed: none or file:PATH"},
        {"file:x", 1U << REPUTATION_FROM_DNS,
         "\"file:x\" is not a source; allowed: none or dns:ZONE"},
        {"None", 1U << REPUTATION_FROM_DNS, "\"None\" is not a source; allowed: none or dns:ZONE"},
        {"dns:a b", ALL_KINDS,
         "\"a b\" is not the name of a DNS zone; allowed: a name as list.example"},
        {"dns:a..b", ALL_KINDS,
         "\"a..b\" is not the name of a DNS zone; allowed: a name as list.example"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reputation_source source = {.kind = REPUTATION_FROM_FILE, .path = "x"};
        struct err err;
        assert_false(reputation_parse_source(rows[i].text, rows[i].allowed, &source, &err));
        assert_string_equal(err.text, rows[i].error);
        assert_int_equal(source.kind, REPUTATION_NOWHERE);
    }
}

static double score_of(const char *map_text, const char *answer)
{
    struct reputation_map map;
    struct err err;
    struct ip ip;
    double score = 99;
    if (!reputation_parse_map(map_text, &map, &err))
        fail_msg("%s", err.text);
    assert_true(ip_parse(slice_of(answer), &ip));
    return reputation_map_score(&map, &ip, &score) ? score : 99;
}

static void test_map(void **state)
{
    (void)state;
    static const struct {
        const char *map, *answer;
        double score; /* 99: none */
    } rows[] = {
        {"127.0.4.0-100 -> -10..10", "127.0.4.0", -10},
        {"127.0.4.0-100 -> -10..10", "127.0.4.100", 10},
        {"127.0.4.0-100 -> -10..10", "127.0.4.50", 0},
        {"127.0.4.0-100 -> -10..10", "127.0.4.25", -5},
        {"127.0.4.0-100 -> -10..10", "127.0.4.101", 99},
        {"127.0.4.0-100 -> -10..10", "127.0.3.50", 99},
        {"127.0.4.0-100 -> -10..10", "127.1.4.50", 99},
        {"127.0.4.0-100 -> -10..10", "192.0.2.50", 99},
        {"127.0.4.0-100 -> -10..10", "::4:32", 99},
        {"127.0.4.10-20->-10.0..10.0", "127.0.4.9", 99},
        {"127.0.4.10-20->-10.0..10.0", "127.0.4.10", -10},
        {"127.0.4.10-20->-10.0..10.0", "127.0.4.20", 10},
        {"127.0.4.10-20->-10.0..10.0", "127.0.4.21", 99},
        {"127.0.0.0-255 -> 10..-10", "127.0.0.0", 10},
        {"127.0.0.0-255 -> 10..-10", "127.0.0.255", -10},
        {"127.0.0.1-2 -> -2.5 .. -1.5", "127.0.0.1", -2.5},
        {"127.0.0.1-2 -> -2.5 .. -1.5", "127.0.0.2", -1.5},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double score = score_of(rows[i].map, rows[i].answer);
        if (score - rows[i].score > 1e-9 || rows[i].score - score > 1e-9)
            fail_msg("%s, %s: %f", rows[i].map, rows[i].answer, score);
    }
}

static void test_wrong_maps(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "127.0.4.0-100",
        "127.0.4.0-100 ->",
        "-> -10..10",
        "127.0.4.0-256 -> -10..10",
        "127.0.4.100-0 -> -10..10",
        "127.0.4.7-7 -> -10..10",
        "127.0.4.7 -> -10..10",
        "127.0.4 -> -10..10",
        "127.0.4.0.0-100 -> -10..10",
        "127.0.256.0-100 -> -10..10",
        "126.0.4.0-100 -> -10..10",
        "0.4.0-100 -> -10..10",
        "127.0.4.0-100 -> -11..10",
        "127.0.4.0-100 -> -10..10.5",
        "127.0.4.0-100 -> 1..1",
        "127.0.4.0-100 -> -10.10",
        "127.0.4.0-100 -> -10 10",
        "127.0.4.0-100 -> -10..10..10",
        "127.0.4.0-100 -> -10..10 more",
        "127.0.4.0-100 = -10..10",
        "a.b.c.0-100 -> -10..10",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reputation_map map = {.low = 77};
        struct err err;
        if (reputation_parse_map(rows[i], &map, &err))
            fail_msg("\"%s\" is a map", rows[i]);
        assert_int_equal(map.low, 77);
        assert_non_null(strstr(err.text, "is not a map; allowed: 127.A.B.LOW-HIGH -> FROM..TO"));
    }
}

static void test_owners(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t owner;
    } rows[] = {
        {"23028 | 216.90.108.0/24 | US | arin | 1998-09-25", 23028},
        {"AS64500", 64500},
        {"4294967295", 4294967295U},
        {"4294967296", 0},
        {"99999999999999999999999999999999", 0},
        {"", 0},
        {"none", 0},
        {"0", 0},
        {"-5", 5},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(reputation_owner_of_text(rows[i].text), rows[i].owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources), cmocka_unit_test(test_wrong_sources),
        cmocka_unit_test(test_map),     cmocka_unit_test(test_wrong_maps),
        cmocka_unit_test(test_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
