/*
 * hat_builder.h - the steps by which a Host Access Table comes to be, for its
 * two readers: hat_build.c (sections of the configuration) and hat_text.c.
 *
 * First the policies that groups may lead to, then for each group its entries
 * and the group itself. What goes wrong becomes a problem; a step that returns
 * false was the last (out of memory). One thread.
 */
#ifndef LIB_TABLES_HAT_BUILDER_H
#define LIB_TABLES_HAT_BUILDER_H

#include "lib/tables/hat_entry.h"
#include "lib/tables/hat_hidden.h"
#include "lib/tables/hat_settings.h"
#include "lib/tables/scan.h"

struct hat_builder {
    struct hat *hat;
    struct problems *problems;
    struct arena *scratch; /* the caller's to empty between entries */
    size_t errors;         /* that problems had before */
    uint32_t first;        /* entry of the next group */
    enum hat_run { HAT_RUN_NONE, HAT_RUN_ADDRESSES, HAT_RUN_NAMES } run; /* the last group */
    struct hat_form last;                                                /* the last entry */
    struct hat_places places;                                            /* of all entries */
    bool sections; /* set by the reader: groups are [group] sections */
};

/* file: where all groups stand, copied; NULL none. hat_builder_finish() must
 * follow in any case. */
NODISCARD bool hat_builder_start(struct hat_builder *builder, const char *file,
                                 struct problems *problems);

/* A target for groups; the same policy again gives the same number where it was
 * the last one. policy and written must outlive the table (hat->arena does). */
NODISCARD bool hat_builder_target(struct hat_builder *builder, const struct policy *policy,
                                  const struct hat_settings *written, uint32_t *target_out);
struct arena *hat_builder_arena(const struct hat_builder *builder); /* of the table */
const char *hat_builder_path(const struct hat_builder *builder);    /* the file, copied */
const struct policy *hat_builder_policy(const struct hat_builder *builder, uint32_t target);

/* Entries of the next group: one as written, or all of a file. A wrong entry is
 * a problem, and true. */
NODISCARD bool hat_builder_entry(struct hat_builder *builder, struct slice written,
                                 struct place at);
NODISCARD bool hat_builder_file(struct hat_builder *builder, const char *path, struct place at);

/* The group that has all entries since the last one. */
struct hat_builder_group {
    struct slice name; /* p NULL: bare entries */
    struct place at;
    uint32_t target;
    unsigned unverified;  /* enum hat_unverified bits */
    struct slice comment; /* n 0: none */
};
NODISCARD bool hat_builder_group(struct hat_builder *builder,
                                 const struct hat_builder_group *group);

/* After the last group, which is ALL: the table, NULL when there were errors
 * or `good` is false. */
struct hat *hat_builder_finish(struct hat_builder *builder, bool good);

#endif
