/* callahead_tls_test.c - STARTTLS off, may and require; certificates; the settings of [tls]. */
#include "t/unit/net/peer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Folders with cert.pem and key.pem: one for our server, one for somebody else. */
static char right[] = "/tmp/callahead_tls_test.XXXXXX";
static char wrong[] = "/tmp/callahead_tls_test.XXXXXX";

static const char *in(const char *folder, const char *name)
{
    static char paths[4][100];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int make_certificates(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(right));
    assert_non_null(mkdtemp(wrong));
    peer_certificate(right, "mx.test", "127.0.0.1");
    peer_certificate(wrong, "other.test", "192.0.2.1");
    return 0;
}

static int remove_certificates(void **state)
{
    const char *folders[] = {right, wrong};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        unlink(in(folders[i], "cert.pem"));
        unlink(in(folders[i], "key.pem"));
        rmdir(folders[i]);
    }
    return 0;
}

static struct tls_keys tls_defaults(void)
{
    return (struct tls_keys){.min_version = TLS_1_2,
                             .ciphers = "DEFAULT",
                             .ca_file = "",
                             .ca_dir = "",
                             .certificate = "",
                             .key = ""};
}

static void keep_first(const char *key, const struct err *err, void *arg)
{
    struct err *first = arg;
    if (first->text[0] == '\0')
        err_set(first, err->kind, "%s: %s", key, err->text);
}

static struct tls_client *tls_make(const struct tls_keys *keys)
{
    struct err err = {0};
    struct tls_client *tls = tls_client_new(keys, keep_first, &err);
    if (!tls)
        fail_msg("%s", err.text);
    return tls;
}

/* --- against a server -------------------------------------------------------------------- */

struct meeting {
    const char *what;
    const char *folder;   /* of the server's certificate; NULL: no TLS */
    const char *settings; /* more of the server, of its TLS where it begins with a comma */
    enum callahead_tls tls;
    bool verify, know; /* the server's certificate is trusted */
    const char *name;  /* of the server, if not its address */
    enum callahead_class class;
    enum callahead_stage stage;
    bool encrypted;
};

#define YES CALLAHEAD_VALID, CALLAHEAD_AT_RCPT
#define NO CALLAHEAD_SERVER_ILL, CALLAHEAD_AT_STARTTLS
#define MAY CALLAHEAD_TLS_MAY
#define REQUIRE CALLAHEAD_TLS_REQUIRE

static const struct meeting meetings[] = {
    {"off", right, "", CALLAHEAD_TLS_OFF, false, false, NULL, YES, false},
    {"may, not offered", NULL, "", MAY, false, false, NULL, YES, false},
    {"may, offered", right, "", MAY, false, false, NULL, YES, true},
    {"may, a stranger's certificate", wrong, "", MAY, false, false, NULL, YES, true},
    {"may, refused", right, "\"starttls\": \"454 4.7.0 no\"", MAY, false, false, NULL, YES, false},
    {"may, broken", right, "\"starttls\": \"then-close:220 go\"", MAY, false, false, NULL, YES,
     false},
    {"may, garbage", right, "\"starttls\": \"raw:220 go\\\\r\\\\n\\\\x00\\\\x01garbage\"", MAY,
     false, false, NULL, CALLAHEAD_SERVER_ILL, CALLAHEAD_AT_STARTTLS, false},
    {"may, an alert in the handshake", right, ", \"alert\": 40", MAY, false, false, NULL, YES,
     false},
    {"may, no TLS after all", right, ", \"garbage\": true", MAY, false, false, NULL, YES, false},
    {"may and verify, an alert in the handshake", right, ", \"alert\": 40", MAY, true, true, NULL,
     NO, false},
    {"require, an alert in the handshake", right, ", \"alert\": 40", REQUIRE, false, false, NULL,
     NO, false},
    {"require, an alert that is none", right, ", \"alert\": 255", REQUIRE, false, false, NULL, NO,
     false},
    {"require, no TLS after all", right, ", \"garbage\": true", REQUIRE, false, false, NULL, NO,
     false},
    {"require, closed in the handshake", right, "\"starttls\": \"then-close:220 go\"", REQUIRE,
     false, false, NULL, NO, false},
    {"require, two answers to STARTTLS", right, "\"starttls\": \"twice:220 go\"", REQUIRE, false,
     false, NULL, NO, false},
    {"may and verify, a stranger's certificate", wrong, "", MAY, true, true, NULL, NO, false},
    {"may and verify, broken", right, "\"starttls\": \"then-close:220 go\"", MAY, true, true, NULL,
     NO, false},
    {"require, not offered", NULL, "", REQUIRE, false, false, NULL, NO, false},
    {"require", right, "", REQUIRE, false, false, NULL, YES, true},
    {"require, a stranger's certificate", wrong, "", REQUIRE, false, false, NULL, YES, true},
    {"require and verify", right, "", REQUIRE, true, true, NULL, YES, true},
    {"require and verify by name", right, "", REQUIRE, true, true, "mx.test", YES, true},
    {"require and verify, another name", right, "", REQUIRE, true, true, "mx2.test", NO, false},
    {"require and verify, another address", wrong, "", REQUIRE, true, true, NULL, NO, false},
    {"require and verify, unknown authority", right, "", REQUIRE, true, false, NULL, NO, false},
    {"require, refused", right, "\"starttls\": \"554 5.7.0 no\"", REQUIRE, false, false, NULL, NO,
     false},
    {"require, bytes behind the answer", right,
     "\"starttls\": \"raw:220 go\\\\r\\\\n250 injected\\\\r\\\\n\"", REQUIRE, false, false, NULL,
     NO, false},
};

static void server_settings(const struct meeting *meeting, char *settings, size_t room)
{
    bool of_tls = meeting->settings[0] == ',';
    if (meeting->folder)
        snprintf(settings, room, "{\"tls\": {\"cert\": \"%s\", \"key\": \"%s\"%s}%s%s}",
                 in(meeting->folder, "cert.pem"), in(meeting->folder, "key.pem"),
                 of_tls ? meeting->settings : "", of_tls || !meeting->settings[0] ? "" : ", ",
                 of_tls ? "" : meeting->settings);
    else
        snprintf(settings, room, "{%s}", meeting->settings);
}

static void meet(const struct meeting *meeting)
{
    struct peer peer;
    struct client client;
    char settings[1000];
    struct tls_keys keys = tls_defaults();
    server_settings(meeting, settings, sizeof settings);
    peer_start(&peer, settings);
    client_init(&client, peer.port, 0);
    keys.ca_file = meeting->know ? in(meeting->folder, "cert.pem") : "";
    client.profile.tls = tls_make(&keys);
    client.keys.tls = (int)meeting->tls;
    client.keys.verify = meeting->verify;
    if (meeting->name)
        client.hosts[0].host = meeting->name;
    for (int i = 0; i < 2; i++) {
        struct callahead_answer answer = client_asks(&client, i ? "b@x.test" : "a@x.test");
        if (answer.class != meeting->class ||
            (answer.stage != meeting->stage && answer.stage != CALLAHEAD_AT_CONNECT))
            fail_msg("%s: class %d, stage %d: %s", meeting->what, (int)answer.class,
                     (int)answer.stage, answer.text);
    }
    if ((peer_count(&peer, "tls") > 0) != meeting->encrypted)
        fail_msg("%s: tls=%u", meeting->what, peer_count(&peer, "tls"));
    if (meeting->class != CALLAHEAD_VALID)
        peer_await(&peer, "open", 0);
    if (meeting->class != CALLAHEAD_VALID)
        assert_int_equal(peer_count(&peer, "rcpt"), 0);
    client_done(&client);
    tls_client_drop(client.profile.tls);
    peer_stop(&peer);
}

static void test_meetings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(meetings); i++)
        meet(&meetings[i]);
}

static void start_with_tls(struct peer *peer, const char *more)
{
    char settings[1000];
    snprintf(settings, sizeof settings, "{\"tls\": {\"cert\": \"%s\", \"key\": \"%s\"%s}}",
             in(right, "cert.pem"), in(right, "key.pem"), more);
    peer_start(peer, settings);
}

/* A reload makes a new tls_client: the connections stay while it means the same. */
static void test_reload(void **state)
{
    struct peer peer;
    struct client client;
    struct tls_keys keys = tls_defaults();
    (void)state;
    start_with_tls(&peer, "");
    client_init(&client, peer.port, 0);
    client.keys.tls = REQUIRE;
    client.profile.tls = tls_make(&keys);
    client_expect(&client, "a@x.test", CALLAHEAD_VALID, 250);
    pause_ms(100); /* session tickets are no surplus reply */
    tls_client_drop(client.profile.tls);
    client.profile.tls = tls_make(&keys);
    client_expect(&client, "b@x.test", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_count(&peer, "connections"), 1);
    keys.min_version = TLS_1_3;
    tls_client_drop(client.profile.tls);
    client.profile.tls = tls_make(&keys);
    client_expect(&client, "c@x.test", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_count(&peer, "connections"), 2);
    client_done(&client);
    tls_client_drop(client.profile.tls);
    peer_stop(&peer);
}

static void test_client_certificate(void **state)
{
    struct peer peer;
    struct client client;
    char more[200];
    struct tls_keys keys = tls_defaults();
    (void)state;
    snprintf(more, sizeof more, ", \"client\": \"%s\"", in(wrong, "cert.pem"));
    start_with_tls(&peer, more);
    client_init(&client, peer.port, 0);
    client.keys.tls = REQUIRE;
    client.profile.tls = tls_make(&keys);
    assert_int_equal(client_asks(&client, "a@x.test").class, CALLAHEAD_SERVER_ILL);
    tls_client_drop(client.profile.tls);
    keys.certificate = in(wrong, "cert.pem");
    keys.key = in(wrong, "key.pem");
    client.profile.tls = tls_make(&keys);
    client_expect(&client, "a@x.test", CALLAHEAD_VALID, 250);
    client_done(&client);
    tls_client_drop(client.profile.tls);
    peer_stop(&peer);
}

/* --- settings ------------------------------------------------------------------------------ */

static void refuse(const struct tls_keys *keys, const char *words)
{
    struct err err = {0};
    struct tls_client *tls = tls_client_new(keys, keep_first, &err);
    if (tls || !strstr(err.text, words))
        fail_msg("not refused with \"%s\": %s", words, err.text);
}

static void test_settings(void **state)
{
    struct tls_keys keys = tls_defaults();
    (void)state;
    keys.ciphers = "NO-SUCH-CIPHER";
    refuse(&keys, "ciphers");
    keys = tls_defaults();
    keys.ca_file = "/nowhere/ca.pem";
    refuse(&keys, "/nowhere/ca.pem: No such file");
    keys.ca_file = in(right, "key.pem"); /* no certificate in it */
    refuse(&keys, "key.pem");
    keys = tls_defaults();
    keys.ca_dir = "/nowhere";
    refuse(&keys, "/nowhere: No such file");
    keys.ca_dir = in(right, "cert.pem");
    refuse(&keys, "not a folder");
    keys.ca_dir = right;
    tls_client_drop(tls_make(&keys));
    keys = tls_defaults();
    keys.key = in(right, "key.pem");
    refuse(&keys, "certificate: is missing, and key is given");
    keys.certificate = "/nowhere/cert.pem";
    refuse(&keys, "/nowhere/cert.pem: No such file");
    keys.certificate = in(right, "cert.pem");
    tls_client_drop(tls_make(&keys));
    keys.key = in(wrong, "key.pem");
    refuse(&keys, "key.pem");
    keys.key = in(right, "key.pem");
    assert_int_equal(chmod(keys.key, 0640), 0);
    tls_client_drop(tls_make(&keys));
    assert_int_equal(chmod(keys.key, 0644), 0);
    refuse(&keys, "private key");
    assert_int_equal(chmod(keys.key, 0600), 0);
    keys.key = ""; /* then it must be in the certificate's file */
    refuse(&keys, "cert.pem");
}

static void test_same(void **state)
{
    struct tls_keys keys = tls_defaults();
    (void)state;
    keys.certificate = in(right, "cert.pem");
    keys.key = in(right, "key.pem");
    struct tls_client *a = tls_make(&keys), *b = tls_make(&keys);
    assert_true(tls_client_same(a, a));
    assert_true(tls_client_same(a, b));
    assert_false(tls_client_same(a, NULL));
    assert_true(tls_client_same(NULL, NULL));
    tls_client_drop(b);
    peer_certificate(right, "mx.test", "127.0.0.1"); /* renewed under the same name */
    b = tls_make(&keys);
    assert_false(tls_client_same(a, b));
    tls_client_drop(tls_client_take(b));
    tls_client_drop(b);
    tls_client_drop(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meetings),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
