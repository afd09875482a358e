/*
 * ldap.c - the rows of [ldap NAME].
 */
#include "lib/net/ldap.h"

static const char *const ldap_scope_words[] = {"base", "one", "sub", NULL};
static const char *const ldap_error_words[] = {"tempfail", "accept", NULL};

#define KEY_STRUCT struct ldap_keys
const struct key_row ldap_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/net/ldap.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t ldap_nrows = ARRAY_LEN(ldap_rows);
