/*
 * packet_fuzz.c - what an MTA sends: packets to one that is turned away, and the macros of
 * a packet. The daemon's other reading of packets is libmilter's.
 */
#include "milter/packet.h"
#include "milter/turnaway.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void turn_away(const uint8_t *data, size_t size)
{
    size_t used = 0, n = 0;
    bool over = false;
    struct strbuf said;

    strbuf_init(&said);
    do {
        n = turnaway_answer(data + used, size - used, &said, &over);
        used += n;
        CHECK(used <= size);
    } while (n > 0 && !over);
    CHECK(said.n <= 17 * (size / 17 + 1) + 5);
    strbuf_done(&said);
}

/* As libmilter walks through macros: a letter, then names and values. */
static void read_macros(const char *data, size_t size)
{
    size_t at = 1;

    if (!packet_has_pairs(data, size))
        return;
    CHECK(size > 0);
    while (at < size) {
        for (int i = 0; i < 2; i++) {
            const char *end = memchr(data + at, '\0', size - at);
            CHECK(end != NULL);
            at = (size_t)(end - data) + 1;
        }
    }
    CHECK(at == size || size == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    turn_away(data, size);
    read_macros((const char *)data, size);
    return 0;
}
