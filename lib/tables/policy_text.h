/*
 * policy_text.h - mail flow policies as HAT text files spell them.
 *
 * A key that HAT text files have no name of their own for goes by its name in
 * gatehouse.conf, so that every policy can be written. Read, but never written,
 * are the names of the vendor's form as well. Constant tables, any thread.
 */
#ifndef LIB_TABLES_POLICY_TEXT_H
#define LIB_TABLES_POLICY_TEXT_H

#include "lib/tables/policy.h"

/* Row of policy_rows that key means in a policy with this action; SIZE_MAX:
 * none. The banner of a policy that refuses is what it refuses with. */
size_t policy_text_row(enum policy_access access, struct slice key);

/* The value of that key in the words of gatehouse.conf: the vendor's form has
 * others for some. value itself where it has not, and where it is wrong. */
const char *policy_text_word(struct slice key, const char *value);

/* A switch of the vendor's form, which is no key here: it says whether the value
 * of another key acts. */
struct policy_text_switch {
    const char *text, *key; /* use_significant_bits, significant_bits */
    const char *off;        /* what the key is while the switch is off */
    const char *excludes;   /* a switch that is off while this one is on; NULL: none */
};
const struct policy_text_switch *policy_text_switch(struct slice key); /* NULL: it is none */

/* Does the name of a key that is none of ours begin like that of a restriction? */
bool policy_text_restricts(struct slice key);

/* The name of that row. */
const char *policy_text_key(enum policy_access access, size_t row);

/* The value of that row as a HAT text file has it, quotes included where it
 * needs them. */
void policy_text_value(size_t row, const struct policy_keys *keys, struct strbuf *out);

/* text in double quotes, as scan_quoted() reads it. */
void policy_text_quote(const char *text, struct strbuf *out);

#endif
