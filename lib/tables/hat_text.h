/*
 * hat_text.h - HAT text files (SPEC 3.2): a whole Host Access Table with the
 * policies it needs.
 *
 *     $THROTTLED                                   policies first
 *         ACCEPT {
 *             max_rcpts_per_hour = 20
 *         }
 *     SUSPECTLIST:                                 groups and bare senders, in order
 *         sbrs[-3.0:-1.0], nx.domain
 *             $THROTTLED (Suspicious senders)
 *     192.0.2.1  REJECT
 *     ALL:  $ACCEPTED                              last
 *
 * A statement goes on in lines that are indented more than its first, behind a
 * comma, and with an action, a brace or a comment; so the indented and the
 * one-line form are the same to us. Policies of the file start from [policy
 * DEFAULT] and hide those of the configuration, which can be named as well.
 * Loading: one thread, blocks on the file.
 */
#ifndef LIB_TABLES_HAT_TEXT_H
#define LIB_TABLES_HAT_TEXT_H

#include "lib/tables/hat.h"

/* Every mistake is a problem; NULL when there was an error. `at`: where path
 * was written. policies must outlive the table, and so must fallback, which is
 * ALL where the file has none (never POLICY_CONTINUE). */
struct hat *hat_text_load(const char *path, struct place at, const struct policies *policies,
                          const struct policy *fallback, struct problems *problems);

/* Settings without effect here whose names are like those of restrictions: each an
 * error at its place, for who takes the table over from elsewhere. */
void hat_text_refuse_unknown(const struct hat *hat, struct problems *problems);

/* The i-th setting in the braces of a policy (hat_policy_get()) that is a key of ours:
 * its row in policy_rows, its name there and its place. false: there are no more. */
NODISCARD bool hat_text_setting(const struct hat *hat, size_t policy, size_t i, size_t *row_out,
                                const char **key_out, struct place *at_out);

/* The table as such a file. full: policies that did not come from one are
 * written as well, with all in which they differ from that DEFAULT; NULL: they
 * are only named. Reads again as the same table. */
void hat_text_export(const struct hat *hat, const struct policy *full, struct strbuf *out);

#endif
