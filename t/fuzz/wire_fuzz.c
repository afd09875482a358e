/*
 * wire_fuzz.c - the control socket's requests and the first line of replies.
 * What parses must print as it was.
 */
#include "milter/wire.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const uint8_t *data, size_t size)
{
    struct wire_request request;
    struct strbuf out;
    struct err err = {0};
    char *line = malloc(size + 1); /* of exactly that size, for AddressSanitizer */

    CHECK(line);
    if (size > 0)
        memcpy(line, data, size);
    line[size] = '\n';
    strbuf_init(&out);
    if (wire_parse_request(line, size, &request, &err)) {
        CHECK(request.nwords >= 1 && request.nwords <= WIRE_WORDS_MAX);
        if (size < WIRE_REQUEST_MAX) {
            CHECK(wire_print_request(request.words, request.nwords, &out, &err));
            CHECK(out.n == size + 1 && memcmp(out.p, data, size) == 0);
        }
    } else {
        CHECK(err.kind != ERR_NONE && str_is_utf8(slice_of(err.text)));
    }
    strbuf_done(&out);
    free(line);
}

static void check_head(const uint8_t *data, size_t size)
{
    enum wire_status status;
    size_t length;

    if (wire_parse_head((struct slice){(const char *)data, size}, &status, &length))
        CHECK(status <= WIRE_UNREACHABLE && length <= WIRE_REPLY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_request(data, size);
    check_head(data, size);
    return 0;
}
