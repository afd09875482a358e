/*
 * geo.h - MaxMind DB files: the network owner (number of the autonomous system)
 * and the country of an address (SPEC 2 [reputation]).
 *
 * The one module that includes <maxminddb.h>, which is optional at build:
 * without it geo_supported() is false and nothing can be opened. The file is
 * mapped into memory for as long as it is open, so a new edition must be put in
 * its place by renaming, as its publishers' tools do; a reload opens it.
 *
 * A database is trusted no further than any other file: what is damaged or of
 * the wrong type in it makes that look-up fail. Opening: one thread, blocks on
 * the file; asking never blocks but for the memory mapped. Any thread.
 */
#ifndef LIB_NET_GEO_H
#define LIB_NET_GEO_H

#include "lib/base/answer.h"
#include "lib/base/err.h"
#include "lib/base/ip.h"

struct geo;

bool geo_supported(void);
struct geo *geo_open(const char *path, struct err *err);
void geo_close(struct geo *geo); /* takes NULL */

/* When the edition was made, in seconds since 1970. */
int64_t geo_made(const struct geo *geo);

/* LOOKUP_FOUND, LOOKUP_NONE or LOOKUP_FAILED. */
enum lookup_outcome geo_owner(const struct geo *geo, const struct ip *ip, uint32_t *owner_out);
/* In capitals: "JP". Where the address is, else where it is registered. */
enum lookup_outcome geo_country(const struct geo *geo, const struct ip *ip, char country_out[3]);

#endif
