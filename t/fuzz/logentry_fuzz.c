/* logentry_fuzz.c - a line of the log, whoever wrote it. */
#include "milter/logentry.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct logentry_clock clock = {.now = 1796127000};
    struct logentry entry;
    struct strbuf out;

    if (!logentry_parse((struct slice){(const char *)data, size}, &clock, &entry))
        return 0;
    CHECK(entry.n >= 1 && entry.n <= LOGENTRY_PAIRS_MAX && entry.event.n > 0);
    strbuf_init(&out);
    for (size_t i = 0; i < entry.n; i++) {
        const char *p = entry.pairs[i].value.p;
        size_t n = entry.pairs[i].value.n;
        CHECK(n == 0 || (p >= (const char *)data && p + n <= (const char *)data + size));
        CHECK(logentry_unescape(entry.pairs[i].value, &out) && out.n <= size);
    }
    strbuf_done(&out);
    return 0;
}
