/*
 * listing_fuzz.c - what postmap -s and makemap -u print, behind a NUL that ends the text of the
 * map. A line more or less than the map's is never the same.
 */
#include <string.h>
#include "lib/mta/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same(const void *content, size_t n, const void *listed, size_t m)
{
    struct err err = {0};
    bool same = compile_same((struct slice){content, n}, (struct slice){listed, m}, &err);
    CHECK(err.kind == ERR_NONE);
    return same;
}

/* The lines of content that count. */
static size_t entries(const uint8_t *content, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += content[i] != '\n' && content[i] != '#' && (i == 0 || content[i - 1] == '\n');
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, 0, size);
    size_t n = end == NULL ? size : (size_t)(end - data);
    size_t m = end == NULL ? 0 : size - n - 1;
    const uint8_t *listed = data + (size - m);
    uint8_t *longer = malloc(m + 3);
    CHECK(longer != NULL);
    if (m > 0)
        memcpy(longer, listed, m);
    memcpy(longer + m, "\nx\n", 3);
    if (is_same(data, n, listed, m)) {
        CHECK(!is_same(data, n, longer, m + 3));
        CHECK((entries(data, n) == 0) == (m == 0));
    }
    free(longer);
    return 0;
}
