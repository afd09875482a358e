/*
 * ldap.h - keys of [ldap NAME]: a directory and what to ask it (SPEC 9), and
 * what must be right about them. Any thread.
 */
#ifndef LIB_NET_LDAP_H
#define LIB_NET_LDAP_H

#include "lib/base/answer.h"
#include "lib/base/key.h"

struct ldap_keys {
#include "lib/base/key_members.h"
#include "lib/net/ldap.def"
#include "lib/base/key_end.h"
};

extern const struct key_row ldap_rows[];
extern const size_t ldap_nrows;
extern const char *const ldap_scope_words[]; /* by the value of scope; base, one, sub */

enum ldap_error_action { LDAP_ERROR_TEMPFAIL, LDAP_ERROR_ACCEPT };

/* match, nomatch, error; as gatehousectl prints and reads them. */
const char *ldap_class_name(enum directory_class class);
NODISCARD bool ldap_class_by_name(const char *name, enum directory_class *class_out);

/* bind_password, or what bind_password_file holds (secret.h); "" when there is
 * none. NULL: err says why. Blocks on the file. */
const char *ldap_password(const struct ldap_keys *keys, struct arena *arena, struct err *err);

#endif
