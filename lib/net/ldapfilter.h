/*
 * ldapfilter.h - filters of LDAP queries with places for addresses (SPEC 9).
 *
 * A template is a filter (RFC 4515) whose values may hold {a}, {u}, {d} and
 * {f}. It is checked once, when the configuration is read; filling it in later
 * puts each value there escaped, so no address can change what is asked. No
 * recursion, no locks: any thread.
 */
#ifndef LIB_NET_LDAPFILTER_H
#define LIB_NET_LDAPFILTER_H

#include "lib/base/err.h"
#include "lib/base/mailaddr.h"
#include "lib/base/str.h"

#define LDAPFILTER_MAX 1024     /* bytes of a template */
#define LDAPFILTER_DEPTH_MAX 32 /* parentheses in parentheses */

/* Balanced parentheses, an attribute and a value in each innermost pair,
 * well-formed escapes, only tokens that exist and those in values only. */
NODISCARD bool ldapfilter_check(const char *filter, struct err *err);

/* Appends the filter for one recipient. {a} and {f} are local@domain with the
 * local part as it is without quoting; the null sender, and NULL, are "".
 * filter must have passed ldapfilter_check(). */
void ldapfilter_fill(const char *filter, const struct mailaddr *recipient,
                     const struct mailaddr *sender, struct strbuf *out);

#endif
