/*
 * sendmail_maps.h - Sendmail's maps, made from the tables (SPEC 10).
 *
 *   mailertable     compiled   SMTP routes
 *   relay-domains   class      domains some RAT accepts, one a line
 *   access          compiled   HAT: who may relay and whom to refuse, by service;
 *                              tls= of routes
 *   authinfo        compiled   auth= of routes, mode 0600; only where one is or was
 *   ldap-password              of [routes] ldap, mode 0600; only where there is one
 *
 * A mailertable has neither ports nor a way to throw mail away, so routes with
 * a port, and /dev/null, have mailers of their own, which sendmail.mc defines
 * (mtaconfig.h). Keys are lower case: makemap makes them so.
 *
 * In access a client is looked up by its address and by ever shorter prefixes
 * of whole parts, the longest winning. So it holds what comes out of the HAT
 * by first match, cut into such prefixes.
 */
#ifndef LIB_MTA_SENDMAIL_MAPS_H
#define LIB_MTA_SENDMAIL_MAPS_H

#include "lib/base/base.h"
#include "lib/mta/maps.h"

#define SENDMAIL_MAILERTABLE "mailertable"
#define SENDMAIL_RELAY_DOMAINS "relay-domains"
#define SENDMAIL_ACCESS "access"
#define SENDMAIL_AUTHINFO "authinfo"

/* Tags of our own keys in access, "TAG:SERVICE:PREFIX", and their values. */
#define SENDMAIL_RELAY_TAG "gatehouserelay"
#define SENDMAIL_REFUSE_TAG "gatehouserefuse"
#define SENDMAIL_RELAY "OK"
#define SENDMAIL_REFUSE "REFUSE"

#define SENDMAIL_DEVNULL "devnull" /* mailer of /dev/null */

/* Appends the files to maps. The input must have passed lint_maps() for
 * Sendmail. false: out of memory. Blocks on nothing. */
NODISCARD bool sendmail_maps_build(const struct maps_input *input, struct maps *maps);

/* Name= of the service in DAEMON_OPTIONS, {daemon_name} to the filter:
 * daemon_name, or the listener's own name where it has none. */
const char *sendmail_service(const struct maps_listener *listener);

/* The port all hosts of a route have; 0: it has no hosts, or they have
 * several. */
unsigned sendmail_port(const struct route *route);

/* Bytes of a user's name or a password: base64 of more than that is cut off. */
#define SENDMAIL_SECRET_MAX 180

/* Appends "[one.test]:two.test", the hosts of a route. Sendmail keeps SENDMAIL_HOSTS_MAX
 * bytes of that, and cuts off the rest. */
#define SENDMAIL_HOSTS_MAX 254
void sendmail_put_hosts(const struct route *route, struct strbuf *out);

#endif
