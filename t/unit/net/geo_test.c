/* geo_test.c - MaxMind DB files, made by t/lib/mmdb.py: good, damaged, missing. */
#include "lib/net/geo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/base/str.h"
#include "t/unit/dice.h"

#ifdef HAVE_MAXMINDDB

#define ARGUMENTS_MAX 12
#define FILE_MAX_BYTES 20000

static char path[] = "/tmp/gatehouse-mmdb-XXXXXX";

static const char *find_script(char *script, size_t room)
{
    const char *tops[] = {getenv("GATEHOUSE_TOP"), getenv("srcdir"), ".", ".."};
    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        snprintf(script, room, "%s/t/lib/mmdb.py", tops[i] != NULL ? tops[i] : "");
        if (access(script, R_OK) == 0)
            return script;
    }
    fail_msg("t/lib/mmdb.py not found: set GATEHOUSE_TOP");
    return NULL;
}

/* Writes the database anew; words as mmdb.py takes them, up to a NULL. */
static void make(const char *const *words)
{
    static char python[] = "/usr/bin/python3";
    char script[300], copies[ARGUMENTS_MAX][60];
    char *argv[ARGUMENTS_MAX + 4] = {python, script, path};
    find_script(script, sizeof script);
    for (size_t i = 0; words[i] != NULL; i++) {
        assert_true(i < ARGUMENTS_MAX);
        snprintf(copies[i], sizeof copies[i], "%s", words[i]);
        argv[3 + i] = copies[i];
    }
    int status = -1;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execv(python, argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static struct geo *open_good(void)
{
    struct err err;
    struct geo *geo = geo_open(path, &err);
    if (geo == NULL)
        fail_msg("%s", err.text);
    return geo;
}

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_true(ip_parse(slice_of(text), &ip));
    return ip;
}

static void check_owner(const struct geo *geo, const char *address, enum lookup_outcome outcome,
                        uint32_t owner)
{
    struct ip ip = ip_of(address);
    uint32_t found = 0;
    if (geo_owner(geo, &ip, &found) != outcome || (outcome == LOOKUP_FOUND && found != owner))
        fail_msg("%s: owner %u", address, (unsigned)found);
}

static void check_country(const struct geo *geo, const char *address, const char *country)
{
    struct ip ip = ip_of(address);
    char found[3] = "";
    bool there = geo_country(geo, &ip, found) == LOOKUP_FOUND;
    if (there != (country[0] != '\0') || strcmp(found, country) != 0)
        fail_msg("%s: country \"%s\"", address, found);
}

static void test_answers(void **state)
{
    (void)state;
    static const char *const words[] = {
        "made=1700000000",      "192.0.2.0/24=64500",       "198.51.100.0/25=JP",
        "198.51.100.128/25=kr", "2001:db8::/32=4294967295", "2001:db9::/48=DE",
        "203.0.113.7/32=64501", "203.0.113.8/32=0",         NULL};
    make(words);
    struct geo *geo = open_good();
    assert_true(geo_supported());
    assert_int_equal(geo_made(geo), 1700000000);
    check_owner(geo, "192.0.2.0", LOOKUP_FOUND, 64500);
    check_owner(geo, "192.0.2.255", LOOKUP_FOUND, 64500);
    check_owner(geo, "::ffff:192.0.2.255", LOOKUP_FOUND, 64500);
    check_owner(geo, "192.0.3.0", LOOKUP_NONE, 0);
    check_owner(geo, "2001:db8:ffff::1", LOOKUP_FOUND, 4294967295U);
    check_owner(geo, "2001:dba::1", LOOKUP_NONE, 0);
    check_owner(geo, "203.0.113.7", LOOKUP_FOUND, 64501);
    check_owner(geo, "203.0.113.8", LOOKUP_NONE, 0); /* 0 is no owner */
    check_owner(geo, "203.0.113.9", LOOKUP_NONE, 0);
    check_owner(geo, "198.51.100.1", LOOKUP_NONE, 0); /* an entry, but of another kind */
    check_country(geo, "198.51.100.127", "JP");
    check_country(geo, "198.51.100.128", "KR");
    check_country(geo, "2001:db9:0:ffff::1", "DE");
    check_country(geo, "192.0.2.1", "");
    check_country(geo, "10.0.0.1", "");
    geo_close(geo);
}

static void test_ipv4_only(void **state)
{
    (void)state;
    static const char *const words[] = {"version=4", "192.0.2.0/24=64500", NULL};
    make(words);
    struct geo *geo = open_good();
    check_owner(geo, "192.0.2.1", LOOKUP_FOUND, 64500);
    check_owner(geo, "2001:db8::1", LOOKUP_NONE, 0);
    geo_close(geo);
}

static void test_countries_that_are_none(void **state)
{
    (void)state;
    static const char *const words[] = {"192.0.2.0/24=JPN", "198.51.100.0/24=J-", NULL};
    make(words);
    struct geo *geo = open_good();
    check_country(geo, "192.0.2.1", "");
    check_country(geo, "198.51.100.1", "");
    geo_close(geo);
}

static void expect_refusal(const char *file, const char *words)
{
    struct err err = {.text = ""};
    assert_null(geo_open(file, &err));
    if (strstr(err.text, words) == NULL || strstr(err.text, file) == NULL)
        fail_msg("%s", err.text);
}

static void test_missing_and_no_database(void **state)
{
    (void)state;
    expect_refusal("/nonexistent/asn.mmdb", "No such file or directory");
    expect_refusal("/etc/hosts", "MaxMind");
    assert_int_equal(truncate(path, 0), 0);
    expect_refusal(path, "");
    geo_close(NULL);
}

/* Whatever is in the file: no crash, and answers of the kinds there are. The
 * metadata stay whole: libmaxminddb 1.7 loses memory over damaged ones, which the
 * sanitizers tell. */
static void test_damaged(void **state)
{
    (void)state;
    static const char *const words[] = {"192.0.2.0/24=64500", "198.51.100.0/24=JP",
                                        "2001:db8::/32=64501", NULL};
    static uint8_t whole[FILE_MAX_BYTES], bytes[FILE_MAX_BYTES];
    struct dice dice = dice_start(0);
    make(words);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(whole, 1, sizeof whole, file);
    fclose(file);
    assert_in_range(n, 1, sizeof whole - 1);
    const uint8_t *marker = memmem(whole, n, "MaxMind.com", strlen("MaxMind.com"));
    assert_non_null(marker);
    uint32_t damageable = (uint32_t)(marker - whole) - 3;
    unsigned opened = 0;
    for (int round = 0; round < 3000; round++) {
        size_t size = dice_below(&dice, 4) == 0 ? 1 + dice_below(&dice, damageable) : n;
        memcpy(bytes, whole, n);
        for (uint32_t i = dice_below(&dice, 6); i > 0; i--)
            bytes[dice_below(&dice, damageable)] = (uint8_t)dice_below(&dice, 256);
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        fclose(file);
        struct err err;
        struct geo *geo = geo_open(path, &err);
        if (geo == NULL)
            continue;
        opened++;
        static const char *const addresses[] = {"192.0.2.1", "198.51.100.1", "2001:db8::1", "::1"};
        for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
            struct ip ip = ip_of(addresses[i]);
            uint32_t owner = 0;
            char country[3] = "";
            if (geo_owner(geo, &ip, &owner) == LOOKUP_FOUND)
                assert_int_not_equal(owner, 0);
            if (geo_country(geo, &ip, country) == LOOKUP_FOUND)
                assert_int_equal(strlen(country), 2);
        }
        geo_close(geo);
    }
    print_message("# %u of 3000 damaged databases could be opened\n", opened);
    assert_in_range(opened, 100, 2990);
}

static int begin(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_ipv4_only),
        cmocka_unit_test(test_countries_that_are_none),
        cmocka_unit_test(test_missing_and_no_database),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

#else

static void test_not_supported(void **state)
{
    (void)state;
    struct err err = {.text = ""};
    assert_false(geo_supported());
    assert_null(geo_open("/etc/hosts", &err));
    assert_string_equal(err.text, "/etc/hosts: this gatehouse was built without libmaxminddb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_not_supported)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
