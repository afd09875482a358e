/* dial_test.c - connections to hosts by their names: the hosts file, a scripted name
 * server, and servers that listen on addresses of the loopback network. */
#include "lib/net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "t/unit/net/nameserver.h"

static struct nameserver server;
static char hosts_file[] = "/tmp/dial-XXXXXX";

static const char hosts[] = "127.0.0.1 here.example\n"
                            "127.0.0.3 two.example\n127.0.0.4 two.example two\n";

static const char zone[] = "here.example A 127.0.0.9\n"
                           "both.example A 127.0.0.2\nboth.example AAAA ::1\n"
                           "four.example A 127.0.0.2\n"
                           "six.example AAAA ::1\n"
                           "alias.example CNAME four.example\n"
                           "mute.example !drop\n"
                           "half.example A 127.0.0.2\nhalf.example/AAAA !drop\n"
                           "other.example AAAA ::1\nother.example/A !drop\n"
                           "broken.example !servfail\n"
                           "empty.example TXT x\n"
                           "localhost A 127.0.0.9\nsub.localhost A 127.0.0.9\n"
                           "dead.example A 127.0.0.8\ndead.example A 127.0.0.2\n";

struct world {
    struct dns *dns;
    struct dialer dialer;
    int stop_fd;
};

static void begin(struct world *world, unsigned timeout_ms)
{
    struct err err = {0};
    struct dns_keys keys = nameserver_keys(&server);
    keys.timeout = timeout_ms;
    nameserver_script(&server, zone);
    world->dns = dns_new(&keys, &err);
    world->stop_fd = eventfd(0, EFD_CLOEXEC);
    world->dialer = (struct dialer){world->dns, hosts_file};
    assert_non_null(world->dns);
    assert_true(world->stop_fd >= 0);
}

static void end(struct world *world)
{
    dns_free(world->dns);
    close(world->stop_fd);
}

static int start(void **state)
{
    (void)state;
    int fd = mkstemp(hosts_file);
    bool good = fd >= 0 && write(fd, hosts, sizeof hosts - 1) == sizeof hosts - 1;
    close(fd);
    nameserver_start(&server);
    return good ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    nameserver_stop(&server);
    return unlink(hosts_file);
}

/* The addresses, or the error's text. */
static const char *look_up(const struct world *world, const char *host, mono_us patience)
{
    static char text[DIAL_ADDRESSES_MAX * IP_TEXT_MAX + 300];
    struct ip ips[DIAL_ADDRESSES_MAX];
    struct err err = {0};
    size_t n = 0;
    if (!dial_addresses(&world->dialer, host, world->stop_fd, mono_now() + patience, ips, &n,
                        &err)) {
        snprintf(text, sizeof text, "%s", err.text);
        return text;
    }
    assert_true(n > 0);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        char ip[IP_TEXT_MAX];
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "",
                 ip_text(&ips[i], ip));
    }
    return text;
}

static void test_addresses(void **state)
{
    static const struct {
        const char *host, *found;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"2001:db8::1", "2001:db8::1"},
        {"here.example", "127.0.0.1"}, /* not what DNS has */
        {"HERE.Example.", "127.0.0.1"},
        {"two.example", "127.0.0.3 127.0.0.4"},
        {"two", "127.0.0.4"},
        {"localhost", "127.0.0.1 ::1"},
        {"LOCALHOST", "127.0.0.1 ::1"},
        {"sub.localhost", "127.0.0.1 ::1"},
        {"both.example", "127.0.0.2 ::1"},
        {"Both.Example", "127.0.0.2 ::1"},
        {"four.example", "127.0.0.2"},
        {"six.example", "::1"},
        {"alias.example", "127.0.0.2"},
        {"empty.example", "looking up its address: it has none"},
        {"none.example", "looking up its address: there is no such host"},
        {"broken.example", "looking up its address: the name servers fail"},
        {"mute.example", "looking up its address: no answer in time"},
        {"a b.example", "\"a b.example\" is neither an address nor a host name"},
        {"127.0.0.300", "\"127.0.0.300\" is neither an address nor a host name"},
    };
    struct world world;
    (void)state;
    begin(&world, 300);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *found = look_up(&world, rows[i].host, MONO_SECONDS(20));
        if (strcmp(found, rows[i].found) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", rows[i].host, found, rows[i].found);
    }
    assert_int_equal(nameserver_count(&server, "udp", "localhost", "A"), 0);
    assert_int_equal(nameserver_count(&server, "udp", "sub.localhost", "A"), 0);
    assert_int_equal(nameserver_count(&server, "udp", "here.example", "A"), 0);
    end(&world);
}

/* One kind of address is there, and nobody says anything about the other. */
static void test_half_an_answer(void **state)
{
    static const char *const names[] = {"half.example", "other.example"};
    static const char *const found[] = {"127.0.0.2", "::1"};
    struct world world;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        begin(&world, 20000);
        mono_us began = mono_now();
        assert_string_equal(look_up(&world, names[i], MONO_SECONDS(30)), found[i]);
        assert_true(mono_now() - began < MONO_SECONDS(10));
        end(&world);
    }
}

static void test_deadline(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 20000);
    mono_us began = mono_now();
    assert_string_equal(look_up(&world, "mute.example", MONO_MS(300)),
                        "looking up its address: no answer in time");
    assert_true(mono_now() - began >= MONO_MS(300));
    assert_true(mono_now() - began < MONO_SECONDS(10));
    end(&world);
}

static void *stop_later(void *arg)
{
    const struct world *world = arg;
    while (nameserver_count(&server, "udp", "mute.example", "A") == 0)
        ;
    eventfd_write(world->stop_fd, 1);
    return NULL;
}

static void test_stop(void **state)
{
    struct err err = {0};
    struct world world;
    pthread_t thread;
    (void)state;
    begin(&world, 20000);
    assert_int_equal(pthread_create(&thread, NULL, stop_later, &world), 0);
    mono_us began = mono_now();
    assert_int_equal(dial_host(&world.dialer, "mute.example", 389, world.stop_fd,
                               began + MONO_SECONDS(60), &err),
                     -1);
    assert_int_equal(err.sys, ECANCELED);
    assert_true(mono_now() - began < MONO_SECONDS(10));
    assert_int_equal(pthread_join(thread, NULL), 0);
    end(&world);
}

static int listen_on(const char *address, uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t n = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

/* In their order; the first that takes the connection is the one. */
static void test_connecting(void **state)
{
    static const struct {
        const char *host, *reached; /* NULL: nowhere */
    } rows[] = {
        {"127.0.0.2", "127.0.0.2"},   {"four.example", "127.0.0.2"}, {"dead.example", "127.0.0.2"},
        {"two.example", "127.0.0.4"}, {"here.example", NULL},        {"none.example", NULL},
    };
    struct world world;
    uint16_t port = 0;
    int second = listen_on("127.0.0.2", &port), fourth = listen_on("127.0.0.4", &port);
    (void)state;
    begin(&world, 1000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_in in;
        socklen_t n = sizeof in;
        char ip[INET_ADDRSTRLEN];
        struct err err = {0};
        int fd = dial_host(&world.dialer, rows[i].host, port, world.stop_fd,
                           mono_now() + MONO_SECONDS(20), &err);
        assert_int_equal(fd >= 0, rows[i].reached != NULL);
        assert_int_equal(fd < 0,
                         err.text[0] != '\0' && err.kind != ERR_NONE && !err_is_shortage(&err));
        if (fd < 0)
            continue;
        assert_int_equal(getpeername(fd, (struct sockaddr *)&in, &n), 0);
        assert_non_null(inet_ntop(AF_INET, &in.sin_addr, ip, sizeof ip));
        assert_string_equal(ip, rows[i].reached);
        close(fd);
    }
    close(second);
    close(fourth);
    end(&world);
}

/* The domains of the system's search list come first, in their order. */
static void test_search_list(void **state)
{
    struct world world;
    (void)state;
    assert_int_equal(setenv("LOCALDOMAIN", "one.example two.example", 1), 0);
    begin(&world, 1000);
    nameserver_script(&server, "dc1.two.example A 192.0.2.2\ndc1 A 192.0.2.9\n"
                               "dc2.one.example A 192.0.2.1\ndc2.two.example A 192.0.2.2\n"
                               "dc3 A 192.0.2.3\ndc4.x.one.example A 192.0.2.4\n");
    assert_string_equal(look_up(&world, "dc1", MONO_SECONDS(20)), "192.0.2.2");
    assert_string_equal(look_up(&world, "dc2", MONO_SECONDS(20)), "192.0.2.1");
    assert_string_equal(look_up(&world, "dc3", MONO_SECONDS(20)), "192.0.2.3");
    assert_string_equal(look_up(&world, "dc4.x", MONO_SECONDS(20)),
                        "looking up its address: there is no such host");
    end(&world);
    assert_int_equal(unsetenv("LOCALDOMAIN"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),  cmocka_unit_test(test_half_an_answer),
        cmocka_unit_test(test_deadline),   cmocka_unit_test(test_stop),
        cmocka_unit_test(test_connecting), cmocka_unit_test(test_search_list),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
