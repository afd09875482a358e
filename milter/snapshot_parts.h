/*
 * snapshot_parts.h - the steps of snapshot_build(); for snapshot*.c only.
 * Each reports into problems and goes on, so that one run finds everything.
 */
#ifndef MILTER_SNAPSHOT_PARTS_H
#define MILTER_SNAPSHOT_PARTS_H

#include "milter/snapshot.h"

/* Of what is set and of the files that are named: the same in every process that reads the
 * same ones. Before the tables are read, so that a change in between shows as a difference. Blocks
 * on files. */
uint64_t snapshot_digest(const struct conf *conf);
void snapshot_build_policies(struct snapshot *snapshot, struct problems *problems);
/* Address lists and exceptions. After policies. */
void snapshot_build_senders(struct snapshot *snapshot, struct problems *problems);
/* What they mean to a listener, and its own keys of that sort. */
void snapshot_add_senders(const struct snapshot *snapshot, const struct conf_section *section,
                          struct listener *listener, struct problems *problems);
void snapshot_build_routes(struct snapshot *snapshot, struct problems *problems);
void snapshot_build_reputation(struct snapshot *snapshot, struct problems *problems);
void snapshot_free_reputation(struct snapshot *snapshot);
/* Warns of sender entries that can never match. */
void snapshot_check_lookups(const struct snapshot *snapshot, const struct conf_section *section,
                            const struct listener *listener, struct problems *problems);
/* One TLS context serves all profiles of a snapshot. NULL: wrong, and reported. */
struct tls_client *snapshot_tls(struct snapshot *snapshot, struct problems *problems);
/* Before listeners. */
void snapshot_build_ldap(struct snapshot *snapshot, struct problems *problems);
/* What ldap_accept of a listener refers to, and ldap_routing of a call-ahead
 * profile, or else [routes] ldap; NULL: nothing, or wrong. */
const struct directory_rules *snapshot_ldap_accept(struct snapshot *snapshot,
                                                   const struct conf_section *listener,
                                                   struct problems *problems);
const struct directory_plan *snapshot_ldap_routing(const struct snapshot *snapshot,
                                                   const struct conf_section *section,
                                                   struct problems *problems);
/* After policies, routes and reputation. */
void snapshot_build_listeners(struct snapshot *snapshot, struct problems *problems);
/* The rules of a listener's profile; NULL: none, or wrong. */
const struct callahead_rules *snapshot_callahead(struct snapshot *snapshot,
                                                 const struct conf_section *listener,
                                                 struct problems *problems);
/* All profiles, used or not. */
void snapshot_check_callahead(struct snapshot *snapshot, struct problems *problems);
/* Warns of keys that cannot have an effect as things stand. After all others, unless
 * conf_is_guessed(). */
void snapshot_check_effects(const struct snapshot *snapshot, struct problems *problems);
/* Warns of words in reply texts that are no HAT variables. */
void snapshot_check_texts(const struct snapshot *snapshot, struct problems *problems);
/* Warns of sections that nothing uses and listeners that refuse everybody, in a
 * configuration without errors. */
void snapshot_check_unused(const struct snapshot *snapshot, struct problems *problems);
/* Does a listener have the [group] section among its groups, by either of its names? */
bool snapshot_group_is_used(const struct snapshot *snapshot, const struct conf_section *group);
/* The part of it for policies. */
void snapshot_check_policy_effects(const struct snapshot *snapshot, struct problems *problems);
/* Files that no step reads, because nobody needs them now. */
void snapshot_check_files(struct snapshot *snapshot, struct problems *problems);
/* The table of a listener whose `hat` names a file; NULL when wrong. */
struct hat *snapshot_hat_text(struct snapshot *snapshot, const struct conf_section *listener,
                              const struct policies *policies, const struct policy *fallback,
                              struct problems *problems);
/* Sender groups of a listener, in order, as one table; NULL when wrong. */
struct hat *snapshot_hat(struct snapshot *snapshot, const struct conf_section *listener,
                         struct problems *problems);

#endif
