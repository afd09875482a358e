/*
 * ldap_maps.h - delivery to the hosts that a directory names (SPEC 10, [routes]
 * ldap), in Postfix's own words.
 *
 *   ldap-routing.cf  ldap     recipient -> TRANSPORT:HOST, by routing_query; usable as it is
 *                             where entries name one host
 *   ldap-hosts.cf    ldap     the same without TRANSPORT:
 *   ldap-aliases.cf  ldap     recipient -> the values of routing_address_attr; this and the
 *                             next two only where that is set
 *   ldap-addresses   regexp   these values -> the address mail goes to, or addresses
 *   ldap-wrong       regexp   values that call-ahead takes for no address, or that Postfix
 *                             cannot take apart: several with smtp: -> anything
 *   ldap-routes      compiled TRANSPORT:HOST of a route -> what the route says
 *   ldap-subdomains  regexp   the same for routes of subdomains and for ALL
 *   ldap-lists       regexp   any hosts -> TRANSPORT:; what are none -> retry:
 *
 * transport_maps (mtaconfig.h) puts them together. Postfix lets no regexp of
 * transport_maps repeat a part of what it matched. So a host that has a route
 * is replaced as a whole: one host without a port, by the key of its route. Other hosts
 * are taken as they are, and to put TRANSPORT: in front of several of them needs
 * two look-ups, whose results Postfix joins by a comma.
 *
 * virtual_alias_maps lets them repeat it. There a look-up of what ldap-wrong has fails:
 * the client is told to come back.
 *
 * The cf files are read by programs that start as root, and hold a password: mode
 * 0600 where there is one. Pure: text from data. One thread.
 */
#ifndef LIB_MTA_LDAP_MAPS_H
#define LIB_MTA_LDAP_MAPS_H

#include "lib/base/err.h"
#include "lib/mta/maps.h"

#define LDAP_ROUTING "ldap-routing.cf"
#define LDAP_HOSTS "ldap-hosts.cf"
#define LDAP_ALIASES "ldap-aliases.cf"
#define LDAP_ADDRESSES "ldap-addresses"
#define LDAP_WRONG "ldap-wrong"
#define LDAP_ROUTES "ldap-routes"
#define LDAP_SUBDOMAINS "ldap-subdomains"
#define LDAP_LISTS "ldap-lists"

/* More routes of subdomains than this cost every recipient time: a regexp table is
 * read from its top to its end. */
#define LDAP_SUBDOMAINS_MAX 1000

/* Can the directory be written for Postfix? err says which key cannot. */
NODISCARD bool ldap_maps_check(const struct maps_directory *directory, struct err *err);

/* Appends the files. input->directory is not NULL and has passed
 * ldap_maps_check(). false: out of memory. */
NODISCARD bool ldap_maps_build(const struct maps_input *input, struct maps *maps);

/* Are routing_host_attr and routing_address_attr names of attributes: letters, digits,
 * '-', ';' and '.'? */
NODISCARD bool ldap_maps_check_attributes(const struct maps_directory *directory, struct err *err);

#endif
