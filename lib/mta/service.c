#include "lib/mta/service.h"

/* How many keys fit; -1: one does not. */
static int keys_met(const struct maps_listener *listener, const struct service *service)
{
    struct ip own, wanted;
    int met = 0;
    if (listener->daemon_name[0] != '\0') {
        if (!slice_is(service->daemon_name, listener->daemon_name))
            return -1;
        met++;
    }
    if (ip_parse(slice_of(listener->local_address), &wanted)) {
        if (ip_parse(service->address, &own) && !ip_equal(&own, &wanted))
            return -1;
        met++;
    }
    if (listener->local_port != 0) {
        if (service->port != 0 && service->port != listener->local_port)
            return -1;
        met++;
    }
    return met;
}

const struct maps_listener *service_listener(const struct maps_input *input,
                                             const struct service *service)
{
    const struct maps_listener *best = NULL;
    int best_met = -1;
    for (size_t i = 0; i < input->nlisteners; i++) {
        int met = keys_met(&input->listeners[i], service);
        if (met > best_met) {
            best_met = met;
            best = &input->listeners[i];
        }
    }
    return best;
}

int64_t service_port(struct slice text)
{
    static const struct {
        const char *name;
        int64_t port;
    } names[] = {{"smtp", 25}, {"submission", 587}, {"smtps", 465}, {"submissions", 465}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_is_nocase(text, names[i].name))
            return names[i].port;
    uint64_t port;
    return str_to_uint(text, 65535, &port) ? (int64_t)port : 0;
}
