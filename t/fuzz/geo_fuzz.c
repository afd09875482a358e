/*
 * geo_fuzz.c - a MaxMind DB file from anywhere: a damaged one makes look-ups fail.
 */
#include "lib/net/geo.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

/* What was suppressed is no report. */
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}

/* libmaxminddb 1.7 loses some kilobytes where it refuses a file; nobody else can free them. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb\n";
}

static void look_up(const struct geo *geo, const char *address)
{
    char code[3] = "";
    uint32_t owner = 0;
    struct ip ip;

    CHECK(ip_parse(slice_of(address), &ip));
    if (geo_owner(geo, &ip, &owner) == LOOKUP_FOUND)
        CHECK(owner != 0);
    if (geo_country(geo, &ip, code) == LOOKUP_FOUND)
        for (int i = 0; i < 2; i++)
            CHECK(code[i] >= 'A' && code[i] <= 'Z');
    CHECK(strlen(code) == 0 || strlen(code) == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const addresses[] = {
        "0.0.0.0",         "192.0.2.1", "255.255.255.255", "::",     "2001:db8::1",
        "2002:c000:201::", "::1.2.3.4", "2001:0:1::ff",    "ff02::1"};
    char path[40];
    struct err err;
    int fd = memfd_create("geo", MFD_CLOEXEC);

    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct geo *geo = geo_open(path, &err);
    for (size_t i = 0; geo != NULL && i < ARRAY_LEN(addresses); i++)
        look_up(geo, addresses[i]);
    geo_close(geo);
    (void)close(fd);
    return 0;
}
