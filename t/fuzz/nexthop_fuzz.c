/*
 * nexthop_fuzz.c - destinations. What parses must print, and the print must
 * parse to the same host and port.
 */
#include "lib/base/nexthop.h"

#include <string.h>

#define DEFAULT_PORT 25

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct nexthop *hop, struct arena *arena)
{
    struct nexthop again;
    char text[300];
    CHECK(nexthop_parse(slice_of(nexthop_text(hop, text, sizeof text)), 1, arena, &again, NULL));
    CHECK(strcmp(again.host, hop->host) == 0 && again.port == hop->port);
    CHECK(again.is_ip == hop->is_ip && again.port_given && again.priority == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    struct slice text = {(const char *)data, size};
    struct nexthop hop;
    struct err err = {0};
    CHECK(arena);
    if (nexthop_parse(text, DEFAULT_PORT, arena, &hop, &err)) {
        CHECK(hop.port > 0 && hop.host[0] != '\0');
        CHECK(hop.port_given || hop.port == DEFAULT_PORT);
        CHECK(!(hop.is_ip && hop.mx));
        check_again(&hop, arena);
    } else {
        CHECK(err.kind != ERR_NONE && str_is_utf8(slice_of(err.text)));
    }
    arena_free(arena);
    return 0;
}
