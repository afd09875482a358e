/*
 * ldap.h - keys of [ldap NAME]: a directory and what to ask it (SPEC 9). Rows
 * and values only. Any thread.
 */
#ifndef LIB_NET_LDAP_H
#define LIB_NET_LDAP_H

#include "lib/base/key.h"

struct ldap_keys {
#include "lib/base/key_members.h"
#include "lib/net/ldap.def"
#include "lib/base/key_end.h"
};

extern const struct key_row ldap_rows[];
extern const size_t ldap_nrows;

#endif
