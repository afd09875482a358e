/*
 * policy.h - mail flow policies (SPEC 2, [policy NAME]).
 *
 * A policy is a full set of parameters: what a [policy] section leaves out is
 * already filled in from the predefined policy of that name, [policy DEFAULT]
 * and the table of defaults, in this order. Immutable once built; lives in the
 * arena of its snapshot. Any thread may read.
 */
#ifndef LIB_TABLES_POLICY_H
#define LIB_TABLES_POLICY_H

#include "lib/base/key.h"

enum policy_access {
    POLICY_ACCEPT,
    POLICY_REJECT,
    POLICY_TCPREFUSE,
    POLICY_RELAY,
    POLICY_CONTINUE
};
enum policy_need { POLICY_OFF, POLICY_PREFERRED, POLICY_REQUIRED }; /* tls, auth */
enum policy_no_mx { POLICY_NO_MX_REJECT, POLICY_NO_MX_ACCEPT_A };

struct policy_keys {
#include "lib/base/key_members.h"
#include "lib/tables/policy.def"
#include "lib/base/key_end.h"
};

struct policy {
    const char *name; /* "THROTTLED"; "" for a bare action word, which uses DEFAULT */
    struct place at;  /* where it was written; file NULL for a predefined one */
    struct policy_keys keys;
    const struct place *origins; /* policy_nrows: where each was written; line 0: nowhere */
};

/* The line that says what a key is in this policy, be it of [policy DEFAULT]; key_place(). */
#define POLICY_PLACE(policy, member)                                                               \
    key_place(policy_rows, policy_nrows, (policy)->origins, offsetof(struct policy_keys, member))

extern const struct key_row policy_rows[];
extern const size_t policy_nrows;

/* The policies that exist without being written: values that beat DEFAULT. */
extern const struct key_preset policy_presets[];

/* A policy before inheritance: values, and which of them were written. */
struct policy_written {
    const char *name;
    struct place at;
    const struct policy_keys *keys;
    const struct place *origins; /* policy_nrows; line 0: not written */
    const bool *wrong;           /* policy_nrows: known to be wrong already; NULL: none is */
};

/* All policies of a configuration, as one kind of listener sees them. */
struct policies;

/* written[0..n): in file order, DEFAULT anywhere among them or absent; the
 * predefined ACCEPTED, TRUSTED, THROTTLED, BLOCKED, RELAYED always come to
 * exist. private_listener: DHAP is unlimited where nothing is written. NULL:
 * out of memory. written and its strings are borrowed. */
const struct policies *policies_build(const struct policy_written *written, size_t n,
                                      bool private_listener, struct arena *arena);

/* NULL when there is no such policy. Names are case-sensitive. */
const struct policy *policies_find(const struct policies *policies, const char *name);

/* Does it exist without being written? */
bool policies_is_predefined(const char *name);

/* All policies but DEFAULT, then those of the bare action words; previous NULL starts. */
const struct policy *policies_next(const struct policies *policies, const struct policy *previous);

/* What the target of a group or listener means: the policy of that name, else
 * policies_bare() for an action word of any case; NULL when it is neither. */
const struct policy *policies_target(const struct policies *policies, const char *target);

/* The rules that hold across the keys of a policy (SPEC 2, 4), each broken
 * one a problem at the key's place: a status written in a reply text fits the
 * code it goes with, whichever of the two was inherited; sender_rate_period
 * stands in DEFAULT only. written as for policies_build(). */
void policies_check(const struct policies *policies, const struct policy_written *written, size_t n,
                    struct problems *problems);

/* A policy of a HAT text file: DEFAULT with what was written, checked like the
 * others. Its strings are borrowed from written. NULL: out of memory, which is a
 * problem too. */
const struct policy *policies_derive(const struct policies *policies,
                                     const struct policy_written *written, struct arena *arena,
                                     struct problems *problems);

/* DEFAULT with this action, for the bare words ACCEPT, REJECT, TCPREFUSE,
 * RELAY and CONTINUE; its name is "". */
const struct policy *policies_bare(const struct policies *policies, enum policy_access access);

/* Does the greeting have the MTA's own host name (banner_hostname = auto)? */
bool policy_greets_as_mta(const struct policy_keys *keys);

/* "accept", "ACCEPT" ... -> action. false: no action word. */
NODISCARD bool policy_access_word(struct slice word, enum policy_access *access_out);
const char *policy_access_name(enum policy_access access); /* lower case */

#endif
