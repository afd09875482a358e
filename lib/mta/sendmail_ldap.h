/*
 * sendmail_ldap.h - delivery to the hosts that a directory names (SPEC 10,
 * [routes] ldap), in Sendmail's own words.
 *
 * Maps of type ldap and rulesets that call them, all in sendmail.mc, and a file
 * with the password. Not FEATURE(`ldap_routing'): that takes "host:port" for a mailer
 * and a host, and knows nothing of subdomains. A single name without a port goes
 * through the mailertable; hosts that all have one port go to the mailer that has
 * it, and there are mailers for the ports of routes only. Pure: text from data.
 * One thread.
 */
#ifndef LIB_MTA_SENDMAIL_LDAP_H
#define LIB_MTA_SENDMAIL_LDAP_H

#include "lib/base/err.h"
#include "lib/mta/maps.h"

#define SENDMAIL_LDAP_PASSWORD "ldap-password"
#define SENDMAIL_LDAP_PASSWORD_MAX 200 /* bytes Sendmail has room for */
#define SENDMAIL_LDAP_HOST "GatehouseHost"
#define SENDMAIL_LDAP_ADDRESS "GatehouseAddress"
#define SENDMAIL_LDAP_ADDRESSES "GatehouseAddresses" /* a ruleset, for what that returns */

/* Can the directory be written for Sendmail? err says which key cannot. */
NODISCARD bool sendmail_ldap_check(const struct maps_directory *directory, struct err *err);

/* Appends the file with the password, if there is one. false: out of memory. */
NODISCARD bool sendmail_ldap_build(const struct maps_directory *directory, struct maps *maps);

/* Appends what belongs to LOCAL_CONFIG, and what to LOCAL_RULE_0 and
 * LOCAL_RULESETS. input->directory is not NULL and has passed
 * sendmail_ldap_check(); ports: those that have mailers, besides 25. */
void sendmail_ldap_put_maps(const struct maps_input *input, const char *folder,
                            const unsigned *ports, size_t nports, struct strbuf *out);
void sendmail_ldap_put_rules(const struct maps_input *input, const unsigned *ports, size_t nports,
                             struct strbuf *out);

#endif
