/* callahead_hostile_test.c - servers that are broken or mean it: each ends inside the deadline with
 * the right verdict. */
#include "t/unit/net/peer.h"

#include <string.h>
#include "lib/net/smtp_class.h"

#define TIMEOUT_MS 1000
#define ANY 1000

struct hostile {
    const char *what;
    const char *settings;
    enum callahead_class class;
    int code;
    unsigned asked; /* how often the server saw the recipient */
};

static const struct hostile hostiles[] = {
    {"the banner is late", "{\"banner\": \"delay:0.3:220 mx\"}", CALLAHEAD_VALID, 250, 1},
    {"no banner", "{\"banner\": \"hang\"}", CALLAHEAD_SERVER_ILL, 0, 0},
    {"close instead of a banner", "{\"banner\": \"close\"}", CALLAHEAD_SERVER_ILL, 0, 0},
    {"RST instead of a banner", "{\"banner\": \"rst\"}", CALLAHEAD_SERVER_ILL, 0, 0},
    {"half a line as banner", "{\"banner\": \"raw:220 mx\"}", CALLAHEAD_SERVER_ILL, 0, 0},
    /* Silence after the answer to MAIL may be lost commands: asked again, one by one. */
    {"half a line at RCPT", "{\"rcpt_default\": \"raw:250 O\"}", CALLAHEAD_SERVER_ILL, 0, 2},
    {"silence at RCPT", "{\"rcpt_default\": \"hang\"}", CALLAHEAD_SERVER_ILL, 0, 2},
    {"a line of 64 KiB", "{\"banner\": \"repeat:9400:220 abc\"}", CALLAHEAD_SERVER_ILL, 0, 0},
    {"a line of 64 KiB at RCPT", "{\"rcpt_default\": \"repeat:9400:250 abc\"}",
     CALLAHEAD_SERVER_ILL, 0, 1},
    {"ten thousand lines", "{\"ehlo\": \"repeat:10000:250-x\\\\r\\\\n\"}", CALLAHEAD_SERVER_ILL, 0,
     0},
    {"ten thousand lines at RCPT", "{\"rcpt_default\": \"repeat:10000:250-x\\\\r\\\\n\"}",
     CALLAHEAD_SERVER_ILL, 0, 1},
    {"a byte at a time", "{\"rcpt_default\": \"drip:0.01:550 5.1.1 no\"}", CALLAHEAD_USER_UNKNOWN,
     550, 1},
    {"a byte a second", "{\"rcpt_default\": \"drip:1:250 Ok\"}", CALLAHEAD_SERVER_ILL, 0, 2},
    {"a byte each 200 ms for ever", "{\"banner\": \"drip:0.2:220-mx mx mx mx mx mx mx\"}",
     CALLAHEAD_SERVER_ILL, 0, 0},
    {"a reply before the command", "{\"banner\": \"raw:220 mx\\\\r\\\\n250 mx\\\\r\\\\n\"}",
     CALLAHEAD_SERVER_ILL, 0, 0},
    {"two replies to one command", "{\"rcpt_default\": \"twice:550 5.1.1 no\"}",
     CALLAHEAD_SERVER_ILL, 0, 1},
    {"a code that changes", "{\"rcpt_default\": \"250-yes\\n550 5.1.1 no\"}", CALLAHEAD_SERVER_ILL,
     0, 1},
    {"NUL", "{\"rcpt_default\": \"raw:550 5.1.1 no\\\\x00\\\\r\\\\n\"}", CALLAHEAD_SERVER_ILL, 0,
     1},
    {"no SMTP at all", "{\"banner\": \"SSH-2.0-OpenSSH_9.2\"}", CALLAHEAD_SERVER_ILL, 0, 0},
    {"421 in mid-session", "{\"rcpt_default\": \"then-close:421 4.3.2 bye\"}", CALLAHEAD_TEMPORARY,
     421, 2},
    {"close after RCPT", "{\"rcpt_default\": \"close\"}", CALLAHEAD_SERVER_ILL, 0, 2},
    {"RST after RCPT", "{\"rcpt_default\": \"rst\"}", CALLAHEAD_SERVER_ILL, 0, 2},
    {"answer, then close", "{\"rcpt_default\": \"then-close:550 5.1.1 no\"}",
     CALLAHEAD_USER_UNKNOWN, 550, 1},
    {"close at MAIL", "{\"mail\": \"close\"}", CALLAHEAD_SERVER_ILL, 0, ANY},
    {"silence at MAIL", "{\"mail\": \"hang\"}", CALLAHEAD_SERVER_ILL, 0, ANY},
    {"5xx as banner", "{\"banner\": \"554 5.7.1 go away\"}", CALLAHEAD_SERVER_ILL, 554, 0},
    {"5xx at MAIL", "{\"mail\": \"550 5.1.1 sender unknown\"}", CALLAHEAD_SERVER_ILL, 550, ANY},
    {"EHLO refused", "{\"ehlo\": \"502 5.5.2 what?\"}", CALLAHEAD_VALID, 250, 1},
    {"EHLO and HELO refused", "{\"ehlo\": \"502 what?\", \"helo\": \"550 5.1.1 no\"}",
     CALLAHEAD_SERVER_ILL, 550, 0},
    {"PIPELINING not honoured", "{\"lose_pipelined\": true}", CALLAHEAD_VALID, 250, 1},
    {"PIPELINING not honoured, unknown",
     "{\"lose_pipelined\": true, \"rcpt_default\": \"550 5.1.1 no\"}", CALLAHEAD_USER_UNKNOWN, 550,
     1},
};

static void meet(const struct hostile *hostile)
{
    struct peer peer;
    struct client client;
    peer_start(&peer, hostile->settings);
    client_init(&client, peer.port, 0);
    client.keys.timeout = TIMEOUT_MS;
    mono_us began = mono_now();
    struct callahead_answer answer = client_asks(&client, "user@example.com");
    mono_us took = elapsed_ms(began);
    unsigned asked = peer_asked(&peer, "user@example.com");
    if (answer.class != hostile->class || answer.code != hostile->code ||
        (hostile->asked != ANY && asked != hostile->asked) || took > TIMEOUT_MS + 500)
        fail_msg("%s: %s %d \"%s\", asked %u, %d ms", hostile->what, smtp_class_name(answer.class),
                 answer.code, answer.text, asked, (int)took);
    began = mono_now();
    client_done(&client);
    assert_true(elapsed_ms(began) < 1500);
    peer_stop(&peer);
}

static void test_hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hostiles); i++)
        meet(&hostiles[i]);
}

/* The answer to the first recipient comes after our time-out: never taken for
 * the answer to the next one. */
static void test_late_reply(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{\"rcpt\": [[\"^late\", \"delay:1:550 5.1.1 no\"]]}");
    client_init(&client, peer.port, 0);
    client.keys.timeout = 600;
    client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
    client_expect(&client, "late@example.com", CALLAHEAD_SERVER_ILL, 0);
    for (int i = 0; i < 25; i++) {
        pause_ms(100);
        struct callahead_answer answer = client_asks(&client, "next@example.com");
        if (answer.class != CALLAHEAD_VALID)
            assert_string_equal(answer.text, "server in pause");
    }
    client_expect(&client, "next@example.com", CALLAHEAD_VALID, 250);
    client_done(&client);
    peer_stop(&peer);
}

/* While a connection lies idle: whatever comes, or a close, only costs the connection. */
static void test_idle_surprises(void **state)
{
    static const char *const settings[] = {
        "{\"rcpt\": [[\"^first\", \"then-close:250 Ok\"]]}",
        "{\"rcpt\": [[\"^first\", \"surplus:0.05:250 Ok\"]]}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        struct peer peer;
        struct client client;
        peer_start(&peer, settings[i]);
        client_init(&client, peer.port, 0);
        client_expect(&client, "first@example.com", CALLAHEAD_VALID, 250);
        pause_ms(500);
        client_expect(&client, "second@example.com", CALLAHEAD_VALID, 250);
        assert_int_equal(peer_count(&peer, "connections"), 2);
        assert_int_equal(peer_asked(&peer, "second@example.com"), 1);
        client_done(&client);
        peer_stop(&peer);
    }
}

/* One server is dead, the other is not bothered. */
static void test_others_unaffected(void **state)
{
    struct peer dead, alive;
    struct client to_dead, to_alive;
    (void)state;
    peer_start(&dead, "{\"banner\": \"hang\"}");
    peer_start(&alive, "{}");
    client_init(&to_dead, dead.port, 0);
    client_init(&to_alive, alive.port, 0);
    callahead_free(to_dead.pool);
    to_dead.pool = to_alive.pool;
    assert_int_equal(client_ask(&to_dead, "a@example.com", 100).class, CALLAHEAD_SERVER_ILL);
    mono_us began = mono_now();
    assert_int_equal(client_ask(&to_alive, "b@example.com", 1000).class, CALLAHEAD_VALID);
    assert_true(elapsed_ms(began) < 1500);
    arena_free(to_dead.arena);
    client_done(&to_alive);
    peer_stop(&dead);
    peer_stop(&alive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_late_reply),
        cmocka_unit_test(test_idle_surprises),
        cmocka_unit_test(test_others_unaffected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
