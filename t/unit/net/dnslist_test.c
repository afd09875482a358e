/* dnslist_test.c - DNS lists that list, do not, refuse, die and go mad, against a
 * scripted name server and a clock that jumps. */
#include "lib/net/dnslist.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/log.h"
#include "t/unit/net/nameserver.h"

#define ZONE "bl.example"
#define TEST6 "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
#define CLEAR6 "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
#define GOOD4 "2.0.0.127." ZONE " A 127.0.0.2\n"
#define GOOD_LIST GOOD4 TEST6 ZONE " A 127.0.0.2\n"

static struct nameserver server;
static mono_us now; /* atomic: the engine's thread looks at it, too */
static struct dns *dns;
static struct dnslists *lists;
static char logged[20000];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void keep(const char *line, void *arg)
{
    (void)arg;
    pthread_mutex_lock(&log_lock);
    size_t n = strlen(logged);
    snprintf(logged + n, sizeof logged - n, "%s\n", line);
    pthread_mutex_unlock(&log_lock);
}

static void pass(mono_us time)
{
    __atomic_add_fetch(&now, time, __ATOMIC_RELAXED);
}

static void begin(const char *script)
{
    static const char *const zones[] = {ZONE};
    struct err err;
    struct dns_keys keys = nameserver_keys(&server);
    keys.timeout = 200;
    nameserver_script(&server, script);
    logged[0] = '\0';
    dns = dns_new(&keys, &err);
    assert_non_null(dns);
    lists = dnslists_new(dns);
    assert_non_null(lists);
    assert_true(dnslists_watch(lists, zones, 1));
}

static void end(void)
{
    dnslists_free(lists);
    dns_free(dns);
}

static void expect_log(const char *expected)
{
    if (strcmp(logged, expected) != 0)
        fail_msg("log is\n%swanted\n%s", logged, expected);
    logged[0] = '\0';
}

static enum dnslist_class ask(const char *address)
{
    struct dnslist_query query;
    struct ip ip;
    assert_true(ip_parse(slice_of(address), &ip));
    dnslist_ask(lists, ZONE, &ip, mono_now() + MONO_SECONDS(5), true, &query);
    enum dnslist_class class = dnslist_wait(&query);
    dnslist_drop(&query);
    return class;
}

static void expect(const char *address, enum dnslist_class class)
{
    enum dnslist_class found = ask(address);
    if (found != class)
        fail_msg("%s: %s instead of %s", address, dnslist_class_name(found),
                 dnslist_class_name(class));
}

/* One whole check: begun now, ended when the answers are there. */
static void check_now(void)
{
    unsigned before = nameserver_count(&server, "udp", "2.0.0.127." ZONE, "A");
    dnslists_tick(lists);
    for (int i = 0; i < 500; i++) {
        (void)poll(NULL, 0, 1);
        dnslists_tick(lists);
        /* The answers come at different times; a tick more ends the check. */
        if (i >= 3 && nameserver_count(&server, "udp", "2.0.0.127." ZONE, "A") > before)
            break;
    }
}

static void become(enum dnslist_health health)
{
    for (int i = 0; i < 5000 && dnslists_health(lists, ZONE) != health; i++) {
        dnslists_tick(lists);
        (void)poll(NULL, 0, 1);
    }
    enum dnslist_health found = dnslists_health(lists, ZONE);
    if (found != health)
        fail_msg("%s instead of %s", dnslist_health_name(found), dnslist_health_name(health));
}

/* Good again by the next check, or, where one had begun before, by that after it. */
static void recover(void)
{
    for (int i = 0; i < 8000 && dnslists_health(lists, ZONE) != DNSLIST_GOOD; i++) {
        if (i % 1000 == 0)
            pass(DNSLIST_RECHECK_EVERY);
        dnslists_tick(lists);
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(dnslists_health(lists, ZONE), DNSLIST_GOOD);
}

static unsigned asked(const char *name)
{
    return nameserver_count(&server, "udp", name, "A");
}

/* --- a good list ------------------------------------------------------------------------ */

static void test_good_list(void **state)
{
    (void)state;
    begin(GOOD_LIST "9.2.0.192." ZONE " A 127.0.0.4\n"
                    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2." ZONE
                    " A 127.0.0.4\n"
                    "1.0.168.192." ZONE " A 127.0.0.4\n");
    become(DNSLIST_GOOD);
    expect("192.0.2.9", DNSLIST_LISTED);
    expect("192.0.2.8", DNSLIST_NOT_LISTED);
    expect("2001:db8::1", DNSLIST_LISTED);
    expect("::ffff:192.0.2.9", DNSLIST_LISTED);
    expect("2001:db8::2", DNSLIST_NOT_LISTED);
    /* Nobody on the Internet has these addresses. */
    expect("192.168.0.1", DNSLIST_NOT_ASKED);
    expect("127.0.0.2", DNSLIST_NOT_ASKED);
    expect("::1", DNSLIST_NOT_ASKED);
    assert_int_equal(asked("1.0.168.192." ZONE), 0);
    assert_int_equal(asked("9.2.0.192." ZONE), 1); /* then from the cache */
    expect_log("");
    end();
}

static void test_checks_come_every_ten_minutes(void **state)
{
    (void)state;
    begin(GOOD_LIST);
    unsigned before = asked("2.0.0.127." ZONE);
    become(DNSLIST_GOOD);
    assert_int_equal(asked("2.0.0.127." ZONE), before + 1);
    assert_int_equal(asked("1.0.0.127." ZONE), asked("2.0.0.127." ZONE));
    assert_true(asked(TEST6 ZONE) > 0 && asked(CLEAR6 ZONE) > 0);
    pass(DNSLIST_CHECK_EVERY - MONO_SECONDS(1));
    check_now();
    assert_int_equal(asked("2.0.0.127." ZONE), before + 1);
    pass(MONO_SECONDS(1)); /* and the answers still in the cache do not count */
    check_now();
    assert_int_equal(asked("2.0.0.127." ZONE), before + 2);
    become(DNSLIST_GOOD);
    expect_log("");
    end();
}

static void test_not_watched_lists_are_checked_when_asked(void **state)
{
    (void)state;
    begin(GOOD_LIST "9.2.0.192." ZONE " A 127.0.0.4\n");
    assert_true(dnslists_watch(lists, NULL, 0));
    unsigned before = asked("2.0.0.127." ZONE);
    for (int i = 0; i < 20; i++)
        dnslists_tick(lists);
    assert_int_equal(dnslists_health(lists, ZONE), DNSLIST_UNCHECKED);
    expect("192.0.2.9", DNSLIST_LISTED);
    assert_int_equal(dnslists_health(lists, ZONE), DNSLIST_GOOD);
    assert_int_equal(asked("2.0.0.127." ZONE), before + 1);
    end();
}

static void test_first_client_of_a_bad_list(void **state)
{
    (void)state;
    begin("*." ZONE " A 127.0.0.2\n");
    expect("192.0.2.9", DNSLIST_NOT_ASKED);
    expect("192.0.2.10", DNSLIST_NOT_ASKED);
    expect_log("event=dnslist zone=bl.example state=suspended why=lists_everything "
               "detail=\"it lists addresses that no list may have, as 127.0.0.1; it is not used "
               "until it passes its test\"\n");
    end();
}

/* --- bad lists ---------------------------------------------------------------------------- */

static const struct {
    const char *script;
    enum dnslist_health health;
    const char *log;
} bad[] = {
    {"*." ZONE " A 127.0.0.2\n", DNSLIST_LISTS_ALL,
     "why=lists_everything detail=\"it lists addresses that no list may have, as 127.0.0.1; "},
    {GOOD_LIST "1.0.0.127." ZONE " A 127.0.0.2\n", DNSLIST_LISTS_ALL,
     "why=lists_everything detail=\"it lists addresses that no list may have, as 127.0.0.1; "},
    {GOOD_LIST CLEAR6 ZONE " A 127.0.0.2\n", DNSLIST_LISTS_ALL,
     "why=lists_everything detail=\"it lists addresses that no list may have, as 127.0.0.1; "},
    /* The list's owner has left the two well-known points as they were. */
    {GOOD_LIST "*." ZONE " A 127.0.0.2\n1.0.0.127." ZONE " !nxdomain\n" CLEAR6 ZONE " !nxdomain\n",
     DNSLIST_LISTS_ALL,
     "why=lists_everything detail=\"it lists addresses that no list may have, as 127.0.0.1; "},
    {"9.2.0.192." ZONE " A 127.0.0.2\n", DNSLIST_NO_TEST_POINT,
     "why=no_test_point detail=\"it does not list 127.0.0.2, which every list must have; "},
    {"*." ZONE " A 127.255.255.254\n", DNSLIST_REFUSES,
     "why=refuses detail=\"it refuses to answer us (127.255.255.0/24); "},
    {"*." ZONE " A 203.0.113.5\n", DNSLIST_ANSWERS_WRONG,
     "why=wrong_answers detail=\"it answers with addresses outside 127.0.0.0/8; "},
    {"*." ZONE " !servfail\n", DNSLIST_UNANSWERED, "why=unanswered detail=\"it does not answer; "},
    {"*." ZONE " !refused\n", DNSLIST_UNANSWERED, "why=unanswered detail=\"it does not answer; "},
    {"*." ZONE " A 127.0.0.2\n*." ZONE " !garbage\n", DNSLIST_UNANSWERED,
     "why=unanswered detail=\"it does not answer; "},
    {"*." ZONE " !drop\n", DNSLIST_UNANSWERED, "why=unanswered detail=\"it does not answer; "},
};

static void test_bad_lists_list_nobody_and_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char line[400];
        begin(bad[i].script);
        become(bad[i].health);
        snprintf(line, sizeof line,
                 "event=dnslist zone=bl.example state=suspended %sit is not used until it passes "
                 "its test\"\n",
                 bad[i].log);
        expect_log(line);
        expect("192.0.2.9", DNSLIST_NOT_ASKED);
        expect("2001:db8::1", DNSLIST_NOT_ASKED);
        unsigned questions = asked("9.2.0.192." ZONE);

        /* Still bad: asked about again, not logged again. */
        pass(DNSLIST_RECHECK_EVERY);
        check_now();
        become(bad[i].health);
        expect_log("");
        expect("192.0.2.9", DNSLIST_NOT_ASKED);
        assert_int_equal(asked("9.2.0.192." ZONE), questions);

        nameserver_script(&server, GOOD_LIST "9.2.0.192." ZONE " A 127.0.0.4\n");
        recover();
        expect_log("event=dnslist zone=bl.example state=resumed "
                   "detail=\"it lists 127.0.0.2 and not 127.0.0.1\"\n");
        expect("192.0.2.9", DNSLIST_LISTED);
        expect("192.0.2.8", DNSLIST_NOT_LISTED);
        end();
    }
}

static void test_good_list_goes_bad(void **state)
{
    (void)state;
    begin(GOOD_LIST);
    become(DNSLIST_GOOD);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (bad[i].health == DNSLIST_UNANSWERED) /* takes more: below */
            continue;
        nameserver_script(&server, bad[i].script);
        pass(DNSLIST_CHECK_EVERY);
        become(bad[i].health);
        expect("192.0.2.9", DNSLIST_NOT_ASKED);
        nameserver_script(&server, GOOD_LIST);
        pass(DNSLIST_RECHECK_EVERY);
        become(DNSLIST_GOOD);
    }
    end();
}

/* A list that lists the world from one moment to the next: at most so many
 * clients suffer before it is checked. */
static void test_list_goes_mad_between_checks(void **state)
{
    (void)state;
    char address[IP_TEXT_MAX];
    unsigned listed = 0;
    begin(GOOD_LIST);
    become(DNSLIST_GOOD);
    pass(MONO_SECONDS(60));
    nameserver_script(&server, GOOD_LIST "*." ZONE " A 127.0.0.2\n1.0.0.127." ZONE " !nxdomain\n");
    for (unsigned i = 1; i < 250; i++) {
        snprintf(address, sizeof address, "198.51.100.%u", i);
        listed += ask(address) == DNSLIST_LISTED;
    }
    assert_int_equal(listed, DNSLIST_RUN_MAX);
    assert_int_equal(dnslists_health(lists, ZONE), DNSLIST_LISTS_ALL);

    /* Nobody suffers from what it said then, once it is sane again. */
    nameserver_script(&server, GOOD_LIST);
    pass(DNSLIST_RECHECK_EVERY);
    become(DNSLIST_GOOD);
    expect("198.51.100.1", DNSLIST_NOT_LISTED);
    end();
}

/* A run that nobody can check is not believed. */
static void test_run_without_check(void **state)
{
    (void)state;
    char address[IP_TEXT_MAX];
    begin(GOOD_LIST);
    become(DNSLIST_GOOD);
    nameserver_script(&server, "*.100.51.198." ZONE " A 127.0.0.2\n2.0.0.127." ZONE " !servfail\n");
    for (unsigned i = 1; i <= 2 * DNSLIST_RUN_MAX; i++) {
        snprintf(address, sizeof address, "198.51.100.%u", i);
        expect(address, i <= DNSLIST_RUN_MAX ? DNSLIST_LISTED : DNSLIST_NOT_ASKED);
    }
    end();
}

static void test_many_rightly_listed(void **state)
{
    (void)state;
    char address[IP_TEXT_MAX];
    begin(GOOD_LIST "*.100.51.198." ZONE " A 127.0.0.2\n");
    become(DNSLIST_GOOD);
    unsigned before = asked("2.0.0.127." ZONE);
    for (unsigned i = 1; i <= 5 * DNSLIST_RUN_MAX; i++) {
        snprintf(address, sizeof address, "198.51.100.%u", i);
        expect(address, DNSLIST_LISTED);
        /* One check for each run, by the client after it, which is of no run. */
        assert_int_equal(asked("2.0.0.127." ZONE) - before, i / (DNSLIST_RUN_MAX + 1));
    }
    expect("192.0.2.200", DNSLIST_NOT_LISTED); /* the end of the run */
    before = asked("2.0.0.127." ZONE);
    expect("198.51.100.200", DNSLIST_LISTED);
    assert_int_equal(asked("2.0.0.127." ZONE), before);
    expect_log("");
    end();
}

/* --- odd answers ---------------------------------------------------------------------------- */

static void test_odd_answers_are_no_listings(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        enum dnslist_class class;
        const char *why;
    } rows[] = {
        {"9.2.0.192." ZONE " A 127.255.255.254\n", DNSLIST_REFUSED, "refused"},
        {"9.2.0.192." ZONE " A 203.0.113.5\n", DNSLIST_WRONG, "wrong_answer"},
        {"9.2.0.192." ZONE " A 127.0.0.2\n9.2.0.192." ZONE " A 203.0.113.5\n", DNSLIST_WRONG,
         "wrong_answer"},
        {"9.2.0.192." ZONE " !servfail\n", DNSLIST_FAILED, "failed"},
        {"9.2.0.192." ZONE " !drop\n", DNSLIST_TIMEOUT, "timeout"},
        {"9.2.0.192." ZONE " CNAME elsewhere.example\nelsewhere.example A 203.0.113.5\n",
         DNSLIST_WRONG, "wrong_answer"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char script[600], line[300];
        snprintf(script, sizeof script, "%s%s", GOOD_LIST, rows[i].script);
        begin(script);
        become(DNSLIST_GOOD);
        expect("192.0.2.9", rows[i].class);
        snprintf(line, sizeof line,
                 "event=dnslist zone=bl.example state=odd why=%s detail=\"counts as not listed; 0 "
                 "more since the last such line\"\n",
                 rows[i].why);
        expect_log(line);

        /* Once a minute, with a count of the others. */
        expect("192.0.2.9", rows[i].class);
        pass(MONO_SECONDS(59));
        expect("192.0.2.9", rows[i].class);
        expect_log("");
        pass(MONO_SECONDS(1));
        expect("192.0.2.9", rows[i].class);
        snprintf(line, sizeof line,
                 "event=dnslist zone=bl.example state=odd why=%s detail=\"counts as not listed; 2 "
                 "more since the last such line\"\n",
                 rows[i].why);
        expect_log(line);
        assert_int_equal(dnslists_health(lists, ZONE), DNSLIST_GOOD);
        end();
    }
}

/* A dead list is given up after a few questions, not for a single one. */
static void test_failures_in_a_row(void **state)
{
    (void)state;
    static const char *const tricks[] = {"!servfail", "!drop", "A 127.255.255.254"};
    static const enum dnslist_health healths[] = {DNSLIST_UNANSWERED, DNSLIST_UNANSWERED,
                                                  DNSLIST_REFUSES};
    for (size_t i = 0; i < ARRAY_LEN(tricks); i++) {
        char script[600], address[IP_TEXT_MAX];
        snprintf(script, sizeof script, GOOD_LIST "*.100.51.198." ZONE " %s\n", tricks[i]);
        begin(script);
        become(DNSLIST_GOOD);
        for (unsigned n = 1; n < DNSLIST_FAILURES_MAX; n++) {
            snprintf(address, sizeof address, "198.51.100.%u", n);
            assert_int_not_equal(ask(address), DNSLIST_LISTED);
        }
        expect("192.0.2.1", DNSLIST_NOT_LISTED); /* a good answer: begin to count anew */
        for (unsigned n = 1; n < DNSLIST_FAILURES_MAX; n++) {
            snprintf(address, sizeof address, "198.51.100.%u", 100 + n);
            assert_int_not_equal(ask(address), DNSLIST_LISTED);
        }
        assert_int_equal(dnslists_health(lists, ZONE), DNSLIST_GOOD);
        logged[0] = '\0';
        assert_int_not_equal(ask("198.51.100.200"), DNSLIST_LISTED);
        assert_int_equal(dnslists_health(lists, ZONE), healths[i]);
        assert_non_null(strstr(logged, "state=suspended"));
        unsigned before = asked("201.100.51.198." ZONE);
        expect("198.51.100.201", DNSLIST_NOT_ASKED);
        assert_int_equal(asked("201.100.51.198." ZONE), before);
        pass(DNSLIST_RECHECK_EVERY);
        become(DNSLIST_GOOD); /* its test points are as they must be */
        end();
    }
}

static void test_a_single_check_without_answer(void **state)
{
    (void)state;
    begin(GOOD_LIST);
    become(DNSLIST_GOOD);
    nameserver_script(&server, "*." ZONE " !drop\n");
    pass(DNSLIST_CHECK_EVERY);
    for (int i = 1; i < DNSLIST_FAILURES_MAX; i++) {
        check_now();
        (void)poll(NULL, 0, 300); /* until the engine has given up */
        dnslists_tick(lists);
        assert_int_equal(dnslists_health(lists, ZONE), DNSLIST_GOOD);
        pass(DNSLIST_RECHECK_EVERY); /* there is doubt: not in 10 minutes, but soon */
    }
    become(DNSLIST_UNANSWERED);
    end();
}

/* A list of IPv4 addresses whose servers know no answer to long names. */
static void test_ipv6_where_it_fails(void **state)
{
    (void)state;
    begin(GOOD4 "*.0.0.0.0." ZONE " !servfail\n*.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
                "0." ZONE " !servfail\n9.2.0.192." ZONE " A 127.0.0.2\n");
    become(DNSLIST_GOOD);
    expect("2001:db8::1", DNSLIST_NOT_ASKED);
    expect("192.0.2.9", DNSLIST_LISTED);
    expect_log("");
    end();
    /* One that says no at its test point is asked: it may be right. */
    begin(GOOD4 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2." ZONE
                " A 127.0.0.4\n");
    become(DNSLIST_GOOD);
    expect("2001:db8::1", DNSLIST_LISTED);
    end();
}

static void test_who_has_no_time_blames_nobody(void **state)
{
    (void)state;
    begin(GOOD_LIST "*.100.51.198." ZONE " !drop\n");
    become(DNSLIST_GOOD);
    for (unsigned n = 1; n < 3 * DNSLIST_FAILURES_MAX; n++) {
        struct ip ip = ip_from_v4(0xc6336400 + n);
        struct dnslist_query query;
        dnslist_ask(lists, ZONE, &ip, mono_now() - 1, false, &query);
        assert_int_equal(dnslist_wait(&query), DNSLIST_TIMEOUT);
        dnslist_drop(&query);
    }
    assert_int_equal(dnslists_health(lists, ZONE), DNSLIST_GOOD);
    end();
}

static void test_forgetting(void **state)
{
    (void)state;
    begin(GOOD_LIST "9.2.0.192." ZONE " A 127.0.0.4\n");
    become(DNSLIST_GOOD);
    expect("192.0.2.9", DNSLIST_LISTED);
    nameserver_script(&server, GOOD_LIST);
    expect("192.0.2.9", DNSLIST_LISTED);
    dnslists_forget(lists, "other.example");
    expect("192.0.2.9", DNSLIST_LISTED);
    dnslists_forget(lists, ZONE);
    expect("192.0.2.9", DNSLIST_NOT_LISTED);
    nameserver_script(&server, GOOD_LIST "9.2.0.192." ZONE " A 127.0.0.4\n");
    dnslists_forget(lists, NULL);
    expect("192.0.2.9", DNSLIST_LISTED);
    end();
}

/* --- many at once ------------------------------------------------------------------------- */

static unsigned wrongly_listed; /* atomic */

static void *ask_much(void *arg)
{
    unsigned seed = *(const unsigned *)arg;
    for (unsigned i = 0; i < 60; i++) {
        char address[IP_TEXT_MAX];
        snprintf(address, sizeof address, "198.51.100.%u", (seed + i * 7) % 250);
        if (ask(address) == DNSLIST_LISTED)
            __atomic_add_fetch(&wrongly_listed, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void test_many_ask_a_bad_list(void **state)
{
    (void)state;
    pthread_t threads[8];
    unsigned seeds[ARRAY_LEN(threads)];
    begin("*." ZONE " A 127.0.0.2\n");
    for (unsigned i = 0; i < ARRAY_LEN(threads); i++) {
        seeds[i] = i * 31;
        assert_int_equal(pthread_create(&threads[i], NULL, ask_much, &seeds[i]), 0);
    }
    for (int i = 0; i < 100; i++) {
        pass(MONO_SECONDS(5));
        dnslists_tick(lists);
        (void)poll(NULL, 0, 1);
    }
    for (unsigned i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wrongly_listed, 0);
    const char *first = strstr(logged, "state=suspended");
    assert_non_null(first);
    assert_null(strstr(first + 1, "state=suspended"));
    end();
}

static int start_server(void **state)
{
    (void)state;
    nameserver_start(&server);
    now = MONO_SECONDS(1000);
    mono_simulate(&now);
    log_capture(keep, NULL);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    mono_simulate(NULL);
    log_capture(NULL, NULL);
    nameserver_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_list),
        cmocka_unit_test(test_checks_come_every_ten_minutes),
        cmocka_unit_test(test_not_watched_lists_are_checked_when_asked),
        cmocka_unit_test(test_first_client_of_a_bad_list),
        cmocka_unit_test(test_bad_lists_list_nobody_and_come_back),
        cmocka_unit_test(test_good_list_goes_bad),
        cmocka_unit_test(test_list_goes_mad_between_checks),
        cmocka_unit_test(test_run_without_check),
        cmocka_unit_test(test_many_rightly_listed),
        cmocka_unit_test(test_odd_answers_are_no_listings),
        cmocka_unit_test(test_failures_in_a_row),
        cmocka_unit_test(test_a_single_check_without_answer),
        cmocka_unit_test(test_ipv6_where_it_fails),
        cmocka_unit_test(test_who_has_no_time_blames_nobody),
        cmocka_unit_test(test_forgetting),
        cmocka_unit_test(test_many_ask_a_bad_list),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
