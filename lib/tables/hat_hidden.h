/*
 * hat_hidden.h - entries of a Host Access Table that no client reaches, because
 * earlier ones take all they could: a warning each.
 *
 * While a table is built, the place of each entry is kept beside it; when its
 * indexes are sealed, each entry is looked up in them as if it were a client, so
 * the time is that of building. One thread.
 */
#ifndef LIB_TABLES_HAT_HIDDEN_H
#define LIB_TABLES_HAT_HIDDEN_H

#include "lib/base/problem.h"
#include "lib/tables/hat.h"

/* Where entries stand, by number. All zero: none yet. */
struct hat_places {
    struct hat_spot {
        uint32_t line, column, source;
    } * spots; /* owned */
    size_t n, room;
    struct place *sources; /* owned: files, and keys of the configuration */
    size_t nsources, sources_room;
};

/* The place of the next entry; its strings must outlive the places. false: out of
 * memory. */
NODISCARD bool hat_places_add(struct hat_places *places, struct place at);
void hat_places_done(struct hat_places *places);

/* hat: complete, its indexes sealed. sections: its groups are [group] sections.
 * false: out of memory. */
NODISCARD bool hat_hidden_warn(const struct hat *hat, const struct hat_places *places,
                               bool sections, struct problems *problems);

/* Does no client reach what follows all groups? */
bool hat_hides_fallback(const struct hat *hat);

#endif
