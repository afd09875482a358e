/*
 * lint.h - what would go wrong with the maps of a configuration, said before
 * anything is written (SPEC 10).
 *
 * `maps` stops at an error. Errors: a RAT entry
 * ALL ACCEPT, or all the world relaying at a public listener (an open relay; a warning when
 * forced), a listener name that cannot be part of a file name, an output that the MTA cannot read,
 * auth= without its profile; auth= that no look-up would find; for Sendmail also hosts of one route
 * with different ports, more of them than it takes, and services it cannot tell apart; a
 * directory that cannot be written. Warnings:
 * equal priorities (no MTA shares load), a name or look-up entry ahead of a relay or a tcprefuse
 * one or leading to relay itself, RAT entries without a domain, tls= and auth= that contradict
 * themselves or cannot be written, names whose U-label the MTA would confuse, hosts of routes that
 * are our own services, domains of a RAT without a route, routes to domains that no RAT accepts. A
 * kind of warning that recurs is cut after LINT_SAME_MAX lines, with the number of the rest. Asks
 * no network. One thread.
 */
#ifndef LIB_MTA_LINT_H
#define LIB_MTA_LINT_H

#include "lib/base/problem.h"
#include "lib/mta/maps.h"

#define LINT_SAME_MAX 10

/* force: --force, or `check`, which warns of an open relay but does not fail. */
void lint_maps(const struct maps_input *input, enum maps_mta mta, bool force,
               struct problems *problems);

/* Of these only what becomes a word of the MTA's files: transport, names of listeners and of
 * services, the directory. Errors. */
void lint_names(const struct maps_input *input, enum maps_mta mta, struct problems *problems);

/* Groups that lead to relay by something else than an address, and entries that hide
 * addresses behind them from the client files: a warning each, for `check`, which knows
 * no MTA. */
void lint_clients(const struct maps_input *input, struct problems *problems);

/* The listener whose service hop is, reached at ip; NULL: none. lint_maps() asks for the
 * addresses that stand in routes, a caller that has looked names up for theirs. */
const struct maps_listener *lint_own_service(const struct maps_input *input,
                                             const struct nexthop *hop, const struct ip *ip);
void lint_tell_loop(const struct route *route, const struct nexthop *hop,
                    const struct maps_listener *listener, struct problems *problems);

#endif
