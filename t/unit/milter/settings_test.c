/* settings_test.c - what [gatehouse] means, and its wrong values. */
#include "milter/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>
#include <cmocka.h>
#include "milter/registry.h"
#include "t/unit/conf/sample.h"

static struct conf *read_keys(const char *keys, struct problems *problems)
{
    struct strbuf text;
    strbuf_init(&text);
    strbuf_printf(&text, "[gatehouse]\n%s\n", keys);
    struct conf *conf =
        sample_read_types(strbuf_text(&text), text.n, registry, registry_count, problems);
    strbuf_done(&text);
    return conf;
}

static void reports(void **state)
{
    static const struct {
        const char *keys, *want;
    } cases[] = {
        {"socket = unix:", "socket: \"unix:\" is wrong; allowed: unix:PATH, inet:PORT@HOST or "},
        {"socket =", "socket: \"\" is wrong"},
        {"socket = /run/x", "socket: \"/run/x\" is wrong"},
        {"socket = inet:8893", "socket: \"inet:8893\" is wrong"},
        {"socket = inet:0@localhost", "socket: \"inet:0@localhost\" is wrong"},
        {"socket = inet:65536@localhost", "socket: \"inet:65536@localhost\" is wrong"},
        {"socket = inet:8893@", "socket: \"inet:8893@\" is wrong"},
        {"socket = inet6:smtp@::1", "socket: \"inet6:smtp@::1\" is wrong"},
        {"socket = inet:8899@::1",
         "socket: \"inet:8899@::1\" is wrong; allowed: inet6:8899@::1 for an IPv6 address"},
        {"socket = inet:8899@[2001:DB8::1]",
         "socket: \"inet:8899@[2001:DB8::1]\" is wrong; allowed: "
         "inet6:8899@2001:DB8::1 for an IPv6 address"},
        {"socket = inet6:8899@192.0.2.1", "socket: \"inet6:8899@192.0.2.1\" is wrong; allowed: "
                                          "inet:8899@192.0.2.1 for an IPv4 address"},
        {"socket = inet6:8899@[::1", "socket: \"inet6:8899@[::1\" is wrong; allowed: unix:PATH"},
        {"socket = inet:8899@[]", "socket: \"inet:8899@[]\" is wrong; allowed: unix:PATH"},
        {"socket = inet:8899@[h]", "socket: \"inet:8899@[h]\" is wrong; allowed: unix:PATH"},
        {"socket = inet:8899@a b", "socket: \"inet:8899@a b\" is wrong; allowed: unix:PATH"},
        {"socket_mode = 0888", "socket_mode: \"0888\" is wrong; allowed: octal"},
        {"socket_mode =", "socket_mode: \"\" is wrong"},
        {"socket_mode = 00660", "socket_mode: \"00660\" is wrong"},
        {"socket_mode = 1777", "socket_mode: \"1777\" is wrong"},
        {"socket_mode = 0060", "socket_mode: \"0060\" is wrong"},
        {"log = file:", "log: \"file:\" is wrong; allowed: syslog, stderr or file:PATH"},
        {"log = Syslog", "log: \"Syslog\" is wrong"},
        {"hostname = -x-", "hostname: \"-x-\" is wrong; allowed: a host name"},
        {"user = root", "user: \"root\" is wrong; allowed: any user but root"},
        {"user =", "user: is empty"},
        {"control_socket =", "control_socket: is empty"},
        {"state_dir =", "state_dir: is empty"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct problems problems;
        struct settings settings;
        struct conf *conf = read_keys(cases[i].keys, &problems);
        assert_non_null(conf);
        assert_false(settings_build(conf, &settings, &problems));
        assert_int_equal(problems_errors(&problems), 1);
        const char *line = strstr(problems.list[problems.count - 1].line, "conf:2: [gatehouse] ");
        assert_non_null(line);
        assert_int_equal(strncmp(line + 20, cases[i].want, strlen(cases[i].want)), 0);
        conf_free(conf);
        problems_done(&problems);
    }
}

static void limits_the_socket_path(void **state)
{
    (void)state;
    for (int n = 106; n <= 108; n++) {
        struct problems problems;
        struct settings settings;
        char keys[200];
        snprintf(keys, sizeof keys, "socket = unix:/%0*d", n - 1, 0);
        struct conf *conf = read_keys(keys, &problems);
        assert_int_equal(settings_build(conf, &settings, &problems), n <= 107);
        conf_free(conf);
        problems_done(&problems);
    }
}

static void understands(void **state)
{
    struct problems problems;
    struct settings settings;
    struct conf *conf = read_keys("socket = unix:run/sock\nsocket_mode = 600\nlog = file:l og\n"
                                  "log_facility = local3\nlog_level = debug\nmode = monitor\n"
                                  "hostname = mx.example.com",
                                  &problems);
    char name[256];
    size_t folder;
    (void)state;
    assert_true(settings_build(conf, &settings, &problems));
    folder = strlen(settings.socket_path) - strlen("/run/sock");
    assert_string_equal(settings.socket_path + folder, "/run/sock");
    assert_int_equal(settings.socket_path[0], '/');
    assert_int_equal(strncmp(settings.socket, "unix:/", 6), 0);
    assert_string_equal(settings.socket + 5, settings.socket_path);
    assert_int_equal(settings.socket_mode, 0600);
    assert_int_equal(settings.log_target, LOG_TO_FILE);
    assert_string_equal(settings.log_path + folder, "/l og");
    assert_int_equal(settings.log_facility, LOG_LOCAL3);
    assert_int_equal(settings.log_level, LOG_AT_DEBUG);
    assert_int_equal(settings.keys->mode, SETTINGS_MONITOR);
    settings_hostname(&settings, name, sizeof name);
    assert_string_equal(name, "mx.example.com");
    conf_free(conf);
    problems_done(&problems);
}

static void has_defaults(void **state)
{
    struct problems problems;
    struct settings settings;
    struct conf *conf = read_keys("", &problems);
    char name[256] = "";
    (void)state;
    assert_true(settings_build(conf, &settings, &problems));
    assert_string_equal(settings.socket, "unix:/run/gatehouse/milter.sock");
    assert_int_equal(settings.socket_mode, 0660);
    assert_int_equal(settings.log_target, LOG_TO_SYSLOG);
    assert_int_equal(settings.log_facility, LOG_MAIL);
    assert_int_equal(settings.log_level, LOG_AT_INFO);
    assert_int_equal(settings.keys->command_deadline, 25000);
    settings_hostname(&settings, name, sizeof name);
    assert_true(name[0]);
    conf_free(conf);
    problems_done(&problems);
}

static void understands_inet(void **state)
{
    static const char *const sockets[] = {"inet:1@h",           "inet:65535@127.0.0.1",
                                          "inet:1@[127.0.0.1]", "inet6:8893@[::1]",
                                          "inet6:1@::",         "inet6:1@mx.example.com"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sockets); i++) {
        struct problems problems;
        struct settings settings;
        char keys[80];
        snprintf(keys, sizeof keys, "socket = %s\nlog = stderr", sockets[i]);
        struct conf *conf = read_keys(keys, &problems);
        assert_true(settings_build(conf, &settings, &problems));
        assert_string_equal(settings.socket, sockets[i]);
        assert_null(settings.socket_path);
        assert_int_equal(settings.log_target, LOG_TO_STDERR);
        conf_free(conf);
        problems_done(&problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports),          cmocka_unit_test(limits_the_socket_path),
        cmocka_unit_test(understands),      cmocka_unit_test(has_defaults),
        cmocka_unit_test(understands_inet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
