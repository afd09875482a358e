/*
 * policy_text.h - mail flow policies as HAT text files spell them (SPEC 2,
 * [policy NAME], last column; SPEC 3.2).
 *
 * A key that HAT text files have no name of their own for goes by its name in
 * gatehouse.conf, so that every policy can be written. Constant tables, any
 * thread.
 */
#ifndef LIB_TABLES_POLICY_TEXT_H
#define LIB_TABLES_POLICY_TEXT_H

#include "lib/tables/policy.h"

/* Row of policy_rows that key means in a policy with this action; SIZE_MAX:
 * none. The banner of a policy that refuses is what it refuses with. */
size_t policy_text_row(enum policy_access access, struct slice key);

/* The name of that row. */
const char *policy_text_key(enum policy_access access, size_t row);

/* The value of that row as a HAT text file has it, quotes included where it
 * needs them. */
void policy_text_value(size_t row, const struct policy_keys *keys, struct strbuf *out);

/* text in double quotes, as scan_quoted() reads it. */
void policy_text_quote(const char *text, struct strbuf *out);

#endif
