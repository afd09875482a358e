/*
 * service.h - which listener judges the clients of a service of the MTA, as far
 * as the MTA's own configuration tells (SPEC 4, step 1).
 *
 * The rule is that of lib/gate/listener.h: all keys a listener gives must fit,
 * the most keys win, then the order of writing. What the configuration leaves
 * open, an address that is any of this host's, fits. Pure, any thread.
 */
#ifndef LIB_MTA_SERVICE_H
#define LIB_MTA_SERVICE_H

#include "lib/mta/maps.h"

struct service {
    struct slice daemon_name; /* {daemon_name} */
    struct slice address;     /* an IP address; anything else: not known */
    int64_t port;             /* 0: not known */
};

/* NULL: none, and such clients get nothing but 451. */
const struct maps_listener *service_listener(const struct maps_input *input,
                                             const struct service *service);

/* "25", "smtp", "submission", "smtps", "submissions"; 0: something else. */
int64_t service_port(struct slice text);

#endif
