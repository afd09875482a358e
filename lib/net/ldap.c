/*
 * ldap.c - see ldap.h.
 */
#include "lib/net/ldap.h"

#include <string.h>
#include "lib/base/secret.h"

const char *const ldap_scope_words[] = {"base", "one", "sub", NULL};
static const char *const ldap_error_words[] = {"tempfail", "accept", NULL};

#define KEY_STRUCT struct ldap_keys
const struct key_row ldap_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/net/ldap.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t ldap_nrows = ARRAY_LEN(ldap_rows);

/* --- words of answers ------------------------------------------------------------------ */

static const char *const class_words[] = {
    [DIRECTORY_MATCH] = "match", [DIRECTORY_NO_MATCH] = "nomatch", [DIRECTORY_ERROR] = "error"};

const char *ldap_class_name(enum directory_class class)
{
    return class_words[class];
}

bool ldap_class_by_name(const char *name, enum directory_class *class_out)
{
    size_t i = 0;
    while (i < ARRAY_LEN(class_words) && strcmp(name, class_words[i]) != 0)
        i++;
    if (i < ARRAY_LEN(class_words))
        *class_out = (enum directory_class)i;
    return i < ARRAY_LEN(class_words);
}

/* --- the password -------------------------------------------------------------------- */

const char *ldap_password(const struct ldap_keys *keys, struct arena *arena, struct err *err)
{
    const char *path = keys->bind_password_file;
    return path[0] != '\0' ? secret_read(path, SECRET_MAX, arena, err) : keys->bind_password;
}
