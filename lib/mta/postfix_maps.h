/*
 * postfix_maps.h - Postfix's maps, made from the tables (SPEC 10).
 *
 *   transport               compiled   SMTP routes
 *   relay_domains           compiled   domains some RAT accepts
 *   relay_clients.LISTENER  cidr       HAT: who may relay
 *   refused_clients.LISTENER cidr      HAT: tcprefuse
 *   tls_policy              compiled   tls= of routes; only where one is or was
 *   sasl_passwd             compiled   auth= of routes, mode 0600; only where one is or was
 *   ldap-...                           [routes] ldap, see ldap_maps.h; only where there is one
 *
 * Keys of domains are written as A-labels and, where they differ, as U-labels
 * too: to Postfix these are two keys. Always transport: in front, and ports as
 * numbers; Postfix defers mail, or its client dies, without.
 */
#ifndef LIB_MTA_POSTFIX_MAPS_H
#define LIB_MTA_POSTFIX_MAPS_H

#include "lib/base/base.h"
#include "lib/mta/maps.h"

#define POSTFIX_TRANSPORT "transport"
#define POSTFIX_RELAY_DOMAINS "relay_domains"
#define POSTFIX_RELAY_CLIENTS "relay_clients"
#define POSTFIX_REFUSED_CLIENTS "refused_clients"
#define POSTFIX_TLS_POLICY "tls_policy"
#define POSTFIX_SASL_PASSWD "sasl_passwd"

/* Appends the files to maps. Listener names must have passed lint_maps().
 * false: out of memory. Blocks on nothing; a million routes take about a
 * second. */
NODISCARD bool postfix_maps_build(const struct maps_input *input, struct maps *maps);

/* Appends what the transport map says of a route. */
void postfix_put_destination(const struct route *route, const char *transport, struct strbuf *out);

#endif
