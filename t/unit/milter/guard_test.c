/* guard_test.c - what speaks against a new configuration, and what does not. */
#include "milter/guard_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/net/host.h"
#include "lib/state/statefile.h"

static char folder[] = "/tmp/guard-XXXXXX";

static const char *file_path(void)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/conf", folder);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(file_path());
    return rmdir(folder);
}

/* text: all but [dns], which asks nobody. */
static struct snapshot *configure(const char *text)
{
    struct problems problems;

    FILE *file = fopen(file_path(), "w");
    assert_non_null(file);
    assert_true(fprintf(file, "[dns]\nhost_lookup = off\n%s", text) > 0);
    assert_int_equal(fclose(file), 0);
    problems_init(&problems);
    struct snapshot *snapshot = snapshot_build(file_path(), &problems);
    if (snapshot == NULL)
        problems_print(&problems, stderr);
    problems_done(&problems);
    assert_non_null(snapshot);
    return snapshot;
}

/* What the guard says; "" when it lets next pass. */
static const char *verdict(struct guard *guard, const struct snapshot *running,
                           const struct snapshot *next)
{
    static char said[2000];
    struct problems problems;

    problems_init(&problems);
    bool good = guard_snapshots(guard, running, next, &problems);
    assert_int_equal(good, problems.count == 0);
    said[0] = '\0';
    for (size_t i = 0; i < problems.count; i++)
        snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", problems.list[i].line);
    problems_done(&problems);
    return said;
}

static const char *between(const char *before, const char *after)
{
    struct snapshot *running = configure(before), *next = configure(after);
    const char *said = verdict(NULL, running, next);

    snapshot_drop(running);
    snapshot_drop(next);
    return said;
}

#define IN "[listener in]\n"
#define BAD(senders) IN "[group BLOCKED_LIST]\nsenders = " senders "\n"

static void tables(void **state)
{
    static const struct {
        const char *before, *after, *want; /* want "": nothing is said */
    } cases[] = {
        {IN, IN, ""},
        {IN, BAD("192.0.2.1"), ""},
        {BAD("192.0.2.1"), BAD("192.0.2.2, 192.0.2.3"), ""},
        /* shrinks to nothing */
        {BAD("192.0.2.1, 192.0.2.2"), IN, "no entry any more; 2 are in force"},
        {IN "[group UNKNOWNLIST]\nunverified = no_ptr\n", IN, "no entry any more"},
        {BAD("192.0.2.1"), IN "[group UNKNOWNLIST]\nunverified = no_ptr\n", ""},
        {BAD("192.0.2.1"), "[listener other]\n", ""}, /* another listener, not an empty one */
        /* covers everything */
        {IN, BAD("ALL"), "everybody would be refused, by ALL"},
        {IN, BAD("0.0.0.0/0"), "every IPv4 address would be refused, by 0.0.0.0/0"},
        {IN, BAD("0/0"), "every IPv4 address would be refused, by 0/0"},
        {IN, BAD("::/0"), "every IPv6 address would be refused, by ::/0"},
        {IN, BAD("::ffff:0:0/96"), "every IPv4 address"},
        {IN, BAD("0-255"), "every IPv4 address would be refused, by 0-255"},
        {IN, BAD("0.0.0.0-255.255.255.255"), "every IPv4 address"},
        {IN, BAD("0/0, ::/0"), "everybody would be refused"},
        {IN, BAD("0.0.0.0/1 128.0.0.0/1"), "every IPv4 address would be refused, by all its"},
        {IN, BAD("128-255 10.0.0.0/8 0-9 5-127."), "every IPv4 address"},
        {IN, BAD("8000::/1, ::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "every IPv6 address"},
        {IN, BAD("0.0.0.0-255.255.255.254"), ""},
        {IN, BAD("0.0.0.1-255.255.255.255"), ""},
        {IN, BAD("0.0.0.0/1 128.0.0.1-255.255.255.255"), ""},
        {IN, BAD("0.0.0.0-9.255.255.255, 11-255"), ""},
        {IN, IN "[group SUSPECTLIST]\nsenders = ALL\n", ""}, /* throttled, not refused */
        {IN, IN "[group SUSPECTLIST]\nsenders = ALL\npolicy = tcprefuse\n", "everybody"},
        {IN, IN "[group SUSPECTLIST]\nsenders = ALL\npolicy = continue\n", ""},
        {IN, IN "default_policy = BLOCKED\n", "everybody would be refused, by ALL, the default"},
        {IN, IN "default_policy = reject\n", "everybody"},
        {IN, IN "[policy ACCEPTED]\naccess = tcprefuse\n", "everybody"},
        {"[listener a]\n[listener b]\ndaemon_name = b\n",
         "[listener a]\n[listener b]\ndaemon_name = b\ndefault_policy = BLOCKED\n",
         "conf:4: [listener b] everybody"},
        /* as before */
        {BAD("0/0"), BAD("0/0 192.0.2.1"), ""},
        {BAD("0/0"), BAD("0.0.0.0/1 128/1"), ""},
        {BAD("0/0"), BAD("0/0 ::/0"), "every IPv6 address"},
        {BAD("0/0"), BAD("ALL"), "every IPv6 address"},
        {BAD("ALL"), IN "default_policy = BLOCKED\n[group BLOCKED_LIST]\nsenders = 192.0.2.1\n",
         ""},
        {IN "type = private\n", IN "type = private\n[group RELAYLIST]\nsenders = 10/8\n", ""},
        {IN "default_policy = BLOCKED\n", IN, ""},
        /* switched off */
        {IN, "[gatehouse]\nreload_guard = 0\n" BAD("ALL"), ""},
        {BAD("192.0.2.1"), "[gatehouse]\nreload_guard = 0\n" IN, ""},
        {IN, "[gatehouse]\nreload_guard = 100\n" BAD("ALL"), "everybody"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *said = between(cases[i].before, cases[i].after);
        bool right =
            cases[i].want[0] == '\0' ? said[0] == '\0' : strstr(said, cases[i].want) != NULL;
        if (!right)
            fail_msg("%zu: from\n%s to\n%s: \"%s\", wanted \"%s\"", i, cases[i].before,
                     cases[i].after, said, cases[i].want);
    }
}

static void entries_that_mean_everybody(void **state)
{
    static const struct {
        struct hat_entry entry;
        bool all;
    } cases[] = {
        {{.kind = HAT_ENTRY_ALL}, true},     {{.kind = HAT_ENTRY_NAME}, false},
        {{.kind = HAT_ENTRY_SUFFIX}, false}, {{.kind = HAT_ENTRY_GROUP_RANGE}, false},
        {{.kind = HAT_ENTRY_RANGE}, false}, /* :: alone */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(guard_covers_all(&cases[i].entry), cases[i].all);
}

/* --- the share ------------------------------------------------------------------------ */

static void see(struct guard *guard, const struct snapshot *snapshot, const char *ip,
                const char *name, double score)
{
    struct conn_facts conn = {
        .listener = snapshot->listeners.v[0],
        .score_known = score != 0,
        .score = score,
        .host = {.class = name != NULL ? HOST_VERIFIED : HOST_NO_PTR},
    };

    assert_true(ip_parse(slice_of(ip), &conn.client));
    if (name != NULL)
        snprintf(conn.host.name, sizeof conn.host.name, "%s", name);
    guard_saw(guard, &conn);
}

static void see_many(struct guard *guard, const struct snapshot *snapshot, unsigned n)
{
    char ip[32];

    for (unsigned i = 0; i < n; i++) {
        snprintf(ip, sizeof ip, "10.0.%u.%u", i / 256, i % 256);
        see(guard, snapshot, ip, NULL, 0);
        see(guard, snapshot, ip, NULL, 0); /* the same one again */
    }
}

static void share_of_the_sample(void **state)
{
    static const struct {
        unsigned seen;
        const char *senders, *want;
    } cases[] = {
        {4, "10/8", ""},
        {5, "10.0.0.0-0", ""}, /* 20 %, as much as allowed */
        {5, "10.0.0.0-1", "2 of 5 clients"},
        {5, "10/8", "5 of 5 clients"},
        {100, "10.0.0.0-19", ""},
        {100, "10.0.0.0-20", "21 of 100 clients"},
        {100, "10.0.0.80-255", ""},
        {100, "10.0.0.79-255", "21 of 100 clients"},
        {100, "192.0.2.1", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct snapshot *running = configure(IN);
        struct guard *guard = guard_new(NULL);
        char text[200];
        assert_non_null(guard);
        see_many(guard, running, cases[i].seen);
        snprintf(text, sizeof text, BAD("%s"), cases[i].senders);
        struct snapshot *next = configure(text);
        const char *said = verdict(guard, running, next);
        if (cases[i].want[0] == '\0' ? said[0] != '\0' : strstr(said, cases[i].want) == NULL)
            fail_msg("%zu: \"%s\", wanted \"%s\"", i, said, cases[i].want);
        guard_free(guard);
        snapshot_drop(running);
        snapshot_drop(next);
    }
}

static void the_key_sets_the_share(void **state)
{
    struct snapshot *running = configure(IN);
    struct guard *guard = guard_new(NULL);

    (void)state;
    see_many(guard, running, 100);
    for (unsigned share = 0; share <= 100; share += 25) {
        char text[200];
        snprintf(text, sizeof text, "[gatehouse]\nreload_guard = %u\n" BAD("10.0.0.0-50"), share);
        struct snapshot *next = configure(text);
        assert_int_equal(verdict(guard, running, next)[0] == '\0', share == 0 || share >= 75);
        snapshot_drop(next);
    }
    guard_free(guard);
    snapshot_drop(running);
}

/* Who is refused already, or was seen on another listener, is nobody's loss. */
static void only_what_changes_counts(void **state)
{
    struct snapshot *running = configure(IN), *stricter = configure(BAD("10/8"));
    struct snapshot *other = configure("[listener other]\n[group BLOCKED_LIST]\nsenders = 10/8\n");
    struct guard *guard = guard_new(NULL);

    (void)state;
    see_many(guard, running, 50);
    assert_non_null(strstr(verdict(guard, running, stricter), "50 of 50"));
    assert_string_equal(verdict(guard, stricter, stricter), "");
    assert_string_equal(verdict(guard, running, other), "");
    guard_free(guard);
    snapshot_drop(running);
    snapshot_drop(stricter);
    snapshot_drop(other);
}

#define SCORES_BY_DNS "[reputation]\nsource = dns:s.example\nmap = 127.0.4.0-100 -> -10..10\n"

static void names_and_scores_are_remembered(void **state)
{
    struct snapshot *running = configure(IN);
    struct snapshot *name = configure(BAD(".good.example"));
    struct snapshot *class = configure(IN "[group BLOCKED_LIST]\nunverified = no_ptr\n");
    struct snapshot *score = configure(SCORES_BY_DNS BAD("SBRS[5.0:10.0]"));
    struct snapshot *nowhere = configure(BAD("SBRS[5.0:10.0]"));
    struct guard *guard = guard_new(NULL);
    char ip[32], host[32];

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        snprintf(ip, sizeof ip, "2001:db8::%x", i);
        snprintf(host, sizeof host, "mx%u.good.example", i);
        see(guard, running, ip, host, 7.5);
    }
    assert_non_null(strstr(verdict(guard, running, name), "by .good.example;"));
    assert_non_null(strstr(verdict(guard, running, name), "2001:db8::"));
    assert_non_null(strstr(verdict(guard, running, score), "10 of 10"));
    assert_string_equal(verdict(guard, running, nowhere), "");
    assert_string_equal(verdict(guard, running, class), "");
    guard_free(guard);
    snapshot_drop(running);
    snapshot_drop(name);
    snapshot_drop(class);
    snapshot_drop(score);
    snapshot_drop(nowhere);
}

static const char *sample_path(void)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/accepted", folder);
    return path;
}

static void count_clients(const struct guard_client *client, void *arg)
{
    unsigned *n = arg;
    assert_string_equal(client->listener, "in");
    (*n)++;
}

static unsigned count(struct guard *guard)
{
    unsigned n = 0;
    guard_each(guard, count_clients, &n);
    return n;
}

/* What was known of each client comes back; time goes on. */
static void the_sample_outlives_a_restart(void **state)
{
    struct snapshot *running = configure(IN);
    struct snapshot *name = configure(BAD(".good.example"));
    struct snapshot *class = configure(IN "[group BLOCKED_LIST]\nunverified = no_ptr\n");
    struct snapshot *score = configure(SCORES_BY_DNS BAD("SBRS[5.0:7.25]"));
    struct snapshot *none = configure(SCORES_BY_DNS BAD("SBRS[none]"));
    struct guard *guard = guard_new(folder);
    char ip[32], host[32];

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        snprintf(ip, sizeof ip, i % 2 != 0 ? "2001:db8::%u" : "10.0.0.%u", i);
        snprintf(host, sizeof host, "mx%u.good.example", i);
        see(guard, running, ip, i < 5 ? host : NULL, i < 5 ? 7.25 : -3);
    }
    guard_free(guard);
    for (int round = 0; round < 2; round++) {
        guard = guard_new(folder);
        assert_int_equal(count(guard), 10);
        assert_non_null(strstr(verdict(guard, running, name), "5 of 10"));
        assert_non_null(strstr(verdict(guard, running, class), "5 of 10"));
        assert_non_null(strstr(verdict(guard, running, score), "5 of 10"));
        assert_string_equal(verdict(guard, running, none), "");
        guard_free(guard);
    }
    snapshot_drop(running);
    snapshot_drop(name);
    snapshot_drop(class);
    snapshot_drop(score);
    snapshot_drop(none);
    assert_int_equal(unlink(sample_path()), 0);
}

/* Any name of a client may be the one that the new table refuses, also after a
 * restart. */
static void all_names_are_remembered(void **state)
{
    static const char *const names[] = {"a.other.example", "b.partner.example"};
    struct snapshot *running = configure(IN);
    struct snapshot *first = configure(BAD(".other.example"));
    struct snapshot *second = configure(BAD(".partner.example"));
    struct snapshot *none = configure(BAD("other.example"));
    struct guard *guard = guard_new(folder);

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        struct conn_facts conn = {
            .listener = running->listeners.v[0],
            .client = ip_from_v4(0x0a000000 + i),
            .host = {.class = HOST_VERIFIED, .name = "b.partner.example", .names = names, .n = 2},
        };
        guard_saw(guard, &conn);
    }
    for (int restarts = 0; restarts < 2; restarts++) {
        assert_non_null(strstr(verdict(guard, running, first), "10 of 10"));
        assert_non_null(strstr(verdict(guard, running, second), "by .partner.example;"));
        assert_string_equal(verdict(guard, running, none), "");
        guard_free(guard);
        guard = guard_new(folder);
    }
    guard_free(guard);
    assert_int_equal(unlink(sample_path()), 0);
    snapshot_drop(running);
    snapshot_drop(first);
    snapshot_drop(second);
    snapshot_drop(none);
}

static char long_names[HOST_NAMES_MAX][201];

/* Of names that are too many and too long, the one that matched. */
static void the_name_that_matched_is_remembered(void **state)
{
    const char *names[HOST_NAMES_MAX];
    struct snapshot *running = configure(IN);
    struct snapshot *last = configure(BAD(".z.example")), *other = configure(BAD(".a.example"));
    struct guard *guard = guard_new(NULL);

    (void)state;
    for (size_t i = 0; i < HOST_NAMES_MAX; i++) {
        size_t n = sizeof long_names[i] - 1;
        memset(long_names[i], 'a' + (int)i, n);
        long_names[i][60] = long_names[i][120] = long_names[i][180] = '.';
        snprintf(long_names[i] + n - 10, 11, ".%c.example", i + 1 == HOST_NAMES_MAX ? 'z' : 'a');
        names[i] = long_names[i];
    }
    for (unsigned i = 0; i < 10; i++) {
        struct conn_facts conn = {
            .listener = running->listeners.v[0],
            .client = ip_from_v4(0x0a000000 + i),
            .host = {.class = HOST_VERIFIED, .names = names, .n = HOST_NAMES_MAX},
        };
        snprintf(conn.host.name, sizeof conn.host.name, "%s", names[HOST_NAMES_MAX - 1]);
        guard_saw(guard, &conn);
    }
    assert_non_null(strstr(verdict(guard, running, last), "10 of 10"));
    assert_string_equal(verdict(guard, running, other), "");
    guard_free(guard);
    snapshot_drop(running);
    snapshot_drop(last);
    snapshot_drop(other);
}

static void the_file_is_written_now_and_then(void **state)
{
    struct snapshot *running = configure(IN);
    mono_us now = MONO_SECONDS(1000000);

    (void)state;
    mono_simulate(&now);
    struct guard *guard = guard_new(folder);
    see(guard, running, "10.0.0.1", NULL, 0);
    now += MONO_SECONDS(899);
    guard_tick(guard);
    assert_int_not_equal(access(sample_path(), F_OK), 0);
    now += MONO_SECONDS(1);
    guard_tick(guard);
    assert_int_equal(access(sample_path(), F_OK), 0);
    assert_int_equal(unlink(sample_path()), 0);
    now += MONO_SECONDS(900);
    guard_tick(guard); /* nothing is new */
    assert_int_not_equal(access(sample_path(), F_OK), 0);
    guard_free(guard);
    mono_simulate(NULL);
    snapshot_drop(running);
}

static void count_lines(const struct guard_client *client, int64_t until, void *arg)
{
    unsigned *n = arg;
    assert_true(client->listener[0] != '\0' && until >= 0);
    (*n)++;
}

#define FIVE_LESS "a,b,c,d,e"
#define FIVE FIVE_LESS ","

static void lines_of_the_file(void **state)
{
    static const struct {
        const char *text;
        bool good;
        unsigned lines;
    } cases[] = {
        {"", true, 0},
        {"in 192.0.2.1 1800000000 1 - 0 -\n", true, 1},
        {"in 2001:db8::1 1800000000 0 -9.999 4294967295 mx.example\nx 0.0.0.0 0 4 none 1 -\n", true,
         2},
        {"in 192.0.2.1 1800000000 0 - 0 a.example,b.example\n", true, 1},
        {"in 192.0.2.1 1800000000 0 - 0 a.example,\n", false, 0},
        {"in 192.0.2.1 1800000000 0 - 0 ,a.example\n", false, 0},
        {"in 192.0.2.1 1800000000 0 - 0 a.example,-\n", false, 0},
        {"in 192.0.2.1 1800000000 0 - 0 A.example\n", false, 0},
        {"in 192.0.2.1 1800000000 0 - 0 " FIVE FIVE FIVE FIVE_LESS "\n", true, 1},
        {"in 192.0.2.1 1800000000 0 - 0 " FIVE FIVE FIVE FIVE FIVE_LESS "\n", false, 0},
        {"in 192.0.2.1 1800000000 1 - 0 -", false, 0},
        {"in 192.0.2.1 1800000000 1 - 0\n", false, 0},
        {"in 192.0.2.1 1800000000 1 - 0 - -\n", false, 0},
        {"in  192.0.2.1 1800000000 1 - 0 -\n", false, 0},
        {" in 192.0.2.1 1800000000 1 - 0 -\n", false, 0},
        {"in 192.0.2.1 1800000000 1 - 0 \n", false, 0},
        {"in 192.0.2 1800000000 1 - 0 -\n", false, 0},
        {"in 192.0.2.1 -1 1 - 0 -\n", false, 0},
        {"in 192.0.2.1 99999999999999 1 - 0 -\n", false, 0},
        {"in 192.0.2.1 1800000000 5 - 0 -\n", false, 0},
        {"in 192.0.2.1 1800000000 1 10.1 0 -\n", false, 0},
        {"in 192.0.2.1 1800000000 1 - 4294967296 -\n", false, 0},
        {"in 192.0.2.1 1800000000 0 - 0 a..b\n", false, 0},
        {"\n", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[200];
        unsigned n = 0;
        snprintf(text, sizeof text, "%s", cases[i].text);
        bool good = guard_parse(text, count_lines, &n);
        if (good != cases[i].good || n != cases[i].lines)
            fail_msg("%zu: %s, %u lines", i, good ? "good" : "wrong", n);
    }
}

static void who_has_ended_is_not_taken_again(void **state)
{
    struct err err;
    char text[300];
    long long now = (long long)mono_wall_seconds();

    (void)state;
    snprintf(text, sizeof text,
             "in 192.0.2.1 %lld 1 - 0 -\nin 192.0.2.2 %lld 1 - 0 -\nin 192.0.2.3 %lld 1 - 0 -\n",
             now - 1, now + 1000, now + 1000000);
    assert_true(statefile_write(folder, "accepted", "accepted-1", slice_of(text), &err));
    struct guard *guard = guard_new(folder);
    assert_int_equal(count(guard), 2);
    mono_us later = mono_now() + MONO_SECONDS(86401);
    mono_simulate(&later); /* the clock had been set back: a day is a day */
    assert_int_equal(count(guard), 0);
    mono_simulate(NULL);
    guard_free(guard);
    assert_int_equal(unlink(sample_path()), 0);
}

static void the_sample_is_bounded_and_forgets(void **state)
{
    struct snapshot *running = configure(IN), *stricter = configure(BAD("10/8"));
    struct guard *guard = guard_new(NULL);
    mono_us now = MONO_SECONDS(1000000);
    size_t refused = 0;

    (void)state;
    mono_simulate(&now);
    see_many(guard, running, 3 * GUARD_SAMPLE);
    const char *said = strstr(verdict(guard, running, stricter), "] ");
    assert_non_null(said);
    assert_int_equal(sscanf(said, "] %zu of ", &refused), 1);
    assert_true(refused > GUARD_SAMPLE / 2 && refused <= GUARD_SAMPLE);
    now += MONO_SECONDS(86400) - 1;
    assert_string_not_equal(verdict(guard, running, stricter), "");
    now += 1;
    assert_string_equal(verdict(guard, running, stricter), "");
    see_many(guard, running, 10); /* who comes again counts on */
    now += MONO_SECONDS(43200);
    see_many(guard, running, 10);
    now += MONO_SECONDS(43201);
    assert_non_null(strstr(verdict(guard, running, stricter), "10 of 10"));
    mono_simulate(NULL);
    guard_free(guard);
    snapshot_drop(running);
    snapshot_drop(stricter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),
        cmocka_unit_test(entries_that_mean_everybody),
        cmocka_unit_test(share_of_the_sample),
        cmocka_unit_test(the_key_sets_the_share),
        cmocka_unit_test(only_what_changes_counts),
        cmocka_unit_test(names_and_scores_are_remembered),
        cmocka_unit_test(the_sample_outlives_a_restart),
        cmocka_unit_test(all_names_are_remembered),
        cmocka_unit_test(the_name_that_matched_is_remembered),
        cmocka_unit_test(the_file_is_written_now_and_then),
        cmocka_unit_test(lines_of_the_file),
        cmocka_unit_test(who_has_ended_is_not_taken_again),
        cmocka_unit_test(the_sample_is_bounded_and_forgets),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
