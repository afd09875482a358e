/*
 * ldapvalue.h - values of attributes with mail addresses, as Active Directory has them:
 * a word with a colon in front says what kind of address follows, such as SMTP, X500 or
 * sip. Plain functions, any thread.
 */
#ifndef LIB_NET_LDAPVALUE_H
#define LIB_NET_LDAPVALUE_H

#include "lib/base/str.h"

enum ldapvalue_kind {
    LDAPVALUE_PLAIN,   /* no such word: an address, or nonsense */
    LDAPVALUE_SMTP,    /* smtp: */
    LDAPVALUE_PRIMARY, /* SMTP: in capitals, which marks the one address that counts */
    LDAPVALUE_FOREIGN  /* of another network: no mail address of ours */
};

/* rest_out: value without blanks around it, and without the word. A colon in quotes or
 * behind the "@" belongs to the address. */
enum ldapvalue_kind ldapvalue_kind(struct slice value, struct slice *rest_out);

#endif
