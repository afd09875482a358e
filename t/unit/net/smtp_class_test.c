/* smtp_class_test.c - replies as real servers give them, and what they mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/net/smtp_class.h"
#include "lib/net/smtp_reply.h"

#define CONNECT CALLAHEAD_AT_CONNECT
#define GREETING CALLAHEAD_AT_GREETING
#define EHLO CALLAHEAD_AT_EHLO
#define STARTTLS CALLAHEAD_AT_STARTTLS
#define MAIL CALLAHEAD_AT_MAIL
#define RCPT CALLAHEAD_AT_RCPT

#define VALID CALLAHEAD_VALID
#define UNKNOWN CALLAHEAD_USER_UNKNOWN
#define FULL CALLAHEAD_MAILBOX_FULL
#define POLICY CALLAHEAD_POLICY
#define GREY CALLAHEAD_GREYLISTED
#define TEMP CALLAHEAD_TEMPORARY
#define ILL CALLAHEAD_SERVER_ILL

struct sample {
    enum callahead_stage stage;
    enum callahead_class class;
    const char *reply; /* lines separated by \n; asked about was joe@example.com */
};

static const struct sample samples[] = {
    /* yes */
    {RCPT, VALID, "250 2.1.5 Ok"},
    {RCPT, VALID, "250 2.1.5 Recipient OK"},
    {RCPT, VALID, "250 Accepted"},
    {RCPT, VALID, "250 ok"},
    {RCPT, VALID, "250 2.1.5 OK af79cd13be357-7a1b2c3d4e5si123456785a.10 - gsmtp"},
    {RCPT, VALID, "250 2.1.5 <joe@example.com>... Recipient ok"},
    {RCPT, VALID, "250 2.1.5 joe@example.com... Recipient ok (will queue)"},
    {RCPT, VALID, "251 User not local; will forward to <joe@example.net>"},
    {RCPT, VALID, "252 2.0.0 Cannot VRFY user, but will accept message"},

    /* Postfix */
    {RCPT, UNKNOWN,
     "550 5.1.1 <joe@example.com>: Recipient address rejected: User unknown in local recipient "
     "table"},
    {RCPT, UNKNOWN,
     "550 5.1.1 <joe@example.com>: Recipient address rejected: User unknown in virtual mailbox "
     "table"},
    {RCPT, UNKNOWN,
     "550 5.1.1 <joe@example.com>: Recipient address rejected: User unknown in relay recipient "
     "table"},
    {RCPT, UNKNOWN,
     "550 5.1.1 <joe@example.com>: Recipient address rejected: undeliverable address: host "
     "mail.example.com[10.0.0.5] said: 550 5.1.1 User unknown (in reply to RCPT TO command)"},
    {RCPT, UNKNOWN, "550 5.1.0 <joe@example.com>: Recipient address rejected: example.com"},
    {RCPT, UNKNOWN, "501 5.1.3 Bad recipient address syntax"},
    {RCPT, POLICY, "554 5.7.1 <joe@example.com>: Relay access denied"},
    {RCPT, TEMP, "454 4.7.1 <joe@example.com>: Relay access denied"},
    {RCPT, POLICY,
     "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.spamhaus.org"},
    {RCPT, POLICY, "550 5.1.8 <x@nowhere.example>: Sender address rejected: Domain not found"},
    {RCPT, POLICY, "550 5.7.1 <joe@example.com>: Recipient address rejected: Access denied"},
    {RCPT, ILL, "504 5.5.2 <gate>: Helo command rejected: need fully-qualified hostname"},
    {RCPT, TEMP,
     "450 4.1.1 <joe@example.com>: Recipient address rejected: unverified address: Address "
     "verification in progress"},
    {RCPT, TEMP, "451 4.3.0 <joe@example.com>: Temporary lookup failure"},
    {RCPT, TEMP, "451 4.3.5 Server configuration error"},
    {RCPT, TEMP, "452 4.3.1 Insufficient system storage"},
    {RCPT, TEMP, "452 4.5.3 Error: too many recipients"},
    {RCPT, TEMP, "421 4.7.0 mail.example.com Error: too many errors"},
    {RCPT, GREY,
     "450 4.2.0 <joe@example.com>: Recipient address rejected: Greylisted, see "
     "http://postgrey.schweikert.ch/help/example.com.html"},
    {RCPT, FULL, "452 4.2.2 <joe@example.com>: Recipient address rejected: Mailbox is full"},
    {RCPT, FULL,
     "552 5.2.2 <joe@example.com>: Recipient address rejected: Mailbox is full / over "
     "quota"},
    {RCPT, ILL, "503 5.5.1 Error: need MAIL command"},
    {RCPT, ILL, "554 5.5.1 Error: no valid recipients"},

    /* Exchange, Microsoft 365 */
    {RCPT, UNKNOWN, "550 5.1.1 User unknown"},
    {RCPT, UNKNOWN,
     "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"},
    {RCPT, UNKNOWN,
     "550 5.4.1 [joe@example.com]: Recipient address rejected: Access denied. AS(201806281) "
     "[DB5EUR03FT012.eop-EUR03.prod.protection.outlook.com]"},
    {RCPT, UNKNOWN,
     "550 5.4.1 Recipient address rejected: Access denied. "
     "[HE1EUR01FT042.eop-EUR01.prod.protection.outlook.com 2026-01-02T03:04:05.678Z 08DE1]"},
    {RCPT, POLICY, "550 5.7.1 Unable to relay"},
    {RCPT, POLICY, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"},
    {RCPT, POLICY, "550 5.4.1 Relay Access Denied [AM6EUR05.prod.protection.outlook.com]"},
    {RCPT, POLICY, "550 5.7.606 Access denied, banned sending IP [192.0.2.9]"},
    {RCPT, POLICY,
     "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required"},
    {RCPT, POLICY, "550 5.7.64 TenantAttribution; Relay Access Denied"},
    {RCPT, TEMP, "451 4.7.500 Server busy. Please try again later from [192.0.2.9]. (S77719)"},
    {RCPT, TEMP,
     "451 4.7.650 The mail server [192.0.2.9] has been temporarily rate limited due to IP "
     "reputation"},
    {RCPT, TEMP, "452 4.3.1 Insufficient system resources"},
    {RCPT, ILL, "550 5.4.1 No answer from host"},
    {RCPT, ILL, "550 5.2.0 STOREDRV.Deliver; delivery failed"},
    {RCPT, UNKNOWN, "550 5.2.1 Mailbox disabled, not accepting messages"},
    {RCPT, UNKNOWN, "550 5.1.6 Recipient no longer on server"},

    /* Exim */
    {RCPT, UNKNOWN, "550 Unrouteable address"},
    {RCPT, UNKNOWN, "550 unknown user"},
    {RCPT, UNKNOWN, "550 No such person at this address"},
    {RCPT, UNKNOWN, "550 No Such User Here"},
    {RCPT, UNKNOWN, "550-Callback verification not possible\n550 No such recipient here"},
    /* A server in trouble, with a code that means never. */
    {RCPT, ILL, "550 Internal error"},
    {RCPT, ILL, "550 Service unavailable"},
    {RCPT, ILL, "550 Temporary lookup failure, please try again later"},
    {RCPT, ILL, "550-User database error\n550 joe@example.com"},
    {RCPT, ILL, "553 sorry, the query timed out"},
    {RCPT, UNKNOWN, "550 no such user: temporary.error@example.com"},
    {RCPT, UNKNOWN, "550 User not in database. Check the address and try again."},
    {RCPT, UNKNOWN, "550 5.1.1 Temporary address has expired"},
    {RCPT, POLICY, "550 relay not permitted"},
    {RCPT, POLICY, "550 Administrative prohibition"},
    {RCPT, POLICY, "550-Verification failed for <x@nowhere.example>\n550 Sender verify failed"},
    {RCPT, POLICY, "550 Rejected because 192.0.2.9 is in a black list at zen.spamhaus.org"},
    {RCPT, TEMP, "451 Temporary local problem - please try later"},
    {RCPT, TEMP, "451 Could not complete recipient verify callout"},
    {RCPT, GREY, "451 Greylisted, please try again in 300 seconds"},
    {RCPT, ILL, "503 sender not yet given"},

    /* Sendmail */
    {RCPT, UNKNOWN, "550 5.1.1 <joe@example.com>... User unknown"},
    {RCPT, UNKNOWN, "553 5.1.3 <joe@example.com@x>... Invalid host name"},
    {RCPT, POLICY,
     "550 5.7.1 <joe@example.com>... Relaying denied. Proper authentication required."},
    {RCPT, POLICY, "550 5.7.1 <joe@example.com>... Access denied"},
    {RCPT, ILL, "550 5.1.2 <joe@nowhere.example>... Host unknown (Name server: no such host)"},
    {RCPT, ILL, "550 5.0.0 <joe@example.com>... No thanks"},
    {RCPT, TEMP, "451 4.1.8 Domain of sender address x@nowhere.example does not resolve"},
    {RCPT, GREY, "451 4.7.1 Greylisting in action, please come back in 00:05:00"},

    /* Google */
    {RCPT, UNKNOWN,
     "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
     "550-5.1.1 double-checking the recipient's email address for typos or\n"
     "550-5.1.1 unnecessary spaces. For more information, go to\n"
     "550 5.1.1  https://support.google.com/mail/?p=NoSuchUser a1-2002si123.12 - gsmtp"},
    {RCPT, UNKNOWN,
     "550 5.2.1 The email account that you tried to reach is disabled. For more information, go to "
     "https://support.google.com/mail/?p=DisabledUser a1si1.1 - gsmtp"},
    {RCPT, FULL,
     "452-4.2.2 The recipient's inbox is out of storage space.\n"
     "452 4.2.2 https://support.google.com/mail/?p=OverQuotaTemp a1si1.1 - gsmtp"},
    {RCPT, FULL,
     "552-5.2.2 The recipient's inbox is out of storage space and inactive.\n"
     "552 5.2.2 https://support.google.com/mail/?p=OverQuotaPerm - gsmtp"},
    {RCPT, TEMP,
     "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents "
     "additional messages from being delivered."},

    /* Zimbra, qmail, Domino, LMTP servers, gateways, others */
    {RCPT, UNKNOWN,
     "550 5.1.1 <joe@example.com>: Recipient address rejected: example.com User unknown in virtual "
     "alias table"},
    {RCPT, UNKNOWN, "550 sorry, no mailbox here by that name (#5.1.1)"},
    {RCPT, UNKNOWN, "550 sorry, no mailbox here by that name. (#5.1.1 - chkuser)"},
    {RCPT, UNKNOWN, "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)"},
    {RCPT, POLICY, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"},
    {RCPT, POLICY, "553 sorry, that domain isn't in my list of allowed rcpthosts; no valid cert"},
    {RCPT, POLICY, "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)"},
    {RCPT, UNKNOWN, "550 Mailbox not found [5.1.1]."},
    {RCPT, UNKNOWN, "550 joe@example.com... No such user"},
    {RCPT, UNKNOWN, "550 User joe (joe@example.com) not listed in Domino Directory"},
    {RCPT, UNKNOWN, "550 5.1.1 <joe@example.com> User doesn't exist: joe@example.com"},
    {RCPT, FULL, "552 5.2.2 <joe@example.com> Quota exceeded (mailbox for user is full)"},
    {RCPT, TEMP, "451 4.2.0 <joe@example.com> Temporary internal error"},
    {RCPT, UNKNOWN, "550 #5.1.0 Address rejected."},
    {RCPT, UNKNOWN, "550 5.1.0 joe@example.com address rejected"},
    {RCPT, POLICY, "550 5.1.0 Sender rejected"},
    {RCPT, POLICY,
     "550 #5.7.1 Your access to submit messages to this e-mail system has been "
     "rejected."},
    {RCPT, UNKNOWN, "553 Requested action not taken: mailbox name not allowed"},
    {RCPT, UNKNOWN, "550 Requested action not taken: mailbox unavailable"},
    {RCPT, POLICY,
     "550-Requested action not taken: mailbox unavailable\n550 Reject due to policy restrictions."},
    {RCPT, UNKNOWN, "551 User not local; please try <joe@example.net>"},
    {RCPT, FULL, "552 Requested mail action aborted: exceeded storage allocation"},
    {RCPT, FULL, "550 Mailbox is full: joe@example.com"},
    {RCPT, FULL, "452 joe@example.com is over quota"},
    {RCPT, POLICY, "550 Rule imposed mailbox access for joe@example.com refused: message blocked"},
    {RCPT, UNKNOWN, "550 5.7.1 No such user!"},
    {RCPT, POLICY, "554 Message rejected as spam"},
    {RCPT, POLICY, "550 Suspected spam, see https://example.com/why"},
    {RCPT, POLICY, "550 rejected: SPF check failed"},
    {RCPT, POLICY, "530 Authentication required"},
    {RCPT, POLICY, "530 5.7.0 Must issue a STARTTLS command first"},
    {RCPT, ILL, "554 Transaction failed"},
    {RCPT, ILL, "521 5.2.1 mail.example.com does not accept mail"},
    {RCPT, POLICY, "571 rejected as spam"},
    {RCPT, UNKNOWN, "556 5.1.10 Recipient address has null MX"},
    {RCPT, GREY, "550 5.7.1 Greylisted, come back later"},
    {RCPT, GREY, "550 grey-listed for 60 seconds"},
    {RCPT, ILL, "354 Go ahead"},

    /* more of Exchange and Microsoft 365 */
    {RCPT, UNKNOWN, "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"},
    {RCPT, UNKNOWN, "501 5.1.3 Invalid address"},
    {RCPT, POLICY, "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required"},
    {RCPT, POLICY,
     "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy"},
    {RCPT, POLICY,
     "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP. "
     "[AM5EUR02FT012.eop-EUR02.prod.protection.outlook.com]"},
    {RCPT, POLICY, "550 5.1.8 Access denied, bad outbound sender. AS(42004)"},
    {RCPT, POLICY,
     "550 5.7.193 UnifiedGroupAgent; Delivery failed because the sender isn't a group member or "
     "external senders aren't permitted to send to this group."},
    {RCPT, POLICY,
     "550 5.7.23 The message was rejected because of Sender Policy Framework violation"},
    {RCPT, POLICY, "550 5.4.1 All recipient addresses rejected : Access denied"},
    {RCPT, TEMP,
     "451 4.4.4 Mail received as unauthenticated, incoming to a recipient domain configured in a "
     "hosted tenant which has no mail-enabled subscriptions. ATTR5"},
    {RCPT, TEMP, "451 4.7.0 Temporary server error. Please try again later. PRX2"},
    {RCPT, UNKNOWN, "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."},
    {RCPT, ILL, "550 5.6.7 Address requires SMTPUTF8"},

    /* more of Google, and other great ones */
    {RCPT, POLICY,
     "550-5.7.1 The user or domain that you are sending to (or from) has a policy that\n"
     "550-5.7.1 prohibited the mail that you sent. Please contact your domain\n"
     "550 5.7.1 administrator for further details. a1si1.1 - gsmtp"},
    {RCPT, POLICY,
     "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\n"
     "550 5.7.26 https://support.google.com/mail/answer/81126 a1si1.1 - gsmtp"},
    {RCPT, TEMP,
     "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating\n"
     "421 4.7.28 from your IP address. a1si1.1 - gsmtp"},
    {RCPT, ILL, "553-5.1.2 We weren't able to find the recipient domain.\n553 5.1.2 - gsmtp"},
    {RCPT, UNKNOWN,
     "554 delivery error: dd This user doesn't have a yahoo.com account (joe@yahoo.example) [0] - "
     "mta1234.mail.gq1.yahoo.example"},
    {RCPT, UNKNOWN, "550 5.1.1 <joe@icloud.example>: user does not exist"},
    {RCPT, POLICY, "554 5.7.1 [CS01] Message rejected due to local policy."},

    /* gateways */
    {RCPT, UNKNOWN, "550 Invalid Recipient - https://community.example.com/docs/DOC-1369#550 [x1]"},
    {RCPT, POLICY,
     "550 Administrative prohibition - envelope blocked - https://community.example.com/docs/1"},
    {RCPT, TEMP,
     "451 Internal resources are temporarily unavailable - https://community.example.com/"},
    {RCPT, TEMP, "452 4.1.1 requested action aborted: try again later"},
    {RCPT, POLICY, "550 permanent failure for one or more recipients (joe@example.com:blocked)"},
    {RCPT, TEMP, "452 #4.5.3 Too many recipients"},
    {RCPT, UNKNOWN, "554 #5.1.0 Address rejected."},
    {RCPT, POLICY, "550 #5.1.0 <x@nowhere.example> sender rejected."},
    {RCPT, POLICY, "554 <joe@example.com>: Recipient address rejected: Access denied"},
    {RCPT, POLICY, "554 5.7.1 <mail[192.0.2.9]>: Client host rejected: cannot find your hostname"},
    {RCPT, TEMP, "450 4.7.1 Client host rejected: cannot find your reverse hostname"},
    {RCPT, TEMP, "451 4.7.1 Try again later"},

    /* LMTP: Cyrus, Dovecot, DBMail */
    {RCPT, UNKNOWN,
     "550-Mailbox unknown.  Either there is no mailbox associated with this\n"
     "550-name or you do not have authorization to see it.\n550 5.1.1 User unknown"},
    {RCPT, UNKNOWN, "550 5.1.1 <joe@example.com> User doesn't exist: joe@example.com"},
    {RCPT, FULL, "452 4.2.2 Over quota"},
    {RCPT, FULL, "452 4.2.2 <joe@example.com> Quota exceeded (mailbox for user is full)"},
    {RCPT, TEMP,
     "451 4.3.0 <joe@example.com> Internal error occurred. Refer to server log for more "
     "information."},
    {RCPT, TEMP, "451 4.3.0 System I/O error"},
    {RCPT, ILL, "550 Recipient <joe@example.com> FAIL"},

    /* qmail, Courier, CommuniGate, hMailServer, OpenSMTPD, MailEnable, Domino */
    {RCPT, POLICY, "553 sorry, mail to that recipient is not accepted (#5.7.1)"},
    {RCPT, POLICY, "571 sorry, sender address has invalid format (#5.7.1 - chkuser)"},
    {RCPT, TEMP, "451 qq temporary problem (#4.3.0)"},
    {RCPT, POLICY, "513 Relaying denied."},
    {RCPT, UNKNOWN, "550 joe@example.com unknown user account"},
    {RCPT, FULL, "550 joe@example.com account is full (quota exceeded)"},
    {RCPT, POLICY, "571 joe@example.com prohibited. We do not relay"},
    {RCPT, POLICY, "591 your host [192.0.2.9] is blacklisted by zen.spamhaus.org"},
    {RCPT, POLICY, "550 Delivery is not allowed to this address."},
    {RCPT, UNKNOWN, "550 Invalid recipient: <joe@example.com>"},
    {RCPT, ILL, "524 5.2.4 Mailing list expansion problem: <joe@example.com>"},
    {RCPT, UNKNOWN, "550 Requested action not taken: mailbox unavailable or not local"},
    {RCPT, ILL, "503 This mail server requires authentication when attempting to send"},
    {RCPT, POLICY, "554 Relay rejected for policy reasons."},
    {RCPT, UNKNOWN, "553 5.1.1 joe@example.com... User unknown"},

    /* little said */
    {RCPT, POLICY, "550 5.1.8 Domain not found"},
    {RCPT, POLICY, "501 5.1.7 Bad address syntax"},
    {RCPT, POLICY, "530 Must issue a STARTTLS command first"},
    {RCPT, FULL, "552 Requested action aborted"},
    {RCPT, ILL, "550"},
    {RCPT, ILL, "554"},
    {RCPT, TEMP, "450"},
    {RCPT, VALID, "250"},

    /* greylisting in many words */
    {RCPT, GREY,
     "450 4.7.1 <joe@example.com>: Recipient address rejected: Greylisted for 5 minutes"},
    {RCPT, GREY, "451 4.7.1 Greylisting in effect, please retry in 300 s"},
    {RCPT, GREY, "451 Graylisted - wait a few minutes"},
    {RCPT, GREY, "421 4.7.0 You are greylisted, come back"},
    {RCPT, GREY, "554 5.7.1 Grey listing: try again"},
    {RCPT, TEMP, "451 4.7.1 Please try again later (TEMPGREY)"},

    /* no English */
    {RCPT, UNKNOWN, "550 Empf\xc3\xa4nger unbekannt"},
    {RCPT, UNKNOWN, "550 5.1.1 \xe5\xae\x9b\xe5\x85\x88\xe4\xb8\x8d\xe6\x98\x8e"},
    {RCPT, ILL, "550 5.3.0 Utilisateur inconnu"},

    /* words that somebody else chose do not count */
    {RCPT, UNKNOWN, "550 <joe@example.com>: <joe+spam@example.com>:unknown"},
    {RCPT, UNKNOWN, "550 <spam@example.com>: no such user"},
    {RCPT, UNKNOWN, "550 <sender>: no such mailbox"},
    {RCPT, UNKNOWN, "550 No such user [mx1.antispam.blocked.example]"},
    {RCPT, UNKNOWN, "550 no such user, see https://example.com/policy/spam"},
    {RCPT, POLICY, "550 blocked.See example.com"},
    /* a status that contradicts its code is no status of a user */
    {RCPT, ILL, "550 4.1.1 User unknown"},
    {RCPT, TEMP, "450 5.1.1 User unknown"},
    {RCPT, ILL, "550 2.1.5 fine"},

    /* before RCPT nothing is a yes or a no */
    {GREETING, ILL, "554 5.7.1 No SMTP service here"},
    {GREETING, ILL, "220 welcome"},
    {GREETING, TEMP, "421 4.7.0 Too many concurrent connections"},
    {EHLO, ILL, "550 5.1.1 User unknown"},
    {STARTTLS, TEMP, "454 4.7.0 TLS not available due to local problem"},
    {STARTTLS, ILL, "501 5.5.4 Syntax error"},
    {MAIL, ILL, "550 5.1.1 <>: Sender address rejected: User unknown"},
    {MAIL, ILL, "250 2.1.0 Ok"},
    {MAIL, ILL, "530 5.7.0 Authentication required"},
    {MAIL, GREY, "451 4.7.1 Greylisted"},
    {MAIL, TEMP, "452 4.3.1 Insufficient system storage"},
    {CONNECT, ILL, "550 5.1.1 User unknown"},
};

static enum callahead_class classify(enum callahead_stage stage, int code, const char *status,
                                     struct slice text, const char *recipient)
{
    struct smtp_said said = {stage,
                             code,
                             status,
                             NULL,
                             text,
                             slice_of(recipient ? recipient : "joe@example.com"),
                             slice_of("verify@gate.example")};
    return smtp_classify(&said);
}

/* Lines as on the wire, through the reply parser. */
static void parse(const char *lines, struct smtp_parser *parser)
{
    char copy[1024];
    const char *why = NULL;
    size_t n = 0;
    for (size_t i = 0; lines[i]; i++) {
        if (lines[i] == '\n')
            copy[n++] = '\r';
        copy[n++] = lines[i];
    }
    memcpy(copy + n, "\r\n", 2);
    struct slice in = {copy, n + 2};
    smtp_parser_init(parser);
    assert_int_equal(smtp_parser_feed(parser, &in, &why), SMTP_PARSE_REPLY);
    assert_int_equal(in.n, 0);
}

static void test_samples(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct smtp_parser parser;
        parse(samples[i].reply, &parser);
        enum callahead_class class =
            classify(samples[i].stage, parser.reply.code, parser.reply.status,
                     smtp_reply_text(&parser.reply), NULL);
        if (class != samples[i].class) {
            print_message("%s, not %s: %s\n", smtp_class_name(class),
                          smtp_class_name(samples[i].class), samples[i].reply);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* Each alone in a 550 without a status decides; parts of other words do not. */
static const struct {
    enum callahead_class class;
    const char *text;
} words[] = {
    {CALLAHEAD_MAILBOX_FULL, "overquota"},
    {CALLAHEAD_MAILBOX_FULL, "exceeded quota"},
    {CALLAHEAD_MAILBOX_FULL, "exceeds quota"},
    {CALLAHEAD_MAILBOX_FULL, "user exceeded its quota"},
    {CALLAHEAD_MAILBOX_FULL, "user is out of storage"},
    {CALLAHEAD_MAILBOX_FULL, "exceeded storage allocation"},
    {CALLAHEAD_MAILBOX_FULL, "mailbox full"},
    {CALLAHEAD_MAILBOX_FULL, "inbox is full"},
    {CALLAHEAD_MAILBOX_FULL, "account is over its quota"},
    {CALLAHEAD_GREYLISTED, "gray list"},
    {CALLAHEAD_GREYLISTED, "grey-list"},
    {CALLAHEAD_POLICY, "bad MAIL FROM"},
    {CALLAHEAD_POLICY, "bad return path"},
    {CALLAHEAD_POLICY, "bad Reverse-Path"},
    {CALLAHEAD_POLICY, "envelope from refused"},
    {CALLAHEAD_POLICY, "unknown FROM address"},
    {CALLAHEAD_POLICY, "originator unknown"},
    {CALLAHEAD_POLICY, "we do not know your domain"},
    {CALLAHEAD_POLICY, "we do not know your email address"},
    {CALLAHEAD_POLICY, "we do not know your e-mail address"},
    {CALLAHEAD_POLICY, "blacklisted"},
    {CALLAHEAD_POLICY, "you are on a denylist"},
    {CALLAHEAD_POLICY, "you are on a deny list"},
    {CALLAHEAD_POLICY, "you are banned here"},
    {CALLAHEAD_POLICY, "found in RBL"},
    {CALLAHEAD_POLICY, "found in dnsbl.example"},
    {CALLAHEAD_POLICY, "the machine is listed"},
    {CALLAHEAD_POLICY, "192.0.2.9 and others are listed"},
    {CALLAHEAD_POLICY, "listed at zen"},
    {CALLAHEAD_POLICY, "listed by zen"},
    {CALLAHEAD_POLICY, "listed on zen"},
    {CALLAHEAD_POLICY, "bad reputation"},
    {CALLAHEAD_POLICY, "go away, your IP is bad"},
    {CALLAHEAD_POLICY, "your host is bad"},
    {CALLAHEAD_POLICY, "your server is bad"},
    {CALLAHEAD_POLICY, "Client host rejected"},
    {CALLAHEAD_POLICY, "bad IP address"},
    {CALLAHEAD_POLICY, "HELO rejected"},
    {CALLAHEAD_POLICY, "EHLO rejected"},
    {CALLAHEAD_POLICY, "denied access"},
    {CALLAHEAD_POLICY, "permission denied"},
    {CALLAHEAD_POLICY, "not permitted"},
    {CALLAHEAD_POLICY, "you are not allowed"},
    {CALLAHEAD_POLICY, "not allowed by us"},
    {CALLAHEAD_POLICY, "not allowed from there"},
    {CALLAHEAD_POLICY, "we are not accepting this"},
    {CALLAHEAD_POLICY, "not authorised"},
    {CALLAHEAD_POLICY, "unauthorised"},
    {CALLAHEAD_POLICY, "unauthenticated"},
    {CALLAHEAD_POLICY, "please authenticate"},
    {CALLAHEAD_POLICY, "authorization needed"},
    {CALLAHEAD_POLICY, "forbidden"},
    {CALLAHEAD_POLICY, "prohibited"},
    {CALLAHEAD_POLICY, "administratively refused"},
    {CALLAHEAD_POLICY, "local policy"},
    {CALLAHEAD_POLICY, "restricted"},
    {CALLAHEAD_POLICY, "no reverse DNS"},
    {CALLAHEAD_POLICY, "no rDNS"},
    {CALLAHEAD_POLICY, "no PTR record"},
    {CALLAHEAD_TEMPORARY, "too many unknown ones"},
    {CALLAHEAD_TEMPORARY, "too much"},
    {CALLAHEAD_TEMPORARY, "rate limit"},
    {CALLAHEAD_TEMPORARY, "throttled"},
    {CALLAHEAD_POLICY, "suspicious"},
    {CALLAHEAD_POLICY, "suspected"},
    {CALLAHEAD_POLICY, "DKIM failed"},
    {CALLAHEAD_POLICY, "DMARC failed"},
    {CALLAHEAD_POLICY, "antispam"},
    {CALLAHEAD_POLICY, "junk"},
    {CALLAHEAD_POLICY, "unsolicited"},
    {CALLAHEAD_POLICY, "bulk"},
    {CALLAHEAD_POLICY, "abuse"},
    {CALLAHEAD_POLICY, "virus"},
    {CALLAHEAD_POLICY, "malware"},
    {CALLAHEAD_POLICY, "phishing"},
    {CALLAHEAD_USER_UNKNOWN, "nobody here"},
    {CALLAHEAD_USER_UNKNOWN, "no such mailbox of a consender"},
    {CALLAHEAD_USER_UNKNOWN, "unblockable user not found"},
    {CALLAHEAD_USER_UNKNOWN, "user correlay not found"},
    {CALLAHEAD_USER_UNKNOWN, "user banning not found"},
    {CALLAHEAD_USER_UNKNOWN, "mailbox not found"},
    {CALLAHEAD_USER_UNKNOWN, "hello, no such user"},
    {CALLAHEAD_USER_UNKNOWN, "scripts and ptrs: no such user"},
    {CALLAHEAD_SERVER_ILL, "inspam"},
};

static void test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        enum callahead_class class = classify(RCPT, 550, "", slice_of(words[i].text), NULL);
        if (class != words[i].class)
            fail_msg("%s: %s", words[i].text, smtp_class_name(class));
    }
}

/* Whatever else is in a reply: valid needs a 2xx, user_unknown a 5xx, both at RCPT. */
static void test_never_by_accident(void **state)
{
    static const char *const statuses[] = {"", "5.1.1", "4.1.1", "2.1.5", "5.7.1", "5.1.0", "x"};
    (void)state;
    for (int stage = CALLAHEAD_AT_RESOLVE; stage <= CALLAHEAD_AT_RCPT; stage++) {
        for (int code = 0; code < 700; code++) {
            for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
                enum callahead_class class = classify((enum callahead_stage)stage, code,
                                                      statuses[i], slice_of("User unknown"), NULL);
                if (stage != CALLAHEAD_AT_RCPT || code / 100 != 2)
                    assert_int_not_equal(class, VALID);
                if (stage != CALLAHEAD_AT_RCPT || code / 100 != 5)
                    assert_int_not_equal(class, UNKNOWN);
                if (code == 0)
                    assert_int_equal(class, ILL);
            }
        }
    }
}

/* Only the first 2048 bytes are looked at; a text without end is no no. */
static void test_long_text(void **state)
{
    static char text[100000];
    static const char *const fillers[] = {"x",
                                          "<",
                                          "a .",
                                          "5 ",
                                          "\xe3\x81\x82",
                                          "\xff",
                                          "\x81@",
                                          "user ",
                                          "user unknown ",
                                          "unknown ",
                                          "@",
                                          "joe ",
                                          "://a.b.c "};
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(fillers); k++) {
        size_t n = strlen(fillers[k]);
        bool said = strcmp(fillers[k], "user unknown ") == 0;
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = fillers[k][i % n];
        assert_int_equal(classify(RCPT, 550, "", (struct slice){text, sizeof text}, NULL),
                         said ? UNKNOWN : ILL);
    }
    assert_int_equal(classify(RCPT, 550, "", slice_of(""), NULL), ILL);
    memset(text, ' ', sizeof text);
    memcpy(text + 2048, "user unknown", 12);
    assert_int_equal(classify(RCPT, 550, "", (struct slice){text, sizeof text}, NULL), ILL);
    memcpy(text + 2036, "user unknown", 12);
    assert_int_equal(classify(RCPT, 550, "", (struct slice){text, sizeof text}, NULL), UNKNOWN);
}

/* The sender we gave is nobody the reply may call unknown. */
static void test_our_sender(void **state)
{
    (void)state;
    assert_int_equal(
        classify(RCPT, 550, "5.1.1", slice_of("<Verify@Gate.Example>: no such user"), NULL),
        POLICY);
    assert_int_equal(classify(RCPT, 550, "", slice_of("verify@gate.example does not exist"), NULL),
                     POLICY);
    assert_int_equal(classify(RCPT, 550, "", slice_of("verify@gate.example: no such user"),
                              "verify@gate.example"),
                     UNKNOWN);
    assert_int_equal(
        classify(RCPT, 550, "", slice_of("no such user, ask other@gate.example"), NULL), UNKNOWN);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = CALLAHEAD_VALID; i <= CALLAHEAD_SERVER_ILL; i++) {
        enum callahead_class class = CALLAHEAD_VALID;
        const char *name = smtp_class_name((enum callahead_class)i);
        assert_true(smtp_class_by_name(slice_of(name), &class));
        assert_int_equal(class, i);
    }
    enum callahead_class class = CALLAHEAD_VALID;
    assert_false(smtp_class_by_name(slice_of("maybe"), &class));
    assert_false(smtp_class_by_name(slice_of(""), &class));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),           cmocka_unit_test(test_words),
        cmocka_unit_test(test_never_by_accident), cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_our_sender),        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
