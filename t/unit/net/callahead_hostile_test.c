/* callahead_hostile_test.c - servers that are broken or mean it. All at once, in one pool: each
 * question ends with the right verdict, in time, whether there is another server or not, and
 * neither connections nor threads stay behind. */
#include "t/unit/net/peer.h"

#include <dirent.h>
#include <string.h>
#include "lib/net/smtp_class.h"

#define VALID CALLAHEAD_VALID
#define UNKNOWN CALLAHEAD_USER_UNKNOWN
#define TEMP CALLAHEAD_TEMPORARY
#define ILL CALLAHEAD_SERVER_ILL
#define ANY 1000

/* When it is the server's time-out that ends a question, it is short; where another server, or
 * another try, must have its turn after it, it lets a busy machine do so. */
#define SHORT_MS 1000
#define FAIR_MS 6000
#define LONG_MS 60000

enum ending { ANSWER, TIMEOUT, SECOND_TRY };

struct hostile {
    const char *what;
    const char *settings;
    enum ending ending;
    enum callahead_class class; /* with this server alone, ... */
    int code;
    enum callahead_class with_other; /* ... and where a good one comes next */
    unsigned asked;                  /* at most so often the server sees a recipient */
};

static const struct hostile hostiles[] = {
    /* the greeting */
    {"the banner is late", "{\"banner\": \"delay:0.3:220 mx\"}", ANSWER, VALID, 250, VALID, 1},
    {"no banner", "{\"banner\": \"hang\"}", TIMEOUT, ILL, 0, VALID, 0},
    {"close instead of a banner", "{\"banner\": \"close\"}", ANSWER, ILL, 0, VALID, 0},
    {"RST instead of a banner", "{\"banner\": \"rst\"}", ANSWER, ILL, 0, VALID, 0},
    {"half a line as banner", "{\"banner\": \"raw:220 mx\"}", TIMEOUT, ILL, 0, VALID, 0},
    {"half a line as banner, close", "{\"banner\": \"then-close:raw:220 mx\"}", ANSWER, ILL, 0,
     VALID, 0},
    {"a line of 64 KiB", "{\"banner\": \"repeat:9400:220 abc\"}", ANSWER, ILL, 0, VALID, 0},
    {"a byte each 200 ms for ever", "{\"banner\": \"drip:0.2:220-mx mx mx mx mx mx mx mx mx mx\"}",
     TIMEOUT, ILL, 0, VALID, 0},
    {"no SMTP at all", "{\"banner\": \"SSH-2.0-OpenSSH_9.2\"}", ANSWER, ILL, 0, VALID, 0},
    {"binary", "{\"banner\": \"raw:\\\\x15\\\\x03\\\\x01\\\\x00\\\\x02\\\\x02\\\\x16\\\\n\"}",
     ANSWER, ILL, 0, VALID, 0},
    {"4xx as banner", "{\"banner\": \"421 4.3.2 later\"}", ANSWER, TEMP, 421, VALID, 0},
    {"5xx as banner", "{\"banner\": \"554 5.7.1 go away\"}", ANSWER, ILL, 554, VALID, 0},
    {"two banners", "{\"banner\": \"twice:220 mx\"}", ANSWER, ILL, 0, VALID, 0},
    {"a reply before EHLO", "{\"banner\": \"raw:220 mx\\\\r\\\\n250 mx\\\\r\\\\n\"}", ANSWER, ILL,
     0, VALID, 0},

    /* EHLO */
    {"EHLO refused", "{\"ehlo\": \"502 5.5.2 what?\"}", ANSWER, VALID, 250, VALID, 1},
    {"EHLO refused, HELO too", "{\"ehlo\": \"502 what?\", \"helo\": \"550 5.1.1 no\"}", ANSWER, ILL,
     550, VALID, 0},
    {"EHLO refused for now", "{\"ehlo\": \"451 4.3.0 later\"}", ANSWER, TEMP, 451, VALID, 0},
    {"close at EHLO", "{\"ehlo\": \"close\"}", ANSWER, ILL, 0, VALID, 0},
    {"silence at EHLO", "{\"ehlo\": \"hang\"}", TIMEOUT, ILL, 0, VALID, 0},
    {"ten thousand lines", "{\"ehlo\": \"repeat:10000:250-x\\\\r\\\\n\"}", ANSWER, ILL, 0, VALID,
     0},
    {"a code that changes at EHLO", "{\"ehlo\": \"250-mx\\n550 5.1.1 no\"}", ANSWER, ILL, 0, VALID,
     0},
    {"a reply before MAIL", "{\"ehlo\": \"raw:250 mx\\\\r\\\\n250 2.1.0 Ok\\\\r\\\\n\"}", ANSWER,
     ILL, 0, VALID, 0},
    {"PIPELINING not honoured", "{\"lose_pipelined\": true}", SECOND_TRY, VALID, 250, VALID, 1},
    {"PIPELINING not honoured, unknown",
     "{\"lose_pipelined\": true, \"rcpt_default\": \"550 5.1.1 no\"}", SECOND_TRY, UNKNOWN, 550,
     UNKNOWN, 1},

    /* MAIL: what is wrong between the server and us says nothing about the recipient */
    {"4xx at MAIL", "{\"mail\": \"451 4.7.1 later\"}", ANSWER, TEMP, 451, TEMP, ANY},
    {"4xx of the server at MAIL", "{\"mail\": \"451 4.3.0 later\"}", ANSWER, TEMP, 451, VALID, ANY},
    {"421 at MAIL", "{\"mail\": \"then-close:421 4.4.5 later\"}", ANSWER, TEMP, 421, VALID, ANY},
    {"no resources at MAIL", "{\"mail\": \"452 Insufficient system resources\"}", ANSWER, TEMP, 452,
     VALID, ANY},
    {"5xx at MAIL", "{\"mail\": \"550 5.1.1 sender unknown\"}", ANSWER, ILL, 550, ILL, ANY},
    {"close at MAIL", "{\"mail\": \"close\"}", ANSWER, ILL, 0, VALID, ANY},
    {"silence at MAIL", "{\"mail\": \"hang\"}", TIMEOUT, ILL, 0, VALID, ANY},

    /* RCPT. Silence after the answer to MAIL may be lost commands, a close a limit on errors:
     * asked again, one by one and in a new session. */
    {"half a line", "{\"rcpt_default\": \"raw:250 O\"}", TIMEOUT, ILL, 0, VALID, 2},
    {"half a line, close", "{\"rcpt_default\": \"then-close:raw:250 O\"}", ANSWER, ILL, 0, VALID,
     2},
    {"half a reply, close", "{\"rcpt_default\": \"then-close:250-O\"}", ANSWER, ILL, 0, VALID, 2},
    {"silence", "{\"rcpt_default\": \"hang\"}", TIMEOUT, ILL, 0, VALID, 2},
    {"a byte at a time", "{\"rcpt_default\": \"drip:0.01:550 5.1.1 no\"}", ANSWER, UNKNOWN, 550,
     UNKNOWN, 1},
    {"a byte a second", "{\"rcpt_default\": \"drip:1:250 2.1.5 Recipient ok\"}", TIMEOUT, ILL, 0,
     VALID, 2},
    {"a line of 64 KiB", "{\"rcpt_default\": \"repeat:9400:250 abc\"}", ANSWER, ILL, 0, ILL, 1},
    {"ten thousand lines", "{\"rcpt_default\": \"repeat:10000:250-x\\\\r\\\\n\"}", ANSWER, ILL, 0,
     ILL, 1},
    {"two replies to one command", "{\"rcpt_default\": \"twice:550 5.1.1 no\"}", ANSWER, ILL, 0,
     ILL, 1},
    {"a code that changes", "{\"rcpt_default\": \"250-yes\\n550 5.1.1 no\"}", ANSWER, ILL, 0, ILL,
     1},
    {"a code of four digits", "{\"rcpt_default\": \"2500 Ok\"}", ANSWER, ILL, 0, ILL, 1},
    {"a code below 200", "{\"rcpt_default\": \"raw:150 Ok\\\\r\\\\n\"}", ANSWER, ILL, 0, ILL, 1},
    {"words without a code", "{\"rcpt_default\": \"Ok\"}", ANSWER, ILL, 0, ILL, 1},
    {"an empty line", "{\"rcpt_default\": \"\"}", ANSWER, ILL, 0, ILL, 1},
    {"NUL", "{\"rcpt_default\": \"raw:550 5.1.1 no\\\\x00\\\\r\\\\n\"}", ANSWER, ILL, 0, ILL, 1},
    {"CR without LF", "{\"rcpt_default\": \"raw:250 O\\\\rk\\\\r\\\\n\"}", ANSWER, ILL, 0, ILL, 1},
    {"LF without CR", "{\"rcpt_default\": \"raw:250 Ok\\\\n\"}", ANSWER, VALID, 250, VALID, 1},
    {"421 in mid-session", "{\"rcpt_default\": \"then-close:421 4.3.2 bye\"}", ANSWER, TEMP, 421,
     VALID, 2},
    {"close after RCPT", "{\"rcpt_default\": \"close\"}", ANSWER, ILL, 0, VALID, 2},
    {"RST after RCPT", "{\"rcpt_default\": \"rst\"}", ANSWER, ILL, 0, VALID, 2},
    {"answer, then close", "{\"rcpt_default\": \"then-close:550 5.1.1 no\"}", ANSWER, UNKNOWN, 550,
     UNKNOWN, 1},
    {"silence at QUIT", "{\"quit\": \"hang\"}", ANSWER, VALID, 250, VALID, 1},
};

#define ROWS ARRAY_LEN(hostiles)

/* A question of one row, in a thread; the first of a row goes to the hostile server alone. */
struct meeting {
    struct client client;
    struct asker asker;
    int timeout;
};

/* --- what is there ------------------------------------------------------------------------- */

static size_t entries(const char *path)
{
    size_t n = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static void await_entries(const char *path, size_t n)
{
    mono_us began = mono_now();
    while (entries(path) != n) {
        if (mono_now() - began > PATIENCE)
            fail_msg("%zu entries in %s, not %zu", entries(path), path, n);
        pause_ms(10);
    }
}

static void *do_nothing(void *arg)
{
    return arg;
}

/* A sanitizer begins a thread of its own when the first is made. */
static void make_first_thread(void)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, do_nothing, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static unsigned connections(struct callahead *pool)
{
    struct callahead_stats stats;
    callahead_get_stats(pool, &stats);
    return stats.connections;
}

static int slowness(void)
{
    uint64_t slowness = 1;
    const char *text = getenv("GATEHOUSE_SLOWNESS");
    return text && str_to_uint(slice_of(text), 1000, &slowness) ? (int)slowness : 1;
}

/* --- the meetings -------------------------------------------------------------------------- */

static void share_pool(struct client *client, struct callahead *pool)
{
    callahead_free(client->pool);
    client->pool = pool;
}

/* row + 0: alone, row + ROWS: with another server. */
static void meeting_start(struct meeting *meeting, size_t i, const struct peer *peers,
                          struct callahead *pool)
{
    const struct hostile *hostile = &hostiles[i % ROWS];
    bool with_other = i >= ROWS;
    char address[40];
    client_init(&meeting->client, peers[i % ROWS].port, with_other ? peers[ROWS].port : 0);
    share_pool(&meeting->client, pool);
    meeting->client.hosts[1].priority = 1;
    meeting->timeout = LONG_MS;
    if (hostile->ending != ANSWER)
        meeting->timeout = with_other || hostile->ending == SECOND_TRY ? FAIR_MS : SHORT_MS;
    meeting->client.keys.timeout = meeting->timeout;
    meeting->client.keys.idle_timeout = 10 * LONG_MS;
    snprintf(address, sizeof address, "u%zu@example.com", i);
    asker_start(&meeting->asker, &meeting->client, address, LONG_MS * 2);
}

static unsigned meeting_end(struct meeting *meeting, size_t i, struct peer *peers)
{
    const struct hostile *hostile = &hostiles[i % ROWS];
    bool alone = i < ROWS;
    asker_join(&meeting->asker);
    const struct callahead_answer *answer = &meeting->asker.answer;
    unsigned asked = peer_asked(&peers[i % ROWS], meeting->asker.address);
    bool right = answer->class == (alone ? hostile->class : hostile->with_other) &&
                 (!alone || answer->code == hostile->code) && asked <= hostile->asked &&
                 (int)answer->ms <= meeting->timeout * 10 * slowness();
    if (!right)
        print_message("%s%s: %s %d \"%s\", asked %u, %u ms\n", hostile->what,
                      alone ? "" : ", another server", smtp_class_name(answer->class), answer->code,
                      answer->text, asked, answer->ms);
    return right ? 0 : 1;
}

/* A connection on which something went wrong is closed for good while the others live on. */
static void expect_closed(struct peer *peers, struct callahead *pool)
{
    unsigned kept = 0;
    mono_us began = mono_now();
    for (size_t i = 0; i < ROWS; i++) {
        if (hostiles[i].class == VALID || hostiles[i].class == UNKNOWN)
            kept++;
        else
            peer_await(&peers[i], "open", 0);
    }
    while (connections(pool) != kept && mono_now() - began < PATIENCE)
        pause_ms(10);
    assert_int_equal(connections(pool), kept);
}

static void test_hostile(void **state)
{
    static const char *settings[ROWS + 1];
    static struct peer peers[ROWS + 1];
    static struct meeting meetings[2 * ROWS];
    struct client alone, with_other; /* for their pools: pauses of one are not the other's */
    unsigned wrong = 0;
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        settings[i] = hostiles[i].settings;
    settings[ROWS] = "{}";
    peer_start_all(peers, settings, ROWS + 1);
    make_first_thread();
    size_t fds = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    client_init(&alone, 1, 0);
    client_init(&with_other, 1, 0);
    for (size_t i = 0; i < 2 * ROWS; i++)
        meeting_start(&meetings[i], i, peers, i < ROWS ? alone.pool : with_other.pool);
    for (size_t i = 0; i < 2 * ROWS; i++)
        wrong += meeting_end(&meetings[i], i, peers);
    assert_int_equal(wrong, 0);
    expect_closed(peers, alone.pool);
    mono_us began = mono_now();
    client_done(&alone);
    client_done(&with_other);
    assert_true(elapsed_ms(began) < 10000 * slowness());
    for (size_t i = 0; i < 2 * ROWS; i++)
        arena_free(meetings[i].client.arena);
    for (size_t i = 0; i <= ROWS; i++)
        peer_await(&peers[i], "open", 0);
    await_entries("/proc/self/fd", fds);
    await_entries("/proc/self/task", threads);
    peer_stop(&peers[0]);
}

/* --- replies that come late ------------------------------------------------------------------ */

/* The answer to the first recipient comes after our time-out: the connection is gone, and the
 * answer is never taken for that to the next one. */
static void test_late_reply(void **state)
{
    struct peer peer;
    struct client client;
    struct callahead_answer answer = {.class = CALLAHEAD_SERVER_ILL};
    (void)state;
    peer_start(&peer, "{\"rcpt\": [[\"^late\", \"gate:550 5.1.1 no\"]]}");
    client_init(&client, peer.port, 0);
    client_expect(&client, "good@example.com", CALLAHEAD_VALID, 250);
    client.keys.timeout = 500;
    client_expect(&client, "late@example.com", CALLAHEAD_SERVER_ILL, 0);
    client.keys.timeout = LONG_MS;
    peer_open(&peer);
    mono_us began = mono_now();
    while (answer.class != CALLAHEAD_VALID && mono_now() - began < PATIENCE) {
        answer = client_asks(&client, "next@example.com");
        if (answer.class != CALLAHEAD_VALID) /* the server is in pause */
            assert_int_equal(answer.class, CALLAHEAD_SERVER_ILL);
        pause_ms(50);
    }
    assert_int_equal(answer.class, CALLAHEAD_VALID);
    client_expect(&client, "late@example.com", CALLAHEAD_USER_UNKNOWN, 550);
    client_done(&client);
    peer_stop(&peer);
}

/* The session gives up, the question does not: its answer comes late and is kept, the next one
 * waits for its own. */
static void test_late_for_the_session(void **state)
{
    struct peer peer;
    struct client client;
    struct asker next;
    (void)state;
    peer_start(&peer, "{\"rcpt\": [[\"^late\", \"gate:550 5.1.1 no\"]]}");
    client_init(&client, peer.port, 0);
    client.keys.timeout = LONG_MS;
    client.keys.max_connections_per_server = 1;
    struct callahead_answer answer = client_ask(&client, "late@example.com", 300);
    assert_int_equal(answer.class, CALLAHEAD_SERVER_ILL);
    assert_string_equal(answer.text, "no answer in time");
    peer_await(&peer, "rcpt", 1);
    asker_start(&next, &client, "next@example.com", LONG_MS);
    peer_open(&peer);
    asker_join(&next);
    assert_int_equal(next.answer.class, CALLAHEAD_VALID);
    answer = client_ask(&client, "late@example.com", 0);
    assert_int_equal(answer.class, CALLAHEAD_USER_UNKNOWN);
    assert_true(answer.cached);
    assert_int_equal(peer_count(&peer, "connections"), 1);
    client_done(&client);
    peer_stop(&peer);
}

/* While a connection lies idle: whatever comes, or a close, only costs the connection. */
static void test_idle_surprises(void **state)
{
    static const struct {
        const char *settings, *count;
        unsigned n; /* then it has happened */
    } surprises[] = {
        {"{\"rcpt\": [[\"^first\", \"then-close:250 Ok\"]]}", "open", 0},
        {"{\"rcpt\": [[\"^first\", \"surplus:0.05:250 Ok\"]]}", "sent", 5},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(surprises); i++) {
        struct peer peer;
        struct client client;
        peer_start(&peer, surprises[i].settings);
        client_init(&client, peer.port, 0);
        client_expect(&client, "first@example.com", CALLAHEAD_VALID, 250);
        peer_await(&peer, surprises[i].count, surprises[i].n);
        client_expect(&client, "second@example.com", CALLAHEAD_VALID, 250);
        assert_int_equal(peer_count(&peer, "connections"), 2);
        assert_int_equal(peer_asked(&peer, "second@example.com"), 1);
        client_done(&client);
        peer_stop(&peer);
    }
}

/* One server is silent, the other is not bothered. */
static void test_others_unaffected(void **state)
{
    struct peer silent, alive;
    struct client to_silent, to_alive;
    struct asker asker;
    (void)state;
    peer_start(&silent, "{\"banner\": \"gate:220 mx\"}");
    peer_start(&alive, "{}");
    client_init(&to_silent, silent.port, 0);
    client_init(&to_alive, alive.port, 0);
    share_pool(&to_silent, to_alive.pool);
    to_silent.keys.timeout = to_alive.keys.timeout = LONG_MS;
    asker_start(&asker, &to_silent, "a@example.com", LONG_MS);
    peer_await(&silent, "open", 1);
    client_expect(&to_alive, "b@example.com", CALLAHEAD_VALID, 250);
    assert_int_equal(peer_asked(&silent, "a@example.com"), 0);
    peer_open(&silent);
    asker_join(&asker);
    assert_int_equal(asker.answer.class, CALLAHEAD_VALID);
    arena_free(to_silent.arena);
    client_done(&to_alive);
    peer_stop(&silent);
    peer_stop(&alive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_late_reply),
        cmocka_unit_test(test_late_for_the_session),
        cmocka_unit_test(test_idle_surprises),
        cmocka_unit_test(test_others_unaffected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
