/* hostsfile_test.c - addresses of a name by a hosts file. */
#include "lib/net/hostsfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "t/unit/no_memory.h"

#define ROOM 4

static const char text[] = "\xef\xbb\xbf"
                           "192.0.2.99 mark\n"
                           "# 192.0.2.98 comment\n"
                           "127.0.0.1 localhost\n"
                           "::1\tlocalhost ip6-localhost # and so on\n"
                           "192.0.2.1  ldap1.example.com   ldap1\r\n"
                           "  192.0.2.2 LDAP2.Example.COM. ldap2 #ldap3\n"
                           "2001:db8::2 ldap2.example.com\n"
                           "192.0.2.2 ldap2\n"
                           "\n \t \n"
                           "192.0.2.300 bad\n"
                           "bad 192.0.2.3\n"
                           "fe80::1%eth0 scoped\n"
                           "192.0.2.4\n"
                           "192.0.2.11 many\n192.0.2.12 many\n192.0.2.13 many\n"
                           "192.0.2.14 many\n192.0.2.15 many\n"
                           "192.0.2.5 last";

/* "1.2.3.4 ::1" */
static const char *scan(struct slice all, const char *name)
{
    static char found[ROOM * IP_TEXT_MAX];
    struct ip ips[ROOM];
    size_t n = hostsfile_scan(all, name, ips, ROOM);
    found[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        char ip[IP_TEXT_MAX];
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i > 0 ? " " : "",
                 ip_text(&ips[i], ip));
    }
    return found;
}

static void test_names(void **state)
{
    static const struct {
        const char *name, *found;
    } rows[] = {
        {"localhost", "127.0.0.1 ::1"},
        {"LocalHost", "127.0.0.1 ::1"},
        {"ip6-localhost", "::1"},
        {"ldap1.example.com", "192.0.2.1"},
        {"ldap1", "192.0.2.1"},
        {"ldap2.example.com", "192.0.2.2 2001:db8::2"},
        {"ldap2", "192.0.2.2"},
        {"last", "192.0.2.5"},
        {"many", "192.0.2.11 192.0.2.12 192.0.2.13 192.0.2.14"},
        {"comment", ""},
        {"ldap3", ""},
        {"and", ""},
        {"bad", ""},
        {"scoped", ""},
        {"ldap", ""},
        {"ldap1.example.co", ""},
        {"192.0.2.1", ""},
        {"192.0.2.4", ""},
        {"mark", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *found = scan(slice_of(text), rows[i].name);
        if (strcmp(found, rows[i].found) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", rows[i].name, found, rows[i].found);
    }
    assert_string_equal(scan((struct slice){NULL, 0}, "localhost"), "");
}

/* Cut anywhere it is still read, and nothing behind the end is. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        char *part = malloc(n + 1);
        memcpy(part, text, n);
        (void)scan((struct slice){part, n}, "last");
        free(part);
    }
}

static size_t find(const char *path, bool good_wanted)
{
    struct ip ips[ROOM];
    struct err err = {0};
    size_t n = 99;
    bool good = hostsfile_find(path, "localhost", ips, ROOM, &n, &err);
    assert_int_equal(good, good_wanted);
    assert_true(good || err_is_shortage(&err));
    return n;
}

static void test_file(void **state)
{
    char path[] = "/tmp/hostsfile-XXXXXX", pipe_path[sizeof path + 5];
    int fd = mkstemp(path);
    struct rlimit limit, none;
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(find(path, true), 0);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    assert_int_equal(find(path, true), 2);
    assert_int_equal(find("/nonexistent/hosts", true), 0);
    assert_int_equal(find("/tmp", true), 0);
    snprintf(pipe_path, sizeof pipe_path, "%s.pipe", path);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(find(pipe_path, true), 0); /* nobody waits for a writer */
    unlink(pipe_path);

    memory_allow(0);
    assert_int_equal(find(path, false), 0);
    memory_allow(-1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(find(path, false), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(find(path, true), 2);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
