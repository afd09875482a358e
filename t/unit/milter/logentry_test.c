/* logentry_test.c - lines of the log, read back, and those that are none of ours. */
#include "milter/logentry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "lib/base/log.h"
#include "lib/base/mono.h"

#define NOW 1796127000 /* 2026-12-01T11:30:00Z */

static bool parse(const char *line, struct logentry *entry)
{
    static struct logentry_clock clock = {.now = NOW};
    return logentry_parse(slice_of(line), &clock, entry);
}

static void expect_pair(const struct logentry *entry, const char *key, const char *value)
{
    struct slice found = logentry_get(entry, key);
    if (!slice_is(found, value))
        fail_msg("%s: \"%.*s\", not \"%s\"", key, (int)found.n, found.p, value);
}

/* --- what stands before ------------------------------------------------------------------ */

static const struct {
    const char *line;
    int64_t when; /* milliseconds; -1: none */
} prefixes[] = {
    {"icid=7 event=close", -1},
    {"2026-12-01T11:00:00.250Z info icid=7 event=close", 1796122800250},
    {"2026-12-01T11:00:00Z error icid=7 event=close", 1796122800000},
    {"Dec  1 11:00:00 mx gatehoused[17]: icid=7 event=close", 1796122800000},
    {"Dec 01 11:00:00 mx gatehoused[17]: icid=7 event=close", 1796122800000},
    {"Dec  2 11:00:00 mx gatehoused[17]: icid=7 event=close", 1796209200000}, /* a day from now */
    {"Dec  4 11:00:00 mx gatehoused[17]: icid=7 event=close", 1764846000000}, /* last year */
    {"Feb 29 11:00:00 mx gatehoused[17]: icid=7 event=close", 1709204400000}, /* 2024 */
    {"2026-12-01T12:00:00.250+01:00 mx gatehoused[17]: icid=7 event=close", 1796122800250},
    {"2026-12-01T06:00:00.250123-0500 mx gatehoused[17]: icid=7 event=close", 1796122800250},
    {"2026-12-01T11:00:00+0000 mx gatehoused[17]: 2026-12-01T10:59:59.000Z info icid=7 event=close",
     1796122799000},
    {"2026-12-01T11:00:00Z gatehoused[17]: icid=7 event=close", 1796122800000},
};

static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        struct logentry entry;
        if (!parse(prefixes[i].line, &entry))
            fail_msg("%s", prefixes[i].line);
        assert_int_equal(entry.icid, 7);
        int64_t ms = entry.when == LOGENTRY_NO_TIME ? -1 : entry.when / MONO_MS(1);
        if (ms != prefixes[i].when)
            fail_msg("%s: %lld", prefixes[i].line, (long long)ms);
    }
}

static const char *const foreign[] = {
    "",
    "icid=",
    "icid=7",
    "icid=7 ",
    "icid=7  event=close",
    "icid=7 event=close ",
    "icid=x event=close",
    "icid=18446744073709551616 event=close",
    "icid=7 event=close mid=-1",
    "icid=7 event=close event=connect",
    "icid=7 icid=8 event=close",
    "mid=7 event=close",
    "event=",
    "icid=7 event=mail from=",
    "icid=7 event=mail from=\"a",
    "icid=7 event=mail from=\"a\\\"",
    "icid=7 event=mail from=\"a\"b",
    "icid=7 event=mail from=a\"b\"",
    "icid=7 event=mail from=\"a\tb\"",
    "icid=7 event=mail From=a",
    "icid=7 event=close\r",
    "icid 7 event=close",
    "2026-12-01T11:00:00.250Z icid=7 event=close",
    "2026-12-01T11:00:00.250Z notice icid=7 event=close",
    "2026-12-01T11:00:00.250 info icid=7 event=close",
    "2026-13-01T11:00:00.250Z info icid=7 event=close",
    "2026-12-01T11:00:00.Z info icid=7 event=close",
    "Dec  1 11:00:00 mx postfix/smtpd[17]: icid=7 event=close",
    "Dec  1 11:00:00 mx gatehoused[x]: icid=7 event=close",
    "Dec  1 11:00:00 mx gatehoused[17] icid=7 event=close",
    "Dec 32 11:00:00 mx gatehoused[17]: icid=7 event=close",
    "Dec  1 11:00:00 mx postfix/smtpd[17]: NOQUEUE: helo=<icid=7 event=close>",
    "Dec  1 11:00:00 mx rsyslogd: gatehoused[17]: icid=7 event=close",
};

static void test_foreign(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        struct logentry entry;
        if (parse(foreign[i], &entry))
            fail_msg("%s", foreign[i]);
    }
}

/* --- what log.h writes is read ------------------------------------------------------------ */

static char written[LOG_LINE_MAX + 1];

static void catch_line(const char *line, void *arg)
{
    (void)arg;
    snprintf(written, sizeof written, "%s", line);
}

static void test_what_is_written(void **state)
{
    static const char *const values[] = {
        "",
        "plain",
        "two words",
        "<joe@example.com>",
        "\"quoted\" \\ back",
        "a=b",
        "icid=9 event=close verdict=accept",
        "\" verdict=accept by=\"rat",
        "line\r\nicid=9 event=close",
        "\x01\x7f",
        "caf\xc3\xa9 \xff",
        "ends in \\",
    };
    (void)state;
    log_capture(catch_line, NULL);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct logline line;
        struct logentry entry;
        struct strbuf own;
        log_begin(&line, LOG_AT_INFO);
        log_uint(&line, "icid", 7);
        log_word(&line, "event", "rcpt");
        log_text(&line, "to", slice_of(values[i]));
        log_quoted(&line, "said", slice_of(values[i]));
        log_word(&line, "verdict", "reject");
        log_end(&line);
        if (!parse(written, &entry))
            fail_msg("%s", written);
        assert_int_equal(entry.icid, 7);
        assert_int_equal(entry.n, 5);
        expect_pair(&entry, "verdict", "reject");
        for (int k = 0; k < 2; k++) {
            strbuf_init(&own);
            assert_true(logentry_unescape(logentry_get(&entry, k == 0 ? "to" : "said"), &own));
            assert_int_equal(own.n, strlen(values[i]));
            assert_memory_equal(strbuf_text(&own), values[i], own.n);
            strbuf_done(&own);
        }
    }
    log_capture(NULL, NULL);
}

static void test_parts(void **state)
{
    struct logentry entry;
    (void)state;
    assert_true(parse("icid=7 mid=8 rid=2 event=rcpt ip=192.0.2.1 said=\"a b\"", &entry));
    assert_int_equal(entry.mid, 8);
    assert_int_equal(entry.rid, 2);
    assert_true(slice_is(entry.event, "rcpt"));
    assert_true(logentry_is(&entry, "ip", "192.0.2.1"));
    expect_pair(&entry, "said", "a b");
    expect_pair(&entry, "none", "");
    assert_true(parse("event=start detail=\"gatehoused 1\"", &entry));
    assert_int_equal(entry.icid, 0);
}

/* Every line cut anywhere is read without harm, and is none or a whole one. */
static void test_cut(void **state)
{
    static const char line[] =
        "Dec  1 11:00:00 mx gatehoused[17]: icid=7 event=mail from=\"a \\\" b\"";
    (void)state;
    for (size_t n = 0; n < sizeof line - 1; n++) {
        struct logentry_clock clock = {.now = NOW};
        struct logentry entry;
        char *copy = malloc(n + 1);
        memcpy(copy, line, n);
        if (logentry_parse((struct slice){copy, n}, &clock, &entry))
            assert_true(entry.event.n > 0 && entry.n >= 2);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_what_is_written),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_cut),
    };
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
