/* callahead_state_test.c - what call-ahead remembers over a restart, and what it does not trust. */
#include "t/unit/net/peer.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/log.h"
#include "lib/net/callahead_state.h"

#define SETTINGS "{\"rcpt\": [[\"^bad\", \"550 5.1.1 no such user\"]]}"
#define EVERY MONO_SECONDS(3600)

static char folder[] = "/tmp/callahead-state-XXXXXX";
static const char *const files[] = {STATE_FILE, STATE_KEY_FILE, STATE_FILE ".damaged",
                                    STATE_KEY_FILE ".damaged", STATE_FILE ".new"};

static const char *path_of(const char *name)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int empty_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        (void)remove(path_of(files[i]));
    return 0;
}

static int remove_folder(void **state)
{
    return empty_folder(state) != 0 || rmdir(folder) != 0;
}

static size_t read_file(const char *name, char *text, size_t room)
{
    FILE *file = fopen(path_of(name), "rb");
    assert_non_null(file);
    size_t n = fread(text, 1, room - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    return n;
}

static void write_file(const char *name, const char *text, size_t n)
{
    FILE *file = fopen(path_of(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* --- by way of the pool ----------------------------------------------------------------- */

static void begin(struct client *client, const struct peer *peer)
{
    struct err err = {0};
    client_init(client, peer->port, 0);
    client->profile.name = "p with blanks";
    if (!callahead_keep(client->pool, folder, EVERY, &err))
        fail_msg("%s", err.text);
}

static void begin_again(struct client *client, const struct peer *peer)
{
    client_done(client);
    begin(client, peer);
}

static void add_line(const struct callahead_entry *entry, void *arg)
{
    strbuf_add(arg, entry->recipient.p, entry->recipient.n);
    strbuf_puts(arg, entry->class == CALLAHEAD_VALID ? " yes\n" : " no\n");
}

static void assert_listed(struct client *client, const char *line, bool there)
{
    struct strbuf out;
    strbuf_init(&out);
    callahead_list(client->pool, add_line, &out);
    bool found = out.n > 0 && strstr(out.p, line);
    if (found != there)
        fail_msg("\"%s\" %s in:\n%s", line, there ? "is not" : "is", strbuf_text(&out));
    strbuf_done(&out);
}

static void fill(struct client *client)
{
    client_expect(client, "Good@example.com", CALLAHEAD_VALID, 250);
    client_expect(client, "bad@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    client_expect(client, "u@other.example", CALLAHEAD_VALID, 250);
}

static void test_outlives_a_restart(void **state)
{
    struct peer peer;
    struct client client;
    struct stat status;
    char text[4096];
    (void)state;
    peer_start(&peer, SETTINGS);
    begin(&client, &peer);
    fill(&client);
    begin_again(&client, &peer);
    (void)read_file(STATE_FILE, text, sizeof text);
    assert_null(strstr(text, "good"));
    assert_non_null(strstr(text, " example.com\n"));
    assert_int_equal(stat(path_of(STATE_KEY_FILE), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(path_of(STATE_FILE), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);

    assert_listed(&client, "*@other.example yes\n", true);
    struct callahead_answer answer = client_asks(&client, "good@EXAMPLE.com");
    assert_true(answer.cached);
    assert_int_equal(answer.class, CALLAHEAD_VALID);
    assert_int_equal(answer.code, 250);
    assert_string_equal(answer.status, "2.1.5");
    assert_non_null(strstr(answer.server, "127.0.0.1:"));
    answer = client_asks(&client, "bad@example.com");
    assert_true(answer.cached);
    assert_int_equal(answer.class, CALLAHEAD_USER_UNKNOWN);
    assert_listed(&client, "*@example.com", false); /* they have their names again */
    assert_listed(&client, "good@example.com yes\n", true);
    assert_listed(&client, "bad@example.com no\n", true);
    assert_int_equal(peer_count(&peer, "rcpt"), 3);
    /* Flushed by its name, though only the hash is known. */
    assert_int_equal(callahead_flush(client.pool, CALLAHEAD_FLUSH_ADDRESS, "u@other.example"), 1);
    begin_again(&client, &peer);
    assert_false(client_asks(&client, "u@other.example").cached);
    assert_true(client_asks(&client, "good@example.com").cached);
    assert_int_equal(callahead_flush(client.pool, CALLAHEAD_FLUSH_DOMAIN, "example.com"), 2);
    begin_again(&client, &peer);
    assert_false(client_asks(&client, "good@example.com").cached);
    client_done(&client);
    peer_stop(&peer);
}

static void test_known_good_over_a_restart(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, SETTINGS);
    begin(&client, &peer);
    client.keys.cache_ttl = 1;
    client_expect(&client, "u@example.com", CALLAHEAD_VALID, 250);
    begin_again(&client, &peer);
    peer_set(&peer, "{\"banner\": \"close\"}");
    assert_int_equal(client_asks(&client, "u@example.com").class, CALLAHEAD_VALID); /* stale */
    begin_again(&client, &peer);
    peer_set(&peer, "{\"rcpt_default\": \"550 5.1.1 no such user\"}");
    client_expect(&client, "u@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    assert_int_equal(peer_asked(&peer, "u@example.com"), 3); /* refused twice */
    client_done(&client);
    peer_stop(&peer);
}

/* Written as often as was asked for, not only at the end. */
static void test_written_meanwhile(void **state)
{
    struct peer peer;
    struct client client;
    struct err err = {0};
    char text[4096] = "";
    (void)state;
    peer_start(&peer, SETTINGS);
    client_init(&client, peer.port, 0);
    assert_true(callahead_keep(client.pool, folder, MONO_MS(20), &err));
    fill(&client);
    for (int ms = 0; !strstr(text, " other.example\n"); ms += 10) {
        assert_true(ms < 60000);
        pause_ms(10);
        if (access(path_of(STATE_FILE), R_OK) == 0)
            (void)read_file(STATE_FILE, text, sizeof text);
    }
    client_done(&client);
    peer_stop(&peer);
}

/* What was written is changed somehow; then nothing of it is used, and all works on. */
static void assert_not_trusted(struct client *client, struct peer *peer, const char *what)
{
    begin_again(client, peer);
    if (client_asks(client, "good@example.com").cached ||
        client_asks(client, "bad@example.com").cached)
        fail_msg("trusted: %s", what);
    begin_again(client, peer);
    if (!client_asks(client, "good@example.com").cached)
        fail_msg("not written any more: %s", what);
}

static void test_not_trusted(void **state)
{
    struct peer peer;
    struct client client;
    char text[4096], changed[4096];
    (void)state;
    peer_start(&peer, SETTINGS);
    begin(&client, &peer);
    fill(&client);
    client_done(&client);
    size_t n = read_file(STATE_FILE, text, sizeof text);
    begin(&client, &peer);
    for (size_t i = 0; i < n; i += 1 + n / 11) {
        client_done(&client);
        memcpy(changed, text, n);
        changed[i] ^= 1;
        write_file(STATE_FILE, changed, n);
        begin(&client, &peer);
        assert_not_trusted(&client, &peer, "a bit turned");
        client_done(&client);
        write_file(STATE_FILE, text, i);
        begin(&client, &peer);
        assert_not_trusted(&client, &peer, "cut");
    }
    client_done(&client);
    (void)remove(path_of(STATE_KEY_FILE));
    begin(&client, &peer);
    client_done(&client); /* writes with a new key */
    write_file(STATE_FILE, text, n);
    begin(&client, &peer);
    assert_not_trusted(&client, &peer, "another key");
    client_done(&client);
    write_file(STATE_KEY_FILE, "x", 1);
    begin(&client, &peer);
    assert_not_trusted(&client, &peer, "a damaged key");
    client_done(&client);
    peer_stop(&peer);
}

static void test_another_profile(void **state)
{
    struct peer peer;
    struct client client;
    struct nexthop servers[1];
    (void)state;
    peer_start(&peer, SETTINGS);
    begin(&client, &peer);
    client.keys.type = CALLAHEAD_STATIC;
    servers[0] = client.hosts[0];
    client.profile.servers = servers;
    client.profile.nservers = 1;
    client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
    begin_again(&client, &peer);
    assert_false(client_asks(&client, "good@example.com").cached); /* not static */
    begin_again(&client, &peer);
    assert_true(client_asks(&client, "good@example.com").cached);
    /* Only what is in force is written: the other way back there is nothing. */
    begin_again(&client, &peer);
    client.keys.type = CALLAHEAD_STATIC;
    client.profile.servers = servers;
    client.profile.nservers = 1;
    assert_false(client_asks(&client, "good@example.com").cached);
    client_done(&client);
    peer_stop(&peer);
}

static void test_no_folder(void **state)
{
    struct client client;
    struct err err = {0};
    (void)state;
    client_init(&client, 1, 0);
    assert_false(callahead_keep(client.pool, "/tmp/callahead-state-there-is-none", EVERY, &err));
    assert_int_not_equal(err.kind, ERR_NONE);
    client_done(&client);
}

/* --- line by line ---------------------------------------------------------------------------- */

static bool take_saved(int64_t seconds, uint64_t key_id, void *arg)
{
    (void)arg;
    return seconds == 1000 && key_id == 0x0123456789abcdef;
}

static void take_profile(const struct memory_name *name, mono_us known, void *arg)
{
    strbuf_printf(arg, "profile %zu %lld %llx %s;", name->entries, (long long)known,
                  (unsigned long long)name->mark, name->name);
}

static void take_domain(struct slice name, bool catch_all, int64_t probed, void *arg)
{
    size_t n = strnlen(name.p, name.n);
    strbuf_printf(arg, "domain %.*s %d %lld;", (int)n, name.p, catch_all, (long long)probed);
    if (n < name.n)
        strbuf_printf(arg, "at %.*s;", (int)(name.n - n - 1), name.p + n + 1);
}

static void take_entry(const struct trust_entry *entry, void *arg)
{
    strbuf_printf(arg, "%s %02x %.*s %lld %lld %d \"%s\" %s %d;",
                  entry->class == CALLAHEAD_VALID ? "valid" : "unknown", entry->key.b[15],
                  (int)entry->recipient.n, entry->recipient.p, (long long)entry->learned,
                  (long long)entry->expires, entry->code, entry->status, entry->server,
                  entry->known_good);
}

#define SAVED "saved 1000 0123456789abcdef\n"
#define PROFILE "profile 400 86400 00000000000000ff p q\n"
#define HASH "000102030405060708090a0b0c0d0e0f"
#define NAME_255                                                                                   \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"        \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"        \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_lines(void **state)
{
    static const struct {
        const char *text;
        bool good;
        const char *taken;
    } cases[] = {
        {"", false, ""},
        {SAVED, true, ""},
        {"saved 1000 0123456789abcdef", false, ""},
        {"saved 1001 0123456789abcdef\n", false, ""},
        {"saved -1 0123456789abcdef\n", false, ""},
        {"saved 1000 0123456789ABCDEF\n", false, ""},
        {"saved 1000 0123456789abcdef0\n", false, ""},
        {PROFILE SAVED, false, ""},
        {SAVED SAVED, false, ""},
        {SAVED PROFILE, true, "profile 400 86400000000 ff p q;"},
        {SAVED "profile 0 86400 00000000000000ff p\n", false, ""},
        {SAVED "profile 1000001 86400 00000000000000ff p\n", false, ""},
        {SAVED "profile 400 604801 00000000000000ff p\n", false, ""},
        {SAVED "profile 400 86400 00000000000000ff \n", false, ""},
        {SAVED "domain 1 catch_all a.test\n", false, ""},
        {SAVED "yes " HASH " 1 2 250 - - a.test\n", false, ""},
        {SAVED PROFILE "domain 900 catch_all a.test\n", true,
         "profile 400 86400000000 ff p q;domain a.test 1 900;"},
        {SAVED PROFILE "domain 900 discerning a.test\n", true,
         "profile 400 86400000000 ff p q;domain a.test 0 900;"},
        {SAVED PROFILE "domain 900 odd a.test\n", false, "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "domain 900 catch_all a b\n", false, "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "domain 900 catch_all a.test 0123456789abcdef\n", true,
         "profile 400 86400000000 ff p q;domain a.test 1 900;at 0123456789abcdef;"},
        {SAVED PROFILE "domain 900 catch_all a.test 0123456789abcde\n", false,
         "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "domain 900 catch_all a.test 0123456789abcdef0\n", false,
         "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "domain 900 catch_all a.test 0123456789abcdef x\n", false,
         "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "domain 900 catch_all a.test \n", false, "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "yes " HASH " 900 1800 250 2.1.5 10.0.0.5:25 a.test\n", true,
         "profile 400 86400000000 ff p q;"
         "valid 0f *@a.test 900000000 1800000000 250 \"2.1.5\" 10.0.0.5:25 1;"},
        {SAVED PROFILE "no " HASH " 900 900 550 - [::1]:25 -\n", true,
         "profile 400 86400000000 ff p q;"
         "unknown 0f *@ 900000000 900000000 550 \"\" [::1]:25 0;"},
        {SAVED PROFILE "all " HASH " 0 86400 250 - - a.test\n", true,
         "profile 400 86400000000 ff p q;valid 0f *@a.test 0 86400000000 250 \"\"  0;"},
        {SAVED PROFILE "all " HASH " 0 86401 250 - - a.test\n", false,
         "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "yes " HASH " 2 1 250 - - a.test\n", false,
         "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "yes " HASH "0 1 2 250 - - a.test\n", false,
         "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "yes " HASH " 1 2 600 - - a.test\n", false,
         "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "yes " HASH " 1 2 250 2.1.5x - a.test\n", false,
         "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "yes " HASH " 1 2 250 2.11111.2222 - a.test\n", false,
         "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "yes " HASH " 1 2 250 - - " NAME_255 "y\n", false,
         "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "yes " HASH " 1 2 250 -\n", false, "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "maybe " HASH " 1 2 250 - - a.test\n", false,
         "profile 400 86400000000 ff p q;"},
        {SAVED PROFILE "\n", false, "profile 400 86400000000 ff p q;"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct strbuf taken;
        strbuf_init(&taken);
        const struct state_reader reader = {take_saved, take_profile, take_domain, take_entry,
                                            &taken};
        char *text = strdup(cases[i].text);
        assert_non_null(text);
        bool good = state_parse(text, &reader);
        if (good != cases[i].good || strcmp(strbuf_text(&taken), cases[i].taken) != 0)
            fail_msg("case %zu: %s, taken: %s", i, good ? "good" : "bad", strbuf_text(&taken));
        free(text);
        strbuf_done(&taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_outlives_a_restart, empty_folder),
        cmocka_unit_test_teardown(test_known_good_over_a_restart, empty_folder),
        cmocka_unit_test_teardown(test_written_meanwhile, empty_folder),
        cmocka_unit_test_teardown(test_not_trusted, empty_folder),
        cmocka_unit_test_teardown(test_another_profile, empty_folder),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
