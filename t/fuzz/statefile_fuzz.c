/*
 * statefile_fuzz.c - the frame around what outlives the process: whole, or not used.
 */
#include "lib/state/statefile.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KIND "fuzz-1"
#define BEHIND_MAX 40 /* the last line: "end ", two numbers, newline */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf text;

    strbuf_init(&text);
    strbuf_add(&text, (const char *)data, size);
    const char *how = statefile_unwrap(KIND, &text);
    if (how == NULL) {
        /* Taken from the middle, whole lines of it, with little cut off. */
        const char *at = memchr(data, '\n', size);
        size_t before = (size_t)(at - (const char *)data) + 1;
        CHECK(at != NULL && text.n < size && size - text.n - before < BEHIND_MAX);
        CHECK(text.n == 0 || text.p[text.n - 1] == '\n');
        CHECK(text.n == 0 || memcmp(text.p, data + before, text.n) == 0);
    } else {
        CHECK(text.n == size && (size == 0 || memcmp(text.p, data, size) == 0));
    }
    strbuf_done(&text);
    return 0;
}
