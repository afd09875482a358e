/*
 * hatvars.h - HAT variables in reply texts: $Group, $Hostname, $OrgID,
 * $RemoteIP, $HATEntry, in any case (SPEC 4). A word is letters and digits; an
 * unknown $word, $Groups too, stays as it is.
 */
#ifndef LIB_GATE_HATVARS_H
#define LIB_GATE_HATVARS_H

#include "lib/gate/facts.h"

/* The text with variables replaced and foreign bytes made harmless
 * (escape_reply); NULL when out of memory. text itself without variables. */
const char *hatvars_expand(const char *text, const struct conn_facts *conn, struct arena *arena);

/* The same, with $EnvelopeSender as one variable more (SPEC 2, verify_sender). */
const char *hatvars_expand_sender(const char *text, const struct conn_facts *conn,
                                  const char *sender, struct arena *arena);

/* The next $word of letters and digits from *at on that is no variable, without its $;
 * *at goes behind it. sender: $EnvelopeSender is one. near_out: the variable it may have
 * been meant for, or NULL. false: there is none. */
NODISCARD bool hatvars_unknown(const char **at, bool sender, struct slice *word_out,
                               const char **near_out);

/* Does the text name $OrgID, so that it needs the client's network owner? */
bool hatvars_needs_owner(const char *text);

#endif
