/*
 * rat_domains.h - the domains some RAT accepts recipients of: the fence that
 * the MTA keeps by itself (SPEC 10, relay_domains). Any thread.
 */
#ifndef LIB_MTA_RAT_DOMAINS_H
#define LIB_MTA_RAT_DOMAINS_H

#include "lib/mta/keytable.h"
#include "lib/tables/rat.h"

/* Calls take for each: "example.com", ".example.com", "[192.0.2.1]"; one may come
 * again. First match wins: what an earlier line refuses, no later one opens. An
 * entry without a domain (user@, ALL) names none. false: out of memory. */
NODISCARD bool rat_domains_each(const struct rat *rat,
                                void (*take)(void *arg, const char *domain, struct place at),
                                void *arg);

/* Adds "DOMAIN<TAB>OK" for each. false: out of memory. */
NODISCARD bool rat_domains_add(const struct rat *rat, struct keytable *table);

#endif
