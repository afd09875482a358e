/*
 * findings.h - rows of Host Access Tables that a look-up found: a table for people, or an
 * array of objects in JSON.
 *
 *     LISTENER  GROUP        ENTRY         POLICY     ACCESS  COMMENT
 *     inbound   SUSPECTLIST  192.0.2.0/24  THROTTLED  accept  -
 *
 * One thread.
 */
#ifndef MILTER_FINDINGS_H
#define MILTER_FINDINGS_H

#include "lib/gate/listener.h"
#include "milter/form.h"

struct findings {
    struct form *form; /* borrowed */
    const char *key;   /* borrowed */
    struct strbuf list;
    struct sheet sheet;
    size_t n;
};

void findings_begin(struct findings *findings, struct form *form, const char *key);
/* entry NULL: the group itself, whatever its entries are. */
void findings_put(struct findings *findings, const struct listener *listener, size_t group,
                  const char *entry);
void findings_end(struct findings *findings);

#endif
