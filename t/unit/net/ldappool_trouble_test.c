/* ldappool_trouble_test.c - servers that must be found by name, and a host that has no
 * descriptors left to ask them. */
#include "lib/net/ldappool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/base/log.h"
#include "t/unit/descriptors.h"
#include "t/unit/net/ldapserver.h"
#include "t/unit/net/nameserver.h"

static struct nameserver names;
static char hosts_file[] = "/tmp/ldappool-XXXXXX";
static unsigned shortages, pauses; /* lines of the log; atomic */

struct world {
    struct ldapserver server;
    struct dns *dns;
    struct ldapclient client;
};

/* hosts: of the URIs; NULL ends them. */
static void begin(struct world *world, const char *const *hosts)
{
    struct err err = {0};
    struct dns_keys keys = nameserver_keys(&names);
    keys.timeout = 60000;
    nameserver_script(&names, "dir.example A 127.0.0.1\ndir.example AAAA ::1\n"
                              "moved.example A 127.0.0.7\nmoved.example A 127.0.0.1\n"
                              "mute.example !drop\nbroken.example !servfail\n"
                              "filed.example A 127.0.0.7\nlocalhost A 127.0.0.7\n");
    *world = (struct world){.dns = dns_new(&keys, &err)};
    assert_non_null(world->dns);
    ldapserver_start(&world->server);
    const unsigned ports[LDAPCLIENT_SERVERS_MAX] = {0};
    size_t n = 0;
    while (hosts[n] != NULL)
        n++;
    ldapclient_init(&world->client, ports, n);
    for (size_t i = 0; i < n; i++)
        snprintf(world->client.uris[i], sizeof world->client.uris[i], "ldap://%s:%u", hosts[i],
                 world->server.port);
    world->client.keys.cache_ttl = 0;
    ldapclient_apply(&world->client);
    world->client.pool = ldappool_new(&(struct dialer){world->dns, hosts_file}, &err);
    assert_non_null(world->client.pool);
    shortages = pauses = 0;
}

static void end(struct world *world)
{
    ldapclient_done(&world->client);
    ldapserver_stop(&world->server);
    dns_free(world->dns);
}

/* --- names --------------------------------------------------------------------------- */

static void test_names(void **state)
{
    static const char *const hosts[] = {"dir.example",   "DIR.Example", "moved.example",
                                        "filed.example", "localhost",   "127.0.0.1"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct world world;
        begin(&world, (const char *const[]){hosts[i], NULL});
        struct ldap_answer answer = ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH);
        assert_string_equal(answer.said.server, world.client.uris[0]);
        ldapclient_expect(&world.client, "nobody", DIRECTORY_NO_MATCH);
        end(&world);
    }
}

/* Within connect_timeout; then the next server. */
static void test_name_servers_in_trouble(void **state)
{
    static const char *const hosts[] = {"mute.example", "broken.example", "none.example"};
    static const char *const texts[] = {"no answer in time", "name servers fail", "no such host"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct world world;
        begin(&world, (const char *const[]){hosts[i], NULL});
        world.client.keys.connect_timeout = 500;
        ldapclient_apply(&world.client);
        mono_us began = mono_now();
        struct ldap_answer answer = ldapclient_expect(&world.client, "joe", DIRECTORY_ERROR);
        if (strstr(answer.said.text, texts[i]) == NULL)
            fail_msg("%s: %s", hosts[i], answer.said.text);
        assert_true(mono_now() - began < MONO_SECONDS(20));
        assert_int_equal(__atomic_load_n(&pauses, __ATOMIC_RELAXED), 1);
        end(&world);

        begin(&world, (const char *const[]){hosts[i], "dir.example", NULL});
        world.client.keys.connect_timeout = 500;
        ldapclient_apply(&world.client);
        answer = ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH);
        assert_string_equal(answer.said.server, world.client.uris[1]);
        end(&world);
    }
}

static void test_end_while_looking_up(void **state)
{
    struct ldapasker asker;
    struct world world;
    (void)state;
    begin(&world, (const char *const[]){"mute.example", NULL});
    unsigned before = nameserver_count(&names, "udp", "mute.example", "A");
    ldapasker_start(&asker, &world.client, "joe");
    while (nameserver_count(&names, "udp", "mute.example", "A") == before)
        ;
    mono_us began = mono_now();
    ldappool_free(world.client.pool);
    world.client.pool = NULL;
    assert_true(mono_now() - began < MONO_SECONDS(20)); /* the time-outs are 60 s */
    ldapasker_join(&asker);
    assert_int_equal(asker.answer.said.class, DIRECTORY_ERROR);
    end(&world);
}

/* A server with nothing but references, or with thousands of entries: what it says is not
 * read to its end, and is no "no". */
static void test_storms(void **state)
{
    struct world world;
    (void)state;
    begin(&world, (const char *const[]){"127.0.0.1", NULL});
    for (unsigned i = 1; i <= 3; i++) {
        mono_us began = mono_now();
        struct ldap_answer answer = ldapclient_expect(&world.client, "storm", DIRECTORY_ERROR);
        assert_non_null(strstr(answer.said.text, "more entries than were asked for"));
        ldapclient_expect(&world.client, "many", DIRECTORY_MATCH);
        ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH);
        ldapclient_expect(&world.client, "nobody", DIRECTORY_NO_MATCH);
        assert_true(mono_now() - began < MONO_SECONDS(20));
    }
    assert_int_equal(__atomic_load_n(&pauses, __ATOMIC_RELAXED), 0);
    assert_true(ldapserver_count(&world.server, "connections") <= 30);
    end(&world);
}

/* --- descriptors --------------------------------------------------------------------- */

static void count_server(const char *profile, const char *uri, int64_t paused, void *arg)
{
    unsigned *n = arg;
    (void)profile;
    (void)uri;
    (void)paused;
    ++*n;
}

static void lose_connection(struct world *world)
{
    unsigned n;
    ldapserver_drop(&world->server);
    do {
        n = 0;
        ldappool_each(world->client.pool, count_server, &n);
    } while (n > 0);
}

/* A directory that nobody asked before, and one whose connection was lost: an error at
 * once, told once, and no pause: as soon as there are descriptors it is asked. */
static void test_no_descriptors(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "dir.example", "filed.example"};
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(hosts); i++) {
        struct world world;
        struct ldap_answer answer;
        begin(&world, (const char *const[]){hosts[i / 2], NULL});
        world.client.keys.connect_timeout = 2000;
        ldapclient_apply(&world.client);
        if (i % 2 == 1) {
            ldapclient_expect(&world.client, "joe", DIRECTORY_MATCH);
            lose_connection(&world);
        }
        descriptors_leave(0);
        mono_us began = mono_now();
        for (unsigned k = 0; k < 5; k++) {
            answer = ldapclient_expect(&world.client, "joe", DIRECTORY_ERROR);
            assert_null(strstr(answer.said.text, "pause"));
        }
        assert_true(mono_now() - began < MONO_SECONDS(30));
        assert_int_equal(__atomic_load_n(&shortages, __ATOMIC_RELAXED), 1);
        descriptors_all();
        do { /* the last thread without any may still take a question */
            ldapclient_ask(&world.client, LDAP_ACCEPT_QUERY, "joe", began + LDAPSERVER_PATIENCE,
                           &answer);
            assert_null(strstr(answer.said.text, "pause"));
        } while (answer.said.class != DIRECTORY_MATCH && mono_now() - began < LDAPSERVER_PATIENCE);
        ldapclient_expect(&world.client, "nobody", DIRECTORY_NO_MATCH);
        assert_int_equal(__atomic_load_n(&pauses, __ATOMIC_RELAXED), 0);
        end(&world);
    }
}

/* Enough to connect, not to read the authorities' file: no fault of the server's. */
static void test_no_descriptor_for_tls(void **state)
{
    struct world world;
    (void)state;
    begin(&world, (const char *const[]){"127.0.0.1", NULL});
    world.client.keys.start_tls = true;
    ldapclient_apply(&world.client);
    descriptors_leave(2); /* the directory's own, and the connection */
    struct ldap_answer answer = ldapclient_expect(&world.client, "joe", DIRECTORY_ERROR);
    descriptors_all();
    if (strstr(answer.said.text, "open files") == NULL)
        fail_msg("%s", answer.said.text);
    assert_int_equal(__atomic_load_n(&pauses, __ATOMIC_RELAXED), 0);
    assert_int_equal(__atomic_load_n(&shortages, __ATOMIC_RELAXED), 1);
    end(&world);
}

static void count_line(const char *line, void *arg)
{
    (void)arg;
    if (strstr(line, "not to blame") != NULL)
        __atomic_add_fetch(&shortages, 1, __ATOMIC_RELAXED);
    if (strstr(line, "not asked for") != NULL)
        __atomic_add_fetch(&pauses, 1, __ATOMIC_RELAXED);
}

static int begin_all(void **state)
{
    static const char hosts[] = "127.0.0.1 filed.example\n";
    (void)state;
    int fd = mkstemp(hosts_file);
    bool good = fd >= 0 && write(fd, hosts, sizeof hosts - 1) == sizeof hosts - 1;
    close(fd);
    nameserver_start(&names);
    log_capture(count_line, NULL);
    return good ? descriptors_known() : -1;
}

static int end_all(void **state)
{
    (void)state;
    log_capture(NULL, NULL);
    nameserver_stop(&names);
    return unlink(hosts_file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_name_servers_in_trouble),
        cmocka_unit_test(test_end_while_looking_up),
        cmocka_unit_test(test_storms),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_no_descriptor_for_tls),
    };
    ldappool_setup();
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
