/*
 * mark.h - what a message is told to later filters: the value of the header
 * field that [gatehouse] header names (SPEC 11).
 *
 *     X-Gatehouse: group=SUSPECTLIST policy=THROTTLED score=-2.0 spam_scan=yes virus_scan=no
 *
 * Each value is one word of printable ASCII; blanks, '=', '\\', quotes and all
 * other bytes are \xNN. Fields of that name that came with the message are
 * forged: they are taken out. Pure, any thread.
 */
#ifndef LIB_GATE_MARK_H
#define LIB_GATE_MARK_H

#include "lib/gate/facts.h"

#define MARK_NAME_MAX 64    /* bytes of the field's name */
#define MARK_FORGED_MAX 100 /* copies in one message; with more it is refused */

/* NULL: out of memory. */
const char *mark_value(const struct conn_facts *conn, struct arena *arena);

/* May a field of this name be added and all its copies taken out? X-, then
 * letters, digits and '-': no field that means anything to others. */
NODISCARD bool mark_name_ok(const char *name);

/* Is a field of this name, as the MTA tells it, a copy? */
bool mark_is_forged(const char *name, const char *field);

#endif
