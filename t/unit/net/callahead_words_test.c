/* callahead_words_test.c - what is said to servers: our name, the sender, SMTPUTF8, LMTP. */
#include "t/unit/net/peer.h"

#include <string.h>

#define VALID CALLAHEAD_VALID
#define ILL CALLAHEAD_SERVER_ILL
#define COMMANDS_MAX 5

struct talk {
    const char *what;
    const char *settings;
    bool lmtp;
    const char *mail_from; /* NULL: default */
    const char *recipient;
    enum callahead_class class;
    int code;
    const char *said[COMMANDS_MAX];   /* each once, ... */
    const char *unsaid[COMMANDS_MAX]; /* ... and these never */
};

static const struct talk talks[] = {
    {"the defaults",
     "{}",
     false,
     NULL,
     "User@Example.COM",
     VALID,
     250,
     {"EHLO gate.test", "MAIL FROM:<>", "RCPT TO:<User@example.com>"},
     {"HELO gate.test", "DATA", "QUIT", "RSET"}},
    {"a fixed sender",
     "{}",
     false,
     "<probe@gate.test>",
     "u@example.com",
     VALID,
     250,
     {"MAIL FROM:<probe@gate.test>"},
     {"MAIL FROM:<>"}},
    {"a fixed sender without brackets",
     "{}",
     false,
     "probe@gate.test",
     "u@example.com",
     VALID,
     250,
     {"MAIL FROM:<probe@gate.test>"},
     {"MAIL FROM:<>"}},
    {"the null sender refused",
     "{\"mail\": \"550 5.7.1 no bounces\"}",
     false,
     NULL,
     "u@example.com",
     ILL,
     550,
     {"MAIL FROM:<>"},
     {"DATA"}},

    {"EHLO refused",
     "{\"ehlo\": \"500 5.5.1 what?\"}",
     false,
     NULL,
     "u@example.com",
     VALID,
     250,
     {"EHLO gate.test", "HELO gate.test", "MAIL FROM:<>"},
     {"DATA"}},
    {"EHLO refused for now: HELO would not help",
     "{\"ehlo\": \"421 4.3.2 later\"}",
     false,
     NULL,
     "u@example.com",
     CALLAHEAD_TEMPORARY,
     421,
     {"EHLO gate.test"},
     {"HELO gate.test", "MAIL FROM:<>"}},

    {"8-bit characters where SMTPUTF8 is offered",
     "{}",
     false,
     NULL,
     "jörg@example.com",
     VALID,
     250,
     {"MAIL FROM:<> SMTPUTF8", "RCPT TO:<jörg@example.com>"},
     {"MAIL FROM:<>"}},
    {"8-bit characters and a fixed sender",
     "{}",
     false,
     "<probe@gate.test>",
     "jörg@example.com",
     VALID,
     250,
     {"MAIL FROM:<probe@gate.test> SMTPUTF8"},
     {"MAIL FROM:<probe@gate.test>"}},
    {"8-bit characters where it is not offered",
     "{\"smtputf8\": false}",
     false,
     NULL,
     "jörg@example.com",
     CALLAHEAD_POLICY,
     553,
     {"EHLO gate.test"},
     {"MAIL FROM:<> SMTPUTF8", "MAIL FROM:<>", "RCPT TO:<jörg@example.com>"}},
    {"8-bit characters after HELO",
     "{\"ehlo\": \"500 5.5.1 what?\"}",
     false,
     NULL,
     "jörg@example.com",
     CALLAHEAD_POLICY,
     553,
     {"HELO gate.test"},
     {"MAIL FROM:<> SMTPUTF8", "MAIL FROM:<>", "RCPT TO:<jörg@example.com>"}},
    {"a domain alone can be said in ASCII",
     "{\"smtputf8\": false}",
     false,
     NULL,
     "u@bücher.example",
     VALID,
     250,
     {"MAIL FROM:<>", "RCPT TO:<u@xn--bcher-kva.example>"},
     {"MAIL FROM:<> SMTPUTF8"}},

    {"LMTP",
     "{\"lmtp\": true}",
     true,
     NULL,
     "u@example.com",
     VALID,
     250,
     {"LHLO gate.test", "MAIL FROM:<>", "RCPT TO:<u@example.com>"},
     {"EHLO gate.test", "HELO gate.test", "DATA"}},
    {"LMTP, unknown",
     "{\"lmtp\": true, \"rcpt_default\": \"550 5.1.1 <u@example.com> User doesn't exist\"}",
     true,
     NULL,
     "u@example.com",
     CALLAHEAD_USER_UNKNOWN,
     550,
     {"LHLO gate.test", "RCPT TO:<u@example.com>"},
     {"EHLO gate.test"}},
    {"LMTP where SMTP is spoken",
     "{}",
     true,
     NULL,
     "u@example.com",
     ILL,
     502,
     {"LHLO gate.test"},
     {"EHLO gate.test", "HELO gate.test", "MAIL FROM:<>"}},
    {"SMTP where LMTP is spoken",
     "{\"lmtp\": true}",
     false,
     NULL,
     "u@example.com",
     ILL,
     500,
     {"EHLO gate.test", "HELO gate.test"},
     {"LHLO gate.test", "MAIL FROM:<>"}},
};

static void expect_said(const struct talk *talk, struct peer *peer)
{
    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        if (talk->said[i] && peer_said(peer, talk->said[i]) != 1)
            fail_msg("%s: %s: %u times", talk->what, talk->said[i], peer_said(peer, talk->said[i]));
        if (talk->unsaid[i] && peer_said(peer, talk->unsaid[i]) != 0)
            fail_msg("%s: %s", talk->what, talk->unsaid[i]);
    }
}

static void test_talks(void **state)
{
    const char *settings[ARRAY_LEN(talks)];
    struct peer peers[ARRAY_LEN(talks)];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(talks); i++)
        settings[i] = talks[i].settings;
    peer_start_all(peers, settings, ARRAY_LEN(talks));
    for (size_t i = 0; i < ARRAY_LEN(talks); i++) {
        const struct talk *talk = &talks[i];
        struct client client;
        client_init(&client, peers[i].port, 0);
        client.hosts[0].lmtp = talk->lmtp;
        if (talk->mail_from)
            client.keys.mail_from = talk->mail_from;
        struct callahead_answer answer = client_asks(&client, talk->recipient);
        if (answer.class != talk->class || answer.code != talk->code)
            fail_msg("%s: class %d, code %d: %s", talk->what, (int)answer.class, answer.code,
                     answer.text);
        expect_said(talk, &peers[i]);
        client_done(&client);
    }
    peer_stop(&peers[0]);
}

/* Some servers offer SMTPUTF8 and some do not: others in the batch get their answers. */
static void test_smtputf8_among_others(void **state)
{
    struct peer peer;
    struct client client;
    struct asker askers[3];
    static const char *const recipients[] = {"a@example.com", "jörg@example.com", "b@example.com"};
    (void)state;
    peer_start(&peer, "{\"smtputf8\": false, \"banner\": \"gate:220 mx\"}");
    client_init(&client, peer.port, 0);
    client.keys.max_connections_per_server = 1;
    for (size_t i = 0; i < 3; i++)
        asker_start(&askers[i], &client, recipients[i], 60000);
    peer_await(&peer, "open", 1);
    peer_open(&peer);
    for (size_t i = 0; i < 3; i++) {
        asker_join(&askers[i]);
        assert_int_equal(askers[i].answer.class, i == 1 ? CALLAHEAD_POLICY : VALID);
    }
    assert_int_equal(askers[1].answer.dead_end, CALLAHEAD_NEEDS_SMTPUTF8);
    assert_string_equal(askers[1].answer.text, "Address needs SMTPUTF8");
    assert_int_equal(peer_count(&peer, "rcpt"), 2);
    client_done(&client);
    peer_await(&peer, "open", 0);
    assert_int_equal(peer_said(&peer, "QUIT"), 1);
    peer_stop(&peer);
}

/* A server that is known by LMTP and by SMTP is two of them. */
static void test_lmtp_beside_smtp(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{}");
    client_init(&client, peer.port, 0);
    client_expect(&client, "a@example.com", VALID, 250);
    client.hosts[0].lmtp = true;
    client_expect(&client, "b@example.com", ILL, 502);
    client.hosts[0].lmtp = false;
    client_expect(&client, "c@example.com", VALID, 250);
    assert_int_equal(peer_said(&peer, "EHLO gate.test"), 1);
    assert_int_equal(peer_said(&peer, "LHLO gate.test"), 1);
    client_done(&client);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talks),
        cmocka_unit_test(test_smtputf8_among_others),
        cmocka_unit_test(test_lmtp_beside_smtp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
