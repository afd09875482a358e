/* callahead_trouble_test.c - servers that speak of their own trouble, or lack what the recipient
 * needs; and trouble of our own, which is none of theirs. */
#include "t/unit/net/peer.h"

#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include "lib/base/log.h"
#include "lib/net/smtp_class.h"

#define NO_RESOURCES "\"452 4.3.1 Insufficient system resources\""

/* --- a server without resources --------------------------------------------------------- */

static void begin(struct client *client, struct peer peers[2], const char *first,
                  const char *second)
{
    const char *const settings[] = {first, second};
    peer_start_all(peers, settings, 2);
    client_init(client, peers[0].port, peers[1].port);
    client->hosts[1].priority = 1;
}

static void end(struct client *client, struct peer peers[2])
{
    client_done(client);
    peer_stop(&peers[0]);
}

static void test_next_server_is_asked(void **state)
{
    static const char *const first[] = {
        "{\"rcpt_default\": " NO_RESOURCES "}",
        "{\"mail\": " NO_RESOURCES "}",
        "{\"rcpt_default\": \"452 insufficient system resources\"}",
        "{\"rcpt_default\": \"451 4.3.0 Temporary lookup failure\"}",
        "{\"rcpt_default\": \"421 4.4.2 later\"}",
        "{\"mail\": \"421 later\"}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(first); i++) {
        struct peer peers[2];
        struct client client;
        begin(&client, peers, first[i], "{\"rcpt\": [[\"^bad\", \"550 5.1.1 no\"]]}");
        client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
        client_expect(&client, "bad@example.com", CALLAHEAD_USER_UNKNOWN, 550);
        assert_int_equal(peer_asked(&peers[1], "good@example.com"), 1);
        end(&client, peers);
    }
}

/* What speaks of the recipient is the answer, and the other server is not asked. */
static void test_words_about_recipient(void **state)
{
    struct peer peers[2];
    struct client client;
    (void)state;
    begin(&client, peers,
          "{\"rcpt\": [[\"^full\", \"452 4.2.2 insufficient system storage\"],"
          " [\"^later\", \"450 4.2.0 later\"], [\"^grey\", \"451 4.7.1 Greylisted\"]]}",
          "{}");
    client_expect(&client, "full@example.com", CALLAHEAD_MAILBOX_FULL, 452);
    client_expect(&client, "later@example.com", CALLAHEAD_TEMPORARY, 450);
    client_expect(&client, "grey@example.com", CALLAHEAD_GREYLISTED, 451);
    assert_int_equal(peer_count(&peers[1], "connections"), 0);
    end(&client, peers);
}

/* Where no server is left it is the answer, whatever became of the others. */
static void test_it_is_the_answer(void **state)
{
    static const char *const second[] = {
        "{\"rcpt_default\": \"451 4.3.2 not now\"}",
        "{\"banner\": \"554 5.3.2 no\"}",
        "{\"banner\": \"close\"}",
        "{\"rcpt_default\": \"hang\"}",
        "{\"mail\": \"550 5.7.1 not you\"}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(second); i++) {
        struct peer peers[2];
        struct client client;
        begin(&client, peers, "{\"rcpt_default\": " NO_RESOURCES "}", second[i]);
        client.keys.timeout = 2000;
        client_expect(&client, "good@example.com", CALLAHEAD_TEMPORARY, i == 0 ? 451 : 452);
        assert_true(peer_count(&peers[1], "connections") > 0);
        /* And it is not remembered. */
        assert_false(client_asks(&client, "good@example.com").cached);
        end(&client, peers);
    }
}

/* One server that says so to everybody: others are asked first for a while. It makes no pause:
 * where it is the only one, each recipient is asked for. */
static void test_shunned(void **state)
{
    struct peer peers[2];
    struct client client;
    struct callahead_stats stats;
    char address[40];
    (void)state;
    begin(&client, peers, "{\"rcpt\": [[\"^ok\", \"250 Ok\"]], \"rcpt_default\": " NO_RESOURCES "}",
          "{}");
    for (int i = 0; i < 20; i++) {
        snprintf(address, sizeof address, "u%d@example.com", i);
        client_expect(&client, address, CALLAHEAD_VALID, 250);
    }
    assert_int_equal(peer_count(&peers[0], "rcpt"), 5);
    client.where.nhosts = 1;
    for (int i = 0; i < 20; i++) {
        snprintf(address, sizeof address, "alone%d@example.com", i);
        client_expect(&client, address, CALLAHEAD_TEMPORARY, 452);
    }
    assert_int_equal(peer_count(&peers[0], "rcpt"), 25);
    callahead_get_stats(client.pool, &stats);
    assert_int_equal(stats.servers_paused, 0);
    /* One answer that is none of those, and it is as good as ever. */
    client_expect(&client, "ok@example.com", CALLAHEAD_VALID, 250);
    client.where.nhosts = 2;
    client_expect(&client, "again@example.com", CALLAHEAD_VALID, 250);
    /* Twice: behind one that was accepted a 452 may only mean that the transaction is full. */
    assert_int_equal(peer_asked(&peers[0], "again@example.com"), 2);
    end(&client, peers);
}

/* --- SMTPUTF8 -------------------------------------------------------------------------- */

static void test_smtputf8(void **state)
{
    static const struct {
        const char *first, *second;
        enum callahead_class class;
        int code;
        enum callahead_dead_end dead_end;
    } rows[] = {
        {"{\"smtputf8\": false}", "{\"smtputf8\": false}", CALLAHEAD_POLICY, 553,
         CALLAHEAD_NEEDS_SMTPUTF8},
        {"{\"smtputf8\": false}", "{}", CALLAHEAD_VALID, 250, CALLAHEAD_NO_DEAD_END},
        {"{}", "{\"smtputf8\": false}", CALLAHEAD_VALID, 250, CALLAHEAD_NO_DEAD_END},
        {"{\"smtputf8\": false}", "{\"banner\": \"554 no\"}", CALLAHEAD_SERVER_ILL, 554,
         CALLAHEAD_NO_DEAD_END},
        {"{\"banner\": \"554 no\"}", "{\"smtputf8\": false}", CALLAHEAD_SERVER_ILL, 0,
         CALLAHEAD_NO_DEAD_END},
        {"{\"smtputf8\": false}", "{\"rcpt_default\": \"550 5.1.1 no\"}", CALLAHEAD_USER_UNKNOWN,
         550, CALLAHEAD_NO_DEAD_END},
        {"{\"smtputf8\": false}", "{\"rcpt_default\": " NO_RESOURCES "}", CALLAHEAD_TEMPORARY, 452,
         CALLAHEAD_NO_DEAD_END},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct peer peers[2];
        struct client client;
        begin(&client, peers, rows[i].first, rows[i].second);
        struct callahead_answer answer = client_asks(&client, "j\xc3\xb6@example.com");
        if (answer.class != rows[i].class || answer.code != rows[i].code ||
            answer.dead_end != rows[i].dead_end)
            fail_msg("row %zu: %s %d: %s", i, smtp_class_name(answer.class), answer.code,
                     answer.text);
        /* Sure or not, but of what the recipient is no word: asked anew the next time. */
        if (answer.class == CALLAHEAD_POLICY || answer.class == CALLAHEAD_SERVER_ILL)
            assert_false(client_asks(&client, "j\xc3\xb6@example.com").cached);
        end(&client, peers);
    }
}

/* In one batch with others, and the next server is in its pause: their answers are not its own. */
static void test_smtputf8_among_others(void **state)
{
    static const char *const recipients[] = {"a@example.com", "j\xc3\xb6@example.com",
                                             "b@example.com"};
    struct peer peers[2];
    struct client client;
    struct asker askers[3];
    (void)state;
    begin(&client, peers, "{\"smtputf8\": false, \"latency\": 0.1, \"banner\": \"gate:220 mx\"}",
          "{\"banner\": \"554 no\"}");
    client.keys.max_connections_per_server = 1;
    client.where.nhosts = 1;
    client.hosts[0].port = peers[1].port;
    client_expect(&client, "pause@example.com", CALLAHEAD_SERVER_ILL, 554);
    client.hosts[0].port = peers[0].port;
    client.where.nhosts = 2;
    for (size_t i = 0; i < 3; i++) {
        asker_start(&askers[i], &client, recipients[i], 60000);
        pause_ms(50);
    }
    peer_open(&peers[0]);
    for (size_t i = 0; i < 3; i++) {
        asker_join(&askers[i]);
        assert_int_equal(askers[i].answer.class, i == 1 ? CALLAHEAD_SERVER_ILL : CALLAHEAD_VALID);
    }
    assert_int_equal(peer_count(&peers[0], "batches"), 2); /* EHLO, and all the rest */
    end(&client, peers);
}

/* --- what we are short of ---------------------------------------------------------------- */

struct told {
    unsigned shortages, pauses;
};

static void count_line(const char *line, void *arg)
{
    struct told *told = arg;
    if (strstr(line, "short of a resource"))
        __atomic_add_fetch(&told->shortages, 1, __ATOMIC_RELAXED);
    if (strstr(line, "callahead_pause"))
        __atomic_add_fetch(&told->pauses, 1, __ATOMIC_RELAXED);
}

/* Until there is no descriptor left but those that are open. */
static struct rlimit take_descriptors(void)
{
    struct rlimit before, now;
    DIR *folder = opendir("/proc/self/fd");
    rlim_t highest = 0;
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        uint64_t fd = 0;
        if (str_to_uint(slice_of(entry->d_name), 100000, &fd) && (int)fd != dirfd(folder) &&
            fd > highest)
            highest = fd;
    }
    closedir(folder);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = 3;
    assert_true(highest >= 3);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

static void test_no_descriptors(void **state)
{
    struct peer peers[2];
    struct client client;
    struct callahead_stats stats;
    struct told told = {0};
    char address[40];
    (void)state;
    begin(&client, peers, "{}", "{}");
    log_set_level(LOG_AT_WARNING);
    log_capture(count_line, &told);
    struct rlimit before = take_descriptors();
    mono_us began = mono_now();
    for (int i = 0; i < 50; i++) {
        snprintf(address, sizeof address, "u%d@example.com", i);
        struct callahead_answer answer = client_asks(&client, address);
        assert_int_equal(answer.class, CALLAHEAD_SERVER_ILL);
        assert_non_null(strstr(answer.text, "Too many open files"));
    }
    assert_true(elapsed_ms(began) < 5000);
    callahead_get_stats(client.pool, &stats);
    assert_int_equal(stats.servers_paused, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    /* At once, and from the first server. */
    client_expect(&client, "u0@example.com", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_count(&peers[0], "rcpt"), 1);
    assert_int_equal(told.shortages, 1);
    assert_int_equal(told.pauses, 0);
    log_capture(NULL, NULL);
    end(&client, peers);
}

/* Connections that are there go on. */
static void test_those_open_go_on(void **state)
{
    struct peer peers[2];
    struct client client;
    (void)state;
    begin(&client, peers, "{\"latency\": 0.05}", "{}");
    client_expect(&client, "first@example.com", CALLAHEAD_VALID, 250);
    struct rlimit before = take_descriptors();
    client_ask_many(&client, 40, "good");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(peer_count(&peers[0], "connections"), 1);
    assert_int_equal(peer_count(&peers[1], "connections"), 0);
    end(&client, peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_server_is_asked),
        cmocka_unit_test(test_words_about_recipient),
        cmocka_unit_test(test_it_is_the_answer),
        cmocka_unit_test(test_shunned),
        cmocka_unit_test(test_smtputf8),
        cmocka_unit_test(test_smtputf8_among_others),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_those_open_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
