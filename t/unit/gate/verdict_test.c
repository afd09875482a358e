/* verdict_test.c - reasons and their replies (lib/gate/verdict.h). */
#include "lib/gate/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/str.h"

static void every_reason_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < REASON_COUNT; i++) {
        const struct reason_row *row = &reason_rows[i];
        int class = row->action == VERDICT_CONTINUE ? 2 : row->action == VERDICT_TEMPFAIL ? 4 : 5;
        char status[REPLYTEXT_STATUS_MAX];
        char text[64];
        const char *rest;

        assert_non_null(row->name);
        assert_true(row->by[0] != '\0' && row->token[0] != '\0');
        assert_true(row->code >= 200 && row->code <= 599);
        assert_int_equal(row->code / 100, class);
        assert_int_equal(row->status[0], '0' + class);
        snprintf(text, sizeof text, "%s", row->status);
        replytext_split(text, status, &rest);
        assert_string_equal(status, row->status);
        assert_true((row->text[0] == '\0') == (row->action == VERDICT_CONTINUE));
        assert_true(row->doc[0] != '\0' && row->doc[strlen(row->doc) - 1] == '.');
    }
}

/* The log, statistics and the manual tell reasons apart by these, and by whether
 * the verdict is accept. */
static void no_two_reasons_share_by_and_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < REASON_COUNT; i++) {
        for (size_t j = i + 1; j < REASON_COUNT; j++) {
            bool i_accepts = reason_rows[i].action == VERDICT_CONTINUE;
            bool j_accepts = reason_rows[j].action == VERDICT_CONTINUE;
            assert_false(i_accepts == j_accepts &&
                         strcmp(reason_rows[i].by, reason_rows[j].by) == 0 &&
                         strcmp(reason_rows[i].token, reason_rows[j].token) == 0);
        }
    }
}

/* SPEC 14 lists what `by` can be. */
static void by_is_one_of_the_words_of_trace(void **state)
{
    static const char *const words[] = {
        "listener", "hat", "limit", "tls",         "auth", "size", "sender",   "exceptions",
        "parse",    "rat", "rate",  "sender_rate", "dhap", "ldap", "callahead"};
    (void)state;
    for (size_t i = 0; i < REASON_COUNT; i++) {
        bool known = false;
        for (size_t j = 0; j < ARRAY_LEN(words); j++)
            known = known || strcmp(reason_rows[i].by, words[j]) == 0;
        assert_true(known);
    }
}

static void a_reason_alone_brings_its_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < REASON_COUNT; i++) {
        struct verdict verdict;
        memset(&verdict, 0x5a, sizeof verdict);
        verdict_set(&verdict, (enum reason)i);
        assert_int_equal(verdict.reason, i);
        assert_int_equal(verdict.action, reason_rows[i].action);
        assert_int_equal(verdict.code, reason_rows[i].code);
        assert_string_equal(verdict.status, reason_rows[i].status);
        assert_string_equal(verdict.text, reason_rows[i].text);
        assert_null(verdict.rule.file);
        assert_false(verdict.asked);
        assert_false(verdict.cached);
        assert_string_equal(verdict.server, "");
        assert_string_equal(verdict.remote, "");
        assert_int_equal(verdict.ms, 0);
    }
}

/* Every refusal, as SPEC 3 to 9 and 11 spell it; those of SPEC's silence at the
 * end. What a policy or profile may say instead stands in its own rows. */
static const struct {
    enum reason reason;
    const char *reply;
} refusals[] = {
    {REASON_RAT_REJECTED, "550 5.1.0 Address rejected"},
    {REASON_SENDER_REJECTED, "553 5.7.1 Envelope sender rejected"},
    {REASON_TOO_MANY_CONNECTIONS, "421 4.4.5 Too many connections"},
    {REASON_TOO_MANY_PENDING, "421 4.4.5 Too many connections from your host"},
    {REASON_TOO_MANY_FROM_HOST, "421 4.4.5 Too many connections from your host"},
    {REASON_HAT_REJECTED, "554 5.7.1 Access denied"},
    {REASON_HAT_TCPREFUSED, "421 4.7.1 Access denied"},
    {REASON_RELAYING_DENIED, "550 5.7.1 Relaying denied"},
    {REASON_RECIPIENT_SYNTAX, "501 5.1.3 Bad recipient address syntax"},
    {REASON_SIZE_ANNOUNCED, "552 5.3.4 Message size exceeds limit"},
    {REASON_SIZE_RECEIVED, "552 5.3.4 Message size exceeds limit"},
    {REASON_AUTH_NOT_ALLOWED, "503 5.7.0 Authentication not allowed here"},
    {REASON_AUTH_IN_CLEAR, "538 5.7.11 Encryption required"},
    {REASON_AUTH_REQUIRED, "530 5.7.0 Authentication required"},
    {REASON_TLS_REQUIRED, "530 5.7.0 Must issue a STARTTLS command first"},
    {REASON_TLS_REQUIRED_SENDER, "530 5.7.0 Must issue a STARTTLS command first"},
    {REASON_CERTIFICATE_REQUIRED, "530 5.7.0 Valid client certificate required"},
    {REASON_DIRECTORY_NO_MATCH, "550 5.1.1 User unknown"},
    {REASON_DIRECTORY_FAILED, "451 4.4.3 Directory unavailable"},
    {REASON_USER_UNKNOWN, "550 5.1.1 User unknown"},
    {REASON_NEEDS_SMTPUTF8, "553 5.6.7 Address needs SMTPUTF8"},
    {REASON_TAKES_NO_MAIL, "556 5.1.10 Domain takes no mail"},
    {REASON_CALLAHEAD_TEMPORARY, "451 4.2.1 Recipient temporarily unavailable"},
    {REASON_CALLAHEAD_FAILED, "451 4.4.3 Recipient verification unavailable"},
    {REASON_TOO_MANY_MESSAGES, "421 4.4.5 Too many messages for this session"},
    {REASON_TOO_MANY_RECIPIENTS, "452 4.5.3 Too many recipients"},
    {REASON_SENDER_MALFORMED, "553 5.5.4 Domain required for sender address"},
    {REASON_SENDER_NONEXISTENT, "553 5.1.8 Domain of sender address does not exist"},
    {REASON_SENDER_NO_MX, "553 5.1.8 Domain of sender address does not accept mail"},
    {REASON_SENDER_UNRESOLVABLE, "451 4.1.8 Domain of sender address does not resolve"},
    {REASON_HARVEST_BLOCKED, "421 4.7.1 Too many invalid recipients"},
    {REASON_HARVEST, "550 5.7.1 Too many invalid recipients"},
    {REASON_HOST_RATE, "452 4.7.1 Too many recipients received this hour"},
    {REASON_SENDER_RATE, "452 4.7.1 Too many recipients received from the sender"},
    {REASON_ACCOUNT_RATE, "452 4.7.1 Too many recipients from this account"},
    {REASON_NO_LISTENER, "451 4.3.5 Service not configured"},
    {REASON_SENDER_SYNTAX, "501 5.1.7 Bad sender address syntax"},
    {REASON_TOO_MANY_MARKS, "554 5.6.0 Too many header fields reserved for this host"},
    {REASON_INTERNAL, "451 4.3.0 Temporary local problem"},
    {REASON_STOPPING, "451 4.3.2 Service is stopping, try again later"},
};

static void refusals_are_as_specified(void **state)
{
    bool listed[REASON_COUNT] = {false};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct verdict verdict;
        char reply[128];
        verdict_set(&verdict, refusals[i].reason);
        snprintf(reply, sizeof reply, "%d %s %s", verdict.code, verdict.status, verdict.text);
        assert_string_equal(reply, refusals[i].reply);
        listed[refusals[i].reason] = true;
    }
    for (size_t i = 0; i < REASON_COUNT; i++) {
        if (reason_rows[i].action != VERDICT_CONTINUE && !listed[i])
            fail_msg("%s is not in the list", reason_rows[i].name);
    }
}

static const struct {
    enum reason reason;
    int code;
    const char *text; /* given */
    enum verdict_action action;
    int want_code;
    const char *status, *want_text;
} replies[] = {
    /* nothing given */
    {REASON_RAT_REJECTED, 0, NULL, VERDICT_REJECT, 550, "5.1.0", "Address rejected"},
    {REASON_RAT_REJECTED, 0, "", VERDICT_REJECT, 550, "5.1.0", "Address rejected"},
    /* a text only, a code only */
    {REASON_RAT_REJECTED, 0, "Go away", VERDICT_REJECT, 550, "5.1.0", "Go away"},
    {REASON_RAT_REJECTED, 553, NULL, VERDICT_REJECT, 553, "5.1.0", "Address rejected"},
    {REASON_RAT_REJECTED, 553, "", VERDICT_REJECT, 553, "5.1.0", "Address rejected"},
    /* the status of the reason takes the class of the code, both ways */
    {REASON_RAT_REJECTED, 450, NULL, VERDICT_TEMPFAIL, 450, "4.1.0", "Address rejected"},
    {REASON_RAT_REJECTED, 450, "Later", VERDICT_TEMPFAIL, 450, "4.1.0", "Later"},
    {REASON_CALLAHEAD_FAILED, 550, "No", VERDICT_REJECT, 550, "5.4.3", "No"},
    {REASON_TOO_MANY_MESSAGES, 554, NULL, VERDICT_REJECT, 554, "5.4.5",
     "Too many messages for this session"},
    /* the edges of the classes */
    {REASON_HAT_REJECTED, 400, "x", VERDICT_TEMPFAIL, 400, "4.7.1", "x"},
    {REASON_HAT_REJECTED, 421, "x", VERDICT_TEMPFAIL, 421, "4.7.1", "x"},
    {REASON_HAT_REJECTED, 499, "x", VERDICT_TEMPFAIL, 499, "4.7.1", "x"},
    {REASON_HAT_REJECTED, 500, "x", VERDICT_REJECT, 500, "5.7.1", "x"},
    {REASON_HAT_REJECTED, 521, "x", VERDICT_REJECT, 521, "5.7.1", "x"},
    {REASON_HAT_REJECTED, 599, "x", VERDICT_REJECT, 599, "5.7.1", "x"},
    /* a status in front of the text, in both spellings */
    {REASON_RAT_REJECTED, 550, "5.7.1 Not here", VERDICT_REJECT, 550, "5.7.1", "Not here"},
    {REASON_RAT_REJECTED, 550, "#5.7.1 Not here", VERDICT_REJECT, 550, "5.7.1", "Not here"},
    {REASON_RAT_REJECTED, 550, "  5.7.1  Not here", VERDICT_REJECT, 550, "5.7.1", "Not here"},
    {REASON_RAT_REJECTED, 550, "5.123.456 x", VERDICT_REJECT, 550, "5.123.456", "x"},
    /* one that does not fit must not reach the MTA */
    {REASON_CALLAHEAD_TEMPORARY, 450, "5.2.1 Off", VERDICT_TEMPFAIL, 450, "4.2.1", "Off"},
    {REASON_CALLAHEAD_FAILED, 550, "#4.4.3 Off", VERDICT_REJECT, 550, "5.4.3", "Off"},
    {REASON_RAT_REJECTED, 550, "2.0.0 Fine", VERDICT_REJECT, 550, "5.0.0", "Fine"},
    /* what only looks like a status */
    {REASON_RAT_REJECTED, 550, "5.7.1.9 is listed", VERDICT_REJECT, 550, "5.1.0",
     "5.7.1.9 is listed"},
    {REASON_RAT_REJECTED, 550, "3.7.1 x", VERDICT_REJECT, 550, "5.1.0", "3.7.1 x"},
    {REASON_RAT_REJECTED, 550, "5.1234.1 x", VERDICT_REJECT, 550, "5.1.0", "5.1234.1 x"},
    {REASON_RAT_REJECTED, 550, "554 5.7.1 x", VERDICT_REJECT, 550, "5.1.0", "554 5.7.1 x"},
    {REASON_RAT_REJECTED, 550, "#hash", VERDICT_REJECT, 550, "5.1.0", "#hash"},
    /* a status without words: the reason's words */
    {REASON_RAT_REJECTED, 550, "5.7.1", VERDICT_REJECT, 550, "5.7.1", "Address rejected"},
    {REASON_RAT_REJECTED, 550, "#5.7.1 ", VERDICT_REJECT, 550, "5.7.1", "Address rejected"},
    {REASON_RAT_REJECTED, 550, "   ", VERDICT_REJECT, 550, "5.1.0", "Address rejected"},
};

static void replies_have_a_status_of_their_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        struct verdict verdict;
        verdict_reply(&verdict, replies[i].reason, replies[i].code, replies[i].text);
        assert_int_equal(verdict.reason, replies[i].reason);
        assert_int_equal(verdict.action, replies[i].action);
        assert_int_equal(verdict.code, replies[i].want_code);
        assert_string_equal(verdict.status, replies[i].status);
        assert_string_equal(verdict.text, replies[i].want_text);
    }
}

static void actions_have_the_words_of_trace(void **state)
{
    (void)state;
    assert_string_equal(verdict_action_name(VERDICT_CONTINUE), "accept");
    assert_string_equal(verdict_action_name(VERDICT_REJECT), "reject");
    assert_string_equal(verdict_action_name(VERDICT_TEMPFAIL), "tempfail");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_is_complete),
        cmocka_unit_test(no_two_reasons_share_by_and_token),
        cmocka_unit_test(by_is_one_of_the_words_of_trace),
        cmocka_unit_test(a_reason_alone_brings_its_row),
        cmocka_unit_test(refusals_are_as_specified),
        cmocka_unit_test(replies_have_a_status_of_their_class),
        cmocka_unit_test(actions_have_the_words_of_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
