/*
 * domain.h - domain names in the one form we compare: lower-case A-labels
 * without a trailing dot.
 *
 * Internationalised names (RFC 5890) are turned into A-labels by libidn2;
 * underscores are let through because real hosts use them. Any thread.
 */
#ifndef LIB_BASE_DOMAIN_H
#define LIB_BASE_DOMAIN_H

#include "lib/base/base.h"
#include "lib/base/str.h"

#define DOMAIN_MAX 254 /* bytes with the final NUL: RFC 1035 limit of 253 */

/* Canonical form of text into out. false: empty label, label over 63 bytes,
 * name over 253, a byte no name may have, or no valid IDN. One trailing dot is
 * dropped. Labels may not begin or end with '-'. */
NODISCARD bool domain_canon(struct slice text, char out[DOMAIN_MAX]);

/* U-label form (UTF-8) of a canonical name; the name itself when it has no
 * A-label. false when it does not fit or does not decode. */
NODISCARD bool domain_to_unicode(const char *canonical, char *out, size_t room);

/* Is the last label of a canonical name all digits? No host has such a name
 * (RFC 3696 section 2): it is an IPv4 address with a slip in it. */
bool domain_is_numeric(const char *canonical);

/* The parent: "b.c" of "a.b.c"; NULL for a single label. Points into name. */
const char *domain_parent(const char *name);

#endif
