/* journal_test.c - the decision lines of the log, byte by byte (lib/gate/journal.h). */
#include "lib/gate/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/base/str.h"

static char line[LOG_LINE_MAX + 1];
static unsigned lines;

static void keep_line(const char *text, void *arg)
{
    (void)arg;
    snprintf(line, sizeof line, "%s", text);
    lines++;
}

static int begin(void **state)
{
    (void)state;
    lines = 0;
    line[0] = '\0';
    log_set_level(LOG_AT_INFO);
    log_capture(keep_line, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    log_capture(NULL, NULL);
    return 0;
}

#define LINE_IS(want)                                                                              \
    do {                                                                                           \
        assert_string_equal(line, want);                                                           \
        assert_int_equal(lines, 1);                                                                \
        lines = 0;                                                                                 \
    } while (0)

/* --- facts to begin with -------------------------------------------------------- */

static const struct listener_keys inbound_keys = {.daemon_name = ""};
static const struct listener inbound = {.name = "inbound", .keys = &inbound_keys};
static const struct policy throttled = {.name = "THROTTLED", .keys = {.access = POLICY_ACCEPT}};

static struct conn_facts suspect(void)
{
    struct conn_facts conn = {
        .icid = 17,
        .listener = &inbound,
        .host = {.class = HOST_VERIFIED, .name = "mail.example.net"},
        .match = {.group = "SUSPECTLIST", .entry = "sbrs[none]"},
        .policy = &throttled,
    };
    assert_true(ip_parse(slice_of("192.0.2.9"), &conn.client));
    return conn;
}

static struct mail_facts message(void)
{
    return (struct mail_facts){
        .mid = 40,
        .sent = slice_of("<a@b>"),
        .queue_id = "",
        .from = {.kind = MAILADDR_DOMAIN, .local = "a", .domain = "b", .text = "a@b", .key = "a@b"},
    };
}

static struct rcpt_facts recipient(void)
{
    return (struct rcpt_facts){
        .rid = 2,
        .sent = slice_of("<C@D>"),
        .to = {.kind = MAILADDR_DOMAIN, .local = "c", .domain = "d", .text = "c@d", .key = "c@d"},
    };
}

static struct verdict because(enum reason reason)
{
    struct verdict verdict;
    verdict_set(&verdict, reason);
    return verdict;
}

/* --- connect -------------------------------------------------------------------- */

static void connect_line_of_the_specification(void **state)
{
    struct conn_facts conn = suspect();
    struct verdict verdict = because(REASON_ACCEPTED);
    (void)state;
    journal_connect(&conn, &verdict);
    LINE_IS("icid=17 event=connect listener=inbound ip=192.0.2.9 host=mail.example.net "
            "verified=yes group=SUSPECTLIST entry=\"sbrs[none]\" policy=THROTTLED access=accept "
            "score=none verdict=accept by=hat detail=accepted ms=0");
}

static void connect_line_of_a_refusal_names_its_rule(void **state)
{
    static const struct policy blocked = {.name = "BLOCKED", .keys = {.access = POLICY_REJECT}};
    struct conn_facts conn = suspect();
    struct verdict verdict = because(REASON_HAT_REJECTED);
    (void)state;
    conn.policy = &blocked;
    conn.match = (struct hat_match){.group = NULL, .entry = "ALL"};
    verdict.rule = (struct place){.file = "/etc/gatehouse/gatehouse.conf", .line = 31};
    verdict.ms = 12;
    journal_connect(&conn, &verdict);
    LINE_IS("icid=17 event=connect listener=inbound ip=192.0.2.9 host=mail.example.net "
            "verified=yes group=None entry=\"ALL\" policy=BLOCKED access=reject score=none "
            "verdict=reject code=554 status=5.7.1 by=hat detail=rejected ms=12 "
            "rule=/etc/gatehouse/gatehouse.conf:31");
}

static const struct {
    enum host_class class;
    const char *name, *host, *why;
} hosts[] = {
    {HOST_NO_PTR, "", "\"\"", "no_ptr"},
    {HOST_PTR_TEMPFAIL, "", "\"\"", "ptr_tempfail"},
    {HOST_PTR_MISMATCH, "forged.example", "forged.example", "ptr_mismatch"},
    {HOST_UNKNOWN, "", "\"\"", "not_looked_up"},
};

static void connect_line_says_what_the_mta_told(void **state)
{
    struct conn_facts conn = suspect();
    struct verdict verdict = because(REASON_ACCEPTED);
    (void)state;
    conn.host = (struct host_answer){.class = HOST_NO_PTR};
    conn.mta_name_malformed = true;
    journal_connect(&conn, &verdict);
    LINE_IS("icid=17 event=connect listener=inbound ip=192.0.2.9 host=\"\" verified=no "
            "group=SUSPECTLIST entry=\"sbrs[none]\" policy=THROTTLED access=accept score=none "
            "verdict=accept by=hat detail=accepted ms=0 why=no_host_name");
    conn.host.class = HOST_UNKNOWN;
    conn.no_address = true;
    journal_connect(&conn, &verdict);
    LINE_IS("icid=17 event=connect listener=inbound ip=unknown host=\"\" verified=no "
            "group=SUSPECTLIST entry=\"sbrs[none]\" policy=THROTTLED access=accept score=none "
            "verdict=accept by=hat detail=accepted ms=0 why=not_looked_up");
}

/* The keys of SPEC 13 come first and together; why=, rule= and the like follow. */
static void connect_line_says_why_a_name_is_not_verified(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct conn_facts conn = suspect();
        struct verdict verdict = because(REASON_ACCEPTED);
        char want[512];
        conn.host.class = hosts[i].class;
        snprintf(conn.host.name, sizeof conn.host.name, "%s", hosts[i].name);
        journal_connect(&conn, &verdict);
        snprintf(want, sizeof want,
                 "icid=17 event=connect listener=inbound ip=192.0.2.9 host=%s verified=no "
                 "group=SUSPECTLIST entry=\"sbrs[none]\" policy=THROTTLED access=accept score=none "
                 "verdict=accept by=hat detail=accepted ms=0 why=%s",
                 hosts[i].host, hosts[i].why);
        LINE_IS(want);
    }
}

static void connect_line_without_listener(void **state)
{
    struct conn_facts conn = {.icid = 1, .host = {.class = HOST_UNKNOWN}};
    struct verdict verdict = because(REASON_NO_LISTENER);
    (void)state;
    assert_true(ip_parse(slice_of("2001:db8::1"), &conn.client));
    journal_connect(&conn, &verdict);
    LINE_IS("icid=1 event=connect listener=\"\" ip=2001:db8::1 host=\"\" verified=no "
            "verdict=tempfail code=451 status=4.3.5 by=listener detail=no_listener ms=0 "
            "why=not_looked_up");
}

static const struct {
    bool known, none;
    double score;
    const char *want;
} scores[] = {
    {false, false, 3, " score=none "},   {true, true, 3, " score=none "},
    {true, false, -10, " score=-10.0 "}, {true, false, 10, " score=10.0 "},
    {true, false, 0, " score=0.0 "},     {true, false, -2.25, " score=-2.2 "},
};

static void scores_have_one_decimal(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scores); i++) {
        struct conn_facts conn = suspect();
        struct verdict verdict = because(REASON_ACCEPTED);
        conn.score_known = scores[i].known;
        conn.score_none = scores[i].none;
        conn.score = scores[i].score;
        journal_connect(&conn, &verdict);
        assert_non_null(strstr(line, scores[i].want));
    }
}

/* --- mail, rcpt ------------------------------------------------------------------- */

static void mail_lines(void **state)
{
    struct conn_facts conn = suspect();
    struct mail_facts mail = message();
    struct verdict verdict = because(REASON_ACCEPTED);
    (void)state;
    journal_mail(&conn, &mail, &verdict);
    LINE_IS("icid=17 mid=40 event=mail listener=inbound ip=192.0.2.9 from=<a@b> verdict=accept "
            "by=hat detail=accepted ms=0");

    verdict = because(REASON_TOO_MANY_MESSAGES);
    mail.queue_id = "4Zk1";
    journal_mail(&conn, &mail, &verdict);
    LINE_IS("icid=17 mid=40 event=mail listener=inbound ip=192.0.2.9 from=<a@b> verdict=tempfail "
            "code=421 status=4.4.5 by=limit "
            "detail=too_many_messages ms=0 qid=4Zk1");
}

static void null_sender_and_unparsed_sender(void **state)
{
    struct conn_facts conn = suspect();
    struct mail_facts mail = message();
    struct verdict verdict = because(REASON_ACCEPTED);
    (void)state;
    mail.from = (struct mailaddr){.kind = MAILADDR_NULL, .local = "", .text = "", .key = ""};
    journal_mail(&conn, &mail, &verdict);
    LINE_IS("icid=17 mid=40 event=mail listener=inbound ip=192.0.2.9 from=<> verdict=accept by=hat "
            "detail=accepted ms=0");

    verdict = because(REASON_SENDER_SYNTAX);
    mail.from.text = NULL;
    mail.sent = slice_of("<joe doe\"\\>\r\nevent=close\x1b[0m\xff");
    journal_mail(&conn, &mail, &verdict);
    LINE_IS("icid=17 mid=40 event=mail listener=inbound ip=192.0.2.9 "
            "from=\"<joe doe\\\"\\\\>\\x0d\\x0aevent=close\\x1b[0m\\xff\" "
            "verdict=reject code=501 status=5.1.7 by=parse detail=sender_syntax ms=0");

    mail.sent = (struct slice){NULL, 0};
    journal_mail(&conn, &mail, &verdict);
    LINE_IS("icid=17 mid=40 event=mail listener=inbound ip=192.0.2.9 from=\"\" verdict=reject "
            "code=501 status=5.1.7 by=parse "
            "detail=sender_syntax ms=0");
}

static void rcpt_line_of_the_specification(void **state)
{
    struct conn_facts conn = suspect();
    struct mail_facts mail = message();
    struct rcpt_facts rcpt = recipient();
    struct verdict verdict = because(REASON_USER_UNKNOWN);
    (void)state;
    verdict.asked = true;
    verdict.server = "10.0.0.5:25";
    verdict.remote = "no such user";
    verdict.ms = 12;
    journal_rcpt(&conn, &mail, &rcpt, &verdict);
    LINE_IS("icid=17 mid=40 rid=2 event=rcpt listener=inbound ip=192.0.2.9 from=<a@b> to=<c@d> "
            "verdict=reject code=550 "
            "status=5.1.1 by=callahead detail=user_unknown server=10.0.0.5:25 cached=no ms=12 "
            "said=\"no such user\"");
}

static void rcpt_line_with_all_there_is(void **state)
{
    struct conn_facts conn = suspect();
    struct mail_facts mail = message();
    struct rcpt_facts rcpt = recipient();
    struct verdict verdict = because(REASON_CALLAHEAD_TEMPORARY);
    (void)state;
    mail.queue_id = "4Zk1 x";
    verdict.asked = verdict.cached = true;
    verdict.server = "[2001:db8::5]:25";
    verdict.remote = "later\x1b \"please\"";
    verdict.rule = (struct place){.file = "/tables/my rat", .line = 3, .column = 7};
    journal_rcpt(&conn, &mail, &rcpt, &verdict);
    LINE_IS("icid=17 mid=40 rid=2 event=rcpt listener=inbound ip=192.0.2.9 from=<a@b> to=<c@d> "
            "verdict=tempfail code=451 "
            "status=4.2.1 by=callahead detail=temporary server=[2001:db8::5]:25 cached=yes ms=0 "
            "rule=\"/tables/my rat:3\" qid=\"4Zk1 x\" said=\"later\\x1b \\\"please\\\"\"");
}

static void rcpt_lines_that_asked_nobody(void **state)
{
    struct conn_facts conn = suspect();
    struct mail_facts mail = message();
    struct rcpt_facts rcpt = recipient();
    struct verdict verdict = because(REASON_RAT_REJECTED);
    (void)state;
    verdict.rule = (struct place){.file = "rat", .line = 9, .column = 1};
    journal_rcpt(&conn, &mail, &rcpt, &verdict);
    LINE_IS("icid=17 mid=40 rid=2 event=rcpt listener=inbound ip=192.0.2.9 from=<a@b> to=<c@d> "
            "verdict=reject code=550 "
            "status=5.1.0 by=rat detail=rat_reject ms=0 rule=rat:9");

    verdict = because(REASON_RECIPIENT_SYNTAX);
    rcpt.to.text = NULL;
    journal_rcpt(&conn, &mail, &rcpt, &verdict);
    LINE_IS("icid=17 mid=40 rid=2 event=rcpt listener=inbound ip=192.0.2.9 from=<a@b> to=<C@D> "
            "verdict=reject code=501 "
            "status=5.1.3 by=parse detail=recipient_syntax ms=0");
}

/* What a server that says yes adds is of no interest; who it was is. */
static void rcpt_line_of_a_valid_recipient(void **state)
{
    struct conn_facts conn = suspect();
    struct mail_facts mail = message();
    struct rcpt_facts rcpt = recipient();
    struct verdict verdict = because(REASON_CALLAHEAD_VALID);
    (void)state;
    verdict.asked = true;
    verdict.server = "10.0.0.5:25";
    verdict.remote = "Ok";
    journal_rcpt(&conn, &mail, &rcpt, &verdict);
    LINE_IS("icid=17 mid=40 rid=2 event=rcpt listener=inbound ip=192.0.2.9 from=<a@b> to=<c@d> "
            "verdict=accept by=callahead "
            "detail=valid server=10.0.0.5:25 cached=no ms=0");

    verdict = because(REASON_CALLAHEAD_FAILED);
    verdict.asked = true;
    journal_rcpt(&conn, &mail, &rcpt, &verdict);
    LINE_IS("icid=17 mid=40 rid=2 event=rcpt listener=inbound ip=192.0.2.9 from=<a@b> to=<c@d> "
            "verdict=tempfail code=451 "
            "status=4.4.3 by=callahead detail=failure server=\"\" cached=no ms=0");
}

/* mode = monitor: what is said, and what would have been. */
static void monitor_lines_say_what_would_be(void **state)
{
    struct conn_facts conn = suspect();
    struct mail_facts mail = message();
    struct rcpt_facts rcpt = recipient();
    struct verdict verdict = because(REASON_RAT_REJECTED);
    (void)state;
    conn.monitor = true;
    journal_rcpt(&conn, &mail, &rcpt, &verdict);
    LINE_IS("icid=17 mid=40 rid=2 event=rcpt listener=inbound ip=192.0.2.9 from=<a@b> to=<c@d> "
            "verdict=accept would=reject "
            "code=550 status=5.1.0 by=rat detail=rat_reject ms=0");
    verdict = because(REASON_TOO_MANY_MESSAGES);
    journal_mail(&conn, &mail, &verdict);
    LINE_IS("icid=17 mid=40 event=mail listener=inbound ip=192.0.2.9 from=<a@b> verdict=accept "
            "would=tempfail code=421 "
            "status=4.4.5 by=limit detail=too_many_messages ms=0");
    verdict = because(REASON_RAT_ACCEPTED);
    journal_rcpt(&conn, &mail, &rcpt, &verdict);
    LINE_IS("icid=17 mid=40 rid=2 event=rcpt listener=inbound ip=192.0.2.9 from=<a@b> to=<c@d> "
            "verdict=accept by=rat "
            "detail=rat_accept ms=0");
}

/* --- end of message, close ---------------------------------------------------------- */

static void eom_and_close_lines(void **state)
{
    struct conn_facts conn = suspect();
    struct mail_facts mail = message();
    struct verdict verdict = because(REASON_ACCEPTED);
    struct journal_totals totals = {.messages = 1, .accepted = 2, .refused = 3, .ms = 4};
    (void)state;
    mail.recipients = 2;
    mail.queue_id = "4Zk1";
    mail.received = 1234;
    journal_eom(&conn, &mail, &verdict);
    LINE_IS("icid=17 mid=40 event=eom listener=inbound ip=192.0.2.9 from=<a@b> recipients=2 "
            "bytes=1234 verdict=accept by=hat "
            "detail=accepted qid=4Zk1");

    verdict = because(REASON_SIZE_RECEIVED);
    mail.received = UINT64_MAX;
    mail.forged = 2;
    journal_eom(&conn, &mail, &verdict);
    LINE_IS("icid=17 mid=40 event=eom listener=inbound ip=192.0.2.9 from=<a@b> recipients=2 "
            "bytes=18446744073709551615 "
            "verdict=reject code=552 status=5.3.4 by=size detail=size_received qid=4Zk1 forged=2");

    journal_close(&conn, &totals);
    LINE_IS(
        "icid=17 event=close listener=inbound ip=192.0.2.9 messages=1 accepted=2 refused=3 ms=4");

    journal_trouble(&conn, "reply", "libmilter refused \"550\"\n");
    LINE_IS("icid=17 event=reply listener=inbound ip=192.0.2.9 "
            "detail=\"libmilter refused \\\"550\\\"\\x0a\"");
}

/* --- hostile values --------------------------------------------------------------- */

static void foreign_values_cannot_forge_a_line(void **state)
{
    struct conn_facts conn = suspect();
    struct verdict verdict = because(REASON_ACCEPTED);
    (void)state;
    snprintf(conn.host.name, sizeof conn.host.name, "a b=\"c\"\n\x01\x80.example");
    conn.match.group = "G 1";
    conn.match.entry = "x=y";
    journal_connect(&conn, &verdict);
    LINE_IS("icid=17 event=connect listener=inbound ip=192.0.2.9 "
            "host=\"a b=\\\"c\\\"\\x0a\\x01\\x80.example\" verified=yes group=\"G 1\" "
            "entry=\"x=y\" policy=THROTTLED access=accept score=none verdict=accept by=hat "
            "detail=accepted ms=0");
}

/* Values are cut; the keys behind them are all there. */
static void long_values_are_cut_and_the_line_goes_on(void **state)
{
    static char address[1000], sent[5000];
    struct conn_facts conn = suspect();
    struct mail_facts mail = message();
    struct rcpt_facts rcpt = recipient();
    struct verdict verdict = because(REASON_USER_UNKNOWN);
    (void)state;
    memset(address, 'a', sizeof address - 1);
    memset(sent, '\x01', sizeof sent);
    mail.from.text = address;
    rcpt.to.text = NULL;
    rcpt.sent = (struct slice){sent, sizeof sent};
    verdict.asked = true;
    verdict.server = address;
    verdict.remote = address;
    journal_rcpt(&conn, &mail, &rcpt, &verdict);
    assert_int_equal(lines, 1);
    assert_true(strlen(line) <= 4 * LOG_VALUE_MAX + 256);
    assert_non_null(strstr(line, " verdict=reject code=550 status=5.1.1 by=callahead "));
    assert_non_null(strstr(line, " cached=no ms=0 said="));
    assert_null(strstr(line, "cut=yes"));
}

static void nothing_is_written_below_the_level(void **state)
{
    struct conn_facts conn = suspect();
    struct verdict verdict = because(REASON_ACCEPTED);
    (void)state;
    log_set_level(LOG_AT_WARNING);
    journal_connect(&conn, &verdict);
    assert_int_equal(lines, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(connect_line_of_the_specification),
        TEST(connect_line_of_a_refusal_names_its_rule),
        TEST(connect_line_says_why_a_name_is_not_verified),
        TEST(connect_line_says_what_the_mta_told),
        TEST(connect_line_without_listener),
        TEST(scores_have_one_decimal),
        TEST(mail_lines),
        TEST(null_sender_and_unparsed_sender),
        TEST(rcpt_line_of_the_specification),
        TEST(rcpt_line_with_all_there_is),
        TEST(rcpt_lines_that_asked_nobody),
        TEST(rcpt_line_of_a_valid_recipient),
        TEST(monitor_lines_say_what_would_be),
        TEST(eom_and_close_lines),
        TEST(foreign_values_cannot_forge_a_line),
        TEST(long_values_are_cut_and_the_line_goes_on),
        TEST(nothing_is_written_below_the_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
