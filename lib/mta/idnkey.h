/*
 * idnkey.h - the second key an internationalised domain needs.
 *
 * To Postfix xn--mnchen-3ya.example and münchen.example are different keys,
 * and it looks up whichever the client sent. Postfix also folds case of what it stores
 * and asks by Unicode's full folding, which turns a sharp s into "ss" and a final sigma into a
 * sigma: such a U-label would become the key of another domain. Any thread.
 */
#ifndef LIB_MTA_IDNKEY_H
#define LIB_MTA_IDNKEY_H

#include "lib/base/base.h"

#define IDNKEY_MAX 500 /* below the longest key of lmdb, 511 bytes */

enum idnkey {
    IDNKEY_NONE,  /* the key has no U-label form */
    IDNKEY_OK,    /* ... it has, and it is in out */
    IDNKEY_UNSAFE /* ... it has, but Postfix would fold it to another name */
};

/* key: canonical domain, a dot may stand in front. */
enum idnkey idnkey_form(const char *key, char out[IDNKEY_MAX]);

#endif
