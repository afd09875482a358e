/* stage_arrival.c - see stage_arrival.h. */
#include "t/unit/gate/stage_arrival.h"

#include <string.h>

#include "t/unit/gate/stage_case.h"

static bool read_client(const char *word, struct conn_facts *conn)
{
    if (word == NULL)
        return false;
    conn->no_address = strcmp(word, "unknown") == 0;
    conn->client = (struct ip){.b = {0}};
    return conn->no_address || ip_parse(slice_of(word), &conn->client);
}

static bool read_fact(const char *word, struct arrival *arrival)
{
    const char *value;
    uint64_t port = 0;

    if ((value = case_value(word, "daemon")) != NULL) {
        arrival->daemon_name = value;
        return true;
    }
    if ((value = case_value(word, "local")) != NULL)
        return arrival->has_local_ip = ip_parse(slice_of(value), &arrival->local_ip);
    if ((value = case_value(word, "port")) == NULL ||
        !str_to_uint(slice_of(value), UINT16_MAX, &port))
        return false;
    arrival->local_port = (uint16_t)port;
    return true;
}

bool stage_arrival_read(char *words, struct conn_facts *conn)
{
    const char *word = case_word(&words);

    if (!read_client(word, conn))
        return false;
    while ((word = case_word(&words)) != NULL) {
        if (!read_fact(word, &conn->arrival))
            return false;
    }
    return true;
}
