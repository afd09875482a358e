/*
 * mapstell.h - what gatehousectl maps and gatehousectl reload have in common: a look at the maps,
 * what is said of a file, and a word to the MTA. One thread; blocks as each says.
 */
#ifndef MILTER_MAPSTELL_H
#define MILTER_MAPSTELL_H

#include "milter/mapsplan.h"

/* What a file has become, a line each at the end of text; nothing of steps on the way. */
void mapstell_step(struct strbuf *text, const char *file, enum publish_step step);

/* Read the passwords, and find what lint_maps() has against the maps with them, but for names that
 * do not exist: mapsnames_check(). */
void mapstell_lint(const struct snapshot *snapshot, enum maps_mta mta, bool force,
                   struct arena *arena, struct maps_input *input, struct problems *problems);

#define MAPSTELL_MTA_SECONDS 60
/* A file changed that the MTA reads only when it starts or reloads: tell it, where plan says so;
 * text says what was done, or is to be done. Blocks for MAPSTELL_MTA_SECONDS at most. false: err.
 */
NODISCARD bool mapstell_mta(const struct mapsplan *plan, const char *mail_config,
                            struct strbuf *text, struct err *err);

#endif
