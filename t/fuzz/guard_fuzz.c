/*
 * guard_fuzz.c - the content of the file of clients accepted lately. It is ours
 * and has a checksum, but the disk is not ours alone.
 */
#include "milter/guard_sample.h"

#include <string.h>

#include "lib/net/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct guard_client *client, int64_t until, void *arg)
{
    size_t *n = arg;

    (*n)++;
    CHECK(until >= 0);
    CHECK(client->listener[0] != '\0' && strlen(client->listener) <= CONF_NAME_MAX);
    CHECK(strchr(client->listener, ' ') == NULL && strchr(client->listener, '\n') == NULL);
    CHECK(client->host.class <= HOST_UNKNOWN);
    CHECK(strlen(client->host.name) < sizeof client->host.name);
    CHECK(client->host.n <= HOST_NAMES_MAX && client->host.n != 1);
    for (size_t i = 0; i < client->host.n; i++)
        CHECK(client->host.names[i][0] != '\0' && strchr(client->host.names[i], ',') == NULL);
    CHECK(client->score >= -10 && client->score <= 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n = 0;
    char *text = malloc(size + 1);

    CHECK(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (guard_parse(text, check, &n))
        CHECK(size == 0 || n > 0 || data[0] == '\0');
    free(text);
    return 0;
}
