/*
 * domain_fuzz.c - any text as a domain: a canonical name is canonical, and its
 * Unicode form leads back to it.
 */
#include <string.h>
#include "lib/base/domain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[DOMAIN_MAX], again[DOMAIN_MAX], unicode[4 * DOMAIN_MAX];
    if (!domain_canon((struct slice){(const char *)data, size}, name))
        return 0;
    CHECK(strlen(name) < DOMAIN_MAX && name[0] != '\0');
    CHECK(domain_canon(slice_of(name), again) && strcmp(name, again) == 0);
    if (domain_to_unicode(name, unicode, sizeof unicode))
        CHECK(domain_canon(slice_of(unicode), again) && strcmp(name, again) == 0);
    return 0;
}
